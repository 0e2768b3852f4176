"""The statistics of a PUCT search as a structure of preallocated arrays, and the kernels' work on them.

``N`` denotes the capacity in nodes, ``n`` the nodes in use, ``M`` the nodes of one call. The tree of a search
(``motet.search.tree``) says what was decoded and judged; this one says what is expected, and lasts as long as a round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.search import kernels

ROOT = 0
"""Index of the root: nothing was written."""

NONE = -1
"""No parent, no child, no sibling."""


@dataclass(slots=True, eq=False)
class Branches:
    """A tree of expected rewards; build it with ``Branches.empty``."""

    size: int  # n, nodes in use
    parent: NDArray[np.int32]  # [N] index of the parent, or NONE
    first_child: NDArray[np.int32]  # [N] index of the newest child, or NONE
    next_sibling: NDArray[np.int32]  # [N] index of the next older child of the same parent, or NONE
    children: NDArray[np.int32]  # [N] number of children
    expected: NDArray[np.int32]  # [N] children that were asked for and not added yet
    ended: NDArray[np.bool_]  # [N] whether nothing can follow
    visits: NDArray[np.int64]  # [N] values seen at or below the node
    value_sum: NDArray[np.float64]  # [N] their sum
    virtual_loss: NDArray[np.int64]  # [N] descents through the node that were not answered yet
    bounds: NDArray[np.float64]  # [2] least and largest mean value of any node so far

    @classmethod
    def empty(cls, capacity: int) -> Branches:
        """Only the root, and room for ``capacity`` nodes."""
        return cls(
            size=1,
            parent=np.full(capacity, NONE, np.int32),
            first_child=np.full(capacity, NONE, np.int32),
            next_sibling=np.full(capacity, NONE, np.int32),
            children=np.zeros(capacity, np.int32),
            expected=np.zeros(capacity, np.int32),
            ended=np.zeros(capacity, np.bool_),
            visits=np.zeros(capacity, np.int64),
            value_sum=np.zeros(capacity, np.float64),
            virtual_loss=np.zeros(capacity, np.int64),
            bounds=np.array([np.inf, -np.inf]),
        )

    def choose(self, count: int, *, exploration: float, widening: float, widening_power: float) -> NDArray[np.int64]:
        """[count] nodes that shall get a further child; each leaves a virtual loss (``kernels.puct_select``)."""
        chosen = np.empty(count, np.int64)
        kernels.puct_select(
            self.first_child,
            self.next_sibling,
            self.children,
            self.ended,
            self.visits,
            self.value_sum,
            self.virtual_loss,
            self.expected,
            self.bounds,
            exploration,
            widening,
            widening_power,
            chosen,
        )
        return chosen

    def add(
        self,
        parents: NDArray[np.int64],
        values: NDArray[np.float64],
        ended: NDArray[np.bool_],
        asked: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Adds a child to each of ``parents`` [M] and back-propagates its finite value: the new nodes [M], in order.

        ``asked`` [M]: whether it answers a node that ``choose`` named, so that a virtual loss is taken back.
        """
        nodes = np.arange(self.size, self.size + len(parents))
        self.size += len(parents)
        self.ended[nodes] = ended
        kernels.puct_attach(self.parent, self.first_child, self.next_sibling, self.children, nodes, parents)
        kernels.puct_backpropagate(
            self.parent,
            self.visits,
            self.value_sum,
            self.virtual_loss,
            self.expected,
            self.bounds,
            nodes,
            values,
            asked,
        )
        return nodes
