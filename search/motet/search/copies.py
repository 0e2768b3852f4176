"""Near-copies: pieces that are not worth listening to twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from motet.music.score import Score

T = TypeVar("T")

NEAR_COPY = 0.6
"""Overlap from which two pieces are near-copies.

Two pieces of 8 bars that the default checkpoint wrote for one of 9 captions overlap by .13 (median; .47 at most) when
they share no bar, by .54 when they share the first 2 bars, .61 with 4 bars, and .79 with 6, nine in ten then by .71.
"""

_STEPS = 480  # of a quarter note, to compare onsets of files with different resolutions


def overlap(first: Score, second: Score) -> float:
    """The share of notes that two pieces have in common, 0 to 1: Dice's coefficient of their multisets of notes.

    A note is its onset, pitch and program; length and velocity do not make another one of it. Two empty pieces are
    the same. Source: Dice 1945, "Measures of the amount of ecologic association between species".
    """
    return _dice(_notes(first), _notes(second))


def without_near_copies(
    pieces: Sequence[T], score: Callable[[T], Score], most: int, threshold: float = NEAR_COPY
) -> tuple[list[T], int]:
    """The first pieces that are no near-copies of one before them, and how many near-copies stood between them.

    Args:
        pieces: best first.
        score: the notes of a piece.
        most: how many are wanted, >= 1.
        threshold: overlap from which a piece is a near-copy, above 0.
    """
    kept: list[tuple[T, Counter[int]]] = []
    removed = 0
    for piece in pieces:
        notes = _notes(score(piece))
        if any(_dice(notes, other) >= threshold for _, other in kept):
            removed += 1
        elif len(kept) == most:
            break
        else:
            kept.append((piece, notes))
    return [piece for piece, _ in kept], removed


def _notes(score: Score) -> Counter[int]:
    """The notes, each as one number, and how often they occur."""
    onset = np.rint(score.onset * (_STEPS / score.ppq)).astype(np.int64)
    codes = (onset << 16) + (score.pitch.astype(np.int64) << 8) + (score.program.astype(np.int64) + 1)
    return Counter(codes.tolist())


def _dice(first: Counter[int], second: Counter[int]) -> float:
    count = first.total() + second.total()
    return 2 * (first & second).total() / count if count else 1.0
