"""Sequential halving: many begin, and at each quarter of the piece the better half goes on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from motet.search import kernels
from motet.search.arms import ORIGINAL
from motet.search.exploration import Exploration
from motet.search.pace import half_original
from motet.search.request import SearchRequest

QUARTERS = 4
"""Parts of a piece; half of the rows leave between two of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialHalvingConfig:
    """There is nothing to set: the number of rows follows from the budget, and the looks are at 25, 50 and 75 %."""


def looks(bars: int) -> list[int]:
    """Bar lines, ascending, at which a piece of ``bars`` bars is looked at: those nearest to each quarter inside it."""
    nearest = {max(1, (2 * part * bars + QUARTERS) // (2 * QUARTERS)) for part in range(1, QUARTERS)}
    return sorted(bar for bar in nearest if bar < bars)


def cost(rows: int, bars: int) -> int:
    """Bars decoded in all when ``rows`` rows begin and half of them, rounded up, go on after each look."""
    total = 0
    for start, end in pairwise([0, *looks(bars), bars]):
        total += rows * (end - start)
        rows = (rows + 1) // 2
    return total


def widest(pieces: int, bars: int) -> int:
    """The largest number of rows that may begin so that all cost no more than ``pieces`` whole pieces.

    With looks at the quarters, W rows cost W (1 + 1/2 + 1/4 + 1/8) / 4 = 15/32 W pieces, so W is about 32/15 of the
    pieces: 14 rows for 7 pieces of 8 bars (28 + 14 + 8 + 4 = 54 of 56 bars), of which two are written to the end.
    """
    rows = pieces
    while pieces and cost(rows + 1, bars) <= pieces * bars:
        rows += 1
    return rows


class SequentialHalving:
    """Starts wide, and halves the rows by their expected final reward at 25, 50 and 75 % without copying any.

    The plain sample is not halved away; it costs one of the pieces, and the others compete for the rest. Without one,
    the best row on the original caption survives. Rows that have ended leave: they are in the archive.

    Source: Karnin, Koren and Somekh 2013, "Almost optimal exploration in multi-armed bandits".
    """

    keeps_plain: ClassVar[bool] = True
    settings: ClassVar[type[SequentialHalvingConfig]] = SequentialHalvingConfig

    def __init__(self, config: SequentialHalvingConfig | None = None) -> None:
        pass

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """As many rows as there are pieces to spend; ``explore`` widens them, which keeps the arms' shares."""
        return half_original(request.candidates, mutants)

    def explore(self, exploration: Exploration) -> None:
        """Widen, then grow to each look and halve, then grow to the end."""
        bars, plain = exploration.bars, int(exploration.protected.sum())
        contestants = widest(exploration.size - plain, bars)
        exploration.select(np.arange(plain + contestants) % exploration.size)
        for start, end in pairwise([0, *looks(bars), bars]):
            if not exploration.grow(end - start) or exploration.finished.all():
                return
            contestants = (contestants + 1) // 2
            values = np.where(exploration.finished, np.nan, exploration.values())
            stays = exploration.protected
            original = np.flatnonzero((exploration.arms == ORIGINAL) & ~np.isnan(values))
            if not plain and len(original):
                stays[original[np.argmax(values[original])]] = True
            exploration.select(kernels.halve(values, stays, plain + contestants))
