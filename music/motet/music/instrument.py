"""General MIDI instruments: names, families, and the words that people use for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from motet.music.error import InvalidInputError
from motet.music.family import FAMILY_WORDS
from motet.music.phrase import Found, Vocabulary, Words
from motet.music.score import DRUMS

PROGRAM_NAMES: Final[tuple[str, ...]] = (
    "Acoustic Grand Piano", "Bright Acoustic Piano", "Electric Grand Piano", "Honky-tonk Piano",
    "Electric Piano 1", "Electric Piano 2", "Harpsichord", "Clavinet",
    "Celesta", "Glockenspiel", "Music Box", "Vibraphone", "Marimba", "Xylophone", "Tubular Bells", "Dulcimer",
    "Drawbar Organ", "Percussive Organ", "Rock Organ", "Church Organ",
    "Reed Organ", "Accordion", "Harmonica", "Bandoneon",
    "Nylon String Guitar", "Steel String Guitar", "Jazz Guitar", "Clean Electric Guitar",
    "Muted Electric Guitar", "Overdriven Guitar", "Distortion Guitar", "Guitar Harmonics",
    "Acoustic Bass", "Fingered Electric Bass", "Picked Electric Bass", "Fretless Bass",
    "Slap Bass 1", "Slap Bass 2", "Synth Bass 1", "Synth Bass 2",
    "Violin", "Viola", "Cello", "Contrabass", "Tremolo Strings", "Pizzicato Strings", "Orchestral Harp", "Timpani",
    "String Ensemble 1", "String Ensemble 2", "Synth Strings 1", "Synth Strings 2",
    "Choir Aahs", "Voice Oohs", "Synth Voice", "Orchestra Hit",
    "Trumpet", "Trombone", "Tuba", "Muted Trumpet", "French Horn", "Brass Section", "Synth Brass 1", "Synth Brass 2",
    "Soprano Sax", "Alto Sax", "Tenor Sax", "Baritone Sax", "Oboe", "English Horn", "Bassoon", "Clarinet",
    "Piccolo", "Flute", "Recorder", "Pan Flute", "Blown Bottle", "Shakuhachi", "Whistle", "Ocarina",
    "Square Lead", "Sawtooth Lead", "Calliope Lead", "Chiff Lead",
    "Charang Lead", "Voice Lead", "Fifths Lead", "Bass and Lead",
    "New Age Pad", "Warm Pad", "Polysynth Pad", "Choir Pad", "Bowed Pad", "Metallic Pad", "Halo Pad", "Sweep Pad",
    "Rain Effect", "Soundtrack Effect", "Crystal Effect", "Atmosphere Effect",
    "Brightness Effect", "Goblins Effect", "Echoes Effect", "Sci-fi Effect",
    "Sitar", "Banjo", "Shamisen", "Koto", "Kalimba", "Bagpipe", "Fiddle", "Shanai",
    "Tinkle Bell", "Agogo", "Steel Drums", "Woodblock", "Taiko Drum", "Melodic Tom", "Synth Drum", "Reverse Cymbal",
    "Guitar Fret Noise", "Breath Noise", "Seashore", "Bird Tweet", "Telephone Ring", "Helicopter",
    "Applause", "Gunshot",
)  # fmt: skip
"""General MIDI Level 1 sound set, program 0 first (MIDI Manufacturers Association, 1991), with plain names."""

FAMILIES: Final[tuple[str, ...]] = (
    "piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass",
    "reed", "pipe", "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects",
)  # fmt: skip
"""The 16 General MIDI families, 8 programs each."""


def family_of(program: int) -> str:
    """Family of a General MIDI program 0..127; raises InvalidInputError outside that range."""
    if not 0 <= program <= 127:
        raise InvalidInputError.of("program", "must be from 0 to 127", program)
    return FAMILIES[program // 8]


# For each program the words for it, first the one used in sentences. "/" parts alternatives.
_SPOKEN: Final[tuple[str, ...]] = (
    "piano/grand piano/acoustic grand piano/acoustic piano/upright piano/pianoforte/felt piano/regular piano"
    "/keyboard/concert piano/prepared piano/pianist",
    "bright piano/bright acoustic piano",
    "electric grand piano/electric grand",
    "honky-tonk piano/honky tonk/tack piano/saloon piano",
    "electric piano/electric piano 1/rhodes/rhodes piano/wurlitzer/fender rhodes/e piano/ep 1/suitcase piano",
    "FM electric piano/electric piano 2/dx7/dx piano/digital piano",
    "harpsichord/spinet/virginal/cembalo",
    "clavinet/clavi/clav/clavichord",
    "celesta/celeste",
    "glockenspiel/bells lyra/orchestra bells",
    "music box/musical box",
    "vibraphone/vibes mallets/vibraharp/vibraphonist",
    "marimba",
    "xylophone",
    "tubular bells/church bells/chimes/bells/carillon/tubular bell",
    "dulcimer/hammered dulcimer/santoor/santur/cimbalom/zither",
    "drawbar organ/hammond organ/hammond/hammond b3/b3 organ/organ/electric organ/jazz organ/tonewheel organ",
    "percussive organ",
    "rock organ",
    "church organ/pipe organ/cathedral organ",
    "reed organ/harmonium/pump organ",
    "accordion/accordian/squeezebox/french accordion/musette",
    "harmonica/blues harp/mouth organ/melodica",
    "bandoneon/tango accordion/concertina",
    "nylon guitar/nylon string guitar/classical guitar/spanish guitar/guitar/acoustic guitar nylon/ukulele/lute/oud"
    "/flamenco guitar/guitarist/nylon stringed guitar/vihuela/theorbo",
    "steel-string guitar/acoustic guitar/steel guitar/steel string acoustic guitar/folk guitar/acoustic guitar steel"
    "/12 string guitar/twelve string guitar/mandolin/bouzouki/fingerstyle guitar/strummed guitar/pedal steel"
    "/slide guitar",
    "hollow-body guitar/jazz guitar/jazz electric guitar/electric guitar jazz/archtop guitar",
    "clean electric guitar/electric guitar/clean guitar/electric guitar clean/rhythm guitar/clean electric"
    "/electrical guitar/funk guitar/reggae guitar",
    "muted guitar/muted electric guitar/palm muted guitar/electric guitar muted/palm mute guitar",
    "overdriven guitar/overdriven electric guitar/overdrive guitar/crunch guitar/crunchy guitar/lead guitar"
    "/rock guitar/blues guitar/lead electric guitar",
    "distorted guitar/distortion guitar/distorted electric guitar/heavy guitar/metal guitar/fuzz guitar/power chords"
    "/guitar riff/heavy electric guitar/distorted riffs/heavy riffs/distorted lead guitar",
    "guitar harmonics/guitar harmonic",
    "acoustic bass/upright bass/stand up bass/walking bass/acoustic bass guitar/jazz bass/plucked bass",
    "electric bass/fingered bass/bass guitar/fingered electric bass/bass/electric bass guitar/electric bass finger"
    "/finger bass/bassline/bass line/finger style bass/bass player",
    "picked bass/picked electric bass/pick bass/electric bass pick",
    "fretless bass/fretless electric bass/fretless",
    "slap bass/slap bass 1/slapped bass/slapping bass/popping bass/funk bass",
    "slap bass 2",
    "synth bass/synth bass 1/synthesizer bass/analog bass/sub bass/808 bass/acid bass/electronic bass/synthesized bass"
    "/synth bassline/reese bass/wobble bass",
    "synth bass 2",
    "violin/violins/violinist",
    "viola/violas",
    "cello/cellos/violoncello/celli/cellist",
    "contrabass/double bass/string bass/bass viol/bowed bass/orchestral bass/double basses",
    "tremolo strings/string tremolo/strings tremolo",
    "pizzicato strings/pizzicato/plucked strings/pizzicato string",
    "orchestral harp/harp/lyre/celtic harp",
    "timpani/kettle drum/kettledrum/tympani/timpano",
    "string ensemble/strings/string section/string ensemble 1/string orchestra/orchestral strings/strings section"
    "/violin section/lush strings/orchestra/symphony orchestra/full orchestra/orchestra strings/mellotron",
    "legato strings/string ensemble 2/slow strings/slow string ensemble",
    "synth strings/synthesizer strings/synth strings 1/synthesized strings/synth string/electronic strings"
    "/strings synth",
    "synth strings 2",
    "choir/choir aahs/chorus aahs/choir vocals/choral voices/aahs/choral/choir voices/vocal choir/voices/mixed choir"
    "/choirs/satb/vocal ensemble/choir of voices/boys choir/male choir/female choir",
    "voice oohs/oohs/voice/vocal oohs/vocals/vocal/singer/voice ooh/female vocal/male vocal/vocalist/soprano voice",
    "synth voice/synth choir/synthesized voice/synthetic voice/synthesizer voice/vocoder/synth vox/synth vocals",
    "orchestra hit/orchestral hit/orchestra stab/orchestral stab",
    "trumpet/cornet/flugelhorn/flugel horn/bugle",
    "trombone",
    "tuba/sousaphone/euphonium/baritone horn",
    "muted trumpet/harmon mute trumpet",
    "French horn/horn/orchestral horn",
    "brass section/brass/brass ensemble/horn section/horns/brass band/brass instruments/brass stabs",
    "synth brass/synth brass 1/synthesizer brass/synthesized brass/brass synth/electronic brass",
    "synth brass 2",
    "soprano sax/soprano saxophone",
    "alto sax/alto saxophone/saxophone/sax/saxophonist",
    "tenor sax/tenor saxophone",
    "baritone sax/baritone saxophone/bari sax/bass saxophone",
    "oboe",
    "English horn/cor anglais",
    "bassoon/contrabassoon",
    "clarinet/bass clarinet",
    "piccolo/piccolo flute",
    "flute/transverse flute/traverso/alto flute/flutist",
    "recorder/block flute",
    "pan flute/panpipes/pan pipes/zampona/panflute",
    "blown bottle/bottle blow/bottle/blown bottles",
    "shakuhachi",
    "whistle/whistling/tin whistle/penny whistle/irish whistle/low whistle",
    "ocarina",
    "square lead/square wave/square wave lead/chip lead/square synth/lead 1/pulse wave",
    "synth lead/saw lead/sawtooth lead/saw wave/lead synth/lead synthesizer/synth/synthesizer/sawtooth/saw synth"
    "/analog synth/synth melody/synthesiser/synth arpeggio/arpeggiated synth/supersaw/plucked synth/synth pluck",
    "calliope lead/calliope",
    "chiff lead/chiffer lead/chiff",
    "charang lead/charang/charango",
    "voice lead/solo vox/voice lead synth/vox lead/vocal lead synth",
    "fifths lead/fifth lead",
    "bass and lead/bass lead/bass plus lead",
    "new age pad/fantasia pad",
    "synth pad/pad/warm pad/synthesizer pad/ambient pad/atmospheric pad/lush pad/pad synth/drone/warm synth pad",
    "polysynth pad/polysynth/poly synth",
    "choir pad/space voice",
    "bowed pad/bowed glass/glass harmonica",
    "metallic pad/metal pad",
    "halo pad",
    "sweep pad/sweeping pad",
    "rain effect/ice rain/rain fx",
    "soundtrack effect/soundtrack fx",
    "crystal effect/crystal fx/crystal synth/fx crystal",
    "synth effects/atmosphere effect/atmosphere fx/synth effect/synth fx/synthesizer effects/effects synth",
    "brightness effect/brightness fx",
    "goblins effect/goblins/goblin fx/goblin effect",
    "echoes effect/echo drops/echoes fx/echo effect",
    "sci-fi effect/sci fi fx/star theme",
    "sitar/tanpura/veena",
    "banjo/tenor banjo",
    "shamisen/pipa",
    "koto/guzheng",
    "kalimba/thumb piano/mbira",
    "bagpipe/bagpipes/uilleann pipes/highland pipes/small pipes",
    "fiddle/erhu/hardanger fiddle/fiddler",
    "shanai/shehnai/zurna/duduk",
    "tinkle bell/tinkling bell/tinkle bells",
    "agogo/agogo bells/agogo bell",
    "steel drums/steel drum/steel pan/steelpan/steel pans",
    "woodblock/wood block/temple block",
    "taiko drum/taiko/taiko drums",
    "melodic tom/melodic toms/melodic tom toms",
    "synth drum/synth drums/synthesizer drum/simmons drum",
    "reverse cymbal/reversed cymbal/reverse cymbals",
    "guitar fret noise/fret noise/guitar noise",
    "breath noise",
    "seashore/seashore sounds/ocean waves/sea waves/ocean sounds/waves sound/sea shore",
    "bird tweet/birdsong/bird tweets/bird sounds/bird song/birds chirping/chirping birds/bird chirps",
    "telephone ring/telephone/phone ring",
    "helicopter",
    "applause/clapping audience",
    "gunshot/gun shot/gunshots",
)

_SECTIONS: Final[dict[str, tuple[int, ...]]] = {
    "string quartet": (40, 41, 42), "string trio": (40, 41, 42), "string quintet": (40, 41, 42, 43),
    "piano trio": (0, 40, 42), "woodwind": (73, 68, 71), "woodwinds": (73, 68, 71),
    "wind quintet": (73, 68, 71, 60, 70),
    "woodwind quintet": (73, 68, 71, 60, 70), "brass quintet": (56, 60, 57, 58), "brass quartet": (56, 60, 57),
    "saxophone quartet": (64, 65, 66, 67), "sax quartet": (64, 65, 66, 67), "saxophone section": (65, 66, 67),
    "sax section": (65, 66, 67), "guitar duo": (24, 25), "fiddle and accordion": (110, 21),
}  # fmt: skip
"""Groups of instruments that one phrase names."""

_DRUM_PHRASES: Final = (
    "drums", "drum", "drum kit", "drum set", "drumset", "drumkit", "percussion", "percussive elements", "drum machine",
    "drum beat", "drumbeat", "drum loop", "drum track", "drum groove", "drum pattern", "beats and drums", "drumming",
    "percussion section", "snare", "snare drum", "kick", "kick drum", "bass drum", "hi hat", "hihat", "high hat",
    "cymbal", "crash cymbal", "ride cymbal", "tambourine", "shaker", "maraca", "conga", "bongo", "bongos", "congas",
    "cowbell", "hand claps", "handclap", "claps", "tom toms", "toms", "brushed drums", "acoustic drums",
    "electronic drums", "electric drums", "live drums", "808 drums", "808s", "breakbeat drums", "drummer",
    "four on the floor", "triangle percussion", "castanets", "djembe", "cajon", "timbales", "latin percussion",
    "drums and percussion", "tabla", "rim shot", "sticks", "trap drums", "guiro", "claves", "bodhran", "frame drum",
    "percussionist", "drum and bass", "drum n bass", "drum bass", "brush drums", "backbeat", "blast beat",
    "blast beats",
)  # fmt: skip

Meaning = tuple[int, ...]
"""Programs that a phrase names; ``(DRUMS,)`` for a drum kit or hand percussion."""

VOCABULARY: Final[Vocabulary[Meaning]] = Vocabulary(
    {phrase.lower(): (program,) for program, phrases in enumerate(_SPOKEN) for phrase in phrases.split("/")}
    | _SECTIONS
    | dict.fromkeys(_DRUM_PHRASES, (DRUMS,)),
    plural=True,
)

SPOKEN_NAMES: Final[tuple[str, ...]] = tuple(phrases.split("/")[0] for phrases in _SPOKEN)
"""The name of each program in an English sentence; ``find`` reads every one of them back."""


def program_of(name: str) -> int | None:
    """The program that a name means ("Violin", "sax", "Electric Bass (finger)"), DRUMS for drums, None if unknown."""
    squeezed = name.strip().lower()
    for program, official in enumerate(PROGRAM_NAMES):
        if official.lower() == squeezed:
            return program
    meaning = VOCABULARY.meaning(squeezed)
    return None if meaning is None else meaning[0]


_ELIDED: Final[dict[str, frozenset[str]]] = {
    "guitar": frozenset(
        ["acoustic", "electric", "clean", "clean electric", "overdriven", "distorted", "distortion", "muted", "nylon",
         "classical", "steel", "jazz", "bass", "overdriven electric", "distorted electric", "muted electric"]
    ),
    "saxophone": frozenset(["soprano", "alto", "tenor", "baritone"]),
    "sax": frozenset(["soprano", "alto", "tenor", "baritone"]),
    "saxe": frozenset(["soprano", "alto", "tenor", "baritone"]),
    "organ": frozenset(["church", "rock", "hammond", "percussive", "reed", "drawbar", "pipe"]),
    "bass": frozenset(["fretless", "electric", "acoustic", "slap", "synth", "upright"]),
    "string": frozenset(["pizzicato", "tremolo", "synth"]),
    "piano": frozenset(["electric", "acoustic", "honky tonk", "grand"]),
    "pad": frozenset(["warm", "synth", "choir", "new age"]),
}  # fmt: skip
"""Words that may stand without the noun when it follows later: "acoustic and electric guitars"."""
_OPENERS: Final = frozenset(["including", "includes", "both", "like", "namely"])
_LEADS: Final = frozenset(["lead", "leads", "leading", "solo", "solos", "melody", "soloist"])
_ALONE: Final = Vocabulary(
    dict.fromkeys(
        ["unaccompanied", "a cappella", "acapella", "a capella", "drumless", "drum free", "percussion free"], 1
    )
)
_NONE: Final = frozenset(["no", "none", "off", "without"])
_LIKENESS: Final = frozenset(["like", "esque"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrumentation:
    """The instruments that a text asks for.

    Args:
        programs: General MIDI programs, those marked as lead or solo first, then in order of mention, no duplicates.
        drums: True asked for, False ruled out, None not stated.
        phrases: the phrases found, negated ones included.
        families: programs among these that a word for a whole family named, and all the programs that it means.
    """

    programs: tuple[int, ...]
    drums: bool | None
    families: tuple[tuple[Meaning, Meaning], ...]
    phrases: tuple[Found[Meaning], ...]


def find(words: Words) -> Instrumentation:
    """The instruments and drums that a text asks for.

    Reads lists that share a noun ("tenor and alto saxophones"); an unaccompanied or solo instrument rules drums out.
    """
    phrases = tuple(found for found in VOCABULARY.find(words) if words.at(found.last + 1) not in _LIKENESS)
    taken = {index for found in phrases for index in range(found.first, found.last + 1)}
    ranked: list[tuple[int, int, int]] = []
    families: dict[Meaning, Meaning] = {}
    drums: bool | None = None
    for found in phrases:
        if DRUMS in found.value:
            labelled = words.gap(found.last).lstrip().startswith(":")  # "Drums: none"
            drums = drums or not (found.negated or (labelled and words.at(found.last + 1) in _NONE))
            continue
        if found.negated:
            continue
        before = _shared_before(words, found, taken)
        after = _shared_after(words, found, taken)
        own = [] if after and found.first == found.last else [words.text[found.start : found.end]]
        rank = 0 if _leads(words, found, taken) else 1
        for name in (*before, *own, *after):
            programs, family = VOCABULARY.meaning(name) or (), FAMILY_WORDS.meaning(name)
            ranked += [(rank, found.first, program) for program in programs]
            if family is not None:
                families[programs] = family
    ordered = tuple(dict.fromkeys(program for _, _, program in sorted(ranked, key=lambda item: item[:2])))
    solo = len(ordered) == 1 and any(
        words.at(found.first - 1) == "solo" or words.at(found.last + 1) in ("only", "alone") for found in phrases
    )
    alone = any(not found.negated for found in _ALONE.find(words))
    if drums is None and (solo or alone):
        drums = False
    return Instrumentation(programs=ordered, drums=drums, phrases=phrases, families=tuple(families.items()))


def _leads(words: Words, found: Found[Meaning], taken: set[int]) -> bool:
    """Whether the text gives an instrument the lead: "flute lead", "solo flute", "led by a flute"."""
    after, before = found.last + 1, found.first - 1
    if words.at(after) in _LEADS and after not in taken and words.gap(found.last).strip() in ("", "-"):
        return True
    while words.at(before) in ("a", "an", "the"):
        before -= 1
    if before < 0 or before in taken or "," in words.gap(before):
        return False
    return words.at(before) in ("solo", "lead") or (words.at(before - 1), words.at(before)) == ("led", "by")


def _head(words: Words, found: Found[Meaning]) -> str:
    word = words.at(found.last)
    return word if word in _ELIDED else word.removesuffix("s")


def _shared_before(words: Words, found: Found[Meaning], taken: set[int]) -> list[str]:
    """What the qualifiers in a list before a phrase that lean on its noun name."""
    head = _head(words, found)
    names: list[str] = []
    index = found.first
    while True:
        joined = words.at(index - 1) in ("and", "or")
        last = index - 2 if joined else index - 1
        if last < 0 or not (joined or any(mark in words.gap(last) for mark in ",&/")):
            return names
        for first in (last - 1, last):
            qualifier = " ".join(words.lower[max(first, 0) : last + 1])
            free = not taken & set(range(first, last + 1))
            if free and qualifier in _ELIDED.get(head, ()) and VOCABULARY.meaning(f"{qualifier} {head}"):
                names.insert(0, f"{qualifier} {head}")
                index = first
                break
        else:
            return names


def _shared_after(words: Words, found: Found[Meaning], taken: set[int]) -> list[str]:
    """What the qualifiers that a list after a noun gives name: "guitars, including acoustic and distorted"."""
    head = _head(words, found)
    names: list[str] = []
    index = found.last + 1
    if words.at(index) not in _OPENERS or head not in _ELIDED:
        return names
    index += 1
    while index < len(words):
        if words.at(index) in ("and", "or"):
            index += 1
        for last in (index + 1, index):
            qualifier = " ".join(words.lower[index : last + 1])
            free = not taken & set(range(index, last + 1))
            if free and qualifier in _ELIDED[head] and VOCABULARY.meaning(f"{qualifier} {head}"):
                names.append(f"{qualifier} {head}")
                index = last + 1
                break
        else:
            return names
    return names
