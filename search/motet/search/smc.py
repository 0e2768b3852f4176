"""Twisted sequential Monte Carlo: rows are drawn anew in proportion to how much better they have become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.search import kernels
from motet.search.arms import ORIGINAL
from motet.search.exploration import Exploration
from motet.search.pace import Pace, half_original
from motet.search.request import SearchRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SmcConfig(Pace):
    """How greedy the particles are.

    Args:
        tau: temperature in units of the reward, above 0: a row whose expected reward has risen by ``tau`` more than
            another's weighs e times as much.
        ess_share: rows are drawn anew when the effective sample size falls below this share of them, from 0 (never)
            to 1 (as soon as weights differ).
    """

    tau: float = 0.03
    ess_share: float = 0.5

    def __post_init__(self) -> None:
        super(SmcConfig, self).__post_init__()  # the short form does not find a dataclass with slots
        if not self.tau > 0:
            raise InvalidInputError.of("tau", "must be above 0", self.tau)
        if not 0 <= self.ess_share <= 1:
            raise InvalidInputError.of("ess_share", "must be from 0 to 1", self.ess_share)


class Smc:
    """Particles with weights ``exp[(V(now) - V(at the last look)) / tau]`` and systematic resampling.

    V is the expected final reward of a beginning, so that the product of the weights along a lineage tilts the model's
    own distribution towards ``exp(reward / tau)``. Rows that have ended are in the archive and are not drawn. The plain
    sample stays where it is, though it may be copied; without one, the best row on the original caption stays.

    Source: Naesseth, Lindsten and Schön 2019, "Elements of Sequential Monte Carlo"; twisting by value functions as in
    Zhao et al. 2024, arXiv 2404.17546.
    """

    keeps_plain: ClassVar[bool] = True
    settings: ClassVar[type[SmcConfig]] = SmcConfig

    def __init__(self, config: SmcConfig | None = None) -> None:
        self._config = config or SmcConfig()

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """The first half (rounded up) of the rows on the original, the rest shared over the mutants in turn."""
        return half_original(request.candidates, mutants)

    def explore(self, exploration: Exploration) -> None:
        """Grow by a chunk, weigh, draw anew when the weights have become too unequal, until every row has ended."""
        chunk = self._config.chunk(exploration)
        log_weight = np.zeros(exploration.size)
        before = np.zeros(exploration.size)  # before the first look all are worth the same, whatever that is
        while exploration.grow(chunk) and not exploration.finished.all():
            values = exploration.values()
            log_weight += (values - before) / self._config.tau
            before = values
            going = np.flatnonzero(~exploration.finished)
            if kernels.effective_sample_size(log_weight[going]) < self._config.ess_share * len(going):
                parents = _resample(exploration, going, log_weight[going], values)
                exploration.select(parents)
                log_weight[:] = 0.0
                before = values[parents]


def _resample(
    exploration: Exploration, going: NDArray[np.intp], log_weight: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.intp]:
    """[B] the row that each row goes on as: those in ``going`` that are not protected are drawn anew from ``going``."""
    free = going[~exploration.protected[going]]
    weight = np.exp(log_weight - log_weight.max())
    drawn = going[kernels.systematic_resample(weight, float(exploration.uniforms(1)[0]), len(free))]
    parents = np.arange(exploration.size)
    parents[free] = kernels.in_place(drawn, free)
    original = exploration.arms == ORIGINAL
    if original[going].any() and not original[parents[going]].any():
        survivor = going[original[going]][np.argmax(values[going][original[going]])]
        parents[survivor] = survivor
    return parents
