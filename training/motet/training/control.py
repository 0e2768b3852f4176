"""How well a model does what captions say: one sample a caption, no search, against shuffled captions and human music.

Every rate is over the held-out captions that state the attribute. The tables use the field's names: TB and TBT (tempo
bin, and with one bin of tolerance, bins at 40, 60, 70, 90, 110, 140, 160, 210 BPM), CK (correct key) and CKD (or its
relative), as in MidiCaps (arXiv 2406.02255) and Mustango (arXiv 2311.08355).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from motet.model.checkpoint import Checkpoint
from motet.model.controls import MAX_BARS, Controls
from motet.model.decoder import Decoder, Prompt
from motet.model.text import TextEncoder
from motet.model.tokenizer import Tokenizer
from motet.music.attributes import Attributes
from motet.music.caption import parse_attributes
from motet.music.describe import describe
from motet.music.error import InvalidInputError
from motet.music.instrument import family_of
from motet.music.score import Score
from motet.training.batch import IGNORED, Collator
from motet.training.corpus.shard import Shard

TEMPO_BINS_BPM: Final = (40, 60, 70, 90, 110, 140, 160, 210)


@dataclass(frozen=True, slots=True)
class Rate:
    """A mean over ``count`` captions; both 0 where no caption states the attribute."""

    value: float
    count: int


def _tempo_bin(bpm: float) -> int:
    return int(np.searchsorted(TEMPO_BINS_BPM, bpm, side="left"))


def _f1(asked: set[object], found: set[object]) -> float:
    return 2 * len(asked & found) / (len(asked) + len(found)) if asked or found else 1.0


def _tempo_bin_equal(asked: Attributes, found: Attributes) -> float | None:
    if asked.tempo_bpm is None:
        return None
    return float(found.tempo_bpm is not None and _tempo_bin(asked.tempo_bpm) == _tempo_bin(found.tempo_bpm))


def _tempo_bin_near(asked: Attributes, found: Attributes) -> float | None:
    if asked.tempo_bpm is None:
        return None
    return float(found.tempo_bpm is not None and abs(_tempo_bin(asked.tempo_bpm) - _tempo_bin(found.tempo_bpm)) <= 1)


def _key(asked: Attributes, found: Attributes) -> float | None:
    return None if asked.key is None else float(found.key == asked.key)


def _key_or_relative(asked: Attributes, found: Attributes) -> float | None:
    return None if asked.key is None else float(found.key in (asked.key, asked.key.relative))


def _meter(asked: Attributes, found: Attributes) -> float | None:
    if asked.meter is None:
        return None
    return float(found.meter is not None and found.meter.in_quarters == asked.meter.in_quarters)


def _instruments(asked: Attributes, found: Attributes) -> float | None:
    return _f1(set(asked.instruments), set(found.instruments)) if asked.instruments else None


def _families(asked: Attributes, found: Attributes) -> float | None:
    if not asked.instruments:
        return None
    return _f1(
        {family_of(program) for program in asked.instruments}, {family_of(program) for program in found.instruments}
    )


def _drums(asked: Attributes, found: Attributes) -> float | None:
    return None if asked.drums is None else float(bool(found.drums) == asked.drums)


MEASURES: Final[dict[str, Callable[[Attributes, Attributes], float | None]]] = {
    "tempo bin (TB)": _tempo_bin_equal,
    "tempo bin ± 1 (TBT)": _tempo_bin_near,
    "key (CK)": _key,
    "key or relative (CKD)": _key_or_relative,
    "time signature": _meter,
    "instruments, F1": _instruments,
    "instrument families, F1": _families,
    "drums on/off": _drums,
}
"""Each compares what a caption asks for with what a score is; None where the caption does not say."""


def rates(asked: Sequence[Attributes], found: Sequence[Attributes]) -> dict[str, Rate]:
    """Mean of every measure over the pairs that it applies to."""
    table: dict[str, Rate] = {}
    for name, measure in MEASURES.items():
        values = [value for pair in zip(asked, found, strict=True) if (value := measure(*pair)) is not None]
        table[name] = Rate(float(np.mean(values)) if values else 0.0, len(values))
    return table


@dataclass(frozen=True, kw_only=True)
class ControlReport:
    """Loss in nats a token, and rates, by row of the table.

    Args:
        captions: number of held-out captions.
        seed: of sampling.
        loss: held-out loss by condition ("own caption", "shuffled captions", "no caption"); empty for an imported
            model.
        columns: rates by what was measured.
    """

    captions: int
    seed: int
    loss: dict[str, float]
    columns: dict[str, dict[str, Rate]]

    def table(self) -> str:
        """The report as a Markdown table; a dash where no caption states the attribute."""
        names = list(self.columns)
        lines = [f"| | {' | '.join(names)} | n |", f"|---|{'---|' * (len(names) + 1)}"]
        for measure in MEASURES:
            rates = [self.columns[name][measure] for name in names]
            cells = [f"{100 * rate.value:.1f}" if rate.count else "–" for rate in rates]
            lines.append(f"| {measure} | {' | '.join(cells)} | {self.columns[names[0]][measure].count} |")
        if self.loss:
            losses = "; ".join(f"{name} {value:.3f}" for name, value in self.loss.items())
            lines += ["", f"Held-out loss, nats a token: {losses}."]
        return "\n".join(lines)


def _shuffled(count: int) -> NDArray[np.intp]:
    """A reordering without fixed points, from 2 on: everybody gets the caption half-way round."""
    return np.roll(np.arange(count), count // 2)


@torch.inference_mode()
def held_out_loss(checkpoint: Checkpoint, shard: Shard, windows: Sequence[int], text: TextEncoder) -> dict[str, float]:
    """Mean loss under each window's own caption, another window's, and none; a model of our own architecture alone."""
    network, tokenizer = checkpoint.own
    collate = Collator(tokenizer, text)
    captions = [shard.captions(window)[0] for window in windows]
    order = _shuffled(len(windows))
    conditions = {
        "own caption": (captions, True),
        "shuffled captions": ([captions[index] for index in order], True),
        "no caption": (captions, False),
    }
    losses: dict[str, float] = {}
    for name, (chosen, keep) in conditions.items():
        total = count = 0.0
        for rows in np.array_split(np.arange(len(windows)), max(1, len(windows) // 8)):
            batch = collate(
                [shard.tokens(windows[row]) for row in rows],
                [chosen[row].text for row in rows],
                [shard.meta(windows[row]).ends_piece for row in rows],
                np.full(len(rows), keep),
            )
            total += float(batch.losses(network).sum())
            count += float((batch.labels != IGNORED).sum())
        losses[name] = total / count
    return losses


def sample(decoder: Decoder, prompts: Sequence[Prompt], *, seed: int, rows: int = 16) -> list[Score]:
    """One plain sample a prompt, ``rows`` at a time, those of similar length together; prompt i draws from stream i."""
    scores: dict[int, Score] = {}
    order = sorted(range(len(prompts)), key=lambda index: prompts[index].controls.bars)
    for start in range(0, len(order), rows):
        group = order[start : start + rows]
        batch = decoder.open([prompts[index] for index in group], seed=seed, streams=np.array(group, np.int64))
        batch.advance(MAX_BARS)
        scores |= {index: batch.score(row) for row, index in enumerate(group)}
        sys.stderr.write(f"\rsampled {len(scores)} of {len(prompts)} ")
        sys.stderr.flush()
    sys.stderr.write("\n")
    return [scores[index] for index in range(len(prompts))]


def measure(checkpoint: Checkpoint, corpus: Path, *, split: str, captions: int, seed: int) -> ControlReport:
    """The whole report on the first ``captions`` windows of a split.

    "default" is the product's: the words, and what the parser reads in them as hard constraints. "words alone" leaves
    it to the model to follow the words. "shuffled" holds the default's samples against other windows' captions: the
    floor. "human" is the music that the captions were written from: the ceiling of the describing side.

    Raises InvalidInputError below two captions, which leave nothing to shuffle, NotFoundError without that split.
    """
    if captions < 2:
        raise InvalidInputError.of("captions", "must be at least 2", captions)
    shard = Shard.open(corpus, split)
    if len(shard) < 2:
        raise InvalidInputError.of("corpus", f"must hold at least 2 windows in {split}", len(shard))
    windows = range(min(captions, len(shard)))
    text = TextEncoder.load()
    decoder = Decoder(checkpoint, text)
    stated = [shard.captions(window)[0] for window in windows]
    asked = [caption.stated for caption in stated]
    bars = [shard.meta(window).bars for window in windows]

    def sampled(attributes: Sequence[Attributes]) -> list[Attributes]:
        prompts = [
            Prompt(caption.text, Controls.of(known, bars=length))
            for caption, known, length in zip(stated, attributes, bars, strict=True)
        ]
        return [describe(score) for score in sample(decoder, prompts, seed=seed)]

    default = sampled([parse_attributes(caption.text) for caption in stated])
    tokenizer = Tokenizer.load(corpus / "tokenizer")
    human = [describe(tokenizer.decode(shard.tokens(window).tolist())) for window in windows]
    order = _shuffled(len(asked))
    return ControlReport(
        captions=len(asked),
        seed=seed,
        # Losses per token compare only between models of one vocabulary.
        loss=held_out_loss(checkpoint, shard, list(windows), text) if checkpoint.is_own else {},
        columns={
            "default": rates(asked, default),
            "words alone": rates(asked, sampled([Attributes()] * len(stated))),
            "shuffled": rates([asked[index] for index in order], default),
            "human": rates(asked, human),
        },
    )
