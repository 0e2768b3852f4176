from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from motet.model.checkpoint import Checkpoint
from motet.music.error import InvalidInputError, NotFoundError
from motet.training.command import register
from motet.training.control import MEASURES
from tests.tiny import tiny_folder

pytestmark = pytest.mark.usefixtures("one_thread")

GUIDE = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="motet")
    register(parser.add_subparsers(required=True))
    return parser.parse_args(words)


def run(*words: str) -> int:
    arguments = parsed(*words)
    status: int = arguments.run(arguments)
    return status


def written() -> list[str]:
    """The commands of this module that the guide shows."""
    return re.findall(
        r"^motet ((?:train|eval) (?:model|export|control|realism) .*)$", GUIDE.read_text("utf-8"), re.MULTILINE
    )


def test_the_guide_shows_every_command() -> None:
    assert {tuple(line.split()[:2]) for line in written()} == {
        ("train", "model"),
        ("train", "export"),
        ("eval", "control"),
        ("eval", "realism"),
    }


@pytest.mark.parametrize("line", written())
def test_the_guide_is_understood(line: str) -> None:
    assert callable(parsed(*shlex.split(line, comments=True)).run)


def test_options_of_training() -> None:
    words = ["train", "model", "c", "r", "--minutes", "1.5", "--device", "cuda", "--batch-tokens", "1024"]
    args = parsed(*words, "--width", "128", "--layers", "3", "--seed", "7")
    assert (args.corpus, args.run_dir, args.minutes) == (Path("c"), Path("r"), 1.5)
    assert (args.device, args.batch_tokens) == ("cuda", 1024)
    assert (args.width, args.layers, args.seed) == (128, 3, 7)


@pytest.mark.parametrize(
    "line", ["train", "train model c r", "train export r c", "eval control", "eval control c --split train"]
)
def test_what_is_missing_or_unknown_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(*line.split())
    assert "usage: motet" in capsys.readouterr().err


def test_train_model_prints_where_the_model_is_and_resumes(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "model", str(corpus), str(tmp_path / "run"), "--width", "32", "--layers", "2"]
    words += ["--batch-tokens", "512", "--minutes"]
    assert run(*words, "0.001") == 0
    said = capsys.readouterr()
    folder = Path(said.out.strip())
    assert folder.is_relative_to(tmp_path / "run")
    config = Checkpoint.load(folder).network.config
    assert (config.width, config.layers) == (32, 2)
    assert "held-out loss" in said.err
    assert run(*words, "0.02") == 0
    said = capsys.readouterr()
    assert Path(said.out.strip()) == folder
    assert "resumed at step" in said.err


@pytest.mark.parametrize(
    ("options", "message"),
    [("--minutes 0", "minutes"), ("--minutes 1 --width 30", "width"), ("--minutes 1 --device gpu", "device")],
)
def test_a_wrong_option_is_named_and_leaves_nothing(corpus: Path, tmp_path: Path, options: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{message}: "):
        run("train", "model", str(corpus), str(tmp_path / "run"), *options.split())
    assert list(tmp_path.iterdir()) == []


def test_eval_control_prints_json_or_a_table(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(tiny_folder(), tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"max_tokens": 100}))  # soon done
    words = ["eval", "control", str(corpus), "--model", str(tmp_path / "model"), "--captions", "2", "--split", "valid"]
    assert run(*words, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["captions"], report["seed"]) == (2, 0)
    assert report["columns"]["human"]["drums on/off"].keys() == {"value", "count"}
    assert report["loss"]["own caption"] > 0
    assert run(*words) == 0
    table = capsys.readouterr().out
    assert table.startswith("| | default |")
    assert all(f"\n| {measure} | " in table for measure in MEASURES)


def test_export_prints_its_folder(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ["train", "model", str(corpus), str(tmp_path / "run"), "--width", "32", "--layers", "1"]
    assert run(*model, "--batch-tokens", "512", "--minutes", "0.001") == 0
    capsys.readouterr()
    out = str(tmp_path / "out")
    with pytest.raises(NotFoundError, match="run: no file"):
        run("train", "export", str(tmp_path / "nothing"), str(corpus), out)
    assert run("train", "export", str(tmp_path / "run"), str(corpus), out, "--captions", "2") == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert (tmp_path / "out" / "README.md").is_file()
