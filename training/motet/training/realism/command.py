"""`motet eval realism`: how close plain samples are to human music of the same captions."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def register(measures: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``realism`` to the measures of ``motet eval``."""
    parser = measures.add_parser(
        "realism",
        help="how close are plain samples to human music of the same captions?",
        description="Draws one sample a held-out caption, no search, and compares pitch, rhythm, texture, harmony and "
        "repetition with the human music of the captions; looks for near-copies of training music and for degenerate "
        "pieces.",
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="corpus with held-out captions")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="checkpoint (default: the shipped one)")
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument("--captions", type=int, default=200, help="held-out captions (default %(default)s)")
    parser.add_argument("--train-windows", type=int, help="training windows to search for near-copies (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="draw traits.png and notes.png there")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=evaluate)


def evaluate(args: argparse.Namespace) -> int:
    """Prints the tables; draws the pictures if asked to."""
    from motet.model.checkpoint import Checkpoint
    from motet.model.tokenizer import Tokenizer
    from motet.training.corpus.shard import Shard
    from motet.training.realism.comparison import compare, near_copies
    from motet.training.realism.material import gather

    if args.out is not None:  # before the work, since it needs a package that may be missing
        from motet.training.realism import picture
    checkpoint = Checkpoint.load(args.model)
    material = gather(checkpoint, args.corpus, split=args.split, captions=args.captions, seed=args.seed)
    train = Shard.open(args.corpus, "train")
    windows = len(train) if args.train_windows is None else min(args.train_windows, len(train))
    sys.stderr.write(f"looking for near-copies in {windows} training windows\n")
    copies = near_copies(material, train, Tokenizer.load(args.corpus / "tokenizer"), windows)
    report = compare(
        material, copies, lambda window: train.meta(window).piece, training_windows=windows, seed=args.seed
    )
    if args.out is not None:
        for path in picture.draw(material, report, args.out):
            sys.stderr.write(f"{path}\n")
    sys.stdout.write((json.dumps(report.record()) if args.json else report.table()) + "\n")
    return 0
