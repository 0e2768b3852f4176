"""Numbers of random streams: what a row draws from, and what its copies draw from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Streams:
    """Hands out the numbers 0, 1, 2, ..., none of them twice."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int) -> NDArray[np.int64]:
        """[count] numbers that nobody has."""
        self._next += count
        return np.arange(self._next - count, self._next, dtype=np.int64)

    def follow(self, streams: NDArray[np.int64], parents: NDArray[np.intp]) -> NDArray[np.int64]:
        """[M] streams of rows that go on as rows ``parents`` [M], whose streams are ``streams`` [B].

        One row goes on with each parent's stream: that of the parent's own number, or else the first. All others are
        copies and get fresh ones.
        """
        stays = set(np.flatnonzero(parents == np.arange(len(parents))).tolist())
        taken: set[int] = set()
        copies = []
        for row, parent in enumerate(parents.tolist()):
            if parent == row or (parent not in stays and parent not in taken):
                taken.add(parent)
            else:
                copies.append(row)
        followed = streams[parents]
        followed[copies] = self.take(len(copies))
        return followed
