"""`motet train text-audio` and `motet eval text-audio`: fit and measure the text reward."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def register(targets: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``text-audio`` to the targets of ``motet train``."""
    parser = targets.add_parser(
        "text-audio",
        help="the reward that hears whether music fits its caption",
        description="Renders windows of a corpus, trains the dual encoder on them and their captions, and writes "
        "OUT_DIR/scorer. Run again with the same OUT_DIR to go on after an interruption.",
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="folder written by `motet corpus build`")
    parser.add_argument("out", type=Path, metavar="OUT_DIR", help="folder for clips, states and the scorer")
    parser.add_argument("--windows", type=int, default=5000, help="training windows (default %(default)s)")
    parser.add_argument("--held-out", type=int, default=300, help="windows to measure on (default %(default)s)")
    parser.add_argument("--epochs", type=int, default=20, help="default %(default)s")
    parser.add_argument("--batch", type=int, default=128, help="pairs in a step (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=train)


def register_eval(measures: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``text-audio`` to the measures of ``motet eval``."""
    parser = measures.add_parser("text-audio", help="does the text reward hear what captions say?")
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="corpus with held-out captions")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="scorer (default: the shipped one)")
    parser.add_argument("--held-out", type=int, default=300, help="windows to measure on (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=evaluate)


def train(args: argparse.Namespace) -> int:
    """Trains, calibrates, measures and writes the scorer; progress goes to stderr."""
    import torch

    from motet.model.text import TextEncoder
    from motet.rewards.spectrum import SpectrumConfig
    from motet.rewards.text_audio import TextAudioScorer
    from motet.rewards.towers import Towers, TowersConfig
    from motet.training import text_audio, text_audio_report
    from motet.training.text_audio_data import DataConfig, embed_once, prepare

    data = DataConfig(windows=args.windows, held_out=args.held_out, seed=args.seed)
    config = text_audio.TextAudioConfig(epochs=args.epochs, batch=args.batch, seed=args.seed)
    spectrum = SpectrumConfig()
    splits = {
        split: prepare(
            args.corpus, split, count, args.out / "clips", data, spectrum, progress=_to_stderr, cancelled=_never
        )
        for split, count in (("train", data.windows), ("valid", data.held_out), ("test", data.held_out))
    }
    encoder = TextEncoder.load()
    wordings = [caption.text for captions in splits["train"].captions for caption in captions]
    sentences = embed_once(wordings, encoder, args.out, _to_stderr)
    torch.manual_seed(args.seed)
    towers = Towers(TowersConfig(), spectrum)
    losses = text_audio.train(
        towers, splits["train"], sentences, config, args.out, progress=_to_stderr, cancelled=_never
    )
    calibration = text_audio_report.calibrate(towers, splits["valid"], encoder, _to_stderr)
    report = text_audio_report.measure(towers, splits["test"], encoder, seed=args.seed, progress=_to_stderr)
    scorer = TextAudioScorer(towers, spectrum, calibration, lambda captions: encoder.pooled(captions).numpy())
    scorer.save(args.out / "scorer")
    parameters = sum(parameter.numel() for parameter in towers.parameters())
    made = text_audio_report.facts(config, data, spectrum, losses, parameters)
    sources = json.loads((args.corpus / "sources.json").read_text("utf-8"))
    (args.out / "scorer" / "README.md").write_text(text_audio_report.card(report, made, sources), "utf-8")
    sys.stdout.write((json.dumps(report.record()) if args.json else report.table()) + "\n")
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Prints the figures of a scorer on the held-out windows that its card speaks of."""
    import tempfile

    from motet.model.text import TextEncoder
    from motet.rewards.text_audio import TextAudioScorer
    from motet.training import text_audio_report
    from motet.training.text_audio_data import DataConfig, prepare

    encoder = TextEncoder.load()
    scorer = TextAudioScorer.load(args.model, embed=lambda captions: encoder.pooled(captions).numpy())
    data = DataConfig(held_out=args.held_out, seed=args.seed)
    with tempfile.TemporaryDirectory(prefix="motet-clips-") as folder:
        clips = prepare(
            args.corpus,
            "test",
            args.held_out,
            Path(folder),
            data,
            scorer.spectrum.config,
            progress=_to_stderr,
            cancelled=_never,
        )
        report = text_audio_report.measure(scorer.towers, clips, encoder, seed=args.seed, progress=_to_stderr)
    sys.stdout.write((json.dumps(report.record()) if args.json else report.table()) + "\n")
    return 0


def _never() -> bool:
    """A command is cancelled by its signals; what was saved by then is kept."""
    return False


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"text-audio: {line}\n")
    sys.stderr.flush()
