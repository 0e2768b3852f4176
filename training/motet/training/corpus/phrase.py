"""The words for single facts: what instruments, tempi, moods and genres are called in captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from motet.music.instrument import PROGRAM_NAMES
from motet.music.key import Key
from motet.music.meter import Meter

INSTRUMENT_WORDS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        0: ("piano", "piano", "piano", "piano", "piano", "grand piano", "acoustic piano", "acoustic grand piano"),
        1: ("bright piano", "bright acoustic piano"),
        2: ("electric grand piano",),
        3: ("honky-tonk piano", "honky tonk piano"),
        4: ("electric piano", "Rhodes piano"),
        6: ("harpsichord", "harpsichord", "cembalo"),
        7: ("clavinet", "clavi"),
        8: ("celesta",),
        10: ("music box", "music box", "musical box"),
        14: ("tubular bells", "chimes"),
        15: ("dulcimer",),
        16: ("drawbar organ", "Hammond organ"),
        18: ("rock organ",),
        19: ("church organ", "pipe organ"),
        20: ("reed organ", "harmonium"),
        21: ("accordion", "accordion", "squeezebox"),
        22: ("harmonica", "harmonica", "mouth organ"),
        24: ("nylon guitar", "classical guitar", "nylon string guitar"),
        25: ("steel guitar", "acoustic guitar", "steel string guitar"),
        26: ("jazz guitar", "electric jazz guitar"),
        27: ("clean electric guitar", "clean guitar", "electric guitar"),
        28: ("muted guitar", "muted electric guitar"),
        29: ("overdriven guitar",),
        30: ("distortion guitar", "distorted guitar", "distorted electric guitar"),
        31: ("guitar harmonics",),
        32: ("acoustic bass", "upright bass"),
        33: ("electric bass", "fingered bass", "bass guitar"),
        34: ("picked bass", "picked electric bass"),
        35: ("fretless bass",),
        36: ("slap bass",),
        38: ("synth bass",),
        40: ("violin", "violin", "violins"),
        41: ("viola", "violas"),
        42: ("cello", "cello", "cellos", "violoncello"),
        43: ("contrabass", "double bass"),
        44: ("tremolo strings",),
        45: ("pizzicato strings", "plucked strings"),
        46: ("harp", "orchestral harp"),
        48: ("strings", "string ensemble", "string section"),
        50: ("synth strings",),
        52: ("choir", "choir aahs", "voices"),
        53: ("voice oohs", "oohs"),
        54: ("synth voice",),
        59: ("muted trumpet",),
        60: ("French horn", "horn"),
        61: ("brass section", "brass", "brass ensemble"),
        62: ("synth brass",),
        64: ("soprano sax", "soprano saxophone"),
        65: ("alto sax", "alto saxophone", "saxophone"),
        66: ("tenor sax", "tenor saxophone"),
        67: ("baritone sax", "baritone saxophone"),
        69: ("English horn", "cor anglais"),
        75: ("pan flute", "panpipes"),
        78: ("whistle", "tin whistle"),
        80: ("square lead", "square wave lead"),
        81: ("sawtooth lead", "saw lead", "synth lead"),
        88: ("new age pad",),
        89: ("warm pad", "synth pad"),
        109: ("bagpipes", "bagpipe"),
        110: ("fiddle",),
        114: ("steel drums", "steel pan"),
    }
)
"""What each program is called; programs that are not here go by their name."""

DRUM_WORDS = ("drums", "drums", "drums", "drums", "drum kit", "a drum kit", "percussion", "drum set", "a drum beat")

MOOD_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "happy": ("happy", "happy", "happy", "joyful", "cheerful", "upbeat", "merry", "sunny", "carefree", "jolly",
                  "fun", "positive", "optimistic", "lighthearted", "feel-good"),
        "sad": ("sad", "sad", "sad", "sorrowful", "mournful", "tragic", "tearful", "gloomy", "heartbroken"),
        "melancholic": ("melancholic", "melancholic", "wistful", "bittersweet", "somber", "melancholy", "pensive",
                        "yearning"),
        "calm": ("calm", "calm", "relaxing", "peaceful", "gentle", "soothing", "mellow", "serene", "relaxed",
                 "tranquil", "quiet", "soft", "laid-back", "chill", "calming", "easygoing"),
        "meditative": ("meditative", "contemplative", "reflective", "introspective", "hypnotic"),
        "energetic": ("energetic", "energetic", "lively", "spirited", "driving", "vibrant", "high-energy", "vigorous",
                      "exciting", "bouncy", "powerful", "dynamic"),
        "dark": ("dark", "dark", "brooding", "ominous", "sinister", "menacing", "bleak", "shadowy"),
        "adventurous": ("adventurous", "action-packed"),
        "dreamy": ("dreamy", "dreamlike", "ethereal", "hazy"),
        "epic": ("epic", "heroic", "majestic", "triumphant", "grand"),
        "dramatic": ("dramatic", "passionate", "intense", "stormy"),
        "tense": ("tense", "suspenseful", "nervous", "uneasy"),
        "scary": ("scary", "eerie", "spooky", "creepy", "haunting"),
        "mysterious": ("mysterious", "enigmatic", "mystical"),
        "romantic": ("romantic", "tender", "loving", "heartfelt", "intimate"),
        "emotional": ("emotional", "expressive", "touching", "poignant"),
        "uplifting": ("uplifting", "inspiring", "hopeful"),
        "cinematic": ("cinematic", "filmic"),
        "festive": ("festive", "celebratory"),
        "playful": ("playful", "whimsical", "quirky", "funny", "humorous"),
        "nostalgic": ("nostalgic", "vintage", "old-fashioned"),
        "solemn": ("solemn", "stately", "dignified", "serious"),
        "elegant": ("elegant", "graceful", "refined", "delicate"),
        "groovy": ("groovy", "danceable"),
        "warm": ("warm", "cozy"),
    }
)  # fmt: skip
"""Adjectives for a canonical mood; a mood that is not here goes by its name."""

NOUN_GENRES = frozenset(
    {"ballad", "march", "waltz", "polka", "mazurka", "polonaise", "jig", "reel", "hornpipe", "minuet", "lullaby",
     "sonata", "etude", "prelude", "tango", "bolero", "mambo", "samba", "art song", "carol"}
)  # fmt: skip
"""Genres whose name is itself a noun for a piece."""

GENRE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "r&b": ("R&B", "R&B", "rhythm and blues", "r&b", "RnB"),
        "hip-hop": ("hip-hop", "hip hop", "hiphop", "rap"),
        "video game": ("video game", "video game", "game soundtrack", "game music", "videogame"),
        "funk": ("funk", "funk", "funky"),
        "jazz": ("jazz", "jazz", "jazzy"),
        "blues": ("blues", "blues", "bluesy"),
        "pop": ("pop", "pop", "poppy"),
        "swing": ("swing", "swing", "swinging"),
        "bossa nova": ("bossa nova", "bossa nova", "bossa", "bossanova"),
        "cha-cha": ("cha-cha", "cha cha", "cha cha cha"),
        "metal": ("metal", "metal", "heavy metal"),
        "boogie": ("boogie", "boogie", "boogie woogie"),
        "musical": ("Broadway", "musical theatre", "show tune"),
        "ragtime": ("ragtime", "ragtime", "rag"),
        "lullaby": ("lullaby", "lullaby", "cradle song"),
        "romantic": ("romantic era", "romantic period"),
        "celtic": ("celtic", "Celtic", "Irish"),
        "folk": ("folk", "folk", "folk", "traditional folk", "folky"),
        "world": ("world music",),
    }
)
"""Wordings of a canonical genre; a genre that is not here goes by its name."""

TEMPO_ADJECTIVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "very slow": ("very slow", "extremely slow", "really slow", "super slow"),
        "slow": ("slow", "slow", "slow", "slow-paced", "leisurely", "unhurried", "downtempo"),
        "moderate": ("moderate", "moderately paced", "mid-tempo", "medium tempo", "midtempo"),
        "fast": ("fast", "fast", "fast", "fast-paced", "brisk", "quick", "uptempo", "up-tempo", "rapid"),
        "very fast": ("very fast", "extremely fast", "very quick", "really fast", "super fast"),
    }
)
"""Adjectives for the plain tempo words; every other canonical tempo word is Italian."""

_RESPELLED: Mapping[str, str] = MappingProxyType(
    {"Db": "C#", "C#": "Db", "Eb": "D#", "F#": "Gb", "Ab": "G#", "G#": "Ab", "Bb": "A#"}
)
_SPOKEN_METERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "2/2": ("cut time", "alla breve"),
        "2/4": ("two-four", "two-four time"),
        "3/4": ("three-four", "three-four time", "waltz time", "triple time", "triple meter"),
        "4/4": ("four-four", "four-four time", "common time", "common time"),
        "5/4": ("five-four", "five-four time"),
        "6/8": ("six-eight", "six-eight time"),
        "9/8": ("nine-eight", "nine-eight time"),
        "12/8": ("twelve-eight", "twelve-eight time"),
    }
)


def pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    """One of ``options``, uniformly."""
    return options[int(rng.integers(len(options)))]


def instrument(program: int, rng: np.random.Generator) -> str:
    """A name of a General MIDI program, without an article."""
    return pick(rng, INSTRUMENT_WORDS.get(program, (PROGRAM_NAMES[program].lower(),)))


def mood(name: str, rng: np.random.Generator) -> str:
    """An adjective for a canonical mood."""
    return pick(rng, MOOD_WORDS.get(name, (name,)))


def genre(name: str, rng: np.random.Generator) -> str:
    """A wording of a canonical genre."""
    return pick(rng, GENRE_WORDS.get(name, (name,)))


def key(value: Key, rng: np.random.Generator, *, short: float = 0.05) -> str:
    """A key as people write it: "C# minor", "Db minor", "C♯ minor", "F sharp minor", with p = ``short`` "C#m"."""
    tonic, mode = str(value).split()
    if rng.random() < 0.06:
        tonic = _RESPELLED.get(tonic, tonic)
    form = rng.random()
    if form < 0.04:
        tonic = tonic.replace("#", "♯").replace("b", "♭")
    elif form < 0.12:
        mark = pick(rng, (" ", " ", "-"))
        tonic = tonic.replace("#", f"{mark}sharp").replace("b", f"{mark}flat")
    elif rng.random() < short:
        shorts = (
            (f"{tonic}m", f"{tonic}m", f"{tonic} min", f"{tonic}min") if mode == "minor" else (f"{tonic} maj", tonic)
        )
        return pick(rng, shorts)
    return f"{tonic} {mode}"


def meter(value: Meter) -> str:
    """A meter as people write it before a noun: "6/8"."""
    return str(value)


def time(value: Meter, rng: np.random.Generator) -> str:
    """A meter as it can follow "in": "6/8", "6/8 time", "waltz time", "three-four"."""
    text = str(value)
    if text in _SPOKEN_METERS and rng.random() < 0.12:
        return pick(rng, _SPOKEN_METERS[text])
    return pick(rng, (text, text, f"{text} time"))


def bpm(value: float, rng: np.random.Generator) -> str:
    """A tempo in whole quarters a minute: "120 BPM", "120 beats per minute", "around 120 bpm", "120bpm"."""
    unit = pick(rng, (" bpm", " bpm", " bpm", " BPM", " BPM", " BPM", "bpm", "BPM", " beats per minute", " b.p.m."))
    about = pick(rng, ("around ", "about ", "roughly ", "~")) if rng.random() < 0.06 else ""
    return f"{about}{spelled(round(value)) if rng.random() < 0.01 else round(value)}{unit}"


def mark(value: float, rng: np.random.Generator) -> str:
    """A tempo as a mark: "♩=120", "tempo 120", "BPM: 120"."""
    shown = round(value)
    marks = (f"♩={shown}", f"♩ = {shown}", f"tempo {shown}", f"tempo: {shown}", f"bpm {shown}", f"BPM: {shown}",
             f"tempo={shown}", f"quarter = {shown}", f"tempo of {shown}", f"@ {shown} bpm")  # fmt: skip
    return pick(rng, marks)


_UNITS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
          "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def spelled(number: int) -> str:
    """A whole number from 1 to 999 in words: "one hundred and twenty-four"."""
    hundreds, rest = divmod(number, 100)
    tens, units = divmod(rest, 10)
    below = _UNITS[rest] if rest < 20 else "-".join(word for word in (_TENS[tens], _UNITS[units]) if word)
    return " and ".join(word for word in (f"{_UNITS[hundreds]} hundred" if hundreds else "", below) if word)


def bars(count: int, rng: np.random.Generator) -> str:
    """A length: "8 bars", "eight bars", "8 measures"."""
    number = spelled(count) if rng.random() < 0.1 else str(count)
    return f"{number} {pick(rng, ('bar', 'bar', 'bar', 'measure'))}{'s' if count > 1 else ''}"


def joined(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b, and c"."""
    if len(words) <= 2:
        return " and ".join(words)
    return ", ".join(words[:-1]) + ", and " + words[-1]


def with_article(phrase: str) -> str:
    """The phrase after "a" or "an", by its first letter."""
    lower = phrase.lower()
    spelled = lower.startswith(("a", "e", "i", "o", "up", "un")) and not lower.startswith(("eu", "one", "uni"))
    spelled = spelled or lower.startswith(("r&b", "f#", "f sharp"))
    digits = phrase.startswith(("8", "11 ", "18", "11-"))
    return f"{'an' if spelled or digits else 'a'} {phrase}"
