"""Words that mean a whole family of instruments, any of which will do: "guitar", "strings", "brass"."""

from __future__ import annotations

from typing import Final

from motet.music.phrase import Vocabulary

_BOWED: Final = (*range(40, 46), *range(48, 52))
_BASSES: Final = (*range(32, 40), 43)
_CHOIR: Final = (52, 53, 54)
_WINDS: Final = tuple(range(64, 80))

_MEANT: Final[dict[str, tuple[int, ...]]] = {
    "piano/pianist/regular piano": tuple(range(4)),
    "keyboard": tuple(range(8)),
    "electric piano/e piano": (2, 4, 5),
    "organ": tuple(range(16, 21)),
    "electric organ": (16, 17, 18),
    "guitar/guitarist": tuple(range(24, 32)),
    "acoustic guitar/strummed guitar/fingerstyle guitar": (24, 25),
    "electric guitar/electrical guitar/clean electric": tuple(range(26, 32)),
    "rhythm guitar": tuple(range(24, 31)),
    "lead guitar/lead electric guitar/rock guitar/blues guitar": tuple(range(26, 31)),
    "bass/bassline/bass line/bass player/walking bass": _BASSES,
    "electric bass/bass guitar/electric bass guitar": tuple(range(33, 38)),
    "upright bass/stand up bass": (32, 43),
    "slap bass/slapped bass": (36, 37),
    "synth bass/synthesizer bass/synth bassline/electronic bass": (38, 39),
    "fiddle/fiddler": (40, 110),
    "strings/string section/strings section/orchestral strings/orchestra strings/string orchestra/lush strings": _BOWED,
    "string ensemble": (48, 49),
    "synth strings/synthesizer strings/electronic strings/strings synth": (50, 51),
    "choir/choral/choral voices/choir voices/vocal choir/voices/mixed choir/choirs/vocal ensemble": _CHOIR,
    "voice/vocals/vocal/singer/vocalist": (*_CHOIR, 85),
    "orchestra/symphony orchestra/full orchestra": (*_BOWED, 46, 47, *range(55, 62), *_WINDS),
    "trumpet": (56, 59),
    "brass/brass section/brass ensemble/horn section/horns/brass band/brass instruments/brass stabs": tuple(
        range(56, 64)
    ),
    "synth brass/synthesizer brass/electronic brass/brass synth": (62, 63),
    "sax/saxophone/saxophonist": tuple(range(64, 68)),
    "woodwind/woodwinds": _WINDS,
    "bells/chimes": (9, 14, 112),
    "synth/synthesizer/synthesiser/analog synth": (38, 39, 50, 51, 54, 62, 63, *range(80, 104)),
    "synth lead/lead synth/lead synthesizer/synth melody": tuple(range(80, 88)),
    "pad/synth pad/synthesizer pad/pad synth/ambient pad/atmospheric pad/lush pad": tuple(range(88, 96)),
    "synth effects/synth effect/synthesizer effects/effects synth": tuple(range(96, 104)),
}

FAMILY_WORDS: Final[Vocabulary[tuple[int, ...]]] = Vocabulary(
    {word: programs for words, programs in _MEANT.items() for word in words.split("/")}, plural=True
)
"""Word -> the General MIDI programs that it means, ascending or nearly so; ``instrument.find`` gives one of them."""
