"""Key finding on the spiral array: the key of InferAlign's released reward, kept for comparison alone.

Pitch classes lie on a helix along the line of fifths, chords are weighted means of pitches and keys of chords; a piece
has the key nearest to the mean of its pitches (Chew, Towards a Mathematical Model of Tonality, 2000; the constants are
those of midi-miner, which InferAlign uses). Our own key finding is ``motet.music.key``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music.key import Key
from motet.music.score import DRUMS, Score

RADIUS: Final = 1.0
RISE: Final = 0.4
WEIGHTS: Final = (0.536, 0.274, 0.19)
"""Of root, fifth and third in a chord; of tonic, dominant and subdominant in a key."""

DOMINANT_MAJOR: Final = 0.75
SUBDOMINANT_MINOR: Final = 0.75
"""How much of a minor key's dominant is major, and of its subdominant minor."""

STEPS_PER_QUARTER: Final = 4
HEARD: Final = 0.5
"""The part of a piece, from its start, whose pitches decide."""

FIFTHS: Final = (0, -5, 2, -3, 4, -1, -6, 1, -4, 3, -2, 5)
"""Where each pitch class stands on the line of fifths, in C major."""

_TONICS: Final = (0, 7, 2, 9, 4, 11, 5, 10, 3, 8, 1, 6)
KEYS: Final = (
    *(Key(tonic, "major") for tonic in _TONICS),
    *(Key((tonic + 9) % 12, "minor") for tonic in _TONICS),
)
"""The 24 keys in the order in which the first of equally near ones is taken."""


def position(fifths: int) -> NDArray[np.float64]:
    """The point [3] of a pitch ``fifths`` fifths above C."""
    turn = fifths % 4
    across = ((0.0, RADIUS), (RADIUS, 0.0), (0.0, -RADIUS), (-RADIUS, 0.0))[turn]
    return np.array([*across, fifths * RISE])


def chord(root: int, *, major: bool) -> NDArray[np.float64]:
    """The point [3] of a triad whose root stands ``root`` fifths above C."""
    parts = np.stack([position(root), position(root + 1), position(root + (4 if major else -3))])
    return np.asarray(WEIGHTS @ parts)


def major_key(tonic: int) -> NDArray[np.float64]:
    """The point [3] of a major key whose tonic stands ``tonic`` fifths above C."""
    return np.asarray(WEIGHTS @ np.stack([chord(tonic + step, major=True) for step in (0, 1, -1)]))


def minor_key(tonic: int) -> NDArray[np.float64]:
    """The point [3] of a minor key whose tonic stands ``tonic`` fifths above C."""
    dominant = [chord(tonic + 1, major=True), chord(tonic + 1, major=False)]
    subdominant = [chord(tonic - 1, major=False), chord(tonic - 1, major=True)]
    parts = [
        chord(tonic, major=False),
        DOMINANT_MAJOR * dominant[0] + (1 - DOMINANT_MAJOR) * dominant[1],
        SUBDOMINANT_MINOR * subdominant[0] + (1 - SUBDOMINANT_MINOR) * subdominant[1],
    ]
    return np.asarray(WEIGHTS @ np.stack(parts))


_PITCHES: Final = np.stack([position(fifths) for fifths in FIFTHS])
_HOMES: Final = {"major": major_key(0), "minor": minor_key(3)}


def profile(score: Score) -> NDArray[np.int64]:
    """How many sixteenths each pitch sounds in, summed by pitch class [12], over the first half of the piece.

    Notes of one pitch at once count once, drums not at all. The half is that of the grid of sixteenths that ends with
    the last whole quarter's beginning, as in the released code.
    """
    pitched = score.select(score.program != DRUMS)
    if not len(pitched):
        return np.zeros(12, np.int64)
    step = score.ppq / STEPS_PER_QUARTER
    quarters = -(-pitched.end_tick // score.ppq)
    end = int((STEPS_PER_QUARTER * (quarters - 1) + 1) * HEARD)
    sounding = np.zeros((128, end + 1), np.int64)
    first = np.minimum((pitched.onset // step).astype(np.int64), end)
    last = np.minimum(np.ceil((pitched.onset + pitched.duration) / step).astype(np.int64), end)
    np.add.at(sounding, (pitched.pitch, first), 1)
    np.add.at(sounding, (pitched.pitch, last), -1)
    steps = (np.cumsum(sounding, axis=1)[:, :end] > 0).sum(axis=1)
    return np.bincount(np.arange(128) % 12, weights=steps, minlength=12).astype(np.int64)


def find(score: Score) -> Key:
    """The nearest key; C major when the first half of the score has no pitched note, as in the released code."""
    counts = profile(score)
    if not counts.any():
        return KEYS[0]
    distances = []
    for key in KEYS:
        home = key.tonic if key.mode == "major" else key.relative.tonic  # spelled as in C major or A minor
        centre = np.roll(counts, -home) @ _PITCHES / counts.sum()
        distances.append(float(np.linalg.norm(centre - _HOMES[key.mode])))
    # Every fourth fifth lies above the first: C E G are as near to A flat major, and rounding must not decide.
    return KEYS[int(np.argmin(np.round(distances, 12)))]
