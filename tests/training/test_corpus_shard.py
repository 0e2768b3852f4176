from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.training.corpus import shard
from motet.training.corpus.shard import Meta, Record, Shard, StatedCaption

FULL = Attributes(
    tempo_bpm=96.5,
    tempo_word="moderate",
    key=Key(9, "minor"),
    meter=Meter(6, 8),
    instruments=(0, 40),
    drums=False,
    density="very dense",
    genres=("folk", "jig"),
    moods=("happy",),
    bars=8,
    duration_s=12.25,
)


def record(number: int, length: int) -> Record:
    return Record(
        tokens=np.arange(number, number + length, dtype=np.uint16),
        meta=Meta(
            piece=f"piece-{number}",
            source="mutopia",
            licence="CC0-1.0",
            start_bar=number,
            bars=8,
            transposed=-3,
            ends_piece=number % 2 == 0,
        ),
        attributes=FULL,
        captions=(StatedCaption(text="Ein „Tanz“\nin A minor", stated=Attributes(key=FULL.key)),),
    )


@given(lengths=st.lists(st.integers(0, 30), max_size=8))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, lengths: list[int]) -> None:
    folder = tmp_path_factory.mktemp("shard")
    records = [record(number, length) for number, length in enumerate(lengths)]
    assert shard.write(folder, "train", records) == len(records)
    opened = Shard.open(folder, "train")
    assert len(opened) == len(records)
    assert opened.lengths.tolist() == lengths
    for index, expected in enumerate(records):
        assert opened.tokens(index).dtype == np.uint16
        assert opened.tokens(index).tolist() == expected.tokens.tolist()
        assert opened.meta(index) == expected.meta
        assert opened.attributes(index) == expected.attributes
        assert opened.captions(index) == expected.captions


def test_nothing_stated_round_trips() -> None:
    assert shard.attributes_from_json(shard.attributes_to_json(Attributes())) == Attributes()
    assert shard.attributes_to_json(Attributes()) == {}


@pytest.mark.parametrize("index", [-1, 2])
def test_an_index_outside_is_refused(tmp_path: Path, index: int) -> None:
    shard.write(tmp_path, "train", [record(0, 3), record(1, 3)])
    opened = Shard.open(tmp_path, "train")
    for read in (opened.tokens, opened.captions, opened.attributes, opened.meta):
        with pytest.raises(InvalidInputError, match="window"):
            read(index)


def test_missing_and_damaged_shards_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"tokens\.xz"):
        Shard.open(tmp_path, "valid")
    shard.write(tmp_path, "valid", [record(0, 5), record(1, 5)])
    np.save(tmp_path / "valid" / "offsets.npy", np.array([0, 5], np.int64))
    with pytest.raises(InvalidInputError, match="as many labels"):
        Shard.open(tmp_path, "valid")
    (tmp_path / "valid" / "tokens.xz").write_bytes(b"not packed")
    with pytest.raises(InvalidInputError, match="can be unpacked"):
        Shard.open(tmp_path, "valid")


def test_tokens_that_are_not_packed_are_read_too(tmp_path: Path) -> None:
    records = [record(0, 5), record(1, 7)]
    shard.write(tmp_path, "valid", records)
    (tmp_path / "valid" / "tokens.xz").unlink()
    np.save(tmp_path / "valid" / "tokens.npy", np.concatenate([one.tokens for one in records]))
    opened = Shard.open(tmp_path, "valid")
    assert [opened.tokens(index).tolist() for index in range(2)] == [one.tokens.tolist() for one in records]
    shard.write(tmp_path, "valid", records)
    assert not (tmp_path / "valid" / "tokens.npy").exists()
