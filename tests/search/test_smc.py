from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.error import InvalidInputError
from motet.search import strategy
from motet.search.request import SearchRequest
from motet.search.smc import SmcConfig
from tests.search.looks import TOKENS_PER_BAR, check_golden, search, watched

REQUEST = SearchRequest(
    caption="a slow waltz for piano", seed=11, candidates=8, bars=8, mutations=2, strategy="smc:tau=.05"
)
TAU = 0.05


def test_golden_search() -> None:
    check_golden(REQUEST, "smc")


def test_it_keeps_the_protocol() -> None:
    assert isinstance(strategy.load("smc"), strategy.Strategy)


@pytest.mark.parametrize(
    ("field", "value"),
    [("tau", 0.0), ("tau", float("nan")), ("ess_share", -0.1), ("ess_share", 1.1), ("chunk_bars", 0)],
)
def test_bad_settings_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=field):
        SmcConfig(**{field: value})


@settings(max_examples=12, deadline=None)
@given(candidates=st.integers(2, 12), seed=st.integers(0, 99), mutations=st.integers(0, 2), plain=st.booleans())
def test_rows_are_drawn_in_proportion_to_what_they_gained(
    candidates: int, seed: int, mutations: int, plain: bool
) -> None:
    """Drawn anew at every look, each unprotected place goes to a row floor or ceil of its share of them."""
    spec = f"smc:tau={TAU},ess_share=1,chunk_bars=1"
    rounds = 1 if plain else 2
    request = replace(
        REQUEST, candidates=candidates, seed=seed, mutations=mutations, strategy=spec, results=1, rounds=rounds
    )
    with watched() as looks:
        result = search(request)
    assert result.tokens == rounds * candidates * 8 * TOKENS_PER_BAR
    first = [look.bars_done for look in looks].index(1) if plain else len(looks) - 7
    assert len(looks) == rounds * 7
    before = np.zeros(candidates)
    for look in looks[first:]:
        weight = np.exp((look.values - before) / TAU)
        parents = np.array(look.parents)
        before = look.values[parents]
        free = parents[1:] if plain else parents
        share = weight / weight.sum() * len(free)
        counts = np.bincount(free, minlength=candidates)
        off = np.maximum(np.floor(share - 1e-9) - counts, 0) + np.maximum(counts - np.ceil(share + 1e-9), 0)
        # One copy may have made room for the last survivor of the original.
        assert off.sum() <= (0 if plain else 2)
        assert parents[0] == 0 or not plain
        assert 0 in look.arms_after
        assert all(parents[row] == row for row in set(free.tolist()) - ({0} if plain else set()))


def test_without_resampling_it_is_best_of_n() -> None:
    with watched() as looks:
        never = search(replace(REQUEST, strategy="smc:ess_share=0,tau=.001", mutations=0))
    assert looks == []
    best = search(replace(REQUEST, strategy="best_of_n", mutations=0))
    assert never.candidates[0].breakdown == best.candidates[0].breakdown


def test_a_low_temperature_draws_the_best_alone() -> None:
    with watched() as looks:
        search(replace(REQUEST, strategy="smc:tau=.0001", mutations=0))
    assert {row for look in looks for row in look.parents[1:]} != {0}
    for look in looks[:1]:
        assert set(look.parents[1:]) == {int(np.argmax(look.values))}


def test_rows_that_have_ended_stay_and_are_not_copied() -> None:
    with watched() as looks:
        search(replace(REQUEST, strategy="smc:tau=.01,ess_share=1,chunk_bars=1", candidates=12), early_end_share=0.2)
    assert any(any(look.finished) for look in looks)
    for look in looks:
        for row, parent in enumerate(look.parents):
            assert parent == row or not (look.finished[row] or look.finished[parent])


def test_the_same_seed_gives_the_same_tree() -> None:
    assert search(REQUEST).tree.to_json() == search(REQUEST).tree.to_json()
