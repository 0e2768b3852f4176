"""`motet calibrate text`: says for an external text backend what its cosines mean."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path


def register(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``text`` to the kinds of ``motet calibrate``."""
    parser = kinds.add_parser("text", help="quantiles of a text backend's cosines, written beside its weights")
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="what `motet corpus build` wrote")
    parser.add_argument("--backend", required=True, metavar="SPEC", help="clap:FOLDER or laion-clap:FILE")
    parser.add_argument("--windows", type=int, default=200, help="held-out windows to hear (default: %(default)s)")
    parser.add_argument("--captions", type=int, default=2, help="captions to read of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the table to stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs ``motet calibrate text``."""
    from motet.model.text import TextEncoder
    from motet.music.error import InvalidInputError
    from motet.rewards import text
    from motet.rewards.calibration import Calibration
    from motet.rewards.render import RenderConfig, Renderer
    from motet.training.text_calibration import TextCalibrationConfig, calibrate

    path = text.calibration_path(args.backend)
    if path is None:
        rule = "must be clap:FOLDER or laion-clap:FILE: `motet train text-audio` calibrates the built-in one"
        raise InvalidInputError.of("backend", rule, args.backend)
    config = TextCalibrationConfig(windows=args.windows, captions=args.captions, seed=args.seed)
    unknown = Calibration(matched=(-1.0, 1.0), mismatched=(-1.0, 1.0))  # it is what is to be found
    backend = text.open(args.backend, lambda captions: TextEncoder.load().pooled(captions).numpy(), calibration=unknown)
    with Renderer(RenderConfig(rate_hz=backend.rate_hz)) as renderer:
        found = calibrate(backend, renderer, args.corpus, config, lambda line: print(line, file=sys.stderr))  # noqa: T201
    found.write(path)
    middle = {name: row[len(row) // 2] for name, row in asdict(found).items()}
    sys.stdout.write(json.dumps(asdict(found)) + "\n" if args.json else _told(path, middle))
    return 0


def _told(path: Path, middle: dict[str, float]) -> str:
    return f"{path}: median cosine {middle['matched']:.3f} of matched pairs, {middle['mismatched']:.3f} of others\n"
