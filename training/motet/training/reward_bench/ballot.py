"""Ballots: votes of people about pairs of MIDI files, read from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from motet.music import midi
from motet.music.caption import parse
from motet.music.error import InvalidInputError, NotFoundError
from motet.training.reward_bench.contest import COLUMNS, Contest, Entry, Vote

TASK: Final = "votes"

_PREFERENCES: Final = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": None}


def contests(path: Path) -> list[Contest]:
    """The votes of a JSONL file; "both_bad" says nothing about the order and is left out.

    Each line holds ``caption``, the paths ``a`` and ``b`` of two MIDI files (from the folder of the file),
    ``preference`` ("a", "b", "tie" or "both_bad"), and if known ``column``, "alignment" or "musicality"; without it the
    vote counts in both.

    Raises NotFoundError when the file is missing, InvalidInputError naming the line for one that is not such a vote.
    """
    if not path.is_file():
        raise NotFoundError("VOTES_NOT_FOUND", f"votes: no file {path}", {"path": str(path)})
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        row = _row(line, f"{path.name} line {number}")
        preference = _PREFERENCES[row["preference"]]
        if preference is None:
            continue
        caption = parse(row["caption"])
        entries = tuple(Entry(midi.read(path.parent / row[side]), caption) for side in ("a", "b"))
        found += [
            Contest(
                column=column,
                task=TASK,
                kind="all",
                song=caption.text,
                entries=entries,
                levels=(preference, 1 - preference),
                votes=(Vote(0, 1, preference),),
            )
            for column in COLUMNS
            if row.get("column") in (None, column)
        ]
    return found


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidInputError.of(where, "must be JSON", line) from error
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in ("caption", "a", "b")):
        raise InvalidInputError.of(where, 'must have the texts "caption", "a" and "b"', line)
    preference, column = row.get("preference"), row.get("column")
    if preference not in _PREFERENCES:
        raise InvalidInputError.of(f"{where}, preference", f"must be one of {list(_PREFERENCES)}", preference)
    if column not in (None, *COLUMNS):
        raise InvalidInputError.of(f"{where}, column", f"must be one of {list(COLUMNS)}", column)
    return row
