"""`motet calibrate captions`: writes the table of what captions leave open."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def register(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``captions`` to ``motet calibrate``."""
    parser = kinds.add_parser("captions", help="measure what captions leave open, for the caption mutators")
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="folder that `motet corpus build` wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="table to write (JSON)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measures and writes the table; the exit code."""
    from motet.training.caption_prior import measure

    table = measure(args.corpus)
    parts = []
    for name, value in table.items():
        if name in ("genres", "moods"):
            rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in value.items())
            parts.append(f"{json.dumps(name)}: {{\n{rows}\n}}")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(value)}")
    text = "{\n" + ",\n".join(parts) + "\n}\n"
    args.out.write_text(text, encoding="utf-8")
    sys.stderr.write(f"{args.out}: {table['all']['pieces']} pieces, {len(text)} bytes\n")
    return 0
