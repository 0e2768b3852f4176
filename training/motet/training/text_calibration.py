"""`motet calibrate text`: what the cosines of an external text backend mean, by windows and captions of a corpus."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motet.model.tokenizer import Tokenizer
from motet.music import caption
from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError
from motet.rewards.render import Player
from motet.rewards.sound import Sound
from motet.rewards.text import Calibration, TextBackend
from motet.training.corpus.shard import Shard, StatedCaption
from motet.training.facts import Facts

SPLIT = "valid"
_STEP = 20  # windows between two lines of progress


@dataclass(frozen=True, kw_only=True)
class TextCalibrationConfig:
    """What is heard and read.

    Args:
        windows: music windows of the corpus's validation split, each heard for one window of the backend.
        captions: wordings read of each, at most.
        seed: of the choice of windows and of the place in them.
    """

    windows: int = 200
    captions: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("windows", 4), ("captions", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise InvalidInputError.of(f"text_calibration.{name}", f"must be at least {low}", getattr(self, name))


def calibrate(
    backend: TextBackend,
    player: Player,
    corpus: Path,
    config: TextCalibrationConfig,
    progress: Callable[[str], None],
) -> Calibration:
    """Quantiles of the cosine of a window with its own captions, and with others' that say something false of it.

    Args:
        backend: hears and reads; its own calibration is not asked.
        player: plays at the backend's rate.
        corpus: folder of a corpus.
        config: how many.
        progress: takes lines.

    Raises NotFoundError without a corpus and InvalidInputError when too few of its windows sound.
    """
    shard = Shard.open(corpus, SPLIT)
    tokenizer = Tokenizer.load(corpus / "tokenizer")
    sound = Sound(player, window_s=backend.window_s)
    order = np.random.default_rng(config.seed).permutation(len(shard))
    heard: list[NDArray[np.float32]] = []
    read: list[NDArray[np.float32]] = []
    attributes: list[Attributes] = []
    stated: list[StatedCaption] = []
    owners: list[int] = []
    for place in (int(one) for one in order):
        if len(heard) == config.windows:
            break
        if shard.meta(place).infill:
            continue
        windows = [one for one in sound.windows(tokenizer.decode(shard.tokens(place).tolist())) if one.share >= 0.5]
        if not windows:
            continue
        window = windows[int(np.random.default_rng([config.seed, place]).integers(len(windows)))]
        for one in shard.captions(place)[: config.captions]:
            read.append(backend.text_vector(caption.parse(one.text)))
            stated.append(one)
            owners.append(len(heard))
        heard.append(backend.audio_vector(sound.audio(window)))
        attributes.append(shard.attributes(place))
        if len(heard) % _STEP == 0:
            progress(f"{len(heard)} of {config.windows} windows heard")
    if len(heard) < config.windows:
        rule = f"the corpus must hold at least {config.windows} windows of {SPLIT} that sound for half of one"
        raise InvalidInputError.of("text_calibration.windows", rule, len(heard))
    cosines = (np.array(heard) @ np.array(read).T).astype(np.float64)
    rows, columns = np.arange(len(heard)), np.arange(len(read))
    own = rows[:, None] == np.array(owners)[None]
    false = ~Facts([one.stated for one in stated]).true_of(Facts(attributes), rows, columns)
    if not np.any(false & ~own):
        raise InvalidInputError.of("text_calibration", "the captions must differ", f"{len(read)} captions, all true")
    return Calibration.of(cosines[own], cosines[false & ~own])


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
    from motet.rewards import text
    from motet.rewards.render import RenderConfig, Renderer

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
