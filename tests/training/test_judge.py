from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.music.attributes import Attributes
from motet.music.error import CancelledError, InvalidInputError, NotFoundError
from motet.rewards.judge import Judge
from motet.rewards.judge_towers import JudgeConfig, JudgeTowers
from motet.training import half
from motet.training.corpus.shard import Shard, StatedCaption
from motet.training.corruption import CORRUPTIONS, corrupt
from motet.training.judge import card, command, report
from motet.training.judge.course import CourseConfig, train
from motet.training.judge.data import SEEN, UNSEEN, DataConfig, Lessons, Readings, choose, is_music, prepare
from motet.training.judge.exam import Exam, exam
from tests.rewards import pieces

pytestmark = pytest.mark.usefixtures("one_thread")


def lessons(count: int = 32) -> Lessons:
    """Songs for one of two bands, with captions that name the band, and the same songs with wrong notes."""
    rng = np.random.default_rng(0)
    scores = [pieces.song(4, seed) for seed in range(count)]
    whole = Readings.of(scores)
    spoilt = [
        Readings.of([corrupt(score, "wrong notes", severity, np.random.default_rng(row))]).manner[0]
        for row, score in enumerate(scores)
        for severity in (1.0, 0.5)
    ]
    whole.content[::2, -30:] += 1  # the other band
    words = [("slow flute, no drums", "fast drums")[row % 2] for row in range(count)]
    known = [Attributes(drums=row % 2 == 1) for row in range(count)]
    return Lessons(
        whole=whole,
        spoilt=np.stack(spoilt).reshape(count, 2, -1),
        owner=rng.permutation(count).argsort(),
        attributes=known,
        captions=[[StatedCaption(text=text, stated=one)] for text, one in zip(words, known, strict=True)],
    )


def towers() -> JudgeTowers:
    torch.manual_seed(1)
    return JudgeTowers(JudgeConfig(width=8, hidden=16, words=64, word=8, dropout=0.1))


def fit(folder: Path, *, epochs: int = 4, cancelled=lambda: False):
    fitted = towers()
    config = CourseConfig(epochs=epochs, batch=16, rate=5e-3)
    return fitted, train(fitted, lessons(), config, folder, progress=lambda line: None, cancelled=cancelled)


def test_training_learns_and_is_reproducible(tmp_path: Path) -> None:
    first, losses = fit(tmp_path / "a", epochs=8)
    assert losses[-1][0] < losses[0][0]
    assert losses[-1][1] < losses[0][1]
    data = lessons()
    whole = report.musicality(first, data.whole)
    strong = report.musicality(first, Readings(data.spoilt[:, 0], data.whole.content))
    assert np.mean(whole[data.owner] > strong) > 0.8
    _, again = fit(tmp_path / "b", epochs=8)
    assert again == losses


def test_training_goes_on_where_it_was_cancelled(tmp_path: Path) -> None:
    whole, losses = fit(tmp_path / "whole")
    calls = iter([False] * 7 + [True])
    with pytest.raises(CancelledError, match="run again"):
        fit(tmp_path / "parts", cancelled=lambda: next(calls))
    resumed, again = fit(tmp_path / "parts")
    assert np.allclose(again, losses)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    with pytest.raises(InvalidInputError, match="same settings"):
        fit(tmp_path / "parts", epochs=9)


def test_kinds_kept_unseen_are_none_that_are_trained_on() -> None:
    assert len(UNSEEN) >= 4
    assert set(SEEN) | set(UNSEEN) == set(CORRUPTIONS)
    assert not set(SEEN) & set(UNSEEN)


def test_only_the_judges_half_is_read_and_reading_goes_on(corpus: Path, tmp_path: Path) -> None:
    config = DataConfig(windows=16, spoilt=1)
    calls = iter([False])
    first = prepare(corpus, tmp_path, config, progress=lambda line: None, cancelled=lambda: next(calls))
    again = prepare(corpus, tmp_path, config, progress=lambda line: None, cancelled=lambda: True)  # nothing to do
    assert np.array_equal(first.spoilt, again.spoilt)
    theirs = half.windows(corpus, "train", "judge")
    chosen = choose(Shard.open(corpus, "train"), theirs, 16, 1)
    assert 0 < len(first.whole) == len(chosen) <= 16 / 4  # one source: a quarter
    assert set(chosen) <= set(theirs)
    assert np.all(first.owner < len(first.whole))
    with pytest.raises(InvalidInputError, match="same settings"):
        prepare(corpus, tmp_path, DataConfig(windows=17), progress=lambda line: None, cancelled=lambda: False)
    with pytest.raises(NotFoundError):
        prepare(tmp_path, tmp_path / "x", config, progress=lambda line: None, cancelled=lambda: False)


def test_random_melodies_are_no_example_of_music() -> None:
    assert is_music(pieces.song(), "polish")
    assert not is_music(pieces.song(), "mma-synth")
    assert not is_music(pieces.drums(), "groove")
    assert not is_music(pieces.score_of([(0, 1, 60)]), "polish")


def sitting(corpus: Path) -> Exam:
    windows = np.arange(len(Shard.open(corpus, "test")))
    samples = [(0, pieces.song(4)), (1, pieces.song(4, 1)), (999, pieces.song())]
    return exam(corpus, "test", windows, musical=5, samples=samples, seed=1, progress=lambda line: None)


def test_the_report_has_every_figure_and_the_card_the_command(corpus: Path) -> None:
    held = sitting(corpus)
    fitted = towers()
    alignment, musicality = report.calibrate(fitted, held)
    assert 0 <= alignment(0.0) <= 1
    found = report.measure(fitted, musicality, held, seed=1)
    names = [row.name for row in found.rows]
    assert len(names) == len(set(names))
    for kind in CORRUPTIONS:
        assert any(kind in name for name in names)
    assert any("model's sample" in name for name in names)
    assert found.transposition < 0.01
    assert found.record()["rows"][0]["share"]["n"] == len(held)
    text = card.card(found, card.facts((CourseConfig(),), 9, [(1.0, 0.5)], 1), [
        {"source": "folk", "licence": "CC0-1.0", "repository": "someone/folk"}
    ])  # fmt: skip
    assert "motet eval judge" in text
    assert "someone/folk" in text
    assert "| musicality | human above spoiled 1, kinds never trained on |" in text


def test_the_commands_train_and_measure(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(half, "windows", lambda corpus, split, which: np.arange(len(Shard.open(corpus, split))))
    parser = argparse.ArgumentParser()
    kinds = parser.add_subparsers()
    command.register(kinds.add_parser("train").add_subparsers())
    command.register_eval(kinds.add_parser("eval").add_subparsers())
    sizes = ["--samples", "0", "--spoiled", "3"]
    args = parser.parse_args(
        ["train", "judge", str(corpus), str(tmp_path), "--windows", "40", "--epochs", "1", "--batch", "8", *sizes]
    )
    assert args.run(args) == 0
    table = capsys.readouterr().out
    assert table in (tmp_path / "judge" / "README.md").read_text("utf-8")
    args = parser.parse_args(["eval", "judge", str(corpus), "--model", str(tmp_path / "judge"), *sizes])
    assert args.run(args) == 0
    assert capsys.readouterr().out == table
    assert Judge.load(tmp_path / "judge").judge([pieces.song()], "a song")[0].total <= 1


def test_bad_settings_are_refused() -> None:
    for make in (
        lambda: CourseConfig(epochs=0),
        lambda: CourseConfig(rate=0.0),
        lambda: DataConfig(windows=1),
        lambda: DataConfig(spoilt=0),
    ):
        with pytest.raises(InvalidInputError, match="judge"):
            make()
