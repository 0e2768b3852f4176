"""Journals: files of JSON lines that grow while something long is under way, and survive its being stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Journal:
    """A file to which rows are added; a last line that was cut off is dropped.

    Args:
        path: of the file, which need not exist; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.rows: list[Any] = []
        """What the file held when it was opened."""
        if path is not None and path.is_file():
            whole, _, rest = path.read_bytes().rpartition(b"\n")
            self.rows = [json.loads(line) for line in whole.splitlines()]
            if rest:
                path.write_bytes(whole + b"\n" if whole else b"")

    def add(self, rows: Iterable[Any]) -> None:
        """Writes rows to the end of the file."""
        lines = [json.dumps(row) + "\n" for row in rows]
        if self._path is not None and lines:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream:
                stream.writelines(lines)
