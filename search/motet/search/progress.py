"""What a search tells while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from motet.search.tree import TreeSnapshot


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Progress:
    """Where a running search stands.

    Args:
        phase: "decoding", "scoring" or "done".
        elapsed_s: seconds since the start.
        tree: the whole tree as it is now; a later one has the same nodes, judged or given up meanwhile, and more.
        round: which run of the strategy, from 1.
        candidates: pieces decoded side by side.
        finished: those of them that have ended.
        bars_done: bars that every unfinished piece has written.
        bars: bars to write.
        tokens: tokens decoded by the whole search.
        best_total: reward of the best piece so far; None before the first scoring. Pieces that have ended come before
            those that have not, and a piece may be judged before its node is in the tree.
        best_terms: its terms.
    """

    phase: str
    elapsed_s: float
    tree: TreeSnapshot
    round: int
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


OnProgress = Callable[[Progress], None]
"""Called on the thread of the search; whatever it raises ends the search."""
