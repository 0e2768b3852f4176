"""A collection of MIDI, however it is listed: by our manifest, by captions such as MidiCaps, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from motet.music.error import InvalidInputError, NotFoundError
from motet.training.corpus import manifest
from motet.training.corpus.manifest import Piece

UNKNOWN_LICENCE: Final = "unknown"
_MIDI: Final = (".mid", ".midi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Where the music of a corpus is, and what says what it is.

    Args:
        folder: holds a manifest with its files or archives; or just MIDI files, at any depth.
        captions: a file of JSON objects, one a line or in one list, with ``location`` (a path below ``folder``) and
            ``caption``; with a manifest they are added to its pieces, else they list the pieces. ``genre``, ``mood``
            (lists), ``key`` ("C# minor"), ``test_set`` (true: held out) are used where given, as in MidiCaps.
        licence: of the files, where no manifest says.
    """

    folder: Path
    captions: Path | None = None
    licence: str = UNKNOWN_LICENCE

    def read(self) -> list[Piece]:
        """All pieces, sorted by id where no manifest orders them.

        Raises NotFoundError when the folder, the caption file, or every file that it names is missing, and when there
        is nothing to read; InvalidInputError for a line that cannot be read.
        """
        if not self.folder.is_dir():
            raise _missing("data_dir", "must be an existing folder", self.folder)
        if self.captions is None:
            return manifest.read(self.folder) if manifest.exists(self.folder) else self._files()
        rows = list(_rows(self.captions))
        if manifest.exists(self.folder):
            return _captioned(manifest.read(self.folder), rows)
        return self._captioned_files(rows, self.captions)

    def _files(self) -> list[Piece]:
        paths = sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.suffix.lower() in _MIDI and path.is_file()
        )
        if not paths:
            raise _missing(
                "data_dir", "must hold a manifest.jsonl, or MIDI files (.mid, .midi) at any depth", self.folder
            )
        return [self._piece(path) for path in paths]

    def _captioned_files(self, rows: list[dict[str, Any]], captions: Path) -> list[Piece]:
        pieces: dict[str, Piece] = {}
        for row in rows:
            path = _found(self.folder, row["location"])
            if path is not None:
                source = row["location"].partition("/")[0] if "/" in row["location"] else self.folder.resolve().name
                pieces[path] = _with_facts(replace(self._piece(path), source=source), row)
        if not pieces:
            message = f"must name files below {self.folder}: none of the {len(rows):,} that it names is there"
            raise _missing("captions", message, captions)
        return [pieces[path] for path in sorted(pieces)]

    def _piece(self, path: str) -> Piece:
        first, _, rest = path.partition("/")
        return Piece(
            id=path, path=path, source=first if rest else self.folder.resolve().name, licence=self.licence, group=path
        )


def _captioned(pieces: list[Piece], rows: list[dict[str, Any]]) -> list[Piece]:
    by_path = {row["location"]: row for row in rows}
    if rows and not by_path.keys() & {piece.path for piece in pieces}:
        raise InvalidInputError.of("captions", "must name files of the manifest", rows[0]["location"])
    return [
        replace(piece, caption=by_path[piece.path]["caption"]) if piece.path in by_path else piece for piece in pieces
    ]


def _with_facts(piece: Piece, row: dict[str, Any]) -> Piece:
    return replace(
        piece,
        caption=row["caption"],
        genres=_words(row.get("genre")),
        moods=_words(row.get("mood")),
        key=manifest.parse_key(str(row.get("key") or "")),
        held_out=row.get("test_set") is True,
    )


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return tuple(str(word) for word in value) if isinstance(value, list) else ()


def _found(folder: Path, location: str) -> str | None:
    """The path below ``folder`` of a file that a caption names, with or without the first folder of the name."""
    for path in (location, location.partition("/")[2]):
        if path and not manifest.leaves(path) and (folder / path).is_file():
            return path
    return None


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise _missing("captions", "must be an existing file", path)
    with manifest.open_text(path) as stream:
        try:
            first = stream.read(1)
            whole = json.loads(first + stream.read()) if first == "[" else None
            lines = [first + stream.readline(), *stream] if whole is None else []
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InvalidInputError.of("captions", f"must be JSON in UTF-8 ({error})", str(path)) from error
    for number, row in enumerate(whole if whole is not None else filter(str.strip, lines), 1):
        try:
            parsed = json.loads(row) if isinstance(row, str) else row
        except json.JSONDecodeError as error:
            raise InvalidInputError.of(f"captions line {number}", "must be JSON", row) from error
        if not isinstance(parsed, dict):
            raise InvalidInputError.of(f"captions line {number}", "must be a JSON object", row)
        for name in ("location", "caption"):
            if not isinstance(parsed.get(name), str) or not parsed[name].strip():
                raise InvalidInputError.of(f"captions line {number}", f"must have {name!r}, as text", parsed.get(name))
        yield parsed


def _missing(field: str, rule: str, path: Path) -> NotFoundError:
    message = f"{field}: {rule} (received {str(path)!r})"
    return NotFoundError("COLLECTION_NOT_FOUND", message, {"field": field, "received": str(path)})
