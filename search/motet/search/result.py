"""What a search tells while it runs, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.music.score import Score
from motet.rewards.composite import Breakdown
from motet.search.budget import StopReason
from motet.search.plan import Plan
from motet.search.request import SearchRequest
from motet.search.tree import TreeSnapshot


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Progress:
    """Where a running search stands.

    Args:
        phase: "decoding", "scoring" or "done".
        elapsed_s: seconds since the start.
        tree: the whole tree as it is now; a later one has the same nodes, judged or given up meanwhile, and more.
        candidates: pieces decoded side by side.
        finished: those of them that have ended.
        bars_done: bars that every unfinished piece has written.
        bars: bars to write.
        tokens: tokens decoded by the whole search.
        best_total: reward of the best piece so far, finished or not; None before the first scoring.
        best_terms: its terms.
    """

    phase: str
    elapsed_s: float
    tree: TreeSnapshot
    candidates: int
    finished: int
    bars_done: int
    bars: int
    tokens: int
    best_total: float | None
    best_terms: Mapping[str, float]

    @property
    def nodes(self) -> int:
        """Number of nodes of the tree, the root among them."""
        return len(self.tree)


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
        candidates: best first, no two with the same notes; as many as ``request.results`` allows.
        plain: what a single sample of the same seed gives, judged alike; ``candidates[0]`` is never worse.
        tree: the whole search.
        seed: the one used, chosen here when the request left it open.
        bars: how many the decoder was asked to write.
        request: as received.
        plan: what held for every piece, and what they were judged against.
        arms: captions by arm; the first is the original.
        tokens: decoded by the whole search.
        elapsed_s: seconds.
        stop_reason: why it ended.
    """

    candidates: tuple[Candidate, ...]
    plain: Candidate
    tree: TreeSnapshot
    seed: int
    bars: int
    request: SearchRequest
    plan: Plan
    arms: tuple[str, ...]
    tokens: int
    elapsed_s: float
    stop_reason: StopReason

    @property
    def best(self) -> Candidate:
        """The candidate of rank 1."""
        return self.candidates[0]
