"""Near-copies in a collection: pairs of pieces that share melodies, found by MinHash and banding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.model.splitmix import mixed

SHARED: Final = 0.5
"""Share of the n-grams of the smaller of two pieces that the other one has when they count as near-copies."""

_FEWEST: Final = 12  # n-grams that two pieces must share
_BANDS: Final = 32
_ROWS: Final = 2
_COMMON: Final = (64, 0.004)
"""An n-gram that more pieces than this number, and than this share of all, have is a figure of style, not a melody."""
_BUCKET: Final = 200


def near_copies(sketches: Sequence[NDArray[np.uint32]]) -> list[tuple[int, int]]:
    """Pairs (lower, higher) of places in ``sketches`` whose pieces are near-copies of each other, ascending.

    MinHash (Broder, 1997) with 32 bands of two rows brings together pieces that share a third of their n-grams with a
    chance of 98 %; each pair is then checked against the sketches themselves. Where more than 200 pieces fall together,
    each is compared with the first of them alone.
    """
    telling = _telling(sketches)
    pairs = {pair for bucket in _buckets(telling) for pair in _pairs(bucket)}
    return sorted(pair for pair in pairs if _alike(telling[pair[0]], telling[pair[1]]))


def _telling(sketches: Sequence[NDArray[np.uint32]]) -> list[NDArray[np.uint32]]:
    """The sketches without the n-grams that too many pieces have."""
    if not sketches:
        return []
    values, counts = np.unique(np.concatenate(sketches), return_counts=True)
    common = values[counts > max(_COMMON[0], _COMMON[1] * len(sketches))]
    return [sketch[~np.isin(sketch, common, assume_unique=True)] for sketch in sketches]


def _buckets(sketches: Sequence[NDArray[np.uint32]]) -> Iterator[NDArray[np.intp]]:
    """Groups of places whose sketches agree in one band."""
    places = np.array([place for place, sketch in enumerate(sketches) if len(sketch) >= _FEWEST], np.intp)
    if len(places) < 2:
        return
    flat = np.concatenate([sketches[place] for place in places]).astype(np.uint64)
    starts = np.cumsum([0, *(len(sketches[place]) for place in places[:-1])])
    for band in range(_BANDS):
        key = np.zeros(len(places), np.uint64)
        for row in range(_ROWS):
            salt = np.uint64((0xA0761D6478BD642F * (band * _ROWS + row + 1)) % 2**64)
            key = mixed(key ^ np.minimum.reduceat(mixed(flat ^ salt), starts))
        order = np.argsort(key, kind="stable")
        ends = np.flatnonzero(np.diff(key[order])) + 1
        yield from (places[group] for group in np.split(order, ends) if len(group) > 1)


def _pairs(bucket: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    members = sorted(bucket.tolist())
    firsts = members[:1] if len(members) > _BUCKET else members
    for place, first in enumerate(firsts):
        yield from ((first, other) for other in members[place + 1 :])


def _alike(left: NDArray[np.uint32], right: NDArray[np.uint32]) -> bool:
    # Of long pieces only the smallest hashes are kept: compare where both sketches are complete.
    limit = min(left[-1], right[-1]) if len(left) and len(right) else 0
    left, right = left[left <= limit], right[right <= limit]
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return shared >= _FEWEST and shared >= SHARED * min(len(left), len(right))
