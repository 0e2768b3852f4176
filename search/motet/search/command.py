"""The subcommands that search brings to ``motet``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``bench search``."""
    bench = subparsers.add_parser("bench", help="measure Motet on your machine")
    questions = bench.add_subparsers(dest="question", required=True)
    search = questions.add_parser(
        "search",
        help="does searching beat the first plain sample?",
        description="Searches for every caption and compares the result with its own first plain sample, by the reward "
        "that was searched for and by a judge that the search never sees.",
    )
    search.add_argument("--captions", type=Path, required=True, metavar="FILE", help="one caption a line")
    search.add_argument("--strategies", default="sample,population", help="names, separated by commas")
    search.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds 0 to N-1 (default 1)")
    search.add_argument("--candidates", type=int, default=None, metavar="N", help="pieces decoded side by side")
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
    search.add_argument(
        "--out", type=Path, default=None, metavar="FILE.jsonl", help="keep rows here and resume from them"
    )
    search.add_argument("--json", action="store_true", help="print JSON")
    search.set_defaults(run=bench_search)


def bench_search(arguments: argparse.Namespace) -> int:
    """Runs ``motet bench search``; 0 when every search ended."""
    from motet.model.checkpoint import Checkpoint
    from motet.music.error import InvalidInputError
    from motet.music.score import Score
    from motet.rewards.judge import Judge
    from motet.search import bench
    from motet.search.request import DEFAULT_CANDIDATES
    from motet.search.run import searcher_on

    for name in ("seeds", "limit"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise InvalidInputError.of(name, "must be at least 1", value)
    captions = bench.read_captions(arguments.captions, arguments.limit)
    checkpoint = Checkpoint.load(arguments.model)
    cases = [
        bench.Case(
            caption=caption,
            strategy=strategy.strip(),
            seed=seed,
            candidates=DEFAULT_CANDIDATES if arguments.candidates is None else arguments.candidates,
            bars=arguments.bars,
            model=f"{checkpoint.name}@{checkpoint.version}",
            weights=arguments.weights,
        )
        for seed in range(arguments.seeds)
        for caption in captions
        for strategy in arguments.strategies.split(",")
    ]

    def on_row(index: int, row: bench.Row) -> None:
        sys.stderr.write(
            f"[{index + 1}/{len(cases)}] {row.case.strategy} seed {row.case.seed}: "
            f"{row.plain_total:.3f} -> {row.total:.3f}, {row.seconds:.1f} s, {row.case.caption[:60]}\n"
        )

    judge = Judge.load()

    def referee(score: Score, caption: str) -> dict[str, float]:
        return judge.judge([score], caption)[0].record()

    rows = list(bench.run(searcher_on(checkpoint), cases, out=arguments.out, on_row=on_row, referee=referee))
    summaries = bench.summarise(rows)
    if arguments.json:
        sys.stdout.write(json.dumps(bench.to_json(summaries), indent=2) + "\n")
    else:
        lines = [bench.table(summaries), "", *(summary.verdict() for summary in summaries)]
        sys.stdout.write("\n".join(lines) + "\n")
    return 0
