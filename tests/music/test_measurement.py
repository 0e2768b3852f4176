"""The measurement of the parser, and the commands that print it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from motet.music.command import register
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.measurement import Figures, measure, mistakes, read_rows
from tests.music.scores import GOLDEN, MIDI_FILES

HEADER = "id,tempo,key,duration_s,genre,caption\n"


def _figures(path: Path, name: str) -> Figures:
    return next(item for item in measure(read_rows(path)) if item.attribute == name)


def test_counts_of_a_file_made_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    path.write_text(
        HEADER
        + '1,120,C major,60,"pop,rock","A pop song in C major at 120 bpm."\n'
        + '2,90,D minor,60,jazz,"A blues in E minor at 100 bpm."\n'
        + "3,70,G major,60,folk,A quiet tune\n"
        + ",,,,,A song\n",
        encoding="utf-8",
    )
    key = _figures(path, "key")
    assert (key.known, key.stated, key.stated_found, key.parsed, key.right) == (3, 1, 1, 2, 1)
    assert (key.precision, key.recall) == (0.5, 1.0)
    assert key.raw_recall == pytest.approx(1 / 3)
    bpm = _figures(path, "tempo in BPM")
    assert (bpm.known, bpm.stated, bpm.stated_found, bpm.parsed, bpm.right) == (3, 2, 1, 2, 1)
    genre = _figures(path, "genre")
    assert (genre.known, genre.known_found, genre.stated, genre.parsed, genre.right) == (4, 1, 1, 2, 1)
    lines = mistakes(read_rows(path))
    assert [line.split(",")[0] for line in lines] == ["key D minor", "tempo 90"]


def test_no_captions_give_no_ratios(tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    path.write_text(HEADER, encoding="utf-8")
    assert {item.precision for item in measure(read_rows(path))} == {None}


@pytest.mark.parametrize("name", ["tempo in BPM", "key", "tempo word"])
def test_the_parser_reads_the_real_excerpt(name: str) -> None:
    figures = _figures(GOLDEN / "captions.csv", name)
    assert figures.rows >= 145
    assert figures.precision is not None
    assert figures.recall is not None
    assert figures.precision >= 0.97
    assert figures.recall >= 0.97


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "must have the columns"),
        (b"caption,tempo\nx,1\n", "must have the columns"),
        (HEADER.encode() + b"1,fast,C major,1,pop,x\n", "captions.tempo: must be a number"),
        (HEADER.encode() + b"1,1,C major,1,pop,\n", "caption: must not be empty"),
        (HEADER.encode() + b"1,1\n", "captions: must have the same number of fields"),
        (HEADER.encode() + b"1,1,C major,1,pop,\xff\xfe\n", "must be a CSV file in UTF-8"),
    ],
)
def test_bad_files_give_one_line(tmp_path: Path, content: bytes, rule: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        read_rows(path)
    assert rule in caught.value.message
    with pytest.raises(NotFoundError):
        read_rows(tmp_path / "none.csv")


def _run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    args = parser.parse_args(words)
    return int(args.run(args))


def test_captions_prints_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(GOLDEN / "captions.csv")
    assert _run("captions", path, "--mistakes") == 0
    table = capsys.readouterr().out
    assert "150 captions" in table
    assert [line.split()[0] for line in table.splitlines()[1:4]] == ["attribute", "------------", "tempo"]
    assert _run("captions", path, "--json") == 0
    assert [item["attribute"] for item in json.loads(capsys.readouterr().out)["attributes"]][2] == "key"


def test_describe_prints_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    path = next(path for path in MIDI_FILES if path.stem.startswith("lieder-4f06"))
    assert _run("describe", str(path)) == 0
    assert "Acoustic Grand Piano" in capsys.readouterr().out
    assert _run("describe", str(path), "--json") == 0
    fields = json.loads(capsys.readouterr().out)
    assert fields["programs"] == [0, 52]
    assert fields["meter"] == "3/4"
    assert fields["notes"] == 99


def test_describe_refuses_a_bad_file(tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(b"")
    with pytest.raises(InvalidInputError, match="midi: must not be empty"):
        _run("describe", str(path))
