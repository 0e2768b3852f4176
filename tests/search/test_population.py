import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.error import InvalidInputError
from motet.search import strategy
from motet.search.population import Population, PopulationConfig
from motet.search.request import SearchRequest
from tests.fakes import FakeBatch
from tests.search.looks import TOKENS_PER_BAR, check_golden, search, watched

REQUEST = SearchRequest(caption="a slow waltz for piano", seed=11, candidates=6, bars=8, mutations=0)
WIDE = "population:wide=2,keep_early=.75,keep_late=.5,chunk_bars=2"
GOLDEN = {"population": REQUEST, "population_wide": replace(REQUEST, strategy=WIDE, mutations=2)}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_search(name: str) -> None:
    check_golden(GOLDEN[name], name)


@pytest.mark.parametrize("name", ["sample", "best_of_n", "population", "islands"])
def test_the_installed_strategies_keep_the_protocol(name: str) -> None:
    assert name in strategy.names()
    loaded = strategy.load(name)
    assert isinstance(loaded, strategy.Strategy)
    arms = loaded.arms(SearchRequest(caption="x", candidates=5), 2)
    assert arms[0] == 0
    assert arms.count(0) * 2 >= len(arms)


@pytest.mark.parametrize(
    ("candidates", "mutants", "arms"),
    [(1, 0, [0]), (2, 1, [0, 1]), (5, 2, [0, 0, 0, 1, 2]), (8, 3, [0, 0, 0, 0, 1, 2, 3, 1]), (4, 0, [0, 0, 0, 0])],
)
def test_the_original_starts_with_half_of_the_rows(candidates: int, mutants: int, arms: list[int]) -> None:
    assert Population().arms(SearchRequest(caption="x", candidates=candidates), mutants) == arms


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keep_early", 0.0),
        ("keep_early", float("nan")),
        ("keep_late", 1.5),
        ("wide", 0.5),
        ("wide", float("nan")),
        ("prune_at", 0.0),
        ("prune_at", 1.0),
        ("chunk_share", 0.0),
        ("chunk_share", 1.5),
        ("chunk_bars", 0),
        ("prior", -0.1),
        ("prior", float("nan")),
    ],
)
def test_bad_settings_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=field):
        PopulationConfig(**{field: value})


@settings(max_examples=30, deadline=None)
@given(
    candidates=st.integers(1, 24),
    bars=st.integers(1, 20),
    wide=st.floats(1, 4),
    prune_at=st.floats(0.1, 0.6),
    seed=st.integers(0, 99),
)
def test_a_wide_start_costs_as_much_as_whole_pieces(
    candidates: int, bars: int, wide: float, prune_at: float, seed: int
) -> None:
    spec = f"population:wide={wide},prune_at={prune_at},chunk_bars=1"
    with watched() as looks:
        result = search(replace(REQUEST, candidates=candidates, bars=bars, strategy=spec, seed=seed))
    pieces = result.tokens / (TOKENS_PER_BAR * bars)
    if wide == 1:
        assert pieces == candidates
    elif round(prune_at * bars) >= 1:
        # A whole number of rows goes on, at least one.
        assert abs(pieces - candidates) <= (1.0 if candidates < 4 else 0.75)
    rows = [len(look.parents) for look in looks]
    assert rows == sorted(rows, reverse=True)
    assert len(set(rows)) <= 2


def test_a_wide_start_is_pruned_once_to_the_best_without_copies() -> None:
    with watched() as looks:
        search(replace(REQUEST, candidates=16, strategy="population:wide=2,prior=0"))
    prune = looks[0]
    assert (prune.bars_done, len(prune.arms), len(prune.parents)) == (2, 26, 13)
    assert prune.parents == sorted(set(prune.parents))
    best = set(np.argsort(-prune.values, kind="stable")[:12].tolist())
    assert best <= set(prune.parents)
    assert all(len(look.parents) == 13 for look in looks[1:])


@settings(max_examples=15, deadline=None)
@given(
    candidates=st.integers(1, 12),
    mutations=st.integers(0, 4),
    keep=st.floats(0.1, 1),
    wide=st.sampled_from([1.0, 1.5, 2.0]),
    keeps_plain=st.booleans(),
    early_end_share=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 99),
)
def test_what_survives(
    candidates: int,
    mutations: int,
    keep: float,
    wide: float,
    keeps_plain: bool,
    early_end_share: float,
    seed: int,
) -> None:
    kept_plain = int(keeps_plain)
    spec = f"population:keep_early={keep},keep_late=.5,wide={wide},prior=0,keeps_plain={kept_plain},chunk_bars=1"
    request = replace(REQUEST, candidates=candidates, mutations=mutations, strategy=spec, seed=seed)
    with watched() as looks:
        result = search(request, early_end_share=early_end_share)
    for look in looks:
        if look.bars_done <= 2:
            assert 0 in look.arms_after
        count = len(look.parents)
        kept = math.ceil(keep * count) if look.bars_done <= 4 else math.ceil(0.5 * count)
        best = np.argsort(-look.values, kind="stable")[: min(kept, count) - 1]  # one place may be protected
        assert set(best.tolist()) <= set(look.parents)
        copied = [parent for row, parent in enumerate(look.parents) if look.parents.index(parent) != row]
        assert not any(look.finished[parent] for parent in copied)
        if keeps_plain:
            assert look.parents[0] == 0
    assert result.best.finished
    assert (result.plain is not None) == keeps_plain
    if result.plain is not None:
        alone = search(replace(request, strategy="sample"), early_end_share=early_end_share).best
        assert result.plain.tokens.tolist() == alone.tokens.tolist()
        assert result.best.breakdown.total >= result.plain.breakdown.total
    assert search(request, early_end_share=early_end_share).tree.to_json() == result.tree.to_json()


@pytest.mark.parametrize(
    ("chunk", "looks"), [("chunk_bars=1", 7), ("chunk_share=0.3", 2), ("chunk_bars=2,chunk_share=1", 3)]
)
def test_chunks_are_in_bars_or_in_shares_of_the_piece(chunk: str, looks: int) -> None:
    with watched() as seen:
        search(replace(REQUEST, strategy=f"population:{chunk}"))
    assert len(seen) == looks


@pytest.mark.parametrize(("chosen", "nat"), [("", 0.1), (",prior=1", 1.0)])
def test_a_prior_lets_likelier_rows_go_on_but_does_not_rank(
    chosen: str, nat: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeBatch, "log_probability", lambda self, row: -float(np.sum(self.tokens(row) % 7)))
    with watched() as looks:
        result = search(replace(REQUEST, strategy=f"population:keep_early=.5,keep_late=.5,keeps_plain=0{chosen}"))
    by_value = []
    for look in looks:
        promised = look.values + nat * look.log_probability_per_token
        assert set(np.argsort(-promised, kind="stable")[:3].tolist()) == set(look.parents)
        by_value.append(set(np.argsort(-look.values, kind="stable")[:3].tolist()) == set(look.parents))
    assert len(looks) == 7
    assert not all(by_value)
    ended = result.tree.reward_total[result.tree.finished]
    assert result.best.breakdown.total == ended.max()
