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


def truncate(
    scores: list[float],
    keep: int | list[int],
    *,
    protected: tuple[int, ...] = (),
    ended: tuple[int, ...] = (),
    islands: list[int] | None = None,
    out: int | list[int] | None = None,
) -> list[int]:
    """Truncation resampling, of one island unless told otherwise, with as many rows as before."""
    rows = np.arange(len(scores))
    place = np.array(islands or [0] * len(scores))
    result = both(
        kernels.truncation_resample,
        np.array(scores),
        np.isin(rows, protected),
        ~np.isin(rows, ended),
        np.atleast_1d(keep),
        place,
        np.bincount(place) if out is None else np.atleast_1d(out),
    )
    return [int(row) for row in result]


def test_ranking_is_by_score_then_index_with_nan_last() -> None:
    score = np.array([0.2, np.nan, 0.9, 0.2, -1.0])
    assert both(kernels.ranking, score).tolist() == [2, 0, 3, 4, 1]


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
    assert truncate([0.1, 0.9, 0.5, 0.2], 1, ended=(1,), out=3) == [1, 2, 3]


def test_truncation_prunes_without_copies_when_fewer_rows_go_on() -> None:
    assert truncate([0.1, 0.9, 0.5, 0.2, 0.7, 0.3], 3, out=3) == [1, 2, 4]
    assert truncate([0.1, 0.9, 0.5, 0.2, 0.7, 0.3], 3, out=3, protected=(0,)) == [0, 1, 4]
    assert truncate([0.1, 0.9, 0.5, 0.2, 0.7, 0.3], 6, out=2, protected=(0, 3, 5)) == [0, 3, 5]


def test_truncation_puts_further_rows_last() -> None:
    assert truncate([0.1, 0.9, 0.5], 2, out=7) == [1, 1, 2, 2, 1, 2, 1]


def test_truncation_keeps_islands_apart() -> None:
    islands = [0, 1, 0, 1, 0, 1]
    assert truncate([0.9, 0.1, 0.8, 0.2, 0.7, 0.3], [1, 1], islands=islands) == [0, 5, 0, 5, 0, 5]
    assert truncate([0.9, 0.1, 0.8, 0.2, 0.7, 0.3], [2, 1], islands=islands, out=[2, 1]) == [0, 2, 5]


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 2)), min_size=1, max_size=16), st.data())
@settings(max_examples=60, deadline=None)
def test_truncation_invariants(rows: list[tuple[float, int]], data: st.DataObject) -> None:
    scores, islands = [score for score, _ in rows], np.array([island for _, island in rows])
    members = np.bincount(islands, minlength=3)
    guarded = data.draw(st.integers(0, len(rows) - 1))
    keep = [data.draw(st.integers(1, max(1, count))) for count in members]
    out = [data.draw(st.integers(1, 2 * count)) if count else 0 for count in members.tolist()]
    parents = np.array(truncate(scores, keep, protected=(guarded,), islands=islands.tolist(), out=out))
    np.testing.assert_array_equal(np.bincount(islands[parents], minlength=3), out)
    assert guarded in parents
    for island in set(islands.tolist()):
        chosen = {row for row in parents.tolist() if islands[row] == island} - {guarded}
        fallen = [score for row, score in enumerate(scores) if islands[row] == island and row not in {*chosen, guarded}]
        assert len(chosen) <= keep[island]
        assert not chosen or not fallen or min(scores[row] for row in chosen) >= max(fallen)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0, 1, exclude_max=True), st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_systematic_counts_are_floor_or_ceil_of_the_share(weights: list[float], uniform: float, out: int) -> None:
    weight = np.array(weights) + 1e-3
    parents = both(kernels.systematic_resample, weight, uniform, out)
    counts = np.bincount(parents, minlength=len(weight))
    share = weight / weight.sum() * out
    assert counts.sum() == out
    assert np.all(counts >= np.floor(share - 1e-9))
    assert np.all(counts <= np.ceil(share + 1e-9))
    assert np.all(np.diff(parents) >= 0)


def test_systematic_is_the_identity_for_equal_weights() -> None:
    assert both(kernels.systematic_resample, np.ones(5), 0.5, 5).tolist() == [0, 1, 2, 3, 4]


def test_systematic_never_draws_a_row_without_weight() -> None:
    weight = np.array([0.0, 0.1, 0.2, 0.0])
    for uniform in (0.0, 0.3, np.nextafter(1.0, 0.0)):
        assert set(both(kernels.systematic_resample, weight, uniform, 7).tolist()) == {1, 2}


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=12), st.floats(-1e3, 1e3))
@settings(max_examples=40, deadline=None)
def test_the_effective_sample_size_is_that_of_the_normalised_weights(logs: list[float], shift: float) -> None:
    log_weight = np.array(logs)
    share = np.exp(log_weight - log_weight.max())
    share /= share.sum()
    size = kernels.effective_sample_size(log_weight + shift)
    np.testing.assert_allclose(size, 1 / np.sum(share**2), rtol=1e-9)
    np.testing.assert_allclose(plain(kernels.effective_sample_size)(log_weight + shift), size, rtol=1e-12)
    assert 1 - 1e-9 <= size <= len(logs) * (1 + 1e-9)


def test_rows_that_weigh_nothing_do_not_count() -> None:
    assert both(kernels.effective_sample_size, np.array([0.0, -np.inf, 0.0])) == 2.0
    assert both(kernels.effective_sample_size, np.array([-np.inf, -np.inf])) == 0.0


def test_rows_that_go_on_are_not_moved() -> None:
    assert both(kernels.in_place, np.array([0, 0, 2, 2, 2]), np.arange(5)).tolist() == [0, 0, 2, 2, 2]
    assert both(kernels.in_place, np.array([1, 3, 3, 4]), np.arange(1, 5)).tolist() == [1, 3, 3, 4]
    assert both(kernels.in_place, np.array([0, 0, 3]), np.array([1, 3, 4])).tolist() == [0, 3, 0]
    assert both(kernels.in_place, np.array([], np.intp), np.array([], np.intp)).tolist() == []


@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=1, max_size=12, unique_by=lambda pair: pair[1])
)
@settings(max_examples=40, deadline=None)
def test_putting_rows_in_place_changes_only_their_order(pairs: list[tuple[int, int]]) -> None:
    parents, places = np.array(sorted(pair[0] for pair in pairs)), np.array(sorted(pair[1] for pair in pairs))
    placed = both(kernels.in_place, parents, places)
    assert sorted(placed.tolist()) == parents.tolist()
    assert all(row == place for row, place in zip(placed, places, strict=True) if place in parents)


def test_half_survives_in_order_with_the_protected_rows() -> None:
    score = np.array([0.1, 0.5, np.nan, 0.9, 0.5, 0.2])
    nobody = np.zeros(6, np.bool_)
    assert both(kernels.halve, score, nobody, 3).tolist() == [1, 3, 4]
    assert both(kernels.halve, score, np.arange(6) == 2, 3).tolist() == [1, 2, 3]
    assert both(kernels.halve, score, np.arange(6) < 3, 1).tolist() == [0, 1, 2]
    assert both(kernels.halve, score, nobody, 6).tolist() == [0, 1, 2, 3, 4, 5]


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
        "truncation": kernels.truncation_resample(
            scores, protected, random.random(16) < 0.8, np.array([12]), np.zeros(16, np.int64), np.array([16])
        ).tolist(),
        "systematic": kernels.systematic_resample(random.random(16), float(random.random()), 16).tolist(),
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
