from typing import Any

import pytest

from motet.model.header import DRUM_PLAYER
from motet.model.seed import Seed
from motet.music.error import InvalidInputError
from motet.music.meter import Meter
from motet.search.controls import SearchControls
from motet.search.request import SearchRequest
from tests.tiny import random_score

PIECE = random_score(0)  # 4/4, four bars for programs 0, 33, 73 and drums


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tempo_bpm": 0.0}, "tempo_bpm"),
        ({"tempo_bpm": float("nan")}, "tempo_bpm"),
        ({"instruments": (129,)}, "instruments"),
        ({"instruments": (0, 0)}, "instruments"),
        ({"instruments": tuple(range(17))}, "instruments"),
        ({"instruments": (0, DRUM_PLAYER), "drums": False}, "drums"),
        ({"seed": Seed(score=PIECE), "tempo_bpm": 90.0}, "tempo_bpm"),
        ({"seed": Seed(score=PIECE), "meter": Meter(3, 4)}, "meter"),
        ({"seed": Seed(score=PIECE, players=(DRUM_PLAYER,)), "drums": False}, "drums"),
        ({"seed": Seed(score=PIECE, players=(DRUM_PLAYER,)), "instruments": (40,)}, "instruments"),
        (
            {"seed": Seed(score=PIECE, players=(DRUM_PLAYER,)), "instruments": (0,), "only_instruments": True},
            "seed.players",
        ),
    ],
)
def test_bad_and_contradictory_controls_are_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        SearchControls(**fields)
    assert caught.value.metadata["field"] == field
    assert "\n" not in caught.value.message


def test_what_agrees_is_no_contradiction() -> None:
    SearchControls(seed=Seed(score=PIECE), meter=PIECE.meters[0], drums=False)
    SearchControls(seed=Seed(score=PIECE, players=(DRUM_PLAYER,)), instruments=(0, DRUM_PLAYER), only_instruments=True)
    SearchControls(seed=Seed(score=PIECE, players=(40,)), instruments=(40, 73))


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, None),
        ({"drums": True}, True),
        ({"drums": False}, False),
        ({"instruments": (0, DRUM_PLAYER)}, True),
        ({"instruments": (0,)}, None),
        ({"instruments": (0,), "only_instruments": True}, False),
        ({"only_instruments": True}, None),
    ],
)
def test_drums_are_asked_for_in_three_ways(fields: dict[str, Any], asked: bool | None) -> None:
    assert SearchControls(**fields).drums_asked is asked


def test_the_request_knows_the_caption_too() -> None:
    fill = SearchControls(seed=Seed(score=PIECE, bars=(2, 3)))
    with pytest.raises(InvalidInputError, match=r"^bars: must be absent where a seed is filled: its 4 bars stay"):
        SearchRequest(caption="a tune", bars=4, controls=fill)
    only = SearchControls(only_instruments=True)
    for caption in ("a tune", "a tune without drums"):
        with pytest.raises(InvalidInputError, match=r"^only_instruments: must come with instruments, here or in the"):
            SearchRequest(caption=caption, controls=only)
    SearchRequest(caption="a piano tune", controls=only)
    SearchRequest(caption="a drum groove", controls=only)
