"""Islands: several populations side by side, so that the best pieces come from different beginnings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.search.exploration import Exploration
from motet.search.population import Population, PopulationConfig

SMALLEST = 2
"""Rows of an island: with one, nothing could replace anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IslandsConfig(PopulationConfig):
    """How many populations there are, and how each is pruned.

    Args:
        islands: how many, from 1 to 32; fewer where there are less than two rows for each.
    """

    islands: int = 4

    def __post_init__(self) -> None:
        super(IslandsConfig, self).__post_init__()  # the short form does not find a dataclass with slots
        if not 1 <= self.islands <= 32:
            raise InvalidInputError.of("islands", "must be from 1 to 32", self.islands)


class Islands(Population):
    """Populations that share a batch and a budget, but in which a row is only replaced by a copy from its own island.

    However hard each is pruned, pieces of different islands have nothing in common but the caption. The results are the
    best piece of each island, then further ones, ranked by reward as always.

    Rows are dealt out in turn, so that each island has its share of the original caption and of the mutants. The plain
    sample belongs to the first one.

    Source: the island model of evolutionary search without migration, Whitley, Rana and Heckendorn 1999.
    """

    settings: ClassVar[type[PopulationConfig]] = IslandsConfig

    def __init__(self, config: IslandsConfig | None = None) -> None:
        chosen = config or IslandsConfig()
        super().__init__(chosen)
        self._count = chosen.islands

    def explore(self, exploration: Exploration) -> None:
        """Grow by a chunk, resample inside the islands, until every row has ended."""
        exploration.families = self._islands(exploration.size)
        super().explore(exploration)

    def _islands(self, rows: int) -> NDArray[np.int64]:
        """[B] island of each row: dealt out in turn, so that two of each or more go on after a wide start."""
        return np.arange(rows) % min(self._count, max(1, int(rows / self._config.wide) // SMALLEST))
