"""The report as a whole: comparison, tables, pictures, command."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from motet.music.error import InvalidInputError, NotFoundError
from motet.music.score import Score
from motet.training.command import register
from motet.training.corpus.shard import Shard
from motet.training.realism import picture, trait
from motet.training.realism.comparison import STRETCHES, compare, near_copies
from motet.training.realism.degeneracy import RULES
from motet.training.realism.excerpt import Excerpt
from motet.training.realism.material import Collection, Material, human
from motet.training.realism.report import HUMAN, MODEL, NOISE, OTHER, RealismReport
from tests.tiny import random_score, tiny_folder, tiny_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")


def collection(seeds: range, name: str) -> Collection:
    return Collection(
        excerpts=tuple(Excerpt(random_score(seed), 4) for seed in seeds),
        songs=tuple(f"{name}-{seed}" for seed in range(len(seeds))),
    )


@pytest.fixture(scope="module")
def material() -> Material:
    """The model plays as the humans do."""
    return Material(
        human=collection(range(500, 516), "a"),
        model=collection(range(600, 616), "a"),
        other=collection(range(700, 716), "b"),
    )


def report_of(material: Material, corpus: Path, **options: Any) -> RealismReport:
    train = Shard.open(corpus, "train")
    copies = near_copies(material, train, tiny_tokenizer(), len(train))
    return compare(
        material,
        copies,
        lambda window: train.meta(window).piece,
        training_windows=len(train),
        seed=0,
        **options,
    )


@pytest.fixture(scope="module")
def report(material: Material, corpus: Path) -> RealismReport:
    return report_of(material, corpus)


def test_everything_is_measured(report: RealismReport) -> None:
    assert (report.captions, report.songs, report.training_windows) == (16, 16, 24)
    assert report.traits.keys() == trait.TRAITS.keys()
    assert report.overlaps.keys() == trait.SHARES.keys()
    assert report.copies.keys() == {HUMAN, MODEL, "training"}
    assert report.degenerate.keys() == {*RULES, "any of these"}
    for row in report.copies.values():
        shares = [row.shares[notes].value for notes in STRETCHES]
        assert shares == sorted(shares, reverse=True)


def test_alike_is_near_and_noise_is_far(report: RealismReport) -> None:
    noise = report.discrepancies[NOISE].value
    assert abs(report.discrepancies[MODEL].value) < noise / 3
    assert abs(report.discrepancies[OTHER].value) < noise / 3
    assert report.overlaps["place in the beat"][MODEL] > report.overlaps["place in the beat"][NOISE]
    assert report.traits["players"].distances[NOISE] == 0


def test_noise_for_a_model_is_as_far_as_noise(material: Material, report: RealismReport, corpus: Path) -> None:
    rng = np.random.default_rng(9)
    bad = replace(
        material.model,
        excerpts=tuple(
            replace(each, score=replace(each.score, pitch=rng.integers(0, 127, len(each.score)).astype(np.int16)))
            for each in material.model.excerpts
        ),
    )
    found = report_of(replace(material, model=bad), corpus)
    assert found.discrepancies[MODEL].value > 3 * abs(report.discrepancies[MODEL].value)
    assert found.discrepancies[OTHER] == report.discrepancies[OTHER]


def test_copies_and_degenerate_pieces_of_the_model_are_counted(material: Material, corpus: Path) -> None:
    train = Shard.open(corpus, "train")
    copies = human(train, range(16), tiny_tokenizer())
    silent = replace(material.model, excerpts=(Excerpt(Score.empty(), 4),) * 4 + copies.excerpts[4:])
    report = report_of(replace(material, model=silent), corpus)
    assert report.copies[HUMAN].shares[8].hits == 0
    found = report.copies[MODEL].shares[8].hits
    assert 4 < found <= 12  # tunes of two bars are too short to tell
    assert found <= report.copies["training"].shares[8].hits <= found + 4
    assert report.copies[MODEL].longest[0][2].startswith("piece-")
    assert report.degenerate["any of these"][MODEL].hits >= 4
    assert f"notes of {report.copies[MODEL].longest[0][2]}" in report.table()


def test_another_embedding_may_judge(material: Material, corpus: Path) -> None:
    def lengths(excerpts: tuple[Excerpt, ...]) -> NDArray[np.float64]:
        return np.array([[len(each.score), each.score.end_tick] for each in excerpts], np.float64)

    report = report_of(material, corpus, embed=lengths)
    assert report.discrepancies.keys() == {MODEL, OTHER, "bars shuffled", "pitches shuffled", NOISE}
    assert report.discrepancies["pitches shuffled"].value < 0.01  # nothing that it looks at has changed


def test_the_table_is_markdown_and_the_record_is_json(report: RealismReport) -> None:
    text = report.table()
    for part in (*trait.TRAITS, *trait.SHARES, *RULES, *(f"{notes} notes or more" for notes in STRETCHES)):
        assert f"\n| {part}" in text
    for line in text.splitlines():
        assert not line.startswith("|") or line.endswith("|")
    assert "nan" not in text
    assert json.loads(json.dumps(report.record(), allow_nan=False))["captions"] == 16


def test_pictures_are_drawn(material: Material, report: RealismReport, tmp_path: Path) -> None:
    for path in picture.draw(material, report, tmp_path / "new"):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 20_000


def test_a_collection_needs_two_songs_and_a_song_for_each_excerpt() -> None:
    music = (Excerpt(random_score(0), 4),)
    with pytest.raises(InvalidInputError, match="at least 2"):
        Collection(excerpts=music * 3, songs=("one",) * 3)
    with pytest.raises(InvalidInputError, match="one for each excerpt"):
        Collection(excerpts=music, songs=("one", "two"))


def run(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="motet")
    register(parser.add_subparsers(required=True))
    arguments = parser.parse_args(["eval", "realism", *words])
    status: int = arguments.run(arguments)
    return status


def test_the_command_prints_json_or_tables_and_draws(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_folder(), tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"max_tokens": 120}))  # soon done
    words = [str(corpus), "--model", str(tmp_path / "model"), "--captions", "4", "--split", "valid"]
    assert run(*words, "--json", "--train-windows", "10", "--out", str(tmp_path / "out")) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert (report["captions"], report["seed"], report["training_windows"]) == (4, 0, 10)
    assert "sampled 4 of 4" in said.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"traits.png", "notes.png"}
    assert run(*words) == 0
    said = capsys.readouterr()
    assert said.out.startswith("One sample for each of 4 held-out captions of 4 songs, seed 0, ")
    assert "24 training windows" in said.err
    with pytest.raises(NotFoundError, match="test"):
        run(str(tmp_path), "--model", str(tmp_path / "model"))
    with pytest.raises(InvalidInputError, match="at least 2"):
        run(str(corpus), "--model", str(tmp_path / "model"), "--captions", "1")
