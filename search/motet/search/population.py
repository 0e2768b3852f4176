"""Population search: rows grow bar by bar, and after each chunk the weak ones continue as copies of the strong ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

from motet.music.error import InvalidInputError
from motet.search import kernels
from motet.search.exploration import Exploration
from motet.search.request import SearchRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationConfig:
    """How hard a population is pruned.

    Args:
        keep_early: share of the rows that survive a chunk in the first half of the piece, above 0 and at most 1.
        keep_late: the same in the second half.
        precision_power: how fast partial rewards gain weight with the bars heard (``kernels.lineage_scores``), 0 to 8.
        chunk_bars: bars between two scorings, or None for ``Exploration.chunk_bars``.
    """

    keep_early: float = 0.75
    keep_late: float = 0.5
    precision_power: float = 2.0
    chunk_bars: int | None = None

    def __post_init__(self) -> None:
        for name in ("keep_early", "keep_late"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise InvalidInputError.of(name, "must be above 0 and at most 1", value)
        if not 0 <= self.precision_power <= 8:
            raise InvalidInputError.of("precision_power", "must be from 0 to 8", self.precision_power)
        if self.chunk_bars is not None and self.chunk_bars < 1:
            raise InvalidInputError.of("chunk_bars", "must be at least 1", self.chunk_bars)


class Population:
    """Keep three quarters, later half, of the rows by precision-weighted lineage reward; refill with their copies.

    Half of the rows or more start from the original caption, the others from its mutants. Row 0 is the plain sample
    and stays whatever its reward, so the result is never worse than it. Rows that have ended are kept in an archive.

    Source: a simulation over 24 regimes of noise, in which this rule has the lowest regret of the ones that do not
    need measurements of the reward first; compare particle filtering at inference time, arXiv 2502.01618.
    """

    def __init__(self, config: PopulationConfig | None = None) -> None:
        self._config = config or PopulationConfig()

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """The first half (rounded up) of the rows on the original, the rest shared over the mutants in turn."""
        mutated = request.candidates // 2 if mutants else 0
        return [0] * (request.candidates - mutated) + [1 + i % mutants for i in range(mutated)]

    def explore(self, exploration: Exploration) -> None:
        """Decode a chunk, judge, resample, until every row has ended."""
        chunk = self._config.chunk_bars or exploration.chunk_bars
        while exploration.advance(chunk) and exploration.judge() and not exploration.finished.all():
            late = 2 * exploration.bars_done > exploration.bars
            share = self._config.keep_late if late else self._config.keep_early
            parents = kernels.truncation_resample(
                exploration.lineage_scores(self._config.precision_power),
                exploration.protected,
                ~exploration.finished,
                math.ceil(share * exploration.size),
            )
            exploration.select(parents)
