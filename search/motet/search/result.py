"""What a search returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.music.score import Score
from motet.rewards.composite import Breakdown
from motet.search.budget import StopReason
from motet.search.plan import Plan
from motet.search.profile import Profile
from motet.search.request import SearchRequest
from motet.search.tree import TreeSnapshot


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """One piece as it was judged.

    Args:
        rank: 1 for the best.
        score: exactly the notes that were judged.
        breakdown: reward, against the original caption and the controls.
        node: its node in the tree.
        lineage: nodes from the root to ``node``.
        arm: 0 for the original caption, else the number of the mutated one.
        arm_caption: the caption that it was sampled for.
        seed: of the search.
        stream: random stream of its last chunk.
        tokens: [T] token ids.
        log_probability: nats, under the model, given ``arm_caption``.
        bars: of the piece, those of a seed included.
        finished: whether it reached its end (False only for what a deadline or a caller interrupted).
    """

    rank: int
    score: Score
    breakdown: Breakdown
    node: int
    lineage: tuple[int, ...]
    arm: int
    arm_caption: str
    seed: int
    stream: int
    tokens: NDArray[np.int32]
    log_probability: float
    bars: int
    finished: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchResult:
    """Everything that a search found.

    Args:
        candidates: best first, those that have ended before those that were interrupted, no two that are near-copies
            of one another; as many as ``request.results`` allows. Where the strategy kept families apart, the best of
            each are among them before any second one.
        near_copies_removed: pieces left out because a better one is nearly the same (``motet.search.copies``).
        plain: what a single sample of the same seed gives, judged alike; when it has ended, ``candidates[0]`` is never
            worse. None for strategies that do without, and where the caller went before it was judged.
        tree: the whole search.
        seed: the one used, chosen here when the request left it open.
        bars: how many the decoder was asked to write.
        request: as received.
        plan: what held for every piece, and what they were judged against.
        arms: captions by arm; the first is the original.
        rounds: how many times the strategy was run, the last time perhaps not to its end.
        tokens: decoded by the whole search.
        prefilled: tokens fed again for pieces that went on under other words.
        elapsed_s: seconds.
        profile: what they were spent on.
        stop_reason: why it ended.
    """

    candidates: tuple[Candidate, ...]
    near_copies_removed: int
    plain: Candidate | None
    tree: TreeSnapshot
    seed: int
    bars: int
    request: SearchRequest
    plan: Plan
    arms: tuple[str, ...]
    rounds: int
    tokens: int
    prefilled: int
    elapsed_s: float
    profile: Profile
    stop_reason: StopReason

    @property
    def best(self) -> Candidate:
        """The candidate of rank 1."""
        return self.candidates[0]
