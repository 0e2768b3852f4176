from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.error import InvalidInputError
from motet.search import strategy
from motet.search.request import SearchRequest
from motet.search.sequential_halving import cost, looks, widest
from tests.search.looks import TOKENS_PER_BAR, check_golden, search, watched

REQUEST = SearchRequest(
    caption="a slow waltz for piano", seed=11, candidates=8, bars=8, mutations=2, strategy="sequential_halving"
)


def test_golden_search() -> None:
    check_golden(REQUEST, "sequential_halving")


def test_it_keeps_the_protocol() -> None:
    assert isinstance(strategy.load("sequential_halving"), strategy.Strategy)


def test_there_is_nothing_to_set() -> None:
    with pytest.raises(InvalidInputError, match="no settings"):
        strategy.load("sequential_halving:rows=3")


@pytest.mark.parametrize(
    ("bars", "expected"), [(1, []), (2, [1]), (3, [1, 2]), (4, [1, 2, 3]), (8, [2, 4, 6]), (10, [3, 5, 8])]
)
def test_looks_are_at_the_quarters(bars: int, expected: list[int]) -> None:
    assert looks(bars) == expected


@given(pieces=st.integers(0, 64), bars=st.integers(1, 64))
@settings(max_examples=60, deadline=None)
def test_no_further_row_could_begin(pieces: int, bars: int) -> None:
    rows = widest(pieces, bars)
    assert cost(rows, bars) <= pieces * bars
    assert pieces == 0 or cost(rows + 1, bars) > pieces * bars
    assert rows >= pieces


def test_the_arithmetic_of_seven_pieces() -> None:
    assert widest(7, 8) == 14
    assert cost(14, 8) == 2 * (14 + 7 + 4 + 2)


@settings(max_examples=15, deadline=None)
@given(
    candidates=st.integers(1, 16),
    bars=st.integers(1, 12),
    mutations=st.integers(0, 3),
    seed=st.integers(0, 99),
    rounds=st.integers(1, 2),
)
def test_halves_go_on_without_copies_at_the_cost_of_whole_pieces(
    candidates: int, bars: int, mutations: int, seed: int, rounds: int
) -> None:
    request = replace(
        REQUEST, candidates=candidates, bars=bars, mutations=mutations, seed=seed, rounds=rounds, results=1
    )
    with watched() as seen:
        result = search(request)
    pieces = candidates * bars
    assert pieces - bars <= result.tokens / TOKENS_PER_BAR / rounds <= pieces
    per_round = 1 + len(looks(bars))
    for turn in range(rounds):
        plain = int(turn == 0)
        begin, *halvings = seen[turn * per_round : (turn + 1) * per_round]
        rows = len(begin.parents)
        assert rows == plain + widest(candidates - plain, bars)
        assert 2 * begin.arms_after.count(0) >= rows
        for look in halvings:
            kept = np.array(look.parents)
            assert np.all(np.diff(kept) > 0)
            assert len(kept) == plain + (rows - plain + 1) // 2
            fallen = np.setdiff1d(np.arange(rows), kept)
            rivals = [row for row in kept.tolist() if not (plain and row == 0)]
            originals = [row for row in rivals if look.arms[row] == 0]
            if not plain and len(originals) == 1:
                rivals.remove(originals[0])  # it may have been kept as the last of its caption
            if rivals and len(fallen):
                assert look.values[rivals].min() >= look.values[fallen].max()
            assert 0 in look.arms_after
            rows = len(kept)


def test_rows_that_have_ended_make_room() -> None:
    with watched() as seen:
        result = search(replace(REQUEST, candidates=16), early_end_share=0.15)
    assert any(any(look.finished) for look in seen)
    for look in seen:
        left = [row for row in range(len(look.arms)) if row not in look.parents and not look.finished[row]]
        ended = [row for row in look.parents if look.finished[row] and row != 0]
        assert not (left and ended)
    assert result.tree.finished.sum() > 3


def test_the_same_seed_gives_the_same_tree() -> None:
    assert search(REQUEST).tree.to_json() == search(REQUEST).tree.to_json()
