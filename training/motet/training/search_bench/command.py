"""`motet bench search`: does searching pay?"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from motet.training.search_bench.bench import Bench
    from motet.training.search_bench.crew import Task
    from motet.training.search_bench.row import Row
    from motet.training.search_bench.shelf import Shelf

ARMS: Final = (
    "sample",
    "population@8/16",
    "best_of_n@4/8/16/24",
    "inferalign_paper@8/16",
    "islands",
    "smc",
    "sequential_halving",
    "puct",
    "population:mutations=0",
    "random",
)
INTERRUPTED: Final = 130


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``bench search``."""
    bench = subparsers.add_parser("bench", help="measure Motet on your machine")
    questions = bench.add_subparsers(dest="question", required=True)
    search = questions.add_parser(
        "search",
        help="does searching pay, by the reward and by a judge that it never sees?",
        description="Searches for every caption with every strategy and budget, and compares the results with one "
        "plain sample and with each other at equal tokens and at equal time: by the reward that was climbed, by a "
        "judge that no search sees, by what the captions state, by diversity and by likeness to training music.",
        epilog="An arm is STRATEGY[:SETTING=NUMBER,...][@BUDGET/BUDGET...]; mutations=N, the most mutated "
        "captions, is a setting of every one; the strategy `random` is the default one climbing a coin.",
    )
    search.add_argument("--captions", type=Path, metavar="FILE", help="one caption a line")
    search.add_argument("--strategies", nargs="+", default=list(ARMS), metavar="ARM", help=f"default: {' '.join(ARMS)}")
    search.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds 0 to N-1 (default %(default)s)")
    search.add_argument(
        "--candidates", type=int, nargs="+", default=[8], metavar="N", help="budgets of arms without (default 8)"
    )
    search.add_argument(
        "--bars", type=int, default=None, metavar="N", help="length (default: what the caption says, or 8)"
    )
    search.add_argument(
        "--weights", default="", metavar="NAME=W,…", help="rewards to climb (default: text=.4,harmony=.4,adherence=.2)"
    )
    search.add_argument("--limit", type=int, default=None, metavar="N", help="only the first N captions")
    search.add_argument(
        "--model", type=Path, default=None, metavar="FOLDER", help="checkpoint (default: the shipped one)"
    )
    search.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default %(default)s)")
    search.add_argument(
        "--minutes", type=float, metavar="M", help="begin no further search after M minutes, and report what is done"
    )
    search.add_argument("--corpus", type=Path, metavar="CORPUS_DIR", help="look for near-copies of its training music")
    search.add_argument(
        "--out",
        type=Path,
        default=None,
        metavar="FOLDER",
        help="rows.jsonl, which is gone on with, summary.json, table.md and search.png",
    )
    search.add_argument(
        "--report-only", action="store_true", help="search nothing: report what --out holds, even of a run under way"
    )
    search.add_argument("--json", action="store_true", help="print JSON")
    search.set_defaults(run=bench_search)


