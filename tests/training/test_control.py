from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motet.model.checkpoint import Checkpoint
from motet.model.text import TextEncoder
from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.training import control
from motet.training.control import MEASURES, ControlReport, Rate, held_out_loss, measure, rates
from motet.training.corpus.shard import Shard
from tests.model.text2midi.published import imported
from tests.tiny import tiny_folder

pytestmark = pytest.mark.usefixtures("one_thread")

PIANO, ORGAN, BASS, FLUTE = 0, 19, 33, 73
FULL = Attributes(
    tempo_bpm=100.0, key=Key(0, "major"), meter=Meter(4, 4), instruments=(PIANO, BASS), drums=True, genres=("rock",)
)


def value(measure: str, asked: Attributes, found: Attributes) -> float | None:
    (name,) = [name for name in MEASURES if name.startswith(measure)]
    return MEASURES[name](asked, found)


@pytest.mark.parametrize("name", MEASURES)
def test_what_is_not_asked_is_not_measured(name: str) -> None:
    assert MEASURES[name](Attributes(), FULL) is None
    assert MEASURES[name](Attributes(tempo_word="slow", genres=("rock",), bars=4), FULL) is None
    assert MEASURES[name](FULL, FULL) == 1
    assert MEASURES[name](FULL, Attributes()) == 0


@pytest.mark.parametrize(
    ("asked", "found", "equal", "near"),
    [
        (100, 109, 1, 1),  # of the bin from 90 to 110
        (100, 110, 1, 1),
        (100, 111, 0, 1),
        (100, 141, 0, 0),
        (100, 90, 0, 1),
        (100, 70, 0, 0),
        (30, 40, 1, 1),
        (300, 211, 1, 1),
        (300, 200, 0, 1),
    ],
)
def test_tempo_bins(asked: float, found: float, equal: float, near: float) -> None:
    pair = Attributes(tempo_bpm=asked), Attributes(tempo_bpm=found)
    assert value("tempo bin (TB)", *pair) == equal
    assert value("tempo bin ± 1", *pair) == near
    assert value("tempo bin ± 1", pair[1], pair[0]) == near


@pytest.mark.parametrize(
    ("asked", "found", "exact", "relative"),
    [
        (Key(0, "major"), Key(0, "major"), 1, 1),
        (Key(0, "major"), Key(9, "minor"), 0, 1),
        (Key(9, "minor"), Key(0, "major"), 0, 1),
        (Key(0, "major"), Key(0, "minor"), 0, 0),
        (Key(0, "major"), Key(7, "major"), 0, 0),
    ],
)
def test_keys(asked: Key, found: Key, exact: float, relative: float) -> None:
    assert value("key (CK)", Attributes(key=asked), Attributes(key=found)) == exact
    assert value("key or relative", Attributes(key=asked), Attributes(key=found)) == relative


def test_halves_are_the_same_bar_as_quarters() -> None:
    def same(asked: Meter, found: Meter) -> float | None:
        return value("time signature", Attributes(meter=asked), Attributes(meter=found))

    assert same(Meter(2, 2), Meter(4, 4)) == same(Meter(4, 4), Meter(2, 2)) == same(Meter(3, 2), Meter(6, 4)) == 1
    assert same(Meter(3, 4), Meter(6, 8)) == same(Meter(2, 4), Meter(4, 4)) == 0


def test_instruments_and_families() -> None:
    asked = Attributes(instruments=(PIANO, BASS))
    assert value("instruments", asked, Attributes(instruments=(BASS, PIANO))) == 1
    assert value("instruments", asked, Attributes(instruments=(PIANO, FLUTE, ORGAN))) == pytest.approx(2 / 5)
    assert value("instruments", asked, Attributes(instruments=(PIANO + 1, BASS + 1))) == 0
    assert value("instrument families", asked, Attributes(instruments=(PIANO + 1, BASS + 1))) == 1
    assert value("instrument families", asked, Attributes(instruments=(PIANO + 1, PIANO + 2))) == pytest.approx(2 / 3)
    assert value("instrument families", asked, Attributes(instruments=(FLUTE,))) == 0


def test_drums_asked_away_must_be_away() -> None:
    assert value("drums", Attributes(drums=False), Attributes(drums=False)) == 1
    assert value("drums", Attributes(drums=False), Attributes(drums=True)) == 0
    assert value("drums", Attributes(drums=True), Attributes(drums=False)) == 0


def test_rates_count_the_captions_that_ask() -> None:
    asked = [Attributes(drums=True), Attributes(drums=True, tempo_bpm=100), Attributes()]
    found = [Attributes(drums=True), Attributes(drums=False, tempo_bpm=100), Attributes(drums=True)]
    table = rates(asked, found)
    assert table.keys() == MEASURES.keys()
    assert table["drums on/off"] == Rate(0.5, 2)
    assert table["tempo bin (TB)"] == Rate(1.0, 1)
    assert table["key (CK)"] == Rate(0.0, 0)
    with pytest.raises(ValueError, match="zip"):
        rates(asked, found[:2])


def cells(line: str) -> list[str]:
    assert line.startswith("|")
    assert line.endswith("|")
    return [cell.strip() for cell in line[1:-1].split("|")]


