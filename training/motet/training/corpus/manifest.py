"""The manifest of a music collection: one piece a line, with what its source says about it."""

from __future__ import annotations

import json
import lzma
import re
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from motet.music.error import InvalidInputError, NotFoundError
from motet.music.key import MAJOR_NAMES, MINOR_NAMES, Key

_MANIFEST_NAMES = ("manifest.jsonl", "manifest.jsonl.xz")
_ENHARMONIC = {"C#": "Db", "D#": "Eb", "Gb": "F#", "G#": "Ab", "A#": "Bb", "Cb": "B", "E#": "F", "Fb": "E", "B#": "C"}
_MINOR_SPELLING = {"Db": "C#", "Ab": "G#"}

DEFAULT_BPM_OF_SOURCE = {"mutopia": 60.0}
"""Tempo that a source's converter writes when the score has none (LilyPond plays 60 quarters a minute)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One MIDI file of the collection.

    Args:
        id: unique name.
        path: file, relative to the collection's folder, with forward slashes.
        source: name of the collection that it came from.
        licence: licence as the manifest words it.
        group: key of the near-copies that this piece belongs to (``dup_cluster``), or its id.
        repository: where the source lives.
        title, artist: "" when unknown.
        genres, moods, tags: words of the source, not canonical.
        key: declared key, not an estimate.
        tempo_known: whether the tempo in the file is the music's and not a converter's default.
        programs: General MIDI programs that occur.
        has_drums: whether the percussion channel is used.
        notes, tracks: counts.
        bars: estimated length in bars, at least 1.
        year: year of composition, the first of a range.
        caption: a wording of somebody else's, "" when there is none; nothing vouches that it is true.
        held_out: whether the collection sets the piece aside for testing.

    Of a piece that no manifest describes, ``notes``, ``tracks``, ``bars`` and ``programs`` are 0 or empty until its
    file is read (``motet.training.corpus.survey``).
    """

    id: str
    path: str
    source: str
    licence: str
    group: str
    repository: str = ""
    title: str = ""
    artist: str = ""
    genres: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    key: Key | None = None
    tempo_known: bool = True
    programs: tuple[int, ...] = ()
    has_drums: bool = False
    notes: int = 0
    tracks: int = 0
    bars: int = 0
    year: int | None = None
    caption: str = ""
    held_out: bool = False


def parse_key(text: str) -> Key | None:
    """Reads ``"F# minor"`` or ``"Ab major"``; None for any other mode (dorian ...) or spelling."""
    match = re.fullmatch(r"([A-G][#b]?)\s+(major|minor)", text.strip())
    if match is None:
        return None
    name = _ENHARMONIC.get(match[1], match[1])
    if match[2] == "major":
        return Key(MAJOR_NAMES.index(name), "major")
    return Key(MINOR_NAMES.index(_MINOR_SPELLING.get(name, name)), "minor")


def parse_piece(row: dict[str, Any]) -> Piece:
    """Reads one line of the manifest.

    Raises InvalidInputError when the line lacks ``id``, ``path``, ``source`` or ``licence``, or when the path
    leaves the collection's folder.
    """
    for name in ("id", "path", "source", "licence"):
        if not isinstance(row.get(name), str) or not row[name]:
            raise InvalidInputError.of(f"manifest.{name}", "must be a non-empty string", row.get(name))
    path = row["path"]
    if leaves(path):
        raise InvalidInputError.of("manifest.path", "must stay inside the collection's folder", path)
    year = re.search(r"\d{4}", str(row.get("year", "")))
    return Piece(
        id=row["id"],
        path=path,
        source=row["source"],
        licence=row["licence"],
        group=str(row.get("dup_cluster", row["id"])),
        repository=str(row.get("source_repo") or ""),
        title=str(row.get("title") or ""),
        artist=str(row.get("artist") or ""),
        genres=tuple(row.get("genre") or ()),
        moods=tuple(row.get("mood") or ()),
        tags=tuple(row.get("tags") or ()),
        key=parse_key(str(row.get("key") or "")),
        tempo_known=_tempo_known(row),
        programs=tuple(int(program) for program in row.get("programs") or ()),
        has_drums=bool(row.get("has_drums")),
        notes=int(row.get("n_notes") or 0),
        tracks=int(row.get("n_tracks") or 1),
        bars=max(1, int(row.get("bars_est") or 1)),
        year=int(year[0]) if year else None,
    )


