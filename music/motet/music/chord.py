"""Chords: names, templates, and the progression of a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.music.key import MAJOR_NAMES
from motet.music.score import DRUMS, Score

QUALITIES: Final[dict[str, tuple[int, ...]]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "dim": (0, 3, 6),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7b5": (0, 3, 6, 10),
}
"""Semitones above the root by the suffix of the chord's name; triads first, so that the simpler chord wins a tie."""

TEMPLATES: Final[NDArray[np.float64]] = np.array(
    [np.isin((np.arange(12) - root) % 12, tones) for tones in QUALITIES.values() for root in range(12)], np.float64
)
"""[84, 12] one where a pitch class belongs to the chord; row ``12 * quality + root``."""

_CHANGE: Final = 0.15  # cosine that a change of chord must earn


@dataclass(frozen=True, slots=True, order=True)
class Chord:
    """A chord without inversion.

    Args:
        root: pitch class, 0 (C) to 11 (B).
        quality: a key of ``QUALITIES``, "" for a major triad.
    """

    root: int
    quality: str

    def __post_init__(self) -> None:
        if not 0 <= self.root <= 11:
            raise InvalidInputError.of("chord.root", "must be from 0 to 11", self.root)
        if self.quality not in QUALITIES:
            raise InvalidInputError.of("chord.quality", f"must be one of {list(QUALITIES)}", self.quality)

    @classmethod
    def from_index(cls, index: int) -> Chord:
        """The chord of a row of ``TEMPLATES``."""
        return cls(index % 12, list(QUALITIES)[index // 12])

    @property
    def tones(self) -> frozenset[int]:
        """Its pitch classes."""
        return frozenset((self.root + step) % 12 for step in QUALITIES[self.quality])

    def __str__(self) -> str:
        return f"{MAJOR_NAMES[self.root]}{self.quality}"


def half_bars(score: Score) -> NDArray[np.int64]:
    """Ticks [slots + 1] where a chord may change: bar lines, and the middles of bars with an even number of beats."""
    bars = score.bar_ticks()
    meter = np.searchsorted(score.meter_tick, bars[:-1], side="right") - 1
    even = np.array([each.numerator % 2 == 0 for each in score.meters])[meter]
    return np.unique(np.concatenate([bars, (bars[:-1] + np.diff(bars) // 2)[even]]))


def progression(score: Score) -> tuple[Chord, ...]:
    """The chords of a score in order, without immediate repeats; empty when no pitched note sounds.

    Each half-bar that sounds is matched with ``TEMPLATES`` by the cosine of its pitch class profile; Viterbi decoding
    charges each change of chord (Fujishima, ICMC 1999; Sheh and Ellis, ISMIR 2003, with fixed costs).
    """
    edges = half_bars(score)
    pitched = score.program != DRUMS
    onset, pitch_class = score.onset[pitched], score.pitch[pitched] % 12
    end = onset + score.duration[pitched]
    overlap = np.minimum(end[:, None], edges[1:]) - np.maximum(onset[:, None], edges[:-1])  # [N, slots]
    profiles = np.zeros((12, len(edges) - 1))
    np.add.at(profiles, pitch_class, np.maximum(overlap, 0))
    profiles = profiles[:, profiles.sum(axis=0) > 0].T
    if not len(profiles):
        return ()
    norms = np.linalg.norm(profiles, axis=1, keepdims=True) * np.linalg.norm(TEMPLATES, axis=1)
    emission = profiles @ TEMPLATES.T / norms
    total, back = emission[0], np.zeros((len(emission), len(TEMPLATES)), np.int64)
    for slot in range(1, len(emission)):
        best = int(np.argmax(total))
        stays = total >= total[best] - _CHANGE
        back[slot] = np.where(stays, np.arange(len(TEMPLATES)), best)
        total = np.where(stays, total, total[best] - _CHANGE) + emission[slot]
    path = [int(np.argmax(total))]
    for slot in range(len(emission) - 1, 0, -1):
        path.append(int(back[slot, path[-1]]))
    path.reverse()
    kept = [index for place, index in enumerate(path) if place == 0 or index != path[place - 1]]
    return tuple(Chord.from_index(index) for index in kept)
