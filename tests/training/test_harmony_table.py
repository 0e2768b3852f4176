from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from motet.music.error import InvalidInputError, NotFoundError
from motet.rewards.grammar import Grammar
from motet.rewards.harmony import HarmonyReward
from motet.rewards.harmony_table import HarmonyTable
from motet.training.harmony.command import register, register_eval
from motet.training.harmony.report import beats, examine
from motet.training.harmony.table import CalibrationConfig, Sample, dumps, sample, tabulate
from tests.rewards.pieces import DEGENERATE, song, windows


@pytest.fixture(scope="module")
def taught() -> HarmonyReward:
    """A reward that has heard nothing but songs made by rule."""
    drawn = Sample(windows={bars: [song(bars, seed=seed) for seed in range(50)] for bars in (4, 8)})
    table, grammar = tabulate(drawn, seed=1)
    table, grammar = json.loads(dumps(table)), json.loads(dumps(grammar))
    return HarmonyReward(HarmonyTable.from_json(table), Grammar.from_json(grammar["tables"]))


def test_what_is_taught_is_told_from_what_is_not(taught: HarmonyReward):
    songs = [taught(song(8, seed=seed)) for seed in range(100, 110)]
    others = [taught(make(8)) for make in DEGENERATE.values()]
    assert beats(songs, others) > 0.95
    assert np.mean(songs) > 0.4


def test_windows_of_the_corpus_are_sampled_again_by_the_seed(corpus: Path):
    config = CalibrationConfig(windows=100, bars=(2, 4))
    drawn, again = sample(corpus, "train", config), sample(corpus, "train", config)
    assert 0 < len(drawn.windows[4]) <= len(drawn.windows[2])
    assert [list(each.pitch) for each in drawn.windows[2]] == [list(each.pitch) for each in again.windows[2]]
    for bars, found in drawn.windows.items():
        assert all(len(each.bar_ticks()) - 1 <= bars for each in found)
    assert drawn.sources["tiny"] == sum(map(len, drawn.windows.values()))
    assert not any(sample(corpus, "train", CalibrationConfig(windows=100, bars=(2,), skip=("tiny",))).windows.values())


def test_the_command_writes_tables_that_rewards_can_use(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    arguments = parser.parse_args(
        ["harmony", str(corpus), "-o", str(tmp_path), "--windows", "100", "--bars", "2", "4", "--json"]
    )
    assert arguments.run(arguments) == 0
    table = json.loads((tmp_path / "harmony.json").read_text())
    assert json.loads(capsys.readouterr().out) == table
    grammar = Grammar.from_json(json.loads((tmp_path / "grammar.json").read_text())["tables"])
    assert 0 <= HarmonyReward(HarmonyTable.from_json(table), grammar)(song(4)) <= 1


def test_the_report_sees_what_the_reward_sees():
    report = examine(windows() * 2, HarmonyReward(), seed=0)
    means = [step.mean for step in report.steps]
    assert means == sorted(means, reverse=True)
    assert report.separated["nudged 40 %"] > 0.8
    assert "| wrong notes |" in report.table()
    assert json.loads(json.dumps(report.as_json()))["windows"] == 16


def test_the_evaluation_runs_on_a_corpus(corpus: Path, capsys: pytest.CaptureFixture[str]):
    parser = argparse.ArgumentParser()
    register_eval(parser.add_subparsers())
    arguments = parser.parse_args(["harmony", str(corpus), "--split", "test", "--bars", "4", "--windows", "100"])
    assert arguments.run(arguments) == 0
    assert "| told from |" in capsys.readouterr().out


def test_bad_input_is_one_clear_line(tmp_path: Path):
    with pytest.raises(NotFoundError, match="no file"):
        sample(tmp_path, "train", CalibrationConfig())
    with pytest.raises(InvalidInputError, match="windows"):
        CalibrationConfig(windows=3)
    with pytest.raises(InvalidInputError, match="bars"):
        CalibrationConfig(bars=(4, 2))
