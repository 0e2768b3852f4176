"""A coin in place of a reward: the control of every search."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from motet.music.caption import Caption
from motet.music.score import Score
from motet.rewards.composite import Breakdown, Weights


class Coin:
    """Gives every piece a number that its notes and the caption decide, and that means nothing."""

    def score(self, scores: Sequence[Score], caption: Caption, weights: Weights, *, complete: bool) -> list[Breakdown]:
        """Numbers spread evenly over [0, 1), the same for the total and for every term."""
        return [_breakdown(_number(score, caption.text), weights) for score in scores]


def _breakdown(number: float, weights: Weights) -> Breakdown:
    return Breakdown(total=number, terms={name: number for name, weight in weights.items() if weight > 0})


def _number(score: Score, caption: str) -> float:
    digest = hashlib.blake2b(caption.encode(), digest_size=8)
    for column in (score.onset, score.duration, score.pitch, score.program):
        digest.update(column.tobytes())
    return int.from_bytes(digest.digest(), "big") / 2**64
