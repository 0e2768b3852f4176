"""Supervised training from the command line, where only torch, numpy, transformers and safetensors are installed.

This and what it imports is what ``motet corpus pack`` puts beside the shards.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from motet.music.error import MotetError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a training run."""
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="folder written by `motet corpus build`")
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="folder for snapshots and the log")
    parser.add_argument("--minutes", type=float, required=True, help="time budget over all resumed runs")
    parser.add_argument("--device", default="cpu", help='"cpu", "cuda" or "mps" (default %(default)s)')
    parser.add_argument("--batch-tokens", type=int, help="tokens in a step")
    parser.add_argument("--width", type=int, help="size of the residual stream")
    parser.add_argument("--layers", type=int, help="decoder layers")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    parser.add_argument("--from", dest="start", metavar="FOLDER", help="checkpoint whose weights a new run starts from")


def run(args: argparse.Namespace) -> int:
    """Runs the training; progress goes to stderr, the folder of the model to stdout."""
    from motet.training import snapshot
    from motet.training.supervised import SupervisedConfig, Trainer

    names = {field.name for field in fields(SupervisedConfig)}
    given = {name: value for name, value in vars(args).items() if name in names and value is not None}
    Trainer(args.corpus, args.run_dir, SupervisedConfig(**given)).fit()
    sys.stdout.write(f"{args.run_dir / snapshot.FOLDER / snapshot.MODEL}\n")
    return 0


def main() -> int:
    """The command itself: 0, or 2 and one line on stderr for what the user can put right."""
    parser = argparse.ArgumentParser(
        description="Trains the decoder for a fixed time; run again with the same RUN_DIR to resume."
    )
    add_arguments(parser)
    try:
        return run(parser.parse_args())
    except MotetError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
