"""What strategies that look at their rows again and again have in common: how they begin, and how often they look."""

from __future__ import annotations

import math
from dataclasses import dataclass

from motet.music.error import InvalidInputError
from motet.search.arms import ORIGINAL
from motet.search.exploration import Exploration


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a strategy looks at its rows.

    Args:
        chunk_share: share of the piece between two looks, above 0 and at most 1; None for ``chunk_bars``.
        chunk_bars: bars between two looks, at least 1, or None for ``Exploration.chunk_bars``.
    """

    chunk_share: float | None = None
    chunk_bars: int | None = None

    def __post_init__(self) -> None:
        if self.chunk_share is not None and not 0 < self.chunk_share <= 1:
            raise InvalidInputError.of("chunk_share", "must be above 0 and at most 1", self.chunk_share)
        if self.chunk_bars is not None and self.chunk_bars < 1:
            raise InvalidInputError.of("chunk_bars", "must be at least 1", self.chunk_bars)

    def chunk(self, exploration: Exploration) -> int:
        """Bars between two looks."""
        if self.chunk_bars is not None:
            return self.chunk_bars
        if self.chunk_share is not None:
            return max(1, math.ceil(self.chunk_share * exploration.bars))
        return exploration.chunk_bars


def half_original(rows: int, mutants: int) -> list[int]:
    """Arm of each row: the first half (rounded up) on the original, the rest shared over the mutants in turn."""
    mutated = rows // 2 if mutants else 0
    return [ORIGINAL] * (rows - mutated) + [1 + i % mutants for i in range(mutated)]
