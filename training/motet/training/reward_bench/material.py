"""The music of the bench: held-out human windows, and samples of their captions by the model."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from motet.model.checkpoint import Checkpoint
from motet.model.controls import Controls
from motet.model.decoder import Decoder, Prompt
from motet.model.text import TextEncoder
from motet.model.tokenizer import Tokenizer
from motet.music import midi
from motet.music.attributes import Attributes
from motet.music.caption import Caption, parse
from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.training.control import sample
from motet.training.corpus import catalogue
from motet.training.corpus.shard import Shard
from motet.training.corruption import settled
from motet.training.reward_bench.journal import Journal

SAMPLES_FILE: Final = "samples.jsonl"


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """A human window with its caption.

    Args:
        song: the group of all versions of the song.
        score: the window, as its tokens sound.
        bars: its length.
        caption: of it, as a person would give it.
        stated: what the caption says, all of it true.
        known: all that is true of the window.
    """

    song: str
    score: Score
    bars: int
    caption: Caption
    stated: Attributes
    known: Attributes


def pieces(corpus: Path, split: str, count: int) -> list[Piece]:
    """``count`` windows of a split, or all that there are: the first of every song, then the second ones and so on.

    Windows for infilling are left out. Raises InvalidInputError below two songs, NotFoundError without that split.
    """
    shard, tokenizer = Shard.open(corpus, split), Tokenizer.load(corpus / "tokenizer")
    songs = {entry.id: entry.song for entry in catalogue.read(corpus)}
    metas = [shard.meta(window) for window in range(len(shard))]
    seen: Counter[str] = Counter()
    order: list[tuple[int, int, str]] = []
    for window, meta in enumerate(metas):
        if not meta.infill:
            song = songs.get(meta.piece, meta.piece)
            order.append((seen[song], window, song))
            seen[song] += 1
    chosen = sorted(order)[:count]
    if len({song for *_, song in chosen}) < 2:
        raise InvalidInputError.of("pieces", f"must be of at least 2 songs of {split}", len(chosen))
    return [_piece(shard, tokenizer, window, song, metas[window].bars) for _, window, song in chosen]


def _piece(shard: Shard, tokenizer: Tokenizer, window: int, song: str, bars: int) -> Piece:
    wording, score = shard.captions(window)[0], tokenizer.decode(shard.tokens(window).tolist())
    return Piece(
        song=song,
        score=settled(score, int(score.bar_ticks()[-1])),  # as its spoiled copies are
        bars=bars,
        caption=parse(wording.text),
        stated=wording.stated,
        known=shard.attributes(window),
    )


def samples(
    checkpoint: Checkpoint, music: Sequence[Piece], each: int, *, seed: int, folder: Path | None
) -> list[tuple[Score, ...]]:
    """``each`` samples of every piece's caption in as many bars; progress to stderr.

    The first, third ... as the product draws them, held to what the parser reads in the caption; the second, fourth ...
    by the words alone, which the model may miss.

    Args:
        checkpoint: of the model.
        music: whose captions are asked for.
        each: samples a caption.
        seed: of sampling; sample i of a caption has the seed plus i.
        folder: keeps the samples, and those that it has already are not drawn again.
    """
    journal = Journal(None if folder is None else folder / SAMPLES_FILE)
    kept = {row["key"]: midi.read(base64.b64decode(row["midi"])) for row in journal.rows}
    keys = [
        [json.dumps([checkpoint.version, piece.caption.text, piece.bars, seed + turn]) for piece in music]
        for turn in range(each)
    ]
    for turn, row in enumerate(keys):
        missing = [place for place, key in enumerate(row) if key not in kept]
        if not missing:
            continue
        prompts = [
            Prompt(
                piece.caption.text, Controls.of(Attributes() if turn % 2 else piece.caption.attributes, bars=piece.bars)
            )
            for piece in (music[place] for place in missing)
        ]
        drawn = [midi.write(one) for one in sample(Decoder(checkpoint, TextEncoder.load()), prompts, seed=seed + turn)]
        kept |= {row[place]: midi.read(one) for place, one in zip(missing, drawn, strict=True)}
        journal.add(
            {"key": row[place], "midi": base64.b64encode(one).decode()}
            for place, one in zip(missing, drawn, strict=True)
        )
    return [tuple(kept[row[place]] for row in keys) for place in range(len(music))]


def others(count: int, seed: int) -> list[int]:
    """For each of ``count`` places another one, every place once: whose music stands in for it."""
    order = np.random.default_rng(seed).permutation(count)
    found = np.empty(count, np.int64)
    found[order] = np.roll(order, 1)
    return [int(place) for place in found]
