from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from motet.music import midi
from motet.music.error import InvalidInputError, NotFoundError
from motet.rewards.calibration import CalibrationConfig, sample
from motet.rewards.command import register
from motet.rewards.harmony import HarmonyReward, HarmonyTable
from tests.rewards.pieces import drums, song


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for source, count in (("many", 150), ("few", 10), ("mma-synth", 5)):
        (tmp_path / source).mkdir()
        for seed in range(count):
            (tmp_path / source / f"{seed}.mid").write_bytes(midi.write(song(18, seed=seed)))
    (tmp_path / "few" / "drums.mid").write_bytes(midi.write(drums()))
    (tmp_path / "few" / "broken.mid").write_bytes(b"MThd")
    return tmp_path


def test_the_command_writes_a_table_that_rewards_can_use(data: Path, capsys: pytest.CaptureFixture[str]):
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    out = data / "tables" / "harmony.json"
    arguments = parser.parse_args(
        ["calibrate", "harmony", str(data), "-o", str(out), "--windows", "120", "--json", "--bars", "2", "4", "8"]
    )
    assert arguments.run(arguments) == 0
    document = json.loads(out.read_text())
    assert json.loads(capsys.readouterr().out) == document
    assert document["windows"] == {str(bars): 120 for bars in (2, 4, 8)}
    assert document["unreadable_files"] == 1
    assert HarmonyReward(HarmonyTable.from_json(document))(song(8, seed=999)) > 0.1


def test_sampling_is_reproducible_takes_sources_in_turn_and_skips(data: Path):
    config = CalibrationConfig(windows=100, bars=(4,), seed=3)
    drawn, again = sample(data, config), sample(data, config)
    assert [len(window) for window in drawn.windows[4]] == [len(window) for window in again.windows[4]]
    assert set(drawn.sources) == {"many", "few"}
    assert drawn.sources["few"] == 10


def test_bad_input_is_one_clear_line(tmp_path: Path):
    with pytest.raises(NotFoundError, match=r"no \.mid files"):
        sample(tmp_path, CalibrationConfig())
    with pytest.raises(InvalidInputError, match="windows"):
        CalibrationConfig(windows=3)
