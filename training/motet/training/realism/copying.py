"""Near-copies: the longest stretch of a tune that a piece shares, in whatever key and tempo, with training music."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.training.realism.tune import Tunes, run_lengths

SHORTEST: Final = 8
"""Notes below which tunes share stretches by chance all the time."""

LEAST_MOVES: Final = 4
"""Different moves among the seven of eight notes below which they count for nothing: a repeated note, an oom-pah, an
even scale and an arpeggio of three notes are nobody's tune. By 16 notes or more (`motet eval realism`, columns training
and human) 83 % of training windows are found in themselves with 4, and 12 % of held-out windows in training; with 1 it
is 88 % and 24 %, with 5 75 % and 9 %."""


@dataclass(frozen=True, slots=True)
class Copies:
    """What each of some pieces shares with other music.

    Args:
        notes: [pieces] length of the longest shared stretch; 0 where it is shorter than ``SHORTEST``.
        source: [pieces] the place of a piece that it is shared with; -1 where there is none.
    """

    notes: NDArray[np.int64]
    source: NDArray[np.int64]


def longest(tunes: Tunes, pieces: int, music: Iterable[Tunes]) -> Copies:
    """The longest stretch that each piece shares with any tune of ``music``.

    Only ``tunes`` are kept in memory, by the hashes of their stretches; the music passes by once. A stretch counts when
    every eight notes of it make at least ``LEAST_MOVES`` different moves.

    Args:
        tunes: of the pieces that are asked about.
        pieces: how many there are; ``tunes.piece`` is below it.
        music: what to look in, in portions of any size; their pieces are counted on from portion to portion.
    """
    reach = _telling(tunes)

    @cache
    def known(notes: int) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
        """All hashes of telling stretches, sorted, and for each stretch its piece and the place of its hash."""
        first = np.flatnonzero(reach >= notes)
        hashes, place = np.unique(tunes.hashes(first, notes), return_inverse=True)
        return hashes, tunes.piece[first], place

    found = Copies(np.zeros(pieces, np.int64), np.full(pieces, -1, np.int64))
    for portion in music:
        first, notes = np.flatnonzero(portion.left >= SHORTEST), SHORTEST
        while len(first):
            hashes, piece, place = known(notes)
            if not len(hashes):
                break
            theirs = portion.hashes(first, notes)
            at = np.minimum(np.searchsorted(hashes, theirs), len(hashes) - 1)
            shared = hashes[at] == theirs
            source = np.full(len(hashes), -1, np.int64)
            source[at[shared]] = portion.piece[first[shared]]
            better = (source[place] >= 0) & (found.notes[piece] < notes)
            found.notes[piece[better]] = notes
            found.source[piece[better]] = source[place[better]]
            first = first[shared & (portion.left[first] > notes)]
            notes += 1
    return found


def _telling(tunes: Tunes) -> NDArray[np.int64]:
    """[N] how many notes from each one on make a stretch that counts; 0 where even eight do not."""
    if len(tunes) < SHORTEST:
        return np.zeros(len(tunes), np.int64)
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(tunes.moves, SHORTEST)[:, 1:], axis=1)
    various = np.zeros(len(tunes), np.bool_)
    various[: len(windows)] = (np.diff(windows, axis=1) != 0).sum(axis=1) + 1 >= LEAST_MOVES
    telling = run_lengths(various & (tunes.left >= SHORTEST))
    return np.where(telling > 0, telling + SHORTEST - 1, 0)
