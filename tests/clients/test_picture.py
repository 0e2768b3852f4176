from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from motet.client.general_midi import PROGRAM_NAMES
from motet.client.picture import DRUMS, _read, draw
from motet.client.result import Candidate, EffectiveControls, Reward, SearchResult, TreeNode
from motet.music import instrument, midi
from motet.music.score import DRUMS as SCORE_DRUMS
from motet.music.score import Score
from motet.v1 import search_pb2
from tests.fakes import fake_score

PIANO = fake_score([0, 5, 6, 7, 8, 0, 9, 10, 11, 12])


def a_result(score: Score) -> SearchResult:
    reward = Reward(total=0.7, terms={"harmony": 0.7}, details={})
    best = Candidate(
        midi=midi.write(score), reward=reward, arm=0, arm_caption="x", seed=1, tokens=10, log_probability=-1.0,
        lineage=(0, 1, 3), bars=2, finished=True,
    )  # fmt: skip
    nodes = (
        TreeNode(index=0, parent=-1, arm=-1, reward=None, bars=0, alive=False),
        TreeNode(index=1, parent=0, arm=0, reward=0.5, bars=1, alive=False),
        TreeNode(index=2, parent=0, arm=1, reward=None, bars=1, alive=False),
        TreeNode(index=3, parent=1, arm=0, reward=0.7, bars=2, alive=True),
        TreeNode(index=4, parent=2, arm=1, reward=0.4, bars=2, alive=True),
    )
    controls = EffectiveControls.of(search_pb2.EffectiveControls())
    return SearchResult(
        controls=controls,
        candidates=(best,), plain_sample=replace(best, lineage=(0, 2, 4)), nodes=nodes, arms=("x", "y"), model="m",
        model_version="1", reward_version="2", strategy="s", seed=1, bars=2, tokens=20, stop_reason="COMPLETED",
        elapsed_s=1.0,
    )  # fmt: skip


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


def test_the_notes_are_those_of_the_file() -> None:
    roll = _read(midi.write(PIANO))
    assert roll.pitch.tolist() == PIANO.pitch.tolist()
    assert roll.start.tolist() == (PIANO.onset / PIANO.ppq).tolist()
    assert roll.bars.tolist() == [0.0, 4.0, 8.0]


def test_the_names_are_those_of_the_music() -> None:
    assert PROGRAM_NAMES == instrument.PROGRAM_NAMES
    assert DRUMS == SCORE_DRUMS
