"""The pieces that a search can return."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.music.score import Score
from motet.rewards.composite import Breakdown


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """A piece, exactly as it was judged.

    Args:
        node: of the tree.
        arm: of the caption that it was sampled for.
        family: that its row belonged to; all pieces are of one, unless the strategy keeps several apart.
        stream: random stream of its last chunk.
        score: the notes that were judged.
        breakdown: what the reward said.
        tokens: [T] token ids.
        log_probability: nats.
        bars: written.
        finished: whether it has ended.
    """

    node: int
    arm: int
    family: int
    stream: int
    score: Score
    breakdown: Breakdown
    tokens: NDArray[np.int32]
    log_probability: float
    bars: int
    finished: bool


class Archive:
    """Pieces that have ended, and the latest look at each row that has not."""

    def __init__(self) -> None:
        self._ended: dict[int, Piece] = {}
        self.best: Piece | None = None
        """The best piece that has ended."""

    def __len__(self) -> int:
        return len(self._ended)

    def keep(self, piece: Piece) -> None:
        """Keeps a piece for good if it has ended."""
        if piece.finished:
            self._ended[piece.node] = piece
            self.best = min(self.best or piece, piece, key=_rank)

    def ranked(self, latest: Iterable[Piece | None] = ()) -> list[Piece]:
        """All pieces, best first, those that have ended before those that have not; ties: older first."""
        pieces = {piece.node: piece for piece in latest if piece is not None} | self._ended
        return sorted(pieces.values(), key=_rank)


def _rank(piece: Piece) -> tuple[bool, float, int]:
    return not piece.finished, -piece.breakdown.total, piece.node


def families_first(pieces: Sequence[Piece]) -> list[Piece]:
    """The first piece of each family, then all others, both in the order given."""
    firsts: dict[int, Piece] = {}
    for piece in pieces:
        firsts.setdefault(piece.family, piece)
    heads = list(firsts.values())
    return heads + [piece for piece in pieces if firsts[piece.family] is not piece]
