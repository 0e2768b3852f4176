"""Compiled arithmetic of the search tree.

``N`` denotes the nodes of a tree, ``B`` the rows of a batch, ``M`` the rows that go on, ``I`` the islands. Every
function is pure arithmetic on arrays: no Python objects, no random state of its own (random numbers are passed in), the
same result compiled or not (``.py_func``). Rows are ranked by score, higher first, ties by index, NaN last.
"""

from __future__ import annotations

import math
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
def ranking(score: NDArray[np.float64]) -> NDArray[np.intp]:
    """[B] row indices by score, higher first, ties by index, NaN last."""
    falling = np.empty(score.shape[0], np.float64)
    for i in range(score.shape[0]):
        falling[i] = np.inf if np.isnan(score[i]) else -score[i]
    return np.argsort(falling, kind="mergesort").astype(np.intp)


@_kernel
def truncation_resample(
    score: NDArray[np.float64],
    protected: NDArray[np.bool_],
    branchable: NDArray[np.bool_],
    keep: NDArray[np.int64],
    islands: NDArray[np.int64],
    rows_out: NDArray[np.int64],
) -> NDArray[np.intp]:
    """Keeps the best rows of each island and replaces the others by copies of them, or lets the others go.

    In each island the first ``keep`` rows by rank survive, and so do protected rows, which are not copied unless they
    rank. The places up to ``rows_out`` are filled with copies of the ranked survivors that can branch, best first,
    round after round; if none can branch, the next rows by rank survive instead. Survivors keep their order, and their
    places as long as no row before them leaves; copies take the places of rows that fall, the rest of them come last.

    Args:
        score: [B] value of each row.
        protected: [B] rows that never fall.
        branchable: [B] rows of which a copy can differ (they have not ended).
        keep: [I] rows to keep by rank, at least 1.
        islands: [B] island of each row, from 0 to I - 1.
        rows_out: [I] rows of each island afterwards, at least 1. Fewer than survive: the weakest unprotected leave;
            more protected rows than that: they all stay.

    Returns:
        [M] index of the row that each row continues, M = sum of ``rows_out`` or more; ``parents[i] == i`` for rows that
        stay in place. Copies belong to the island of their parent.
    """
    rows, count = score.shape[0], keep.shape[0]
    order = ranking(score)
    stays = protected.copy()
    members = np.zeros(count, np.int64)
    survivors = np.zeros(count, np.int64)
    for i in range(rows):
        members[islands[i]] += 1
        survivors[islands[i]] += protected[i]
    ranked = np.zeros(count, np.int64)  # rows of each island that were kept by rank
    donors = np.empty((count, rows), np.intp)
    donated = np.zeros(count, np.int64)
    for row in order:
        island = islands[row]
        if ranked[island] == keep[island] or not (protected[row] or survivors[island] < rows_out[island]):
            continue
        ranked[island] += 1
        if not stays[row]:
            stays[row] = True
            survivors[island] += 1
        if branchable[row]:
            donors[island, donated[island]] = row
            donated[island] += 1
    for row in order:
        island = islands[row]
        if donated[island] == 0 and not stays[row] and survivors[island] < rows_out[island]:
            stays[row] = True
            survivors[island] += 1
    copies = np.zeros(count, np.int64)
    total = 0
    for island in range(count):
        if donated[island] > 0:
            copies[island] = max(0, rows_out[island] - survivors[island])
        total += survivors[island] + copies[island]
    parents = np.empty(total, np.intp)
    used = np.zeros(count, np.int64)
    place = 0
    for row in range(rows):
        island = islands[row]
        if stays[row]:
            parents[place] = row
            place += 1
        elif used[island] < copies[island]:
            parents[place] = donors[island, used[island] % donated[island]]
            used[island] += 1
            place += 1
    for island in range(count):
        while used[island] < copies[island]:
            parents[place] = donors[island, used[island] % donated[island]]
            used[island] += 1
            place += 1
    return parents


@_kernel
def systematic_resample(weight: NDArray[np.float64], uniform: float, rows_out: int) -> NDArray[np.intp]:
    """Draws M rows in proportion to their weights with one random number (systematic resampling).

    Args:
        weight: [B] non-negative, with a positive sum.
        uniform: one random number in [0, 1).
        rows_out: M, at least 0.

    Returns:
        [M] ascending row indices; row ``i`` appears floor or ceil of ``M * weight[i] / sum`` times.

    Source: Kitagawa 1996; Douc and Cappé 2005, "Comparison of resampling schemes for particle filtering", section 2.4.
    """
    rows = weight.shape[0]
    step = weight.sum() / max(1, rows_out)
    parents = np.empty(rows_out, np.intp)
    reached = weight[0]
    row = 0
    for i in range(rows_out):
        point = (i + uniform) * step
        while reached <= point and row < rows - 1:
            row += 1
            reached += weight[row]
        while weight[row] == 0.0:  # rounding may lead past the last row that weighs anything
            row -= 1
        parents[i] = row
    return parents


@_kernel
def effective_sample_size(log_weight: NDArray[np.float64]) -> float:
    """How many equally weighted rows are worth as much as these: (sum w)² / sum w², from 1 to B; 0 if none weighs.

    Args:
        log_weight: [B] natural logarithms, up to a common constant; -inf for rows that weigh nothing.
    """
    largest = -np.inf
    for value in log_weight:
        largest = max(largest, value)
    if largest == -np.inf:
        return 0.0
    total, squares = 0.0, 0.0
    for value in log_weight:
        weight = math.exp(value - largest)
        total += weight
        squares += weight * weight
    return total * total / squares


@_kernel
def in_place(parents: NDArray[np.intp], places: NDArray[np.intp]) -> NDArray[np.intp]:
    """The same parents in an order in which a row that goes on is not moved.

    Args:
        parents: [M] rows that go on, ascending; a row that goes on several times is there several times.
        places: [M] rows whose places they take, ascending.

    Returns:
        [M] the parent of each place: the place's own row if it is among the parents, else the next one by index.
    """
    count = parents.shape[0]
    result = np.full(count, -1).astype(np.intp)
    settled = np.zeros(count, np.bool_)
    for i in range(count):
        at = np.searchsorted(parents, places[i])
        if at < count and parents[at] == places[i]:
            result[i] = places[i]
            settled[at] = True
    following = 0
    for i in range(count):
        if result[i] < 0:
            while settled[following]:
                following += 1
            result[i] = parents[following]
            following += 1
    return result


@_kernel
def halve(score: NDArray[np.float64], protected: NDArray[np.bool_], keep: int) -> NDArray[np.intp]:
    """Who survives a round of sequential halving: [M] ascending row indices.

    Protected rows survive, and the best of the others make up the number.

    Args:
        score: [B] value of each row.
        protected: [B] rows that never fall.
        keep: M, at most B; more if more rows are protected.
    """
    rows = score.shape[0]
    stays = protected.copy()
    survivors = 0
    for row in range(rows):
        survivors += stays[row]
    for row in ranking(score):
        if survivors >= keep:
            break
        if not stays[row]:
            stays[row] = True
            survivors += 1
    return np.flatnonzero(stays)


