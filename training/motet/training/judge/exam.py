"""What the judge is examined on: held-out windows, the same spoiled in every way, and a model's samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.model.checkpoint import Checkpoint
from motet.model.controls import Controls
from motet.model.decoder import Decoder, Prompt
from motet.model.text import TextEncoder
from motet.model.tokenizer import Tokenizer
from motet.music.attributes import Attributes
from motet.music.caption import parse_attributes
from motet.music.score import Score
from motet.training.control import sample
from motet.training.corpus import catalogue
from motet.training.corpus.shard import Shard, StatedCaption
from motet.training.corruption import CORRUPTIONS, corrupt
from motet.training.judge.data import Readings, is_music

SEVERITIES: Final = (0.25, 0.5, 1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Exam:
    """``N`` held-out windows, of which ``M`` are examples of music.

    Args:
        scores, attributes, captions: [N] the windows, what is known of them, and their wordings.
        song: [N] number of the song group.
        whole: [N] readings.
        musical: [M] rows.
        spoilt: kind of corruption -> for each of ``SEVERITIES``, [M] readings.
        sampled: [K] rows, examples of music, of which a model has written a version of its own.
        samples: [K] those versions.
    """

    scores: list[Score]
    attributes: list[Attributes]
    captions: list[list[StatedCaption]]
    song: NDArray[np.intp]
    whole: Readings
    musical: NDArray[np.intp]
    spoilt: dict[str, list[Readings]]
    sampled: NDArray[np.intp]
    samples: list[Score]

    def __len__(self) -> int:
        return len(self.scores)


def exam(
    corpus: Path,
    split: str,
    windows: NDArray[np.intp],
    *,
    musical: int,
    samples: Sequence[tuple[int, Score]] = (),
    kinds: Sequence[str] = tuple(CORRUPTIONS),
    seed: int,
    progress: Callable[[str], None],
) -> Exam:
    """An exam of some windows of a split.

    Args:
        corpus: folder of the corpus.
        split: "valid" or "test".
        windows: [N] of it.
        musical: of how many of them spoiled versions are made, at most; drawn at random.
        samples: (window, a model's version of it); of windows that are not an example of music they are left out.
        kinds: of corruption.
        seed: of the draw and the corruptions.
        progress: takes a line of news.
    """
    shard, tokenizer = Shard.open(corpus, split), Tokenizer.load(corpus / "tokenizer")
    metas = [shard.meta(int(window)) for window in windows]
    songs = {entry.id: entry.song for entry in catalogue.read(corpus)}
    scores = [tokenizer.decode(shard.tokens(int(window)).tolist()) for window in windows]
    fit = [row for row, score in enumerate(scores) if is_music(score, metas[row].source)]
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(np.array(fit, np.intp))[:musical])
    progress(f"{split}: {len(windows)} windows, of which {len(rows)} are spoiled in {len(kinds)} ways")
    spoilt: dict[str, list[Readings]] = {}
    for place, kind in enumerate(kinds):
        versions = [
            [
                corrupt(scores[row], kind, severity, np.random.default_rng([seed, row, place]), other=other)
                for row, other in zip(rows, (scores[one] for one in np.roll(rows, 1)), strict=True)
            ]
            for severity in SEVERITIES
        ]
        spoilt[kind] = [Readings.of(version) for version in versions]
    place_of = {int(window): row for row, window in enumerate(windows)}
    music = set(fit)
    sampled = [(place_of[window], score) for window, score in samples if place_of.get(window) in music]
    return Exam(
        scores=scores,
        attributes=[shard.attributes(int(window)) for window in windows],
        captions=[list(shard.captions(int(window))) for window in windows],
        song=np.unique([songs[meta.piece] for meta in metas], return_inverse=True)[1].astype(np.intp),
        whole=Readings.of(scores),
        musical=rows,
        spoilt=spoilt,
        sampled=np.array([row for row, _ in sampled], np.intp),
        samples=[score for _, score in sampled],
    )


def sampled(
    checkpoint: Checkpoint, corpus: Path, split: str, windows: NDArray[np.intp], *, seed: int
) -> list[tuple[int, Score]]:
    """For each window a sample of its first caption, in as many bars, as the product samples by default."""
    shard = Shard.open(corpus, split)
    prompts = []
    for window in windows:
        text = shard.captions(int(window))[0].text
        prompts.append(Prompt(text, Controls.of(parse_attributes(text), bars=shard.meta(int(window)).bars)))
    scores = sample(Decoder(checkpoint, TextEncoder.load()), prompts, seed=seed)
    return [(int(window), score) for window, score in zip(windows, scores, strict=True)]
