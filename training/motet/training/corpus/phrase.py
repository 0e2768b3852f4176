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
        0: ("piano", "piano", "piano", "grand piano", "acoustic piano", "acoustic grand piano"),
        1: ("bright piano", "bright acoustic piano"),
        2: ("electric grand piano",),
        3: ("honky-tonk piano", "honky tonk piano"),
        4: ("electric piano", "Rhodes piano"),
        6: ("harpsichord",),
        7: ("clavinet", "clavi"),
        8: ("celesta",),
        10: ("music box",),
        14: ("tubular bells",),
        15: ("dulcimer",),
        16: ("drawbar organ", "Hammond organ"),
        18: ("rock organ",),
        19: ("church organ", "pipe organ"),
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
        75: ("pan flute",),
        80: ("square lead", "square wave lead"),
        81: ("sawtooth lead", "saw lead", "synth lead"),
        88: ("new age pad",),
        89: ("warm pad", "synth pad"),
        110: ("fiddle",),
        114: ("steel drums", "steel pan"),
    }
)
"""What each program is called; programs that are not here go by their name."""

DRUM_WORDS = ("drums", "drums", "drums", "drum kit", "a drum kit", "percussion")

MOOD_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "happy": ("happy", "happy", "joyful", "cheerful", "upbeat", "merry"),
        "sad": ("sad", "sad", "sorrowful", "mournful", "tragic"),
        "melancholic": ("melancholic", "melancholic", "wistful", "bittersweet", "somber", "melancholy"),
        "calm": ("calm", "relaxing", "peaceful", "gentle", "soothing", "mellow", "serene", "relaxed", "tranquil"),
        "meditative": ("meditative", "contemplative", "reflective", "introspective"),
        "energetic": ("energetic", "energetic", "lively", "spirited", "driving", "vibrant", "high-energy"),
        "dark": ("dark", "dark", "brooding", "ominous", "sinister"),
        "adventurous": ("adventurous", "action-packed"),
    }
)
"""Adjectives for a canonical mood; a mood that is not here goes by its name."""

NOUN_GENRES = frozenset(
    {"ballad", "march", "waltz", "polka", "mazurka", "polonaise", "jig", "reel", "hornpipe", "minuet", "lullaby",
     "sonata", "etude", "prelude", "tango", "bolero", "mambo", "samba", "art song", "carol"}
)  # fmt: skip
"""Genres whose name is itself a noun for a piece."""

GENRE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "r&b": ("R&B", "rhythm and blues", "r&b"),
        "hip-hop": ("hip-hop", "hip hop"),
        "video game": ("video game", "video game", "game soundtrack"),
        "funk": ("funk", "funk", "funky"),
        "jazz": ("jazz", "jazz", "jazzy"),
        "romantic": ("romantic era", "romantic period"),
        "celtic": ("celtic", "Celtic", "Irish"),
        "folk": ("folk", "folk", "traditional folk"),
        "musical": ("Broadway", "musical theatre"),
        "world": ("world music",),
    }
)
"""Wordings of a canonical genre; a genre that is not here goes by its name."""

TEMPO_ADJECTIVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "very slow": ("very slow", "extremely slow"),
        "slow": ("slow", "slow", "slow-paced", "leisurely"),
        "moderate": ("moderate", "moderately paced", "mid-tempo", "medium tempo"),
        "fast": ("fast", "fast", "fast-paced", "brisk", "quick", "uptempo"),
        "very fast": ("very fast", "extremely fast", "very quick"),
    }
)
"""Adjectives for the plain tempo words; every other canonical tempo word is Italian."""


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


def key(value: Key, rng: np.random.Generator) -> str:
    """A key as people write it: "C# minor", "Eb major", "C♯ minor", "F sharp minor"."""
    tonic, mode = str(value).split()
    form = rng.random()
    if form < 0.04:
        tonic = tonic.replace("#", "♯").replace("b", "♭")
    elif form < 0.10:
        tonic = tonic.replace("#", " sharp").replace("b", " flat")
    return f"{tonic} {mode}"


def meter(value: Meter) -> str:
    """A meter as people write it: "6/8"."""
    return str(value)


def bpm(value: float, rng: np.random.Generator) -> str:
    """A tempo in whole quarters a minute: "120 BPM", "120 beats per minute"."""
    return f"{round(value)} {pick(rng, ('bpm', 'bpm', 'BPM', 'BPM', 'beats per minute'))}"


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
