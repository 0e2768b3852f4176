import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from motet.music.attributes import Attributes
from motet.music.genre import GENRES
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.mood import MOODS
from motet.search import prior
from motet.training import caption_prior, caption_prior_command
from motet.training.corpus import shard
from motet.training.corpus.shard import Meta, Record


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Forty waltzes in G major, told in D by transposition, and forty marches in A minor; two windows of each."""
    records = []
    for number in range(80):
        waltz = number < 40
        attributes = Attributes(
            tempo_bpm=180.0 if waltz else 100.0,
            key=Key(2, "major") if waltz else Key(9, "minor"),
            meter=Meter(3, 4) if waltz else Meter(4, 4),
            instruments=(40, 0) if waltz else (56,),
            drums=not waltz,
            genres=("waltz",) if waltz else ("march",),
        )
        for start in (0, 8):
            meta = Meta(
                piece=f"p{number}", source="s", licence="l", start_bar=start, bars=8, transposed=7 if waltz else 0,
                ends_piece=False, stretched=1.5 if waltz else 1.0,
            )  # fmt: skip
            records.append(Record(tokens=np.array([1], np.uint16), meta=meta, attributes=attributes, captions=()))
    shard.write(tmp_path, "train", records)
    return tmp_path


def test_every_piece_counts_once_as_it_was_written(corpus: Path) -> None:
    table = caption_prior.measure(corpus)
    assert table["all"]["pieces"] == 80
    assert table["all"]["minor"] == 0.5
    assert table["keys"]["major"][7] == 1.0
    assert table["keys"]["minor"][9] == 1.0
    assert table["genres"]["waltz"]["tempo"] == [120] * 5
    assert table["genres"]["waltz"]["line_ups"] == [[[0, 40], 40]]
    assert table["genres"]["march"]["line_ups"] == [[[56, 128], 40]]
    meters = table["genres"]["waltz"]["meters"]
    assert meters["3/4"] == pytest.approx((40 + 20 * 0.5) / 60, abs=1e-3)


def test_the_command_writes_what_the_prior_reads(corpus: Path, tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    caption_prior_command.register(parser.add_subparsers())
    args = parser.parse_args(["captions", str(corpus), "--out", str(tmp_path / "prior.json")])
    assert args.run(args) == 0
    assert json.loads((tmp_path / "prior.json").read_text()) == caption_prior.measure(corpus)


def test_the_shipped_table_is_sound() -> None:
    table = prior.table()
    assert set(table["genres"]) <= set(GENRES)
    assert set(table["moods"]) <= set(MOODS)
    for row in (table["all"], *table["genres"].values(), *table["moods"].values()):
        assert row["tempo"] == sorted(row["tempo"])
        assert 0 < row["minor"] < 1
        assert 0 < sum(row["meters"].values()) <= 1.001
        assert row["pieces"] >= 30
    assert prior.TABLE.stat().st_size < 20_000