def test_the_table_is_markdown() -> None:
    nobody = replace(FULL, key=None)
    columns = {
        "one": rates([FULL, nobody, FULL], [FULL] * 3),
        "other": rates([FULL, nobody, FULL], [FULL, FULL, Attributes()]),
    }
    head, rule, *body, blank, losses = (
        ControlReport(captions=3, seed=0, loss={"own caption": 1.23456, "no caption": 2.0}, columns=columns)
        .table()
        .splitlines()
    )
    assert cells(head) == ["", "one", "other", "n"]
    assert cells(rule) == ["---"] * 4
    assert [cells(line)[0] for line in body] == list(MEASURES)
    assert all(len(cells(line)) == 4 for line in body)
    assert cells(body[list(MEASURES).index("key (CK)")])[1:] == ["100.0", "50.0", "2"]
    assert cells(body[list(MEASURES).index("drums on/off")])[1:] == ["100.0", "66.7", "3"]
    assert blank == ""
    assert losses == "Held-out loss, nats a token: own caption 1.235; no caption 2.000."


def test_the_table_has_a_dash_where_nobody_asks() -> None:
    report = ControlReport(captions=1, seed=0, loss={}, columns={"one": rates([Attributes(drums=True)], [FULL])})
    lines = {cells(line)[0]: cells(line)[1:] for line in report.table().splitlines()[2:]}
    assert lines["key (CK)"] == ["–", "0"]
    assert lines["drums on/off"] == ["100.0", "1"]


@pytest.mark.parametrize("count", range(2, 9))
def test_shuffling_leaves_nobody_in_place(count: int) -> None:
    order = control._shuffled(count)
    assert sorted(order) == list(range(count))
    assert np.all(order != np.arange(count))


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """The tiny one, which gives up after 160 tokens."""
    loaded = Checkpoint.load(tiny_folder())
    loaded.own[0].config.max_tokens = 160
    return loaded


@pytest.fixture(scope="module")
def report(checkpoint: Checkpoint, corpus: Path) -> ControlReport:
    return measure(checkpoint, corpus, split="test", captions=6, seed=1)


class TestMeasure:
    def test_columns_rows_and_losses_are_there(self, report: ControlReport) -> None:
        assert (report.captions, report.seed) == (6, 1)
        assert {"default", "words alone", "shuffled", "human"} <= report.columns.keys()
        for column in report.columns.values():
            assert column.keys() == MEASURES.keys()
            assert all(0 <= rate.value <= 1 and 0 <= rate.count <= 6 for rate in column.values())
            counts = [rate.count for rate in column.values()]
            assert counts == [rate.count for rate in report.columns["human"].values()]
        assert report.loss.keys() == {"own caption", "shuffled captions", "no caption"}
        assert all(5 < loss < 10 for loss in report.loss.values())
        assert len(set(report.loss.values())) == 3

    @pytest.mark.parametrize("name", ["time signature", "drums on/off", "instruments, F1", "instrument families, F1"])
    def test_the_music_that_was_described_is_what_its_captions_say(self, report: ControlReport, name: str) -> None:
        human = report.columns["human"][name]
        assert human.count > 0
        if not name.endswith("F1"):
            assert human.value == 1
        else:  # a caption may name some of the players
            assert human.value > 0.7

    def test_the_seed_fixes_the_report(
        self, checkpoint: Checkpoint, corpus: Path, report: ControlReport, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert measure(checkpoint, corpus, split="test", captions=6, seed=1) == report
        assert measure(checkpoint, corpus, split="test", captions=6, seed=2).columns != report.columns
        said = capsys.readouterr()
        assert said.out == ""
        assert "sampled 6 of 6" in said.err

    def test_held_out_loss_is_a_mean_over_tokens(self, checkpoint: Checkpoint, corpus: Path) -> None:
        shard, text = Shard.open(corpus, "valid"), TextEncoder.load()
        lengths = shard.lengths[:2] + [shard.meta(window).ends_piece for window in range(2)]
        alone = [held_out_loss(checkpoint, shard, [window], text) for window in range(2)]
        both = held_out_loss(checkpoint, shard, [0, 1], text)
        for name in ("own caption", "no caption"):
            mean = np.average([losses[name] for losses in alone], weights=lengths)
            assert both[name] == pytest.approx(mean, rel=1e-4)

    def test_an_imported_model_is_measured_without_held_out_losses(self, corpus: Path) -> None:
        foreign = Checkpoint.load(imported(64, "train"))
        report = measure(foreign, corpus, split="test", captions=6, seed=1)
        assert report.loss == {}
        assert "Held-out loss" not in report.table()
        assert report.columns["human"]["time signature"].value == 1

    @pytest.mark.parametrize("captions", [-1, 0, 1])
    def test_one_caption_cannot_be_shuffled(self, checkpoint: Checkpoint, corpus: Path, captions: int) -> None:
        with pytest.raises(InvalidInputError, match="captions: must be at least 2"):
            measure(checkpoint, corpus, split="test", captions=captions, seed=0)

    def test_a_missing_corpus_is_named(self, checkpoint: Checkpoint, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match="test"):
            measure(checkpoint, tmp_path, split="test", captions=2, seed=0)
