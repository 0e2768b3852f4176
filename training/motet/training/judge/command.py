"""`motet train judge` and `motet eval judge`: fit and measure the referee that search never sees."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from motet.training.judge.exam import Exam


def register(targets: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``judge`` to the targets of ``motet train``."""
    parser = targets.add_parser(
        "judge",
        help="the referee that search never sees",
        description="Reads windows of a corpus, whole and spoiled, trains the judge on them and writes OUT_DIR/judge. "
        "Run again with the same OUT_DIR to go on after an interruption.",
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="folder written by `motet corpus build`")
    parser.add_argument("out", type=Path, metavar="OUT_DIR", help="folder for readings, states and the judge")
    parser.add_argument("--windows", type=int, default=9000, help="training windows (default %(default)s)")
    parser.add_argument("--epochs", type=int, default=30, help="default %(default)s")
    parser.add_argument("--batch", type=int, default=256, help="windows in a step (default %(default)s)")
    _add_common(parser)
    parser.set_defaults(run=train)


def register_eval(measures: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``judge`` to the measures of ``motet eval``."""
    parser = measures.add_parser("judge", help="does the judge know music and words?")
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="corpus with held-out windows")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="judge (default: the shipped one)")
    _add_common(parser)
    parser.set_defaults(run=evaluate)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--samples", type=int, default=60, help="captions that the default model samples (default %(default)s)"
    )
    parser.add_argument(
        "--spoiled", type=int, default=100, help="held-out windows to spoil in every way (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON")


def train(args: argparse.Namespace) -> int:
    """Trains, calibrates, measures and writes the judge; progress goes to stderr."""
    import torch

    from motet.rewards.judge import Judge
    from motet.rewards.judge_towers import JudgeConfig, JudgeTowers
    from motet.training import half
    from motet.training.judge import card, course, report
    from motet.training.judge.data import SEEN, DataConfig, prepare
    from motet.training.judge.exam import exam

    data = DataConfig(windows=args.windows, seed=args.seed)
    config = course.CourseConfig(epochs=args.epochs, batch=args.batch, seed=args.seed)
    sizes = JudgeConfig()
    lessons = prepare(args.corpus, args.out / "readings", data, progress=_to_stderr, cancelled=_never)
    torch.manual_seed(args.seed)
    towers = JudgeTowers(sizes)
    losses = course.train(towers, lessons, config, args.out, progress=_to_stderr, cancelled=_never)
    valid = exam(
        args.corpus,
        "valid",
        half.windows(args.corpus, "valid", "judge"),
        musical=args.spoiled,
        kinds=SEEN,
        seed=args.seed,
        progress=_to_stderr,
    )
    judge = Judge(towers, *report.calibrate(towers, valid))
    judge.save(args.out / "judge")
    judge = Judge.load(args.out / "judge")  # as it is shipped, at half precision
    found = report.measure(judge.towers, judge.musicality, _test(args), seed=args.seed)
    parameters = sum(parameter.numel() for parameter in towers.parameters())
    made = card.facts((data, config, sizes), len(lessons.whole), losses, parameters)
    sources = json.loads((args.corpus / "sources.json").read_text("utf-8"))
    (args.out / "judge" / "README.md").write_text(card.card(found, made, sources), "utf-8")
    sys.stdout.write((json.dumps(found.record()) if args.json else found.table()) + "\n")
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Prints the figures of a judge on the held-out windows that its card speaks of."""
    from motet.rewards.judge import Judge
    from motet.training.judge import report

    judge = Judge.load(args.model)
    found = report.measure(judge.towers, judge.musicality, _test(args), seed=args.seed)
    sys.stdout.write((json.dumps(found.record()) if args.json else found.table()) + "\n")
    return 0


def _test(args: argparse.Namespace) -> Exam:
    """All windows of the test split, and samples of the first captions."""
    import numpy as np

    from motet.model.checkpoint import Checkpoint
    from motet.training.corpus.shard import Shard
    from motet.training.judge.exam import exam, sampled

    windows = np.arange(len(Shard.open(args.corpus, "test")))
    few = windows[: args.samples]
    samples = sampled(Checkpoint.load(None), args.corpus, "test", few, seed=args.seed) if len(few) else []
    return exam(
        args.corpus,
        "test",
        windows,
        musical=args.spoiled,
        samples=samples,
        seed=args.seed,
        progress=_to_stderr,
    )


def _never() -> bool:
    """A command is cancelled by its signals; what was saved by then is kept."""
    return False


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"judge: {line}\n")
    sys.stderr.flush()
