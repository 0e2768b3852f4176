from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from motet.model.artifact import WEIGHTS, version
from motet.model.checkpoint import Checkpoint
from motet.music.error import InvalidInputError, NotFoundError
from motet.training import snapshot
from motet.training.card import export
from motet.training.control import MEASURES
from motet.training.supervised import SupervisedConfig, Trainer

pytestmark = pytest.mark.usefixtures("one_thread")

FILES = {"config.json", "tokenizer.json", WEIGHTS, "README.md"}
CONFIG = SupervisedConfig(minutes=0.001, width=32, layers=2, hidden=48, max_tokens=256, batch_tokens=512)


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    Trainer(corpus, folder, CONFIG, lambda line: None).fit()
    return folder


@pytest.fixture(scope="module")
def exported(run: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "new" / "model"
    export(run, corpus, out, captions=2, appendix="### Speed\nAs fast as it goes.\n")
    return out


def test_the_folder_holds_a_checkpoint_and_its_card(exported: Path, run: Path) -> None:
    assert {path.name for path in exported.iterdir()} == FILES
    assert {path.name for path in exported.parent.iterdir()} == {"model"}
    loaded = Checkpoint.load(exported)
    trained = load_file(run / snapshot.FOLDER / snapshot.MODEL / WEIGHTS)
    shipped = load_file(exported / WEIGHTS)
    assert {value.dtype for value in shipped.values()} == {torch.bfloat16}
    assert shipped.keys() == trained.keys() == loaded.network.state_dict().keys()
    for name, value in loaded.network.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, trained[name].to(torch.bfloat16).float())


def test_the_card_says_what_was_trained_measured_and_on_what(exported: Path, run: Path) -> None:
    text = (exported / "README.md").read_text("utf-8")
    loaded = Checkpoint.load(exported)
    record = json.loads((run / snapshot.FOLDER / snapshot.PROGRESS).read_text())
    assert text.startswith("---\nlicense: cc-by-sa-4.0\n---\n# ")
    assert f"Weights version `{loaded.version}`" in text
    assert "2 layers of width 32, 4 query and 2 key-value heads" in text
    assert f"vocabulary {len(loaded.tokenizer)}" in text
    assert f"--minutes {CONFIG.minutes:g}" in text
    assert f"in {record['steps']} steps on cpu" in text
    assert f"{record['held_out_loss']:.3f} nats" in text
    assert "motet eval control CORPUS_DIR --captions 2 --seed 0" in text
    assert "| source | repository | licence | pieces | windows |\n|---|---|---|---|---|\n" in text
    assert "| tiny | some/where | CC0-1.0 | 24 | 1,024 |" in text
    assert all(f"| {measure} |" in text for measure in MEASURES)
    assert "Held-out loss, nats a token: own caption " in text
    assert "\n\n### Speed\nAs fast as it goes.\n\n## Sources" in text
    assert f"## Measured on {date.today().isoformat()}\n" in text
    assert "--from" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) == 2 + len(MEASURES) + 3
    columns = tables[0].count("|")
    assert {line.count("|") for line in tables[: 2 + len(MEASURES)]} == {columns}
    for name in tables[0].split("|")[2:-2]:
        assert f"**{name.strip()}**" in text  # every column is explained


def test_the_card_says_what_the_run_started_from(run: Path, corpus: Path, tmp_path: Path) -> None:
    started = tmp_path / "run"
    config = replace(CONFIG, start=str(run / snapshot.FOLDER / snapshot.MODEL))
    Trainer(corpus, started, config, lambda line: None).fit()
    export(started, corpus, tmp_path / "out", captions=2)
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "--from EARLIER`" in text
    assert f"started from the weights `{version(run / snapshot.FOLDER / snapshot.MODEL)}`" in text


def test_an_earlier_checkpoint_is_replaced_as_a_whole_or_not_at_all(
    run: Path, corpus: Path, exported: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(exported, out)
    (out / WEIGHTS).write_bytes(b"earlier")
    (out / "stale.txt").touch()
    with pytest.raises(InvalidInputError, match="captions"):
        export(run, corpus, out, captions=1)
    assert (out / WEIGHTS).read_bytes() == b"earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    export(run, corpus, out, captions=2)
    assert {path.name for path in out.iterdir()} == FILES
    assert (out / WEIGHTS).read_bytes() == (exported / WEIGHTS).read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_a_folder_of_something_else_is_left_alone(run: Path, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InvalidInputError, match="out: must be new, empty, or a checkpoint folder"):
        export(run, corpus, tmp_path, captions=2)
    with pytest.raises(InvalidInputError, match="out: must be new"):
        export(run, corpus, tmp_path / "thesis.txt", captions=2)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_run_without_a_snapshot_is_named(corpus: Path, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / snapshot.FOLDER / snapshot.MODEL, tmp_path / "run" / snapshot.FOLDER / snapshot.MODEL)
    with pytest.raises(NotFoundError, match=r"run: no file .*training\.json"):
        export(tmp_path / "run", corpus, tmp_path / "out", captions=2)
    assert not (tmp_path / "out").exists()


def test_a_corpus_without_its_sources_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"corpus: no file .*sources\.json"):
        export(run, tmp_path, tmp_path / "out", captions=2)
