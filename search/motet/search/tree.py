"""The search tree as a structure of preallocated arrays (the layout of ``mctx/_src/tree.py``).

``N`` denotes the capacity in nodes, ``n`` the nodes in use, ``R`` the reward terms. A node is a piece up to a bar line;
its index is the order of its creation, so that a parent always comes before its children.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InternalError
from motet.search import kernels

ROOT = 0
"""Index of the root: the caption, before the first bar."""

NO_PARENT = -1
"""Parent of the root."""

NO_ARM = -1
"""Arm of the root: captions branch below it."""

NO_ROW = -1
"""Row of the root: it was not decoded."""

UNSCORED = float("nan")
"""Reward of a node that was not judged."""

UNSEEN = float("-inf")
"""Best value of a node before the first value."""


@dataclass(frozen=True, slots=True, eq=False)
class TreeSnapshot:
    """A finished or momentary tree: copies of the used part of every array, read-only."""

    term_names: tuple[str, ...]  # [R]
    parent: NDArray[np.int32]  # [n]
    arm: NDArray[np.int32]  # [n]
    depth: NDArray[np.int32]  # [n]
    row: NDArray[np.int32]  # [n]
    stream: NDArray[np.int64]  # [n]
    bars: NDArray[np.int32]  # [n]
    tokens: NDArray[np.int64]  # [n]
    log_probability: NDArray[np.float64]  # [n]
    reward_total: NDArray[np.float64]  # [n]
    reward_terms: NDArray[np.float64]  # [n, R]
    visits: NDArray[np.int64]  # [n]
    value_sum: NDArray[np.float64]  # [n]
    value_square_sum: NDArray[np.float64]  # [n]
    value_best: NDArray[np.float64]  # [n]
    alive: NDArray[np.bool_]  # [n]
    finished: NDArray[np.bool_]  # [n]

    def __len__(self) -> int:
        return len(self.parent)

    def lineage(self, node: int) -> tuple[int, ...]:
        """The node indices from the root to ``node``, both included."""
        return tuple(int(index) for index in kernels.lineage(self.parent, node))

    def to_json(self) -> dict[str, Any]:
        """Plain lists by field name; numbers that JSON lacks (NaN, -inf) become None."""
        result: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            result[item.name] = list(value) if isinstance(value, tuple) else _plain(value.tolist())
        return result


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


@dataclass(slots=True, eq=False)
class Tree:
    """A growing tree; build it with ``Tree.empty``.

    Its arrays are replaced by larger ones when room runs out: read them from the tree each time, keep none.
    """

    term_names: tuple[str, ...]  # [R]
    size: int  # n, nodes in use
    parent: NDArray[np.int32]  # [N] index of the parent, or NO_PARENT
    arm: NDArray[np.int32]  # [N] index of the caption that the piece was sampled for, or NO_ARM
    depth: NDArray[np.int32]  # [N] chunks since the root
    row: NDArray[np.int32]  # [N] batch row that decoded the last chunk, or NO_ROW
    stream: NDArray[np.int64]  # [N] random stream that the last chunk was drawn from
    bars: NDArray[np.int32]  # [N] bars since the beginning of the piece
    tokens: NDArray[np.int64]  # [N] tokens since the beginning of the piece; the node's own start at tokens[parent]
    log_probability: NDArray[np.float64]  # [N] nats, of the whole piece so far
    reward_total: NDArray[np.float64]  # [N] composite reward in [0, 1], or UNSCORED
    reward_terms: NDArray[np.float64]  # [N, R] each in [0, 1], or UNSCORED where the term does not apply
    visits: NDArray[np.int64]  # [N] rewards seen at or below the node
    value_sum: NDArray[np.float64]  # [N] their sum
    value_square_sum: NDArray[np.float64]  # [N] the sum of their squares
    value_best: NDArray[np.float64]  # [N] the largest of them, or UNSEEN
    alive: NDArray[np.bool_]  # [N] whether a batch row stands on the node
    finished: NDArray[np.bool_]  # [N] whether the piece has ended

    @classmethod
    def empty(cls, capacity: int, term_names: Sequence[str]) -> Tree:
        """A tree with only its root and room for ``capacity`` nodes (at least 1) before it has to grow."""
        if capacity < 1:
            raise InternalError("TREE_CAPACITY", f"a tree needs room for its root (received capacity {capacity})")
        return cls(
            term_names=tuple(term_names),
            size=1,
            parent=np.full(capacity, NO_PARENT, np.int32),
            arm=np.full(capacity, NO_ARM, np.int32),
            depth=np.zeros(capacity, np.int32),
            row=np.full(capacity, NO_ROW, np.int32),
            stream=np.zeros(capacity, np.int64),
            bars=np.zeros(capacity, np.int32),
            tokens=np.zeros(capacity, np.int64),
            log_probability=np.zeros(capacity, np.float64),
            reward_total=np.full(capacity, UNSCORED, np.float64),
            reward_terms=np.full((capacity, len(term_names)), UNSCORED, np.float64),
            visits=np.zeros(capacity, np.int64),
            value_sum=np.zeros(capacity, np.float64),
            value_square_sum=np.zeros(capacity, np.float64),
            value_best=np.full(capacity, UNSEEN, np.float64),
            alive=np.zeros(capacity, np.bool_),
            finished=np.zeros(capacity, np.bool_),
        )

    @property
    def capacity(self) -> int:
        """N, the number of nodes that there is room for at present."""
        return len(self.parent)

    def add(
        self,
        *,
        parent: int,
        arm: int,
        row: int,
        stream: int,
        bars: int,
        tokens: int,
        log_probability: float,
        finished: bool,
    ) -> int:
        """Adds a living, unscored child of ``parent`` and returns its index; InternalError for an unknown parent."""
        node = self.size
        if not 0 <= parent < node:
            raise InternalError("TREE_PARENT", f"node {parent} is not among the {node} of the tree")
        if node == self.capacity:
            self._double()
        self.parent[node] = parent
        self.arm[node] = arm
        self.depth[node] = self.depth[parent] + 1
        self.row[node] = row
        self.stream[node] = stream
        self.bars[node] = bars
        self.tokens[node] = tokens
        self.log_probability[node] = log_probability
        self.alive[node] = True
        self.finished[node] = finished
        self.size = node + 1
        return node

    def _double(self) -> None:
        wider = Tree.empty(2 * self.capacity, self.term_names)
        for item in fields(self):
            array = getattr(wider, item.name)
            if isinstance(array, np.ndarray):
                array[: self.size] = getattr(self, item.name)
                setattr(self, item.name, array)

    def record(self, nodes: Sequence[int], totals: Sequence[float], terms: Sequence[Mapping[str, float]]) -> None:
        """Stores the rewards of the given nodes and back-propagates the totals to the root.

        Raises InternalError for a total that is not finite, because such a reward would decide a search silently.
        """
        for node, total, named in zip(nodes, totals, terms, strict=True):
            if not np.isfinite(total):
                raise InternalError("REWARD_NOT_FINITE", f"the reward of node {node} is {total}")
            self.reward_total[node] = total
            for column, name in enumerate(self.term_names):
                self.reward_terms[node, column] = named.get(name, UNSCORED)
        kernels.backpropagate(
            self.parent,
            self.visits,
            self.value_sum,
            self.value_square_sum,
            self.value_best,
            np.asarray(nodes, np.int64),
            np.asarray(totals, np.float64),
        )

    def lineage(self, node: int) -> tuple[int, ...]:
        """The node indices from the root to ``node``, both included."""
        return tuple(int(index) for index in kernels.lineage(self.parent, node))

    def lineage_scores(self, nodes: Sequence[int], power: float) -> NDArray[np.float64]:
        """Precision-weighted mean reward along the lineage of each node: [M]; see ``kernels.lineage_scores``."""
        return kernels.lineage_scores(
            self.parent, self.reward_total, self.bars, float(power), np.asarray(nodes, np.int64)
        )

    def snapshot(self) -> TreeSnapshot:
        """Copies of the used part of every array, read-only."""
        arrays: dict[str, Any] = {}
        for item in fields(TreeSnapshot):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                value = value[: self.size].copy()
                value.flags.writeable = False
            arrays[item.name] = value
        return TreeSnapshot(**arrays)
