"""The subcommands that rewards bring to ``motet``: calibrate."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``motet calibrate harmony DATA_DIR``."""
    parser = subparsers.add_parser("calibrate", help="tabulate where human music stands, for the rewards")
    kinds = parser.add_subparsers(dest="kind", required=True)
    harmony = kinds.add_parser("harmony", help="quantiles of the harmonic measures over windows of human MIDI files")
    harmony.add_argument("data", type=Path, metavar="DATA_DIR", help="folder with .mid files, one folder per source")
    harmony.add_argument("-o", "--out", type=Path, help="where to write the table (default: the shipped one)")
    harmony.add_argument("--windows", type=int, default=1500, help="windows of each length (default: 1500)")
    harmony.add_argument("--bars", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="lengths (default: 1 2 4 8 16)")
    harmony.add_argument("--seed", type=int, default=0)
    harmony.add_argument("--json", action="store_true", help="print the table to stdout")
    harmony.set_defaults(run=calibrate_harmony)


def calibrate_harmony(args: argparse.Namespace) -> int:
    """Runs ``motet calibrate harmony``."""
    from motet.rewards import calibration

    config = calibration.CalibrationConfig(windows=args.windows, bars=tuple(args.bars), seed=args.seed)
    drawn = calibration.sample(args.data, config, lambda line: print(line, file=sys.stderr))  # noqa: T201
    document = calibration.tabulate(drawn)
    out = args.out or Path(__file__).parent / "tables" / "harmony.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(calibration.dumps(document), "utf-8")
    if args.json:
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        counts = ", ".join(f"{count} of {bars} bars" for bars, count in document["windows"].items())
        sys.stdout.write(f"{out}: windows {counts}; {drawn.unreadable} files unreadable\n")
    return 0
