import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.music.error import InvalidInputError
from motet.search import strategy
from motet.search.population import Population, PopulationConfig
from motet.search.request import SearchRequest
from motet.search.run import Searcher
from tests.fakes import CountingReward, FakeDecoder

GOLDEN = Path(__file__).parents[1] / "golden" / "population.json"
REQUEST = SearchRequest(caption="a slow waltz for piano", seed=11, candidates=6, bars=8, mutations=0)


def tree() -> dict[str, Any]:
    content: dict[str, Any] = Searcher(FakeDecoder(), CountingReward()).run(REQUEST).tree.to_json()
    return content


def test_golden_search() -> None:
    expected, actual = json.loads(GOLDEN.read_text()), json.loads(json.dumps(tree()))
    assert actual.keys() == expected.keys()
    assert actual.pop("term_names") == expected.pop("term_names")
    for name, column in expected.items():
        np.testing.assert_allclose(np.array(actual[name], float), np.array(column, float), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", ["sample", "best_of_n", "population"])
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
        ("precision_power", -1.0),
        ("precision_power", float("nan")),
        ("chunk_bars", 0),
    ],
)
def test_bad_settings_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=field):
        PopulationConfig(**{field: value})
