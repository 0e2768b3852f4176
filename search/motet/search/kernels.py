"""Compiled arithmetic of the search tree.

``N`` denotes the nodes of a tree, ``B`` the rows of a batch. Every function is pure arithmetic on arrays: no Python
objects, no random state of its own (random numbers are passed in), the same result compiled or not (``.py_func``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

P = ParamSpec("P")
R = TypeVar("R")


def _kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles on first call and caches on disk; keeps the type of the plain function."""
    return cast("Callable[P, R]", numba.njit(cache=True)(function))


@_kernel
def truncation_resample(
    score: NDArray[np.float64],
    protected: NDArray[np.bool_],
    branchable: NDArray[np.bool_],
    keep: int,
) -> NDArray[np.intp]:
    """Keeps the best rows where they are and fills every other row with a copy of one of them.

    Rows are ranked by score, higher first, ties by index, NaN last. The first ``keep`` survive; so do protected rows,
    which are not copied unless they rank. Rows that fall are filled in order of index with the surviving rows that can
    branch, best first, round after round. If none can branch, every row stays.

    Args:
        score: [B] value of each row.
        protected: [B] rows that never fall.
        branchable: [B] rows of which a copy can differ (they have not ended).
        keep: number of rows to keep by rank, from 1 to B.

    Returns:
        [B] index of the row that each row continues; ``parents[i] == i`` for rows that stay.
    """
    rows = score.shape[0]
    ranked = np.empty(rows, np.float64)
    for i in range(rows):
        ranked[i] = np.inf if np.isnan(score[i]) else -score[i]
    order = np.argsort(ranked, kind="mergesort")
    parents = np.arange(rows).astype(np.intp)
    stays = protected.copy()
    donors = np.empty(rows, np.intp)
    count = 0
    for k in range(min(keep, rows)):
        row = order[k]
        stays[row] = True
        if branchable[row]:
            donors[count] = row
            count += 1
    if count == 0:
        return parents
    used = 0
    for i in range(rows):
        if not stays[i]:
            parents[i] = donors[used % count]
            used += 1
    return parents


@_kernel
def systematic_resample(weight: NDArray[np.float64], uniform: float) -> NDArray[np.intp]:
    """Draws B rows in proportion to their weights with one random number (systematic resampling).

    Args:
        weight: [B] non-negative, with a positive sum.
        uniform: one random number in [0, 1).

    Returns:
        [B] ascending row indices; row ``i`` appears floor or ceil of ``B * weight[i] / sum`` times.

    Source: Kitagawa 1996; Douc and Cappé 2005, "Comparison of resampling schemes for particle filtering", section 2.4.
    """
    rows = weight.shape[0]
    step = weight.sum() / rows
    parents = np.empty(rows, np.intp)
    reached = weight[0]
    row = 0
    for i in range(rows):
        point = (i + uniform) * step
        while reached <= point and row < rows - 1:
            row += 1
            reached += weight[row]
        parents[i] = row
    return parents


@_kernel
def backpropagate(
    parent: NDArray[np.int32],
    visits: NDArray[np.int64],
    value_sum: NDArray[np.float64],
    value_square_sum: NDArray[np.float64],
    value_best: NDArray[np.float64],
    nodes: NDArray[np.int64],
    values: NDArray[np.float64],
) -> None:
    """Adds each value to the statistics of its node and of all its ancestors, in place.

    Args:
        parent: [N] index of the parent, negative for the root.
        visits: [N] number of values seen at or below a node.
        value_sum: [N] their sum.
        value_square_sum: [N] the sum of their squares.
        value_best: [N] the largest of them (-inf before the first).
        nodes: [M] where the values were observed.
        values: [M] finite values.
    """
    for i in range(nodes.shape[0]):
        node = nodes[i]
        value = values[i]
        while node >= 0:
            visits[node] += 1
            value_sum[node] += value
            value_square_sum[node] += value * value
            value_best[node] = max(value_best[node], value)
            node = parent[node]


@_kernel
def lineage(parent: NDArray[np.int32], node: int) -> NDArray[np.int64]:
    """The nodes from the root to ``node``, both included: [depth + 1]."""
    length = 0
    step = node
    while step >= 0:
        length += 1
        step = parent[step]
    path = np.empty(length, np.int64)
    step = node
    while step >= 0:
        length -= 1
        path[length] = step
        step = parent[step]
    return path


@_kernel
def lineage_scores(
    parent: NDArray[np.int32],
    value: NDArray[np.float64],
    bars: NDArray[np.int32],
    power: float,
    nodes: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Mean of the values along each lineage, weighted by their precision.

    The noise of a look at ``b`` bars has a standard deviation in proportion to ``b ** -power / 2``, so its precision
    (the weight) is ``b ** power``: 0 is the plain mean, 1 suits independent noise per bar, larger values suit rewards
    that say little early on. Nodes with value NaN or no bars are left out.

    Args:
        parent: [N] index of the parent, negative for the root.
        value: [N] score of each node, NaN where it was not scored.
        bars: [N] bars heard at each node.
        power: exponent of the precision, >= 0.
        nodes: [M] the ends of the lineages.

    Returns:
        [M] weighted means; NaN where nothing on the lineage was scored.
    """
    result = np.empty(nodes.shape[0], np.float64)
    for i in range(nodes.shape[0]):
        total = 0.0
        weight_sum = 0.0
        node = nodes[i]
        while node >= 0:
            if bars[node] > 0 and not np.isnan(value[node]):
                weight = float(bars[node]) ** power
                total += weight * value[node]
                weight_sum += weight
            node = parent[node]
        result[i] = total / weight_sum if weight_sum > 0.0 else np.nan
    return result
