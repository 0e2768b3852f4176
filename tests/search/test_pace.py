from typing import Any, cast

import pytest

from motet.music.error import InvalidInputError
from motet.search.exploration import Exploration
from motet.search.pace import Pace, half_original


class Piece:
    """All that a pace asks of an exploration."""

    bars, chunk_bars = 12, 5


@pytest.mark.parametrize(
    ("pace", "bars"),
    [
        (Pace(), 5),
        (Pace(chunk_bars=7), 7),
        (Pace(chunk_share=0.125), 2),
        (Pace(chunk_share=0.01), 1),
        (Pace(chunk_share=0.5, chunk_bars=3), 3),
    ],
)
def test_the_chunk(pace: Pace, bars: int) -> None:
    assert pace.chunk(cast(Exploration, Piece())) == bars


@pytest.mark.parametrize(
    ("field", "value"), [("chunk_share", 0.0), ("chunk_share", 1.5), ("chunk_share", float("nan")), ("chunk_bars", 0)]
)
def test_bad_settings_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=field):
        Pace(**{field: value})


@pytest.mark.parametrize(
    ("rows", "mutants", "arms"),
    [
        (1, 0, [0]),
        (1, 3, [0]),
        (2, 1, [0, 1]),
        (5, 2, [0, 0, 0, 1, 2]),
        (8, 3, [0, 0, 0, 0, 1, 2, 3, 1]),
        (3, 0, [0] * 3),
    ],
)
def test_half_of_the_rows_begin_on_the_original(rows: int, mutants: int, arms: list[int]) -> None:
    assert half_original(rows, mutants) == arms
