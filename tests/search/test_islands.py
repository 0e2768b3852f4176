from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.error import InvalidInputError
from motet.search.islands import IslandsConfig
from motet.search.request import SearchRequest
from tests.search.looks import TOKENS_PER_BAR, check_golden, search, watched

REQUEST = SearchRequest(
    caption="a slow waltz for piano", seed=11, candidates=8, bars=8, mutations=2, strategy="islands", results=4
)
GOLDEN = {"islands": REQUEST}


def test_golden_search() -> None:
    check_golden(REQUEST, "islands")


@pytest.mark.parametrize(
    ("field", "value"), [("islands", 0), ("islands", 33), ("keep_late", 0.0), ("wide", float("inf"))]
)
def test_bad_settings_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=field):
        IslandsConfig(**{field: value})


@settings(max_examples=15, deadline=None)
@given(
    candidates=st.integers(1, 16),
    islands=st.integers(1, 6),
    wide=st.sampled_from([1.0, 2.0]),
    seed=st.integers(0, 99),
)
def test_nothing_is_copied_between_islands(candidates: int, islands: int, wide: float, seed: int) -> None:
    spec = f"islands:islands={islands},wide={wide},keep_early=.25,keep_late=.25,chunk_bars=1"
    request = replace(REQUEST, candidates=candidates, results=1, strategy=spec, seed=seed)
    with watched() as looks:
        result = search(request)
    begun = len(looks[0].arms) if looks else candidates
    count = min(islands, max(1, int(begun / wide) // 2))
    home = np.arange(begun) % count
    origin = np.arange(begun)  # the row of the first chunk that each row goes back to
    for look in looks:
        origin = origin[look.parents]
    survivors = {int(home[row]) for row in origin}
    assert survivors == set(range(count))
    assert result.plain is not None
    if wide == 1:
        assert result.tokens == candidates * 8 * TOKENS_PER_BAR
        assert all((np.bincount(home[origin]) == np.bincount(home)).tolist())
    assert search(request).tree.to_json() == result.tree.to_json()


def test_one_island_is_a_population() -> None:
    population = search(replace(REQUEST, strategy="population"))
    assert search(replace(REQUEST, strategy="islands:islands=1")).tree.to_json() == population.tree.to_json()


def test_every_island_has_rows_on_the_original_and_on_mutants() -> None:
    with watched() as looks:
        search(replace(REQUEST, candidates=16))
    for island in range(4):
        arms = looks[0].arms[island::4]
        assert arms.count(0) == 2


@pytest.mark.parametrize("seed", range(5))
def test_the_results_come_from_different_islands(seed: int) -> None:
    result = search(replace(REQUEST, candidates=12, seed=seed, mutations=0, strategy="islands:keep_early=.4"))
    islands = [result.tree.row[candidate.lineage[1]] % 4 for candidate in result.candidates]
    assert sorted(islands) == [0, 1, 2, 3]
    rewards = [candidate.breakdown.total for candidate in result.candidates]
    assert rewards == sorted(rewards, reverse=True)


def beginnings(request: SearchRequest) -> int:
    """Different first chunks among the rows at the end."""
    with watched() as looks:
        search(request)
    origin = np.arange(request.candidates)
    for look in looks:
        origin = origin[look.parents]
    return len(set(origin.tolist()))


def test_more_beginnings_survive_than_in_a_population() -> None:
    requests = [replace(REQUEST, candidates=16, seed=seed, mutations=0) for seed in range(8)]
    hard = "keep_early=.25,keep_late=.25"
    apart = np.mean([beginnings(replace(one, strategy=f"islands:{hard}")) for one in requests])
    together = np.mean([beginnings(replace(one, strategy=f"population:{hard}")) for one in requests])
    assert apart >= 4 > together
