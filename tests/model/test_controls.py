"""Controls say what a caption asks for, and refuse what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from motet.model.controls import Controls
from motet.model.header import DRUM_PLAYER
from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError
from motet.music.key import Key


def test_a_list_of_instruments_is_the_line_up() -> None:
    assert Controls.of(Attributes(instruments=(0, 73), drums=True)).allowed == (0, 73, DRUM_PLAYER)
    assert Controls.of(Attributes(instruments=(0, 73))).allowed == (0, 73)
    assert Controls.of(Attributes(instruments=(40,), drums=False)).allowed == (40,)


def test_a_lone_instrument_leaves_the_band_open() -> None:
    lone = Controls.of(Attributes(instruments=(30,), drums=True))
    assert (lone.required, lone.allowed) == ((30, DRUM_PLAYER), None)
    assert DRUM_PLAYER not in (Controls.of(Attributes(drums=False)).allowed or ())


def test_other_fields_win_over_the_caption() -> None:
    controls = Controls.of(Attributes(bars=4, key=Key(0, "major")), bars=12, guidance=2.0)
    assert (controls.bars, controls.key, controls.guidance) == (12, Key(0, "major"), 2.0)
    assert Controls.of(Attributes(bars=4)).bars == 4


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"guidance": -1}, "guidance"),
        ({"bars": 0}, "bars"),
        ({"tempo_bpm": 5}, "tempo_bpm"),
        ({"tempo_word": "zippy"}, "tempo_word"),
        ({"required": (129,)}, "required"),
        ({"allowed": ()}, "allowed"),
        ({"required": (3,), "allowed": (4,)}, "required"),
    ],
)
def test_bad_controls_are_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError, match=field):
        Controls(**options)
