"""The subcommands ``describe`` and ``captions`` of ``motet``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``describe`` and ``captions``."""
    describe = subparsers.add_parser("describe", help="print the musical attributes of a MIDI file")
    describe.add_argument("file", type=Path, help="a Standard MIDI File")
    describe.add_argument("--json", action="store_true", help="print JSON")
    describe.set_defaults(run=run_describe)
    captions = subparsers.add_parser("captions", help="measure the caption parser on captions with known attributes")
    captions.add_argument("file", type=Path, help="CSV with the columns tempo, key, duration_s, genre, caption")
    captions.add_argument(
        "--mistakes", action="store_true", help="also list wrong and missed keys and tempos, on stderr"
    )
    captions.add_argument("--json", action="store_true", help="print JSON")
    captions.set_defaults(run=run_captions)


def run_describe(args: argparse.Namespace) -> int:
    """Prints the attributes of ``args.file``; raises MotetError for a bad file."""
    from motet.music import midi
    from motet.music.chord import progression
    from motet.music.describe import describe, record, sentence

    score = midi.read(args.file)
    attributes = describe(score)
    chords = [str(chord) for chord in progression(score)]
    fields = {
        "file": str(args.file),
        **record(attributes),
        "chords": chords,
        "notes": len(score),
        "sentence": sentence(attributes),
    }
    if args.json:
        sys.stdout.write(json.dumps(fields, indent=2, ensure_ascii=False) + "\n")
    else:
        rows = [(name, _text(value)) for name, value in fields.items() if name != "programs"]
        sys.stdout.write(_table(("attribute", "value"), rows))
    return 0


def run_captions(args: argparse.Namespace) -> int:
    """Prints precision and recall of the caption parser on ``args.file``; raises MotetError for a bad file."""
    from motet.music.measurement import measure, mistakes, read_rows

    rows = read_rows(args.file)
    figures = measure(rows)
    if args.json:
        records = [item.record() for item in figures]
        sys.stdout.write(json.dumps({"file": str(args.file), "captions": len(rows), "attributes": records}, indent=2))
        sys.stdout.write("\n")
    else:
        header = ("attribute", "known", "stated", "parsed", "right", "precision", "recall", "raw recall")
        table = [
            (
                item.attribute,
                str(item.known),
                str(item.stated),
                str(item.parsed),
                str(item.right),
                _ratio(item.precision),
                _ratio(item.recall),
                _ratio(item.raw_recall),
            )
            for item in figures
        ]
        sys.stdout.write(f"{len(rows)} captions of {args.file}\n" + _table(header, table))
        sys.stdout.write(
            "precision: right / parsed. recall: found / stated. raw recall: found / known, stated or not.\n"
        )
        for item in figures:
            sys.stdout.write(f"{item.attribute}: right when {item.right_when}; stated when {item.stated_when}.\n")
    if args.mistakes:
        sys.stderr.write("".join(f"{line}\n" for line in mistakes(rows)))
    return 0


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _text(value: object) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to the widest cell, header first."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )
