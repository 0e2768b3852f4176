"""`motet train`, `motet calibrate` and `motet eval`: fit the models and rewards that Motet ships, and measure them."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from motet.training import caption_prior_command, portable, text_calibration_command
from motet.training.harmony import command as harmony_command
from motet.training.judge import command as judge_command
from motet.training.realism import command as realism_command
from motet.training.reward_bench import command as reward_bench_command
from motet.training.text_audio import command as text_audio_command


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``train``, ``calibrate`` and ``eval`` to the ``motet`` command."""
    train = subparsers.add_parser("train", help="train a model")
    targets = train.add_subparsers(dest="target", required=True, metavar="TARGET")
    model = targets.add_parser(
        "model",
        help="the text-to-MIDI transformer",
        description="Trains the decoder for a fixed time; run again with the same RUN_DIR to resume.",
    )
    portable.add_arguments(model)
    model.set_defaults(run=portable.run)

    export = targets.add_parser("export", help="turn a finished run into a checkpoint folder with a model card")
    export.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="folder that `motet train model` wrote")
    export.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="the corpus that it was trained on")
    export.add_argument("out", type=Path, metavar="CHECKPOINT_DIR", help="folder to write")
    export.add_argument("--captions", type=int, default=300, help="held-out captions to measure (default %(default)s)")
    export.add_argument("--appendix", type=Path, metavar="FILE", help="Markdown with further measurements for the card")
    export.set_defaults(run=export_checkpoint)
    judge_command.register(targets)
    text_audio_command.register(targets)

    calibrate = subparsers.add_parser("calibrate", help="learn what is usual in human music, for rewards and mutators")
    kinds = calibrate.add_subparsers(dest="kind", required=True, metavar="KIND")
    harmony_command.register(kinds)
    text_calibration_command.register(kinds)
    caption_prior_command.register(kinds)

    evaluate = subparsers.add_parser("eval", help="measure a model")
    measures = evaluate.add_subparsers(dest="measure", required=True, metavar="MEASURE")
    control = measures.add_parser("control", help="does one plain sample do what its caption says?")
    control.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="corpus with held-out captions")
    control.add_argument("--model", type=Path, metavar="FOLDER", help="checkpoint (default: the shipped one)")
    control.add_argument("--split", choices=("valid", "test"), default="test")
    control.add_argument("--captions", type=int, default=300, help="held-out captions (default %(default)s)")
    control.add_argument("--seed", type=int, default=0)
    control.add_argument("--json", action="store_true", help="print JSON")
    control.set_defaults(run=eval_control)
    harmony_command.register_eval(measures)
    judge_command.register_eval(measures)
    realism_command.register(measures)
    reward_bench_command.register(measures)
    text_audio_command.register_eval(measures)


def export_checkpoint(args: argparse.Namespace) -> int:
    """Measures the run's model, then writes weights in bfloat16 and the card."""
    from motet.training.card import export

    appendix = "" if args.appendix is None else args.appendix.read_text("utf-8")
    export(args.run_dir, args.corpus, args.out, captions=args.captions, appendix=appendix)
    sys.stdout.write(f"{args.out}\n")
    return 0


def eval_control(args: argparse.Namespace) -> int:
    """Prints the control table."""
    from motet.model.checkpoint import Checkpoint
    from motet.training.control import measure

    checkpoint = Checkpoint.load(args.model)
    report = measure(checkpoint, args.corpus, split=args.split, captions=args.captions, seed=args.seed)
    sys.stdout.write((json.dumps(asdict(report)) if args.json else report.table()) + "\n")
    return 0
