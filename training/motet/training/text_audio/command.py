"""`motet train text-audio` and `motet eval text-audio`: fit and measure the text reward."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from motet.training.text_audio.data import Machine


def register(targets: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``text-audio`` to the targets of ``motet train``."""
    parser = targets.add_parser(
        "text-audio",
        help="the reward that hears whether music fits its caption",
        description="Renders windows of a corpus and music of the shipped model, trains the dual encoder on them and "
        "on captions, true and false, and writes OUT_DIR/scorer with its card. Run again with the same OUT_DIR to go "
        "on after an interruption.",
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="folder written by `motet corpus build`")
    parser.add_argument("out", type=Path, metavar="OUT_DIR", help="folder for clips, states and the scorer")
    parser.add_argument("--windows", type=int, default=10_000, help="training windows (default %(default)s)")
    parser.add_argument("--samples", type=int, default=2000, help="pieces that the model writes (default %(default)s)")
    parser.add_argument("--epochs", type=int, default=16, help="default %(default)s")
    parser.add_argument("--batch", type=int, default=160, help="pairs in a step (default %(default)s)")
    _add_common(parser)
    parser.set_defaults(run=train)


def register_eval(measures: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``text-audio`` to the measures of ``motet eval``."""
    parser = measures.add_parser("text-audio", help="does the text reward hear what captions say?")
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="corpus with held-out captions")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="scorer (default: the shipped one)")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="keep clips and samples here for a later call")
    _add_common(parser)
    parser.set_defaults(run=evaluate)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--held-out", type=int, default=700, help="windows to measure on (default %(default)s)")
    parser.add_argument(
        "--held-out-samples", type=int, default=400, help="pieces of the model to measure on (default %(default)s)"
    )
    parser.add_argument(
        "--soundfont", type=Path, action="append", default=[], help="measure with this one too; may be repeated"
    )
    parser.add_argument("--processes", type=int, default=2, help="that render (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def train(args: argparse.Namespace) -> int:
    """Trains, calibrates, measures and writes the scorer; progress goes to stderr."""
    import torch

    from motet.model.text import TextEncoder
    from motet.rewards import statement
    from motet.rewards.calibration import Calibration
    from motet.rewards.spectrum import SpectrumConfig
    from motet.rewards.text_audio import TextAudioScorer
    from motet.rewards.towers import Towers, TowersConfig
    from motet.training.text_audio import proof, training
    from motet.training.text_audio.data import DataConfig, facts, soundfonts, training_data
    from motet.training.text_audio.measure import Exam, fonts_to_measure
    from motet.training.text_audio.report import card

    machine = _machine(args.out, args.processes)
    data = DataConfig(windows=args.windows, samples=args.samples, seed=args.seed)
    config = training.TrainingConfig(epochs=args.epochs, batch=args.batch, seed=args.seed)
    spectrum = SpectrumConfig()
    encoder = TextEncoder.load()
    clips, wording = training_data(args.corpus, data, spectrum, encoder, machine)
    torch.manual_seed(args.seed)
    towers = Towers(TowersConfig(), spectrum)
    losses = training.train(
        towers,
        clips,
        wording,
        tuple(statement.GROUPS),
        config,
        args.out,
        progress=machine.progress,
        cancelled=machine.cancelled,
    )

    def scorer(calibration: Calibration, claims: tuple[str, ...]) -> TextAudioScorer:
        return TextAudioScorer(towers, spectrum, calibration, lambda texts: encoder.pooled(texts).numpy(), claims)

    raw = scorer(Calibration(matched=(0.0, 1.0), mismatched=(-1.0, 0.0)), tuple(statement.GROUPS))
    valid = Exam(args.corpus, "valid", args.held_out, raw, encoder, machine, fonts=soundfonts()[:1], seed=args.seed)
    claims = proof.claims(valid.swapped(raw))
    claiming = scorer(raw.calibration, claims)
    final = scorer(proof.calibrate(claiming, valid.held_out(claiming), valid.embed), claims)
    final.save(args.out / "scorer")
    fonts = fonts_to_measure(args.soundfont)
    test = Exam(args.corpus, "test", args.held_out, final, encoder, machine, fonts=fonts, seed=args.seed)
    report = test.report(final, args.held_out_samples)
    parameters = sum(parameter.numel() for parameter in towers.parameters())
    made = {"parameters": f"{parameters:,}", **facts(config, data, spectrum)}
    made["loss of the last epoch"] = f"{losses[-1]:.3f}"
    sources = json.loads((args.corpus / "sources.json").read_text("utf-8"))
    (args.out / "scorer" / "README.md").write_text(card(report, made, sources), "utf-8")
    sys.stdout.write((json.dumps(report.record()) if args.json else report.table()) + "\n")
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Prints the five proofs of a scorer on the held-out windows that its card speaks of."""
    import tempfile

    from motet.model.text import TextEncoder
    from motet.rewards.text_audio import TextAudioScorer
    from motet.training.text_audio.measure import Exam, fonts_to_measure

    encoder = TextEncoder.load()
    scorer = TextAudioScorer.load(args.model, embed=lambda texts: encoder.pooled(texts).numpy())
    with tempfile.TemporaryDirectory(prefix="motet-clips-") as folder:
        machine = _machine(args.work or Path(folder), args.processes)
        fonts = fonts_to_measure(args.soundfont)
        exam = Exam(args.corpus, "test", args.held_out, scorer, encoder, machine, fonts=fonts, seed=args.seed)
        report = exam.report(scorer, args.held_out_samples)
    sys.stdout.write((json.dumps(report.record()) if args.json else report.table()) + "\n")
    return 0


def _machine(folder: Path, processes: int) -> Machine:
    from motet.training.text_audio.data import Machine

    folder.mkdir(parents=True, exist_ok=True)
    return Machine(folder=folder, processes=processes, progress=_to_stderr, cancelled=_never)


def _never() -> bool:
    """A command is cancelled by its signals; what was saved by then is kept."""
    return False


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"text-audio: {line}\n")
    sys.stderr.flush()