def leaves(path: str) -> bool:
    """Whether a path, written with forward slashes, leads out of the folder that it is relative to."""
    return path.startswith("/") or "\\" in path or ".." in path.split("/")


def _tempo_known(row: dict[str, Any]) -> bool:
    if str(row.get("tempo_source") or "").startswith("default") or row.get("n_tempos") == 0:
        return False
    default = DEFAULT_BPM_OF_SOURCE.get(row["source"])
    return default is None or row.get("tempo") != default


def exists(folder: Path) -> bool:
    """Whether there is a manifest in ``folder``."""
    return any((folder / name).is_file() for name in _MANIFEST_NAMES)


def read(folder: Path) -> list[Piece]:
    """All pieces of the collection in ``folder``, in the manifest's order.

    Reads ``manifest.jsonl`` or ``manifest.jsonl.xz``. Raises NotFoundError when there is none, InvalidInputError
    for a line that is not a JSON object or lacks a needed field, and for two pieces of one id.
    """
    pieces: list[Piece] = []
    seen: set[str] = set()
    for number, line in enumerate(_lines(folder), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InvalidInputError.of(f"manifest line {number}", "must be JSON", line) from error
        if not isinstance(row, dict):
            raise InvalidInputError.of(f"manifest line {number}", "must be a JSON object", line)
        piece = parse_piece(row)
        if piece.id in seen:
            raise InvalidInputError.of(f"manifest line {number}", "ids must be unique", piece.id)
        seen.add(piece.id)
        pieces.append(piece)
    return pieces


def _lines(folder: Path) -> Iterator[str]:
    for name in _MANIFEST_NAMES:
        path = folder / name
        if path.is_file():
            with open_text(path) as stream:
                yield from (line for line in stream if line.strip())
            return
    raise NotFoundError(
        "MANIFEST_NOT_FOUND",
        f"data_dir: must hold {' or '.join(_MANIFEST_NAMES)} (received {str(folder)!r})",
        {"field": "data_dir", "received": str(folder)},
    )


def open_text(path: Path) -> IO[str]:
    """Opens a text file in UTF-8 for reading, unpacked if its name ends in .xz."""
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8")
    return path.open("rt", encoding="utf-8")


def locate(folder: Path, pieces: Sequence[Piece], scratch: Path) -> Path:
    """A folder under which every piece's ``path`` that exists can be read.

    That is ``folder`` itself when the files lie there, else ``scratch``, into which the wanted files of all
    ``*.tar.xz`` archives of ``folder`` are unpacked. Raises NotFoundError when neither holds any piece.
    """
    if any((folder / piece.path).is_file() for piece in pieces[:50]):
        return folder
    wanted = {piece.path for piece in pieces}
    unpacked = 0
    for archive in sorted(folder.glob("*.tar.xz")):
        with tarfile.open(archive, "r:xz") as members:
            for member in members:
                source = members.extractfile(member) if member.isfile() and member.name in wanted else None
                if source is None:
                    continue
                target = scratch / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as out:
                    shutil.copyfileobj(source, out)
                unpacked += 1
    if not unpacked:
        raise NotFoundError(
            "MUSIC_NOT_FOUND",
            f"data_dir: holds neither the manifest's files nor *.tar.xz archives of them (received {str(folder)!r})",
            {"field": "data_dir", "received": str(folder)},
        )
    return scratch
