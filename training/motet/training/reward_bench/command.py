"""`motet eval rewards`: do rewards prefer what they should?"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def register(measures: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``rewards`` to the measures of ``motet eval``."""
    parser = measures.add_parser(
        "rewards",
        help="do rewards prefer what they should: true captions, whole music, what listeners like?",
        description="Asks every reward about pairs whose better side is known: true and false captions of one piece, "
        "human music and spoiled copies, what simulated listeners prefer, and votes of people if there are any. "
        "Prints accuracy, rank correlations and calibration with intervals, beside controls that must know nothing.",
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="corpus with held-out captions")
    parser.add_argument("--rewards", nargs="+", metavar="NAME", help="rewards to ask (default: all that are installed)")
    parser.add_argument(
        "--model", type=Path, metavar="FOLDER", help="checkpoint that samples (default: the shipped one)"
    )
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument("--pieces", type=int, default=200, metavar="N", help="human windows (default %(default)s)")
    parser.add_argument(
        "--heard", type=int, default=100, metavar="N", help="captions for simulated listeners (default %(default)s)"
    )
    parser.add_argument("--samples", type=int, default=2, metavar="N", help="of each caption (default %(default)s)")
    parser.add_argument("--votes", type=Path, metavar="FILE", help="JSON lines with caption, a, b and preference")
    parser.add_argument(
        "--tune", action="store_true", help="find the weights of the total that agree best with the valid split"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="draw rewards.png there, and keep scores to go on with"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=evaluate)


def evaluate(args: argparse.Namespace) -> int:
    """Prints the tables; draws the picture if asked to."""
    from motet.model.checkpoint import Checkpoint
    from motet.music.error import InvalidInputError
    from motet.training.reward_bench import bench
    from motet.training.reward_bench.bench import BenchConfig
    from motet.training.reward_bench.contest import Contest
    from motet.training.reward_bench.corruption_contest import TASK as CORRUPTIONS
    from motet.training.reward_bench.report import BenchReport
    from motet.training.reward_bench.scorebook import Book
    from motet.training.reward_bench.source import sources
    from motet.training.reward_bench.swap_contest import TASK as SWAPS
    from motet.training.reward_bench.weighting import Grader, tune

    if args.out is not None:  # before the work, since it needs a package that may be missing
        from motet.training.reward_bench import picture
    if args.tune and args.split == "valid":
        raise InvalidInputError.of("split", "must be test, since weights are chosen on valid", args.split)
    config = BenchConfig(pieces=args.pieces, heard=args.heard, samples=args.samples, seed=args.seed)

    def checkpoint() -> Checkpoint:
        return Checkpoint.load(args.model)

    with sources(args.rewards, lambda line: sys.stderr.write(f"{line}\n")) as asked:

        def judged(split: str, votes: Path | None) -> tuple[list[Contest], Book]:
            contests = bench.with_votes(bench.gather(args.corpus, split, checkpoint, config, args.out), votes)
            book = bench.scored(contests, asked, args.seed, args.out)
            return [*contests, *bench.second_opinions(contests, book)], book

        contests, book = judged(args.split, args.votes)
        tuning = tune(Grader(*judged("valid", None)), Grader(contests, book)) if args.tune else None
    human = [contest for contest in contests if contest.task in (SWAPS, CORRUPTIONS)]
    report = BenchReport(
        split=args.split,
        pieces=len({id(contest.entries[0].score) for contest in human}),
        songs=len({contest.song for contest in human}),
        seed=args.seed,
        outcomes=bench.outcomes(contests, asked, book, args.seed),
        tuning=tuning,
    )
    if args.out is not None:
        sys.stderr.write(f"{picture.draw(report, args.out)}\n")
    sys.stdout.write((json.dumps(report.record()) if args.json else report.table()) + "\n")
    return 0
