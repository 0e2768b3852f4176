"""`motet corpus build`: from a collection of MIDI to shards."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``corpus`` and its subcommands to the ``motet`` command."""
    corpus = subparsers.add_parser("corpus", help="turn a collection of MIDI into training shards")
    actions = corpus.add_subparsers(dest="action", required=True, metavar="ACTION")
    parser = actions.add_parser(
        "build",
        help="cut, caption and tokenise windows of a collection",
        description="Cuts windows from the pieces of a collection, captions and tokenises them, and writes shards.",
    )
    parser.add_argument("data", type=Path, metavar="DATA_DIR", help="folder with manifest.jsonl(.xz) and the music")
    parser.add_argument("out", type=Path, metavar="OUT_DIR", help="folder to write the shards into")
    parser.add_argument("--tokens", type=int, default=24_000_000, help="training tokens to draw (default %(default)s)")
    parser.add_argument("--held-out", type=int, default=600, help="windows of valid and of test (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all chance but the split (default %(default)s)")
    parser.add_argument("--vocabulary", type=int, default=2560, help="size of the tokenizer (default %(default)s)")
    parser.add_argument("--tokenizer", type=Path, metavar="FOLDER", help="use this tokenizer instead of training one")
    parser.add_argument("--processes", type=int, default=2, help="workers (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Builds and prints the report; progress goes to stderr."""
    from motet.training.corpus.build import build
    from motet.training.corpus.config import BuildConfig

    config = BuildConfig(
        tokens=args.tokens,
        held_out_windows=args.held_out,
        seed=args.seed,
        vocabulary=args.vocabulary,
        processes=args.processes,
    )
    report = build(args.data, args.out, config, tokenizer=args.tokenizer, progress=_to_stderr)
    sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n" if args.json else _table(report))
    return 0


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"corpus: {line}\n")
    sys.stderr.flush()


def _table(report: dict[str, Any]) -> str:
    lines = [f"{report['pieces_usable']:,} of {report['pieces_listed']:,} pieces usable, {report['seconds']} s", ""]
    for name, part in report["splits"].items():
        lines.append(
            f"{name}: {part['windows']:,} windows, {part['tokens']:,} tokens, {part['pieces']:,} pieces, "
            f"{part['mean_bars']} bars on average"
        )
        lines += [
            f"  {source:<18}{row['windows']:>8,} windows{row['tokens']:>12,} tokens{100 * row['share']:>7.1f} %"
            for source, row in part["sources"].items()
        ]
    lines += ["", "left out:"]
    lines += [f"  {count:>8,}  {reason}" for reason, count in report["refused"].items()]
    return "\n".join(lines) + "\n"