@_kernel
def puct_select(
    first_child: NDArray[np.int32],
    next_sibling: NDArray[np.int32],
    children: NDArray[np.int32],
    ended: NDArray[np.bool_],
    visits: NDArray[np.int64],
    value_sum: NDArray[np.float64],
    virtual_loss: NDArray[np.int64],
    expected: NDArray[np.int32],
    bounds: NDArray[np.float64],
    exploration: float,
    widening: float,
    widening_power: float,
    chosen: NDArray[np.int64],
) -> None:
    """Descends from the root M times and says which nodes shall get a further child.

    A node with ``n`` visits may have ``ceil(widening * n ** widening_power)`` children (progressive widening), one at
    the least. Below that number it is chosen; else the descent goes on to the child that has not ended with the largest

        Q + exploration * prior * sqrt(n of the parent) / (1 + n of the child),    prior = 1 / children,

    ties by index; a node whose children have all ended, or are still expected, is chosen all the same. Q is the mean
    value, scaled so that ``bounds`` become 0 and 1. Every descent leaves a virtual loss on its way: a visit of scaled
    value 0 that keeps the next one from the same path until ``puct_backpropagate`` takes it back.

    Args:
        first_child: [N] newest child of each node, negative for none.
        next_sibling: [N] next older child of the same parent, negative for none.
        children: [N] number of children.
        ended: [N] whether nothing can follow a node. The root (0) has not ended.
        visits: [N] values seen at or below each node.
        value_sum: [N] their sum.
        virtual_loss: [N] descents through each node that were not answered yet; changed in place.
        expected: [N] children that were asked for and not added yet; changed in place.
        bounds: [2] least and largest mean value of any node so far.
        exploration: c, >= 0.
        widening: > 0.
        widening_power: from 0 to 1.
        chosen: [M] receives the node of each descent; the same node may come several times.

    Source: Silver et al. 2018 (PUCT), Coulom 2007 and Couëtoux et al. 2011 (progressive widening), Schrittwieser et
    al. 2020 (bounds), Chaslot et al. 2008 (virtual loss).
    """
    spread = bounds[1] - bounds[0]
    scale = 1.0 / spread if spread > 0.0 else 0.0
    for i in range(chosen.shape[0]):
        node = 0
        while True:
            seen = visits[node] + virtual_loss[node]
            virtual_loss[node] += 1
            if children[node] + expected[node] < max(1.0, math.ceil(widening * float(seen) ** widening_power)):
                break
            best, best_score = -1, -np.inf
            child = first_child[node]
            factor = exploration * math.sqrt(float(seen)) / max(1, children[node])
            while child >= 0:
                if not ended[child]:
                    tried = visits[child] + virtual_loss[child]
                    value = (value_sum[child] - visits[child] * bounds[0]) * scale / max(1, tried)
                    score = value + factor / (1 + tried)
                    if score > best_score or (score == best_score and child < best):
                        best, best_score = child, score
                child = next_sibling[child]
            if best < 0:
                break
            node = best
        expected[node] += 1
        chosen[i] = node


@_kernel
def puct_attach(
    parent: NDArray[np.int32],
    first_child: NDArray[np.int32],
    next_sibling: NDArray[np.int32],
    children: NDArray[np.int32],
    nodes: NDArray[np.int64],
    parents: NDArray[np.int64],
) -> None:
    """Makes each node [M] the newest child of its parent [M], in place; the links [N] are those of ``puct_select``."""
    for i in range(nodes.shape[0]):
        node, above = nodes[i], parents[i]
        parent[node] = above
        next_sibling[node] = first_child[above]
        first_child[above] = node
        children[above] += 1


@_kernel
def puct_backpropagate(
    parent: NDArray[np.int32],
    visits: NDArray[np.int64],
    value_sum: NDArray[np.float64],
    virtual_loss: NDArray[np.int64],
    expected: NDArray[np.int32],
    bounds: NDArray[np.float64],
    nodes: NDArray[np.int64],
    values: NDArray[np.float64],
    asked: NDArray[np.bool_],
) -> None:
    """Answers descents of ``puct_select``: adds the values of new nodes and takes the virtual losses back, in place.

    Args:
        parent: [N] index of the parent, negative for the root.
        visits: [N] values seen at or below each node.
        value_sum: [N] their sum.
        virtual_loss: [N] descents through each node that were not answered yet.
        expected: [N] children that were asked for and not added yet.
        bounds: [2] least and largest mean value of any node so far; (inf, -inf) before the first.
        nodes: [M] the new nodes.
        values: [M] finite values.
        asked: [M] whether a node answers a descent; others have no virtual loss to take back.
    """
    for i in range(nodes.shape[0]):
        node = nodes[i]
        if asked[i]:
            expected[parent[node]] -= 1
        while node >= 0:
            visits[node] += 1
            value_sum[node] += values[i]
            if asked[i] and node != nodes[i]:
                virtual_loss[node] -= 1
            mean = value_sum[node] / visits[node]
            bounds[0] = min(bounds[0], mean)
            bounds[1] = max(bounds[1], mean)
            node = parent[node]


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