def bench_search(arguments: argparse.Namespace) -> int:
    """Runs ``motet bench search``: 0 when every search ended, 1 when some failed, 130 when interrupted."""
    from motet.music.error import InvalidInputError
    from motet.training.search_bench.shelf import Shelf

    for name in ("seeds", "limit", "workers"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InvalidInputError.of(name, "must be at least 1", value)
    if arguments.minutes is not None and not arguments.minutes > 0:
        raise InvalidInputError.of("minutes", "must be above 0", arguments.minutes)
    if arguments.report_only:
        if arguments.out is None:
            raise InvalidInputError.of("out", "must be given with --report-only", None)
        return _report(Shelf(arguments.out).newest(), arguments)
    if arguments.captions is None:
        raise InvalidInputError.of("captions", "must be a file with one caption a line", None)
    if arguments.out is not None:  # before the work, since it needs a package that may be missing
        from motet.training.search_bench import picture  # noqa: F401
    return _search(arguments, Shelf(arguments.out))


def _search(arguments: argparse.Namespace, shelf: Shelf) -> int:
    from motet.training.search_bench.crew import Failure, work
    from motet.training.search_bench.pace import Pace

    tasks = _tasks(arguments)
    rows = [row for case, _ in tasks if (row := shelf.rows.get(case)) is not None]
    left = [task for task in tasks if task[0] not in shelf.rows]
    pace = Pace(left, already=len(rows))
    end_s = time.monotonic() + 60 * (math.inf if arguments.minutes is None else arguments.minutes)
    failures, status = 0, 0
    try:
        load = Load(arguments.model, arguments.workers)
        for outcome in work(left, load, arguments.workers, lambda: time.monotonic() >= end_s):
            if isinstance(outcome, Failure):
                failures += 1
                sys.stderr.write(pace.line(outcome.case, f"failed: {outcome.error}") + "\n")
            else:
                shelf.add(outcome)
                rows.append(outcome)
                found = f"reward {outcome.reward['total']:.3f}, judge {outcome.judge['total']:.3f}"
                sys.stderr.write(pace.line(outcome.case, f"{found}, {outcome.seconds:.1f} s") + "\n")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what is done is kept\n")
        status = INTERRUPTED
    if failures:
        sys.stderr.write(f"{failures} searches failed; run again to try them again\n")
        status = status or 1
    if rows:
        _report(rows, arguments)
    return status


@dataclass(frozen=True)
class Load:
    """Makes the bench of one worker; picklable.

    Args:
        model: checkpoint folder; None for the shipped one.
        workers: that share the machine's cores.
    """

    model: Path | None
    workers: int

    def __call__(self) -> Bench:
        """Loads everything and searches once, so that no measured search pays for the start."""
        from motet.training.search_bench.workshop import open_bench

        return open_bench(self.model, self.workers)


def _tasks(arguments: argparse.Namespace) -> list[Task]:
    from motet.model.checkpoint import Checkpoint
    from motet.rewards.composite import Weights
    from motet.search.captions import read_captions
    from motet.training.search_bench.arm import parse_arms
    from motet.training.search_bench.bench import cases, reward_version
    from motet.training.search_bench.workshop import tuned

    captions = list(dict.fromkeys(read_captions(arguments.captions, arguments.limit)))
    arms = parse_arms(arguments.strategies, arguments.candidates)
    checkpoint = Checkpoint.load(arguments.model)
    tasks = cases(
        captions,
        arms,
        arguments.seeds,
        bars=arguments.bars,
        weights=arguments.weights,
        model=f"{checkpoint.name}@{checkpoint.version}",
        reward=reward_version(),
        tuned=tuned(checkpoint),
    )
    weights = Weights.parse(arguments.weights) if arguments.weights else Weights()
    for case, arm in tasks:  # all are checked before the first search
        arm.request(case.caption, case.seed, case.candidates, bars=case.bars, weights=weights)
    return tasks


def _report(rows: Sequence[Row], arguments: argparse.Namespace) -> int:
    from motet.training.search_bench.report import SearchReport

    copies = None
    if arguments.corpus is not None:
        from motet.training.search_bench.near_copies import near_copies

        sys.stderr.write(f"looking for near-copies in {arguments.corpus}\n")
        copies = near_copies(rows, arguments.corpus)
    report = SearchReport.of(rows, copies)
    table, record = report.table(), json.dumps(report.record(), indent=2)
    if arguments.out is not None:
        from motet.training.search_bench import picture

        (arguments.out / "table.md").write_text(table + "\n", encoding="utf-8")
        (arguments.out / "summary.json").write_text(record + "\n", encoding="utf-8")
        sys.stderr.write(f"{picture.draw(report, arguments.out)}\n")
    sys.stdout.write((record if arguments.json else table) + "\n")
    return 0
