"""Cutting windows from pieces, and making training examples of them: the work that processes share."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from motet.model.header import Header
from motet.model.tokenizer import Tokenizer
from motet.music.attributes import Attributes
from motet.music.error import MotetError
from motet.music.score import Score
from motet.training.corpus import caption_writer, hole, label, shard, split, truth
from motet.training.corpus.config import BuildConfig
from motet.training.corpus.manifest import Piece
from motet.training.corpus.plan import Task
from motet.training.corpus.survey import read_piece
from motet.training.corpus.window import Cutter, Window

_ATTEMPTS = 4
"""Windows tried before a planned window is given up."""
_BATCH_WINDOWS = 500


@dataclass(slots=True)
class Harvest:
    """What was made of some tasks: records by split, and counts of what could not be used."""

    records: list[tuple[split.Split, shard.Record]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Batch:
    """A worker's job; it carries all that it needs, so that workers keep no state."""

    files: Path
    tokenizer: Path
    config: BuildConfig
    tasks: tuple[Task, ...]


def cut_batch(batch: Batch) -> Harvest:
    """Cuts all windows of a batch; what cannot be used is counted, not raised."""
    tokenizer = Tokenizer.load(batch.tokenizer)
    cut = Harvest()
    for task in batch.tasks:
        _cut_piece(task, batch.files, tokenizer, batch.config, cut)
    return cut


def _cut_piece(task: Task, files: Path, tokenizer: Tokenizer, config: BuildConfig, cut: Harvest) -> None:
    try:
        score = read_piece(files, task.piece)
    except MotetError as error:
        cut.refused[f"pieces unreadable ({error.reason})"] += 1
        return
    cutter = Cutter(score, config.window, tokenizer.supports)
    if not len(cutter.start_bars):
        cut.refused["pieces without a run of whole bars of a meter that the tokenizer has"] += 1
        return
    for index in range(task.windows):
        rng = np.random.default_rng([config.seed, task.stream, zlib.crc32(task.piece.id.encode()), index])
        window = _draw(cutter, rng, tokenizer, task)
        if window is None:
            cut.refused["windows too short, too sparse, or of changing tempo"] += 1
            continue
        cut.records.append((task.split, _record(task, window, tokenizer, rng, config)))


def _draw(cutter: Cutter, rng: np.random.Generator, tokenizer: Tokenizer, task: Task) -> Window | None:
    def encode(score: Score, transposed: int) -> list[int]:
        return tokenizer.encode(score, _header(task.piece, score, transposed))

    for _ in range(_ATTEMPTS):
        window = cutter.draw(rng, encode, vary=task.split == "train", stretchable=task.piece.tempo_known)
        if window is not None:
            return window
    return None


def _header(piece: Piece, score: Score, transposed: int) -> Header:
    return Header.of(score, label.key_of(piece, score, transposed), label.genres_of(piece))


def _record(
    task: Task, window: Window, tokenizer: Tokenizer, rng: np.random.Generator, config: BuildConfig
) -> shard.Record:
    piece = task.piece
    attributes = label.window_attributes(piece, window)
    tokens = list(window.tokens)
    infill = False
    if task.split == "train" and rng.random() < config.infill_share:
        given, missing = hole.split(window.score, window.bars, rng)
        if len(given) and len(missing):
            header = _header(piece, window.score, window.transposed)
            holed = tokenizer.encode(missing, header, given)
            infill = len(holed) <= config.window.max_tokens
            tokens = holed if infill else tokens
    return shard.Record(
        tokens=np.array(tokens, np.uint16),
        meta=shard.Meta(
            piece=piece.id,
            source=piece.source,
            licence=piece.licence,
            start_bar=window.start_bar,
            bars=window.bars,
            transposed=window.transposed,
            stretched=window.stretched,
            ends_piece=window.ends_piece,
            infill=infill,
        ),
        attributes=attributes,
        captions=_captions(piece, attributes, config.captions, rng),
    )


def _captions(
    piece: Piece, attributes: Attributes, count: int, rng: np.random.Generator
) -> tuple[shard.StatedCaption, ...]:
    """``count`` wordings, the first of them what is true of the piece's own caption, where that says anything."""
    own = truth.true_part(piece.caption, attributes) if piece.caption else None
    written = [caption_writer.write(attributes, rng) for _ in range(count if own is None else count - 1)]
    return (*([] if own is None else [own]), *written)


def batches(tasks: Sequence[Task], files: Path, tokenizer: Path, config: BuildConfig) -> Iterator[Batch]:
    """The tasks in their order, in batches of about 500 windows."""
    batch: list[Task] = []
    windows = 0
    for task in tasks:
        batch.append(task)
        windows += task.windows
        if windows >= _BATCH_WINDOWS:
            yield Batch(files, tokenizer, config, tuple(batch))
            batch, windows = [], 0
    if batch:
        yield Batch(files, tokenizer, config, tuple(batch))


def sample_scores(tasks: Sequence[Task], files: Path, config: BuildConfig) -> Iterator[Score]:
    """Scores of windows as long as drawn, for training the tokenizer before any token can be counted."""
    for task in tasks:
        try:
            score = read_piece(files, task.piece)
        except MotetError:
            continue  # counted when its windows are cut
        cutter = Cutter(score, config.window, lambda meter: True)
        rng = np.random.default_rng([config.seed, 99, zlib.crc32(task.piece.id.encode())])
        for _ in range(task.windows):
            window = cutter.draw(rng, lambda score, transposed: [], vary=True, stretchable=task.piece.tempo_known)
            if window is not None:
                yield window.score
