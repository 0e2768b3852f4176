"""The subcommands that model brings to ``motet``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``model import text2midi`` and ``model info``."""
    model = subparsers.add_parser("model", help="look at a checkpoint, or import a published one")
    actions = model.add_subparsers(dest="action", required=True, metavar="ACTION")

    importing = actions.add_parser("import", help="turn a published checkpoint into one of ours")
    sources = importing.add_subparsers(dest="source", required=True, metavar="MODEL")
    text2midi = sources.add_parser(
        "text2midi",
        help="Text2midi (amaai-lab/text2midi)",
        description="Reads pytorch_model.bin and vocab_remi.pkl as published, runs nothing that they contain, and "
        "writes a folder of safetensors and JSON for every --model option. The checkpoint does not hold the tokenizer "
        "of captions: take tokenizer.json or spiece.model from google/flan-t5-base.",
    )
    text2midi.add_argument("published", type=Path, metavar="DIR", help="folder with the two published files")
    text2midi.add_argument("out", type=Path, metavar="OUT", help="folder to write; new or empty")
    text2midi.add_argument(
        "--text-tokenizer",
        type=Path,
        metavar="FOLDER",
        help="folder with FLAN-T5's tokenizer.json or spiece.model (default: DIR)",
    )
    text2midi.add_argument(
        "--layout",
        default="train",
        choices=("train", "upstream"),
        help="blocks of the self-attention: train, as in training, and fast; upstream, as the authors' own generate() "
        "cuts them, and slow (default: train)",
    )
    text2midi.add_argument(
        "--heads", type=int, default=8, metavar="N", help="of the decoder; no file tells (default: 8, as published)"
    )
    text2midi.add_argument("--json", action="store_true", help="print JSON")
    text2midi.set_defaults(run=import_text2midi)

    info = actions.add_parser("info", help="sizes, vocabulary and version of a checkpoint")
    info.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="default: the shipped model")
    info.add_argument("--json", action="store_true", help="print JSON")
    info.set_defaults(run=show)


def import_text2midi(arguments: argparse.Namespace) -> int:
    """Runs ``motet model import text2midi``."""
    from motet.model.text2midi.importer import import_checkpoint

    sys.stderr.write(f"reading {arguments.published} …\n")
    done = import_checkpoint(
        arguments.published,
        arguments.out,
        text_tokenizer=arguments.text_tokenizer or arguments.published,
        layout=arguments.layout,
        heads=arguments.heads,
    )
    if arguments.json:
        record = {
            **asdict(done),
            "folder": str(done.folder),
            "encoder_is_random": done.encoder_is_random,
            "vocabulary": done.config.vocab_size,
        }
        sys.stdout.write(json.dumps(record, indent=2) + "\n")
    else:
        config = done.config
        lines = [
            f"wrote {done.folder}",
            f"parameters      {done.parameters:,} ({done.left_out:,} of unused positions left out)",
            f"decoder         {config.layers} layers of width {config.width}, {config.heads} heads, at most "
            f"{config.max_tokens} tokens, layout {config.layout}",
            f"vocabulary      {config.vocab_size} tokens",
            f"encoder         {config.encoder.layers} layers; text tokenizer of {done.text_tokenizer_size:,} pieces",
            f"{done.verdict[0].upper()}{done.verdict[1:]}.",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Runs ``motet model info``."""
    from motet.model.summary import Summary

    summary = Summary.of(arguments.folder)
    if arguments.json:
        sys.stdout.write(json.dumps(asdict(summary), indent=2) + "\n")
        return 0
    stored = ", ".join(f"{count:,} {kind}" for kind, count in sorted(summary.kinds.items()))
    lines = [
        f"{summary.name}@{summary.version}",
        f"architecture    {summary.architecture}",
        f"parameters      {summary.parameters:,} ({stored})",
        f"vocabulary      {summary.vocabulary:,} tokens",
        f"weights         {summary.file_bytes / 1e6:.1f} MB",
        *(f"{name:15} {value}" for name, value in summary.sizes.items() if name != "vocab_size"),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
