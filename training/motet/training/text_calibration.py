"""What the cosines of an external text backend mean, by windows and captions of a corpus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motet.model.tokenizer import Tokenizer
from motet.music import caption
from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError
from motet.rewards.calibration import Calibration
from motet.rewards.render import Player
from motet.rewards.sound import Sound
from motet.rewards.text_backend import TextBackend
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
