from __future__ import annotations

import io
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

import pytest

from motet.music.error import InvalidInputError, NotFoundError
from motet.music.key import Key
from motet.training.corpus import manifest

ROW: dict[str, Any] = {"id": "a-1", "path": "free/a/a-1.mid", "source": "mutopia", "licence": "CC0-1.0"}


def test_reads_what_a_line_says() -> None:
    piece = manifest.parse_piece(
        ROW | {"key": "C# major", "genre": ["rock"], "programs": [0, 33], "dup_cluster": 7, "year": "1810-12"}
    )
    assert piece.key == Key(1, "major")
    assert piece.group == "7"
    assert piece.year == 1810
    assert piece.tempo_known
    assert manifest.parse_piece(ROW).group == "a-1"


@pytest.mark.parametrize(
    "extra",
    [
        {"tempo_source": "default (not in score)", "tempo": 96.0},
        {"n_tempos": 0, "tempo": 120.0},
        {"tempo": 60.0},  # what LilyPond plays when a mutopia score has no tempo
    ],
)
def test_a_default_tempo_is_not_known(extra: dict[str, Any]) -> None:
    assert not manifest.parse_piece(ROW | extra).tempo_known


@pytest.mark.parametrize(
    ("text", "key"),
    [("Ab minor", Key(8, "minor")), ("Gb major", Key(6, "major")), ("D dorian", None), ("", None), ("H major", None)],
)
def test_keys(text: str, key: Key | None) -> None:
    assert manifest.parse_key(text) == key


@pytest.mark.parametrize("path", ["/etc/passwd", "../a.mid", "a/../../b.mid", "a\\b.mid", ""])
def test_paths_stay_inside_the_collection(path: str) -> None:
    with pytest.raises(InvalidInputError, match=r"manifest\.path"):
        manifest.parse_piece(ROW | {"path": path})


@pytest.mark.parametrize("line", ["not json", "[1]", '{"id": "x"}'])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "manifest.jsonl").write_text(json.dumps(ROW) + "\n" + line + "\n")
    with pytest.raises(InvalidInputError, match="manifest"):
        manifest.read(tmp_path)


def test_ids_are_unique(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text(2 * (json.dumps(ROW) + "\n"))
    with pytest.raises(InvalidInputError, match="unique"):
        manifest.read(tmp_path)


def test_a_folder_without_a_manifest_or_music(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"manifest\.jsonl"):
        manifest.read(tmp_path)
    with pytest.raises(NotFoundError, match="archives"):
        manifest.locate(tmp_path, [manifest.parse_piece(ROW)], tmp_path / "scratch")


def test_music_is_unpacked_from_archives_and_nothing_else_is(tmp_path: Path) -> None:
    data, scratch = tmp_path / "data", tmp_path / "scratch"
    data.mkdir()
    with lzma.open(data / "manifest.jsonl.xz", "wt") as stream:
        stream.write(json.dumps(ROW) + "\n")
    with tarfile.open(data / "music.tar.xz", "w:xz") as archive:
        for name in (ROW["path"], "../outside.mid", "free/a/unlisted.mid"):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"MThd"))
    pieces = manifest.read(data)
    files = manifest.locate(data, pieces, scratch)
    assert files == scratch
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.mid")] == ["scratch/free/a/a-1.mid"]
    assert manifest.locate(scratch, pieces, tmp_path / "unused") == scratch
