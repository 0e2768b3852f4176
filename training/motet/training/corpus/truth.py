"""Whether a caption is true of music: what the parser reads in it against what is known of the notes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from motet.music import instrument
from motet.music.attributes import Attributes
from motet.music.caption import MAX_CHARACTERS, parse_attributes
from motet.music.phrase import Words
from motet.music.score import DRUMS
from motet.music.signature import meter_of_form
from motet.music.tempo import TEMPO_WORDS
from motet.training.corpus.shard import StatedCaption
from motet.training.corpus.window import TWINS

_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")
_CHORDS: Final = re.compile(r"\b(?:chords?|progressions?)\b", re.IGNORECASE)
_BOWED = frozenset({*range(40, 46), *range(48, 52)})
_BRASS = frozenset(range(56, 64))

FAMILY_WORDS: Mapping[str, tuple[frozenset[int], int]] = MappingProxyType(
    {
        "piano": (frozenset(range(4)), 1),
        "keyboard": (frozenset(range(8)), 1),
        "organ": (frozenset(range(16, 21)), 1),
        "guitar": (frozenset(range(24, 32)), 1),
        "guitars": (frozenset(range(24, 32)), 2),
        "electric guitar": (frozenset(range(26, 31)), 1),
        "electric guitars": (frozenset(range(26, 31)), 2),
        "acoustic guitar": (frozenset({24, 25}), 1),
        "acoustic guitars": (frozenset({24, 25}), 2),
        "bass": (frozenset({*range(32, 40), 43}), 1),
        "strings": (_BOWED, 2),
        "string section": (_BOWED, 2),
        "brass": (_BRASS, 2),
        "horns": (_BRASS, 2),
        "choir": (frozenset({52, 53, 54}), 1),
        "voices": (frozenset({52, 53, 54}), 1),
        "sax": (frozenset(range(64, 68)), 1),
        "saxophone": (frozenset(range(64, 68)), 1),
        "saxophones": (frozenset(range(64, 68)), 2),
        "synth": (frozenset({38, 39, 50, 51, 54, 62, 63, *range(80, 104)}), 1),
        "synth pad": (frozenset(range(88, 96)), 1),
        "pad": (frozenset(range(88, 96)), 1),
    }
)
"""Word for a family -> its programs, and how many of them it takes; the parser reads one of them for all."""

_ENSEMBLES = frozenset({44, 45, 48, 49, 50, 51, 61, 62, 63})  # one program of these is many players


def covers(word: str, programs: tuple[int, ...]) -> tuple[int, ...]:
    """Those of ``programs`` that a family word speaks for; none when it takes more players than there are."""
    family, least = FAMILY_WORDS[word]
    covered = tuple(program for program in programs if program in family)
    return covered if len(covered) >= least or _ENSEMBLES.intersection(covered) else ()


def read(text: str, known: Attributes) -> tuple[Attributes, list[str]]:
    """What the parser reads in a caption, and the names of the attributes in that which are not true of the music.

    The programs read are those of the music: a family word stands for all players of the family, and a
    second version of a sound ("Electric Piano 2") for the first. An attribute that is not known is not true,
    except for a meter that follows from the known genre.
    """
    parsed = parse_attributes(text)
    programs, strangers = _programs(text, parsed.instruments, known.instruments)
    false: list[str] = ["instruments"] if strangers else []
    if parsed.tempo_bpm is not None and (known.tempo_bpm is None or round(known.tempo_bpm) != parsed.tempo_bpm):
        false.append("tempo_bpm")
    if parsed.tempo_word is not None and not _fits(parsed.tempo_word, known):
        false.append("tempo_word")
    if parsed.meter not in (None, known.meter or meter_of_form(known.genres)):
        false.append("meter")
    false += [
        name
        for name in ("key", "drums", "bars", "duration_s")
        if getattr(parsed, name) not in (None, getattr(known, name))
    ]
    false += [name for name in ("genres", "moods") if not set(getattr(parsed, name)) <= set(getattr(known, name))]
    return replace(parsed, instruments=programs), false


def true_part(text: str, known: Attributes) -> StatedCaption | None:
    """The sentences of somebody's caption that are true of the music, or None when they state nothing together.

    Sentences about chords are left out: the parser does not judge them.
    """
    kept = [
        sentence
        for sentence in _SENTENCE.split(text.strip())
        if sentence and not _CHORDS.search(sentence) and not read(sentence, known)[1]
    ]
    whole = " ".join(kept)[:MAX_CHARACTERS].strip()
    stated, false = read(whole, known) if whole else (Attributes(), [])
    return None if false or stated == Attributes() else StatedCaption(text=whole, stated=stated)


def _fits(word: str, known: Attributes) -> bool:
    if known.tempo_bpm is None:
        return word == known.tempo_word
    low, high = TEMPO_WORDS[word]
    return word == known.tempo_word or low <= known.tempo_bpm <= high


def _programs(text: str, parsed: tuple[int, ...], known: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
    """The players that a caption speaks of, and whether it speaks of any that are not there."""
    words = Words(text)
    spoken: dict[int, tuple[int, ...]] = {}  # as parsed -> as known
    for found in instrument.find(words).phrases:
        if found.negated or DRUMS in found.value:
            continue
        name = " ".join(words.lower[found.first : found.last + 1])
        if name in FAMILY_WORDS:
            spoken.update(dict.fromkeys(found.value, covers(name, known)))
    programs: list[int] = []
    strangers = False
    for program in parsed:
        same = [one for one in known if TWINS.get(one, one) == TWINS.get(program, program)]
        met = (*same, *spoken.get(program, ()))
        strangers = strangers or not met
        programs += met
    return tuple(dict.fromkeys(programs)), strangers
