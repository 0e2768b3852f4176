"""Measuring the caption parser on captions whose attributes are known."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Final, TypeVar

from motet.music import genre, tempo
from motet.music.attributes import Attributes
from motet.music.caption import parse
from motet.music.error import InvalidInputError, NotFoundError

COLUMNS: Final = ("tempo", "key", "duration_s", "genre", "caption")
"""The columns that a file must have; more are ignored. ``genre`` holds names separated by commas."""

V = TypeVar("V")
P = TypeVar("P")

_BPM_STATED: Final = re.compile(r"\d\s*(?:bpm|beats per minute|beats a minute)", re.IGNORECASE)
_WORD_STATED: Final = re.compile(
    r"\b(?:grave|largo|lento|larghetto|adagio|andante|andantino|moderato|moderate|allegretto|allegro|vivace|vivacious"
    r"|presto|prestissimo|slow|fast|brisk)[ -](?:tempo|pace|paced)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How well one attribute is parsed; a row gives one value, or one for each genre.

    Args:
        attribute: what was measured.
        right_when: what counts as right.
        stated_when: what counts as stated: a plain search of the caption for the known value, without the parser.
        rows: rows of the file with a known value.
        parsed: values that the parser gave on those rows.
        right: those of them that are right.
        known: known values.
        known_found: those of them that the parser gave.
        stated: known values that their caption states.
        stated_found: those of them that the parser gave.
    """

    attribute: str
    right_when: str
    stated_when: str
    rows: int
    parsed: int
    right: int
    known: int
    known_found: int
    stated: int
    stated_found: int

    @property
    def precision(self) -> float | None:
        """Share of the parsed values that are right; None when nothing was parsed."""
        return self.right / self.parsed if self.parsed else None

    @property
    def recall(self) -> float | None:
        """Share of the stated values that were found; None when none is stated."""
        return self.stated_found / self.stated if self.stated else None

    @property
    def raw_recall(self) -> float | None:
        """Share of all known values that were found, although many captions do not state them."""
        return self.known_found / self.known if self.known else None

    def record(self) -> dict[str, object]:
        """All figures as plain values for JSON."""
        names = ("attribute", "right_when", "stated_when", "rows", "parsed", "right", "known", "known_found")
        ratios = ("stated", "stated_found", "precision", "recall", "raw_recall")
        return {name: getattr(self, name) for name in (*names, *ratios)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One caption with what is known of its music; None or empty where the file says nothing.

    Args:
        text: the caption.
        attributes: what the parser made of it.
        bpm: quarter notes a minute.
        key: such as "F# minor".
        duration_s: seconds.
        tags: genres as written in the file.
    """

    text: str
    attributes: Attributes
    bpm: float | None
    key: str | None
    duration_s: float | None
    tags: tuple[str, ...]


def read_rows(path: Path) -> list[Row]:
    """The parsed rows of a CSV file with the columns of ``COLUMNS``; lines with # before the header are comments.

    Raises:
        NotFoundError: there is no such file.
        InvalidInputError: not UTF-8, a column is missing, or a row breaks a rule of captions or numbers.
    """
    if not path.is_file():
        message = f"captions: must be an existing file (received {str(path)!r})"
        raise NotFoundError("FILE_NOT_FOUND", message, {"path": str(path)})
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(dropwhile(lambda line: line.startswith("#"), file))
            missing = sorted(set(COLUMNS) - set(reader.fieldnames or ()))
            if missing:
                raise InvalidInputError.of("captions", f"must have the columns {', '.join(COLUMNS)}", reader.fieldnames)
            return [_row(fields) for fields in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError.of("captions", f"must be a CSV file in UTF-8 ({error})", str(path)) from error


def measure(rows: Sequence[Row]) -> list[Figures]:
    """Precision and recall of every attribute that the rows know."""
    return [
        _figures(
            rows,
            ("tempo in BPM", "within 1 of the tempo column", "the caption has a number before BPM or beats per minute"),
            known=lambda row: [] if row.bpm is None else [row.bpm],
            stated=lambda row, bpm: _BPM_STATED.search(row.text) is not None,
            parsed=lambda row: [] if row.attributes.tempo_bpm is None else [row.attributes.tempo_bpm],
            right=lambda bpm, parsed: abs(round(parsed) - round(bpm)) <= 1,
        ),
        _figures(
            rows,
            ("tempo word", "the tempo column is in the word's range", "one of 17 words stands before tempo or pace"),
            known=lambda row: [] if row.bpm is None else [row.bpm],
            stated=lambda row, bpm: _WORD_STATED.search(row.text) is not None,
            parsed=lambda row: [] if row.attributes.tempo_word is None else [row.attributes.tempo_word],
            right=lambda bpm, word: tempo.TEMPO_WORDS[word][0] <= bpm <= tempo.TEMPO_WORDS[word][1],
        ),
        _figures(
            rows,
            ("key", "equals the key column", "the caption contains the key column, letter for letter"),
            known=lambda row: [] if row.key is None else [row.key],
            stated=lambda row, key: re.search(rf"(?<![\w#/]){re.escape(key)}\b", row.text) is not None,
            parsed=lambda row: [] if row.attributes.key is None else [str(row.attributes.key)],
            right=lambda key, parsed: _spelled(key) == _spelled(parsed),
        ),
        _figures(
            rows,
            ("genre", "its canonical name is among the genre column's", "a word of the caption starts with the tag"),
            known=lambda row: list(row.tags),
            stated=lambda row, tag: re.search(rf"\b{re.escape(tag)}", row.text, re.IGNORECASE) is not None,
            parsed=lambda row: list(row.attributes.genres),
            right=lambda tag, parsed: (genre.canonical(tag) or tag) == parsed,
        ),
        _figures(
            rows,
            ("duration", "within 1 second of the duration column", "the column's number stands before second"),
            known=lambda row: [] if row.duration_s is None else [row.duration_s],
            stated=lambda row, seconds: re.search(rf"\b{round(seconds)}[ -]second", row.text) is not None,
            parsed=lambda row: [] if row.attributes.duration_s is None else [row.attributes.duration_s],
            right=lambda seconds, parsed: abs(seconds - parsed) <= 1,
        ),
    ]


def mistakes(rows: Sequence[Row]) -> list[str]:
    """One line for each stated key and tempo that was missed, and each parsed one that is wrong."""
    lines: list[str] = []
    for row in rows:
        found = row.attributes
        if row.key is not None:
            missed = found.key is None and row.key in row.text
            if missed or (found.key is not None and _spelled(str(found.key)) != _spelled(row.key)):
                lines.append(f"key {row.key}, parsed {found.key}: {row.text}")
        if row.bpm is not None:
            missed = found.tempo_bpm is None and _BPM_STATED.search(row.text) is not None
            if missed or (found.tempo_bpm is not None and abs(round(found.tempo_bpm) - round(row.bpm)) > 1):
                lines.append(f"tempo {row.bpm:g}, parsed {found.tempo_bpm}: {row.text}")
    return lines


def _figures(
    rows: Sequence[Row],
    names: tuple[str, str, str],
    *,
    known: Callable[[Row], list[V]],
    stated: Callable[[Row, V], bool],
    parsed: Callable[[Row], list[P]],
    right: Callable[[V, P], bool],
) -> Figures:
    counts = dict.fromkeys(("rows", "parsed", "right", "known", "known_found", "stated", "stated_found"), 0)
    for row in rows:
        values, guesses = known(row), parsed(row)
        if not values:
            continue
        counts["rows"] += 1
        counts["parsed"] += len(guesses)
        counts["right"] += sum(any(right(value, guess) for value in values) for guess in guesses)
        for value in values:
            found = any(right(value, guess) for guess in guesses)
            said = stated(row, value)
            counts["known"] += 1
            counts["known_found"] += found
            counts["stated"] += said
            counts["stated_found"] += said and found
    attribute, right_when, stated_when = names
    return Figures(attribute=attribute, right_when=right_when, stated_when=stated_when, **counts)


def _row(fields: dict[str, str]) -> Row:
    if any(fields.get(name) is None for name in COLUMNS):
        raise InvalidInputError.of("captions", "must have the same number of fields in every row", fields)
    text = fields["caption"]
    return Row(
        text=text,
        attributes=parse(text).attributes,
        bpm=_number("tempo", fields["tempo"]),
        key=fields["key"].strip() or None,
        duration_s=_number("duration_s", fields["duration_s"]),
        tags=tuple(tag.strip() for tag in fields["genre"].split(",") if tag.strip()),
    )


def _number(column: str, text: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError as error:
        raise InvalidInputError.of(f"captions.{column}", "must be a number or empty", text) from error


def _spelled(key: str) -> str:
    """A key with one spelling of each tonic."""
    for sharp, flat in (("C#", "Db"), ("D#", "Eb"), ("F#", "Gb"), ("G#", "Ab"), ("A#", "Bb")):
        key = key.replace(flat, sharp)
    return key
