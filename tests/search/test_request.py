from dataclasses import replace
from typing import Any

import pytest

from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.meter import Meter
from motet.search.request import MAX_SEED, SearchRequest, stated_bars

GOOD = SearchRequest(caption="a waltz in G major for piano")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("caption", ""),
        ("caption", "   "),
        ("caption", "x" * 10_000),
        ("seed", -1),
        ("seed", 2**63),
        ("seed", 1.5),
        ("seed", True),
        ("candidates", 0),
        ("candidates", 65),
        ("candidates", -8),
        ("bars", 0),
        ("bars", 65),
        ("temperature", 0.0),
        ("temperature", -1.0),
        ("temperature", 2.5),
        ("temperature", float("nan")),
        ("top_p", 0.0),
        ("top_p", 1.5),
        ("top_p", float("nan")),
        ("guidance", -0.1),
        ("guidance", 11.0),
        ("guidance", float("nan")),
        ("mutations", -1),
        ("deadline_s", 0.0),
        ("deadline_s", -3.0),
        ("deadline_s", float("nan")),
        ("deadline_s", float("inf")),
        ("tokens", 0),
        ("tokens", 1.5),
        ("rounds", 0),
        ("rounds", True),
        ("rounds", None),
        ("least_gain", -0.1),
        ("least_gain", float("nan")),
        ("least_gain", 1.1),
        ("results", 0),
        ("results", 9),
    ],
)
def test_bad_values_name_the_field_the_rule_and_the_value(field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        replace(GOOD, **{field: value})
    assert caught.value.metadata["field"] == field
    assert "\n" not in caught.value.message
    assert caught.value.metadata["received"] in caught.value.message


def test_an_unknown_strategy_lists_the_known_ones() -> None:
    with pytest.raises(NotFoundError, match=r"best_of_n, .*population, .*sample.*'psychic'"):
        replace(GOOD, strategy="psychic")


def test_bounds_are_inclusive() -> None:
    replace(GOOD, seed=0)
    replace(GOOD, seed=MAX_SEED, candidates=64, bars=64, temperature=2.0, top_p=1.0, results=64)
    replace(GOOD, candidates=1, bars=1, tokens=1, rounds=None, least_gain=1.0)
    replace(GOOD, rounds=None, deadline_s=1.0)


@pytest.mark.parametrize(
    ("attributes", "bars"),
    [
        (Attributes(), None),
        (Attributes(bars=12), 12),
        (Attributes(bars=500), 64),
        (Attributes(duration_s=16.0), 8),
        (Attributes(duration_s=12.0, tempo_bpm=60.0, meter=Meter(3, 4)), 4),
        (Attributes(duration_s=600.0), 64),
        (Attributes(duration_s=0.1), 1),
    ],
)
def test_the_length_is_what_the_caption_states(attributes: Attributes, bars: int | None) -> None:
    assert stated_bars(attributes) == bars
