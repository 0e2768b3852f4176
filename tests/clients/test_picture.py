from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from motet.client.general_midi import PROGRAM_NAMES
from motet.client.picture import DRUMS, _read, draw
from motet.music import instrument, midi
from motet.music.score import DRUMS as SCORE_DRUMS
from motet.music.score import Score
from tests.clients.results import PIANO, a_result


@pytest.mark.parametrize(
    "score",
    [
        PIANO,
        replace(PIANO, program=PIANO.program * 0 + SCORE_DRUMS),
        replace(PIANO, program=(PIANO.program * 0 + SCORE_DRUMS) * (PIANO.pitch % 2) + 40 * (1 - PIANO.pitch % 2)),
        Score.empty(),
    ],
    ids=["pitched", "drums", "both", "empty"],
)
def test_a_picture_is_drawn_of_anything(score: Score, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    draw(a_result(score), "A caption", path)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("count", [1, 2, 3, 40])
@pytest.mark.parametrize("with_drums", [False, True])
def test_bars_are_drawn_however_many_are_told(count: int, with_drums: bool, tmp_path: Path) -> None:
    program = PIANO.program.copy()
    program[0] = SCORE_DRUMS if with_drums else 0
    result = a_result(replace(PIANO, program=program))
    plain, told = (tmp_path / name for name in ("plain.svg", "told.svg"))
    draw(result, "A caption", plain)
    bars = {"harmony.in_key": (0.25,) * count, "adherence.tempo": (1.0,) * count, "harmony.roughness": (7.5,) * count}
    best = replace(result.best, reward=replace(result.best.reward, bars=bars))
    draw(replace(result, candidates=(best,)), "A caption", told)
    assert "harmony.in_key" not in plain.read_text()
    assert "harmony.in_key" in told.read_text()
    assert "harmony.roughness" not in told.read_text()  # not from 0 to 1


def test_a_search_of_which_nothing_was_judged_is_drawn(tmp_path: Path) -> None:
    result = a_result(PIANO)
    nodes = tuple(replace(node, reward=None) for node in result.nodes)
    draw(replace(result, nodes=nodes), "A caption", tmp_path / "x.svg")
    assert (tmp_path / "x.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(("count", "told"), [(8, None), (9, "and 1 more"), (200, "and 192 more")])
def test_wordings_are_told_as_far_as_there_is_room(count: int, told: str | None, tmp_path: Path) -> None:
    result = a_result(PIANO)
    nodes = (result.nodes[0], *(replace(result.nodes[3], index=n, parent=0, arm=n - 1) for n in range(1, count + 1)))
    best = replace(result.best, arm=count - 1, lineage=(0, count))
    arms = tuple(f"wording {arm}." for arm in range(count))
    path = tmp_path / "x.svg"
    draw(replace(result, nodes=nodes, arms=arms, candidates=(best,)), "A caption", path)
    drawn = path.read_text()
    assert f"wording {count - 1}." in drawn  # that of the best
    assert drawn.count("<!-- wording ") == min(count, 8) - 1  # the first is "caption as sent"
    assert ("more wordings" in drawn) == (told is not None)
    assert told is None or told in drawn


def test_a_search_without_a_plain_sample_is_drawn(tmp_path: Path) -> None:
    with_plain, without = (tmp_path / name for name in ("with.svg", "without.svg"))
    draw(a_result(PIANO), "A caption", with_plain)
    draw(replace(a_result(PIANO), plain_sample=None), "A caption", without)
    assert "plain sample" in with_plain.read_text()
    assert "plain sample" not in without.read_text()


def test_the_notes_are_those_of_the_file() -> None:
    roll = _read(midi.write(PIANO))
    assert roll.pitch.tolist() == PIANO.pitch.tolist()
    assert roll.start.tolist() == (PIANO.onset / PIANO.ppq).tolist()
    assert roll.bars.tolist() == [0.0, 4.0, 8.0]


def test_the_names_are_those_of_the_music() -> None:
    assert PROGRAM_NAMES == instrument.PROGRAM_NAMES
    assert DRUMS == SCORE_DRUMS
