import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from motet.music.error import InvalidInputError
from motet.search import strategy
from motet.search.puct import PuctConfig
from motet.search.request import SearchRequest
from motet.search.tree import ROOT
from tests.search.looks import TOKENS_PER_BAR, check_golden, search, watched

REQUEST = SearchRequest(caption="a slow waltz for piano", seed=11, candidates=8, bars=8, mutations=2, strategy="puct")


def test_golden_search() -> None:
    check_golden(REQUEST, "puct")


def test_it_keeps_the_protocol() -> None:
    assert isinstance(strategy.load("puct"), strategy.Strategy)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("exploration", -1.0),
        ("exploration", float("nan")),
        ("widening", 0.0),
        ("widening_power", 1.5),
        ("parallel", 0),
        ("parallel", 65),
        ("finish_share", -0.5),
        ("chunk_share", 0.0),
    ],
)
def test_bad_settings_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=field):
        PuctConfig(**{field: value})


@settings(max_examples=25, deadline=None)
@given(
    candidates=st.integers(1, 12),
    bars=st.integers(1, 9),
    mutations=st.integers(0, 3),
    seed=st.integers(0, 99),
    rounds=st.integers(1, 2),
    chunk=st.integers(1, 10),
    parallel=st.integers(1, 6),
    early=st.sampled_from([0.0, 0.0, 0.2]),
)
@example(candidates=1, bars=8, mutations=0, seed=0, rounds=2, chunk=7, parallel=1, early=0.0)
def test_it_ends_within_the_budget_and_with_finished_pieces(
    candidates: int, bars: int, mutations: int, seed: int, rounds: int, chunk: int, parallel: int, early: float
) -> None:
    request = replace(
        REQUEST,
        candidates=candidates,
        bars=bars,
        mutations=mutations,
        seed=seed,
        rounds=rounds,
        results=1,
        strategy=f"puct:chunk_bars={chunk},parallel={parallel}",
    )
    result = search(request, early_end_share=early)
    tree = result.tree
    assert result.tokens <= rounds * candidates * bars * TOKENS_PER_BAR
    assert result.candidates[0].finished
    pieces = int(tree.finished.sum())
    assert pieces >= min(2, candidates) + rounds - 1  # the plain sample and another one; one in a further round
    if rounds == 1:
        plain = search(replace(request, strategy="sample"))
        if early == 0:
            assert result.plain is not None
            assert plain.plain is not None
            assert result.plain.breakdown == plain.plain.breakdown
        begun = tree.arm[tree.parent == ROOT]
        assert 2 * (begun == 0).sum() >= len(begun)
    assert not tree.finished[tree.parent[1:]].any()


def test_the_budget_is_spent_and_several_pieces_are_finished() -> None:
    for candidates in (8, 16):
        result = search(replace(REQUEST, candidates=candidates))
        assert result.tokens >= (candidates - 1) * 8 * TOKENS_PER_BAR
        assert result.tree.finished.sum() >= candidates // 2


def test_nodes_widen_as_they_are_visited() -> None:
    """One at a time and without a plain sample (second round), no node has more children than its visits allow."""
    one = replace(REQUEST, strategy="puct:parallel=1,finish_share=0,chunk_bars=2", candidates=12)
    single, both = search(one).tree, search(replace(one, rounds=2)).tree
    first = len(single)
    parent = both.parent.copy()
    visits = np.zeros(len(both), int)
    children = np.zeros(len(both), int)
    for node in range(first, len(both)):
        above = int(parent[node])
        open_children = [child for child in range(first, node) if parent[child] == above and not both.finished[child]]
        assert children[above] < max(1, math.ceil(1.5 * visits[above] ** 0.5)) or not open_children
        children[above] += 1
        step = node
        while step >= 0:
            visits[step] += 1
            step = int(parent[step])
    assert children.max() >= 4


def test_beginnings_are_kept_as_long_as_they_can_be_continued() -> None:
    with watched() as looks:
        search(REQUEST)
    rows = [len(look.parents) for look in looks[:-1]]
    assert rows == sorted(rows)
    assert rows[-1] > REQUEST.candidates
    assert all(look.parents[0] == 0 for look in looks)


def test_more_exploration_gives_a_shallower_tree() -> None:
    def depth(exploration: float) -> float:
        spec = f"puct:exploration={exploration},chunk_bars=1,finish_share=0"
        return float(search(replace(REQUEST, candidates=12, strategy=spec)).tree.depth.mean())

    assert depth(20.0) < depth(0.0)


def test_the_same_seed_gives_the_same_tree() -> None:
    assert search(REQUEST).tree.to_json() == search(REQUEST).tree.to_json()
