"""InferAlign as its paper describes it: few survivors, their copies under newly mutated captions. A baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.search.arms import ORIGINAL
from motet.search.exploration import Exploration
from motet.search.kernels import ranking
from motet.search.request import SearchRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class InferAlignPaperConfig:
    """The settings that the paper names.

    Args:
        survivors: beams that are kept at each replacement (``k``), at least 1.
        chunk_share: share of the piece between two replacements (``m`` tokens), above 0 and at most 1.
        mutates: whether copies go on under newly mutated captions.
    """

    survivors: int = 2
    chunk_share: float = 0.25
    mutates: bool = True

    def __post_init__(self) -> None:
        if self.survivors < 1:
            raise InvalidInputError.of("survivors", "must be at least 1", self.survivors)
        if not 0 < self.chunk_share <= 1:
            raise InvalidInputError.of("chunk_share", "must be above 0 and at most 1", self.chunk_share)


class InferAlignPaper:
    """Beams of the caption and its mutations; after each chunk the best two replace the others.

    ``n = candidates`` beams: the first on the caption, the others on mutations of it. All write a chunk; each is judged
    against the original caption by the reward of the piece so far (no earlier look, no estimate of the end). The best
    ``k`` survive, the others become copies of them, best first, in turn, and each copy goes on under a new mutation of
    the caption (tokens fed again for it are counted). The best beam at the end is the result.

    Where this departs from the paper: chunks end at bar lines instead of after ``m`` tokens; mutations come from
    ``motet.search.mutation`` instead of a hosted language model, and known ones serve again when there is no new one
    (none at all where the request allows no mutations); rewards are those of the request. Nothing protects the plain
    sample, and the original caption has one beam and no right to survive. A beam that ended before the others can
    still be the result after it was replaced: it was worse than ``k`` beams then, so this can only help.

    Source: arXiv 2505.12669 (instruction mutation, reward-guided beam replacement), after arXiv 2406.15193.
    """

    keeps_plain: ClassVar[bool] = False
    settings: ClassVar[type[InferAlignPaperConfig]] = InferAlignPaperConfig

    def __init__(self, config: InferAlignPaperConfig | None = None) -> None:
        self._config = config or InferAlignPaperConfig()

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """One row on the original, the others on the mutants in turn; ``explore`` draws the ones that are missing."""
        return one_original(request.candidates, mutants)

    def explore(self, exploration: Exploration) -> None:
        """Grow by a chunk, replace, until every beam has ended."""
        config = self._config
        mutable = mutate_rows(exploration, exploration.size - 1)
        chunk = math.ceil(config.chunk_share * exploration.bars)
        while exploration.grow(chunk) and not exploration.finished.all():
            best, copies = divide(exploration, config.survivors)
            parents = np.arange(exploration.size)
            parents[copies] = np.resize(best, copies.size)
            arms = exploration.arms[parents]
            if config.mutates and mutable:
                arms[copies] = new_captions(exploration, copies.size)
            exploration.select(parents, arms.tolist())


def one_original(rows: int, mutants: int) -> list[int]:
    """Arm of each row: the first on the original, the others on the mutants in turn."""
    return [ORIGINAL, *(1 + i % mutants if mutants else ORIGINAL for i in range(rows - 1))]


def mutate_rows(exploration: Exploration, mutations: int) -> bool:
    """Draws mutants until the rows have ``mutations`` and deals them out; False when the request allows none."""
    mutants = list(dict.fromkeys(arm for arm in exploration.arms.tolist() if arm != ORIGINAL))
    if not mutants:
        return False
    mutants += exploration.mutants(max(0, mutations - len(mutants)))
    arms = [mutants[arm - 1] if arm else ORIGINAL for arm in one_original(exploration.size, len(mutants))]
    exploration.select(np.arange(exploration.size), arms)
    return True


def divide(exploration: Exploration, survivors: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows with the highest rewards at the latest look, best first; and the others, in order."""
    best = ranking(exploration.tree.reward_total[exploration.nodes])[:survivors]
    return best, np.setdiff1d(np.arange(exploration.size), best)


def new_captions(exploration: Exploration, count: int) -> NDArray[np.int32]:
    """[count] arms for copies: new mutants, then known ones in turn."""
    known = range(1, exploration.caption_count)
    return np.resize(np.array([*exploration.mutants(count), *known], np.int32), count)
