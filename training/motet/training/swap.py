"""Swaps: two captions of one window, alike but for one attribute, of which one is true and the other false.

Near swaps are hard: the next class of tempo, a key a fifth away or the relative one, a player of the same family.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from motet.music import tempo
from motet.music.attributes import Attributes
from motet.music.instrument import family_of
from motet.music.key import Key
from motet.music.tempo import TEMPO_WORDS
from motet.training.corpus import caption_writer, truth
from motet.training.corpus.shard import StatedCaption

_TRIES: Final = 40
_FEW_WORDS: Final = 4
_NEAR_TEMPO: Final = (0.8, 1.25, 0.7, 1.45)
_FAR_TEMPO: Final = (0.6, 1.7, 0.5, 2.0)
_FIFTHS: Final = (5, 7)


@dataclass(frozen=True, kw_only=True)
class Swap:
    """A window and two captions.

    Args:
        row: of the window, in the sequence of attributes that was given.
        true: says only what is true of it.
        false: the same words but for one attribute.
    """

    row: int
    true: StatedCaption
    false: StatedCaption


def swaps(attributes: Sequence[Attributes], name: str, seed: int) -> list[Swap]:
    """One swap for each window that has an attribute and for which words were found.

    Args:
        attributes: all that is known of each window; a false genre, mood, meter or player is that of another one.
        name: of ``SWAPS``.
        seed: of the false value and the words; the same whatever other swaps are made.
    """
    found = []
    for row, known in enumerate(attributes):
        right = replace(known, bars=None, duration_s=None)  # no window is judged by its length
        rng = np.random.default_rng([seed, row, list(SWAPS).index(name)])
        for wrong in SWAPS[name](right, attributes, rng):
            pair = _worded(row, right, wrong, seed)
            if pair is not None:
                found.append(pair)
                break
    return found


def _worded(row: int, right: Attributes, wrong: Attributes, seed: int) -> Swap | None:
    """The swap in words, of some tries the one whose captions differ in the fewest; None when there is none."""
    best, fewest = None, math.inf
    for attempt in range(_TRIES):
        true = caption_writer.write(right, np.random.default_rng([seed, row, attempt]))
        false = caption_writer.write(wrong, np.random.default_rng([seed, row, attempt]))
        said, lied = (Counter(caption.text.lower().split()) for caption in (true, false))
        words = (said - lied).total() + (lied - said).total()
        if words < fewest and _alike(true.stated, false.stated, right, wrong) and truth.read(false.text, right)[1]:
            best, fewest = Swap(row=row, true=true, false=false), words
            if words <= _FEW_WORDS:
                break
    return best


def _alike(true: Attributes, false: Attributes, right: Attributes, wrong: Attributes) -> bool:
    """Whether both captions state the swapped attribute, and all others alike.

    Where drums are swapped, what else is stated may differ, all of it true: with and without, people word it unlike.
    """
    if right.drums != wrong.drums:
        return true.drums is not None and false.drums is not None
    for name in ("tempo_bpm", "tempo_word", "key", "meter", "drums", "instruments", "genres", "moods"):
        said, lied = getattr(true, name), getattr(false, name)
        if getattr(right, name) == getattr(wrong, name):
            if said != lied:
                return False
        elif isinstance(said, tuple):
            if len(said) != len(lied):
                return False
        elif (said is None) != (lied is None):
            return False
    return True


_Candidates = Sequence[Attributes]
_Maker = Callable[[Attributes, Sequence[Attributes], np.random.Generator], _Candidates]


def _tempo(factors: Sequence[float]) -> _Maker:
    def make(right: Attributes, others: Sequence[Attributes], rng: np.random.Generator) -> _Candidates:
        if right.tempo_bpm is None:
            return []
        first = int(rng.integers(2))  # up or down
        options = []
        for place in range(len(factors)):
            bpm = round(right.tempo_bpm * factors[place ^ first])
            if 30 <= bpm <= 260 and not _fits(right.tempo_bpm, tempo.word_of(bpm)):
                options.append(replace(right, tempo_bpm=float(bpm), tempo_word=tempo.word_of(bpm)))
        return options

    return make


def _fits(bpm: float, word: str) -> bool:
    low, high = TEMPO_WORDS[word]
    return low <= bpm <= high


def _key(move: Callable[[Key, np.random.Generator], Key]) -> _Maker:
    def make(right: Attributes, others: Sequence[Attributes], rng: np.random.Generator) -> _Candidates:
        return [] if right.key is None else [replace(right, key=move(right.key, rng))]

    return make


def _by_fifth(key: Key, rng: np.random.Generator) -> Key:
    return Key((key.tonic + int(rng.choice(_FIFTHS))) % 12, key.mode)


def _far_tonic(key: Key, rng: np.random.Generator) -> Key:
    return Key((key.tonic + int(rng.choice([step for step in range(1, 12) if step not in _FIFTHS]))) % 12, key.mode)


def _other_mode(key: Key, rng: np.random.Generator) -> Key:
    return Key(key.tonic, "minor" if key.mode == "major" else "major")


def _instrument(same_family: bool) -> _Maker:
    def make(right: Attributes, others: Sequence[Attributes], rng: np.random.Generator) -> _Candidates:
        if not right.instruments:
            return []
        heard = [program for one in others for program in one.instruments]
        options = []
        for place in rng.permutation(len(right.instruments)):
            family = family_of(right.instruments[place])
            there = {family_of(program) for program in right.instruments}
            fitting = [
                program
                for program in heard
                if program not in right.instruments
                and (family_of(program) == family if same_family else family_of(program) not in there)
            ]
            if fitting:
                programs = list(right.instruments)
                programs[place] = fitting[int(rng.integers(len(fitting)))]
                options.append(replace(right, instruments=tuple(programs)))
        return options

    return make


def _drums(right: Attributes, others: Sequence[Attributes], rng: np.random.Generator) -> _Candidates:
    return [] if right.drums is None else [replace(right, drums=not right.drums)]


def _meter(right: Attributes, others: Sequence[Attributes], rng: np.random.Generator) -> _Candidates:
    meters = [one.meter for one in others if one.meter is not None and one.meter != right.meter]
    if right.meter is None or not meters:
        return []
    return [replace(right, meter=meters[int(rng.integers(len(meters)))])]


def _word(field: Literal["genres", "moods"]) -> _Maker:
    def make(right: Attributes, others: Sequence[Attributes], rng: np.random.Generator) -> _Candidates:
        mine: tuple[str, ...] = getattr(right, field)
        theirs = [word for one in others for word in getattr(one, field) if word not in mine]
        if not mine or not theirs:
            return []
        options = []
        for place in rng.permutation(len(mine)):
            words = list(mine)
            words[place] = theirs[int(rng.integers(len(theirs)))]
            wrong = tuple(words)
            options.append(replace(right, genres=wrong) if field == "genres" else replace(right, moods=wrong))
        return options

    return make


SWAPS: Final[dict[str, _Maker]] = {
    "instruments far": _instrument(same_family=False),
    "instruments near": _instrument(same_family=True),
    "drums": _drums,
    "tempo far": _tempo(_FAR_TEMPO),
    "tempo near": _tempo(_NEAR_TEMPO),
    "key far": _key(_far_tonic),
    "key by a fifth": _key(_by_fifth),
    "relative key": _key(lambda key, rng: key.relative),
    "key mode": _key(_other_mode),
    "meter": _meter,
    "genres": _word("genres"),
    "moods": _word("moods"),
}
"""Every swap by name: from what is true of a window, all windows and a generator to what is false, best first."""
