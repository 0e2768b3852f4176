import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.search import kernels

GOLDEN = Path(__file__).parents[1] / "golden" / "kernels.json"


def plain(kernel: Any) -> Any:
    return kernel.py_func


def both(kernel: Any, *arguments: Any) -> Any:
    """Runs a kernel compiled and interpreted, and returns the result when they agree."""
    compiled, interpreted = kernel(*arguments), plain(kernel)(*arguments)
    np.testing.assert_array_equal(compiled, interpreted)
    return compiled


def random_tree(nodes: int, seed: int) -> Any:
    random = np.random.default_rng(seed)
    parent = np.array([-1, *(random.integers(0, i) for i in range(1, nodes))], np.int32)
    return random, parent


def truncate(scores: list[float], keep: int, protected: tuple[int, ...] = (), ended: tuple[int, ...] = ()) -> list[int]:
    rows = np.arange(len(scores))
    result = both(kernels.truncation_resample, np.array(scores), np.isin(rows, protected), ~np.isin(rows, ended), keep)
    return [int(row) for row in result]


def test_truncation_keeps_the_best_in_place_and_fills_the_rest_best_first() -> None:
    assert truncate([0.1, 0.9, 0.5, 0.2], 2) == [1, 1, 2, 2]
    assert truncate([0.9, 0.1, 0.2, 0.3, 0.8], 2) == [0, 0, 4, 0, 4]
    assert truncate([0.1, 0.2, 0.3], 3) == [0, 1, 2]


def test_truncation_breaks_ties_by_index_and_ranks_nan_last() -> None:
    assert truncate([0.5, 0.5, 0.5, 0.5], 2) == [0, 1, 0, 1]
    assert truncate([float("nan"), 0.1, float("nan"), 0.2], 2) == [3, 1, 1, 3]


def test_truncation_never_replaces_protected_rows_and_never_copies_weak_ones() -> None:
    assert truncate([0.0, 0.9, 0.5, 0.2], 2, protected=(0,)) == [0, 1, 2, 1]


def test_truncation_copies_only_rows_that_can_branch() -> None:
    assert truncate([0.1, 0.9, 0.5, 0.2], 2, ended=(1,)) == [2, 1, 2, 2]
    assert truncate([0.1, 0.9, 0.5, 0.2], 1, ended=(1,)) == [0, 1, 2, 3]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 20), st.integers(0, 19))
@settings(max_examples=60, deadline=None)
def test_truncation_invariants(scores: list[float], keep: int, guarded: int) -> None:
    keep, guarded = min(keep, len(scores)), guarded % len(scores)
    parents = truncate(scores, keep, protected=(guarded,))
    stays = {row for row, parent in enumerate(parents) if row == parent}
    assert guarded in stays
    assert set(parents) <= stays
    assert len(stays) in (keep, keep + 1)
    assert max(scores) in [scores[parent] for parent in parents]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
def test_systematic_counts_are_floor_or_ceil_of_the_share(weights: list[float], uniform: float) -> None:
    weight = np.array(weights) + 1e-3
    parents = both(kernels.systematic_resample, weight, uniform)
    counts = np.bincount(parents, minlength=len(weight))
    share = weight / weight.sum() * len(weight)
    assert np.all(counts >= np.floor(share - 1e-9))
    assert np.all(counts <= np.ceil(share + 1e-9))
    assert np.all(np.diff(parents) >= 0)


def test_systematic_is_the_identity_for_equal_weights() -> None:
    assert both(kernels.systematic_resample, np.ones(5), 0.5).tolist() == [0, 1, 2, 3, 4]


def test_backpropagation_updates_every_ancestor() -> None:
    parent = np.array([-1, 0, 1, 1, 0], np.int32)

    def statistics(kernel: Any) -> list[Any]:
        visits, total, square = np.zeros(5, np.int64), np.zeros(5), np.zeros(5)
        best = np.full(5, -np.inf)
        kernel(parent, visits, total, square, best, np.array([2, 3, 4]), np.array([0.5, 0.25, 1.0]))
        return [visits.tolist(), total.tolist(), square.tolist(), best.tolist()]

    expected = [
        [3, 2, 1, 1, 1],
        [1.75, 0.75, 0.5, 0.25, 1.0],
        [1.3125, 0.3125, 0.25, 0.0625, 1.0],
        [1.0, 0.5, 0.5, 0.25, 1.0],
    ]
    assert statistics(kernels.backpropagate) == statistics(plain(kernels.backpropagate)) == expected


def test_lineage_goes_from_the_root_to_the_node() -> None:
    parent = np.array([-1, 0, 1, 1, 3], np.int32)
    assert both(kernels.lineage, parent, 4).tolist() == [0, 1, 3, 4]
    assert both(kernels.lineage, parent, 0).tolist() == [0]


def test_lineage_scores_weigh_by_bars_heard() -> None:
    parent = np.array([-1, 0, 1, 2], np.int32)
    value = np.array([np.nan, 0.2, 0.4, np.nan])
    bars = np.array([0, 2, 4, 6], np.int32)
    nodes = np.array([2, 3, 0, 1])
    weighted = both(kernels.lineage_scores, parent, value, bars, 1.0, nodes)
    np.testing.assert_allclose(weighted, [(2 * 0.2 + 4 * 0.4) / 6] * 2 + [np.nan, 0.2])
    flat = both(kernels.lineage_scores, parent, value, bars, 0.0, nodes)
    np.testing.assert_allclose(flat[:2], [0.3, 0.3])


def outputs() -> dict[str, Any]:
    """What the kernels make of one random tree of 64 nodes."""
    random, parent = random_tree(64, seed=7)
    value = np.where(random.random(64) < 0.2, np.nan, random.random(64))
    bars = random.integers(0, 9, 64).astype(np.int32)
    nodes = np.arange(48, 64)
    scores = kernels.lineage_scores(parent, value, bars, 2.0, nodes)
    protected = np.arange(16) == 0
    visits, total, square = np.zeros(64, np.int64), np.zeros(64), np.zeros(64)
    best = np.full(64, -np.inf)
    kernels.backpropagate(parent, visits, total, square, best, nodes, random.random(16))
    return {
        "lineage": [kernels.lineage(parent, int(node)).tolist() for node in nodes],
        "lineage_scores": [None if np.isnan(score) else round(float(score), 12) for score in scores],
        "truncation": kernels.truncation_resample(scores, protected, random.random(16) < 0.8, 12).tolist(),
        "systematic": kernels.systematic_resample(random.random(16), float(random.random())).tolist(),
        "visits": visits.tolist(),
        "value_sum": [round(float(item), 12) for item in total],
        "value_best": [None if np.isinf(item) else round(float(item), 12) for item in best],
    }


def test_golden() -> None:
    assert outputs() == json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("keep", [1, 4])
def test_the_same_input_gives_the_same_rows_again(keep: int) -> None:
    scores = np.random.default_rng(3).random(8)
    assert truncate(list(scores), keep) == truncate(list(scores), keep)
