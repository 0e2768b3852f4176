"""`motet calibrate harmony` and `motet eval harmony`: make the tables of the harmonic reward, and measure it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def register(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``harmony`` to the kinds of ``motet calibrate``."""
    harmony = kinds.add_parser("harmony", help="the tables of the harmonic reward, from the rewards' half of a corpus")
    harmony.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="what `motet corpus build` wrote")
    harmony.add_argument(
        "-o", "--out", type=Path, metavar="FOLDER", help="where to write (default: the shipped tables)"
    )
    harmony.add_argument("--windows", type=int, default=900, help="windows of each length (default %(default)s)")
    harmony.add_argument("--bars", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="lengths (default: 1 2 4 8 16)")
    harmony.add_argument("--seed", type=int, default=0)
    harmony.add_argument("--json", action="store_true", help="print the table to stdout")
    harmony.set_defaults(run=calibrate)


def register_eval(measures: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``motet eval harmony CORPUS_DIR``."""
    parser = measures.add_parser("harmony", help="can the harmonic reward tell human music from music gone wrong?")
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="corpus with held-out songs")
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument("--bars", type=int, default=8, help="length of the windows (default %(default)s)")
    parser.add_argument("--windows", type=int, default=300, help="windows at most (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=evaluate)


def calibrate(args: argparse.Namespace) -> int:
    """Runs ``motet calibrate harmony``."""
    from motet.rewards import harmony
    from motet.training.harmony import table as harmony_table

    config = harmony_table.CalibrationConfig(windows=args.windows, bars=tuple(args.bars), seed=args.seed)
    drawn = harmony_table.sample(args.corpus, "train", config)
    table, grammar = harmony_table.tabulate(
        drawn,
        seed=args.seed,
        report=lambda line: print(line, file=sys.stderr),  # noqa: T201
    )
    out = args.out or Path(harmony.__file__).parent / "tables"
    out.mkdir(parents=True, exist_ok=True)
    (out / "harmony.json").write_text(harmony_table.dumps(table), "utf-8")
    (out / "grammar.json").write_text(harmony_table.dumps(grammar), "utf-8")
    if args.json:
        sys.stdout.write(json.dumps(table) + "\n")
    else:
        counts = ", ".join(f"{count} of {bars} bars" for bars, count in table["windows"].items())
        sys.stdout.write(f"{out}: windows {counts}\n")
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Runs ``motet eval harmony``."""
    from motet.rewards.harmony import HarmonyReward
    from motet.training.harmony.report import examine
    from motet.training.harmony.table import CalibrationConfig, sample

    config = CalibrationConfig(windows=args.windows, bars=(args.bars,), seed=args.seed)
    windows = sample(args.corpus, args.split, config).windows[args.bars]
    report = examine(windows, HarmonyReward(), seed=args.seed)
    sys.stdout.write((json.dumps(report.as_json()) if args.json else report.table()) + "\n")
    return 0
