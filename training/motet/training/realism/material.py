"""The material of a comparison: human windows of held-out captions, a model's samples of the same, and other songs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from motet.model.checkpoint import Checkpoint
from motet.model.controls import Controls
from motet.model.decoder import Decoder, Prompt
from motet.model.text import TextEncoder
from motet.model.tokenizer import Tokenizer
from motet.music.caption import parse_attributes
from motet.music.error import InvalidInputError
from motet.training.control import sample
from motet.training.corpus.shard import Shard
from motet.training.realism.excerpt import Excerpt


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Excerpts, and for each the song that it belongs to or was written for; at least two songs."""

    excerpts: tuple[Excerpt, ...]
    songs: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.excerpts) != len(self.songs):
            raise InvalidInputError.of(
                "collection.songs", "must be one for each excerpt", (len(self.songs), len(self.excerpts))
            )
        if len(set(self.songs)) < 2:
            raise InvalidInputError.of("collection.songs", "must be at least 2", len(set(self.songs)))


@dataclass(frozen=True, kw_only=True)
class Material:
    """What is compared.

    Args:
        human: windows of held-out captions.
        model: for each of them, one sample of its caption in as many bars.
        other: human windows of other songs.
    """

    human: Collection
    model: Collection
    other: Collection


def human(shard: Shard, windows: range, tokenizer: Tokenizer) -> Collection:
    """Windows as their tokens sound, so that both sides of a comparison are equally rounded."""
    metas = [shard.meta(window) for window in windows]
    return Collection(
        excerpts=tuple(
            Excerpt(tokenizer.decode(shard.tokens(window).tolist()), meta.bars)
            for window, meta in zip(windows, metas, strict=True)
        ),
        songs=tuple(meta.piece for meta in metas),
    )


def gather(checkpoint: Checkpoint, corpus: Path, *, split: str, captions: int, seed: int) -> Material:
    """Samples the first ``captions`` windows of a split as ``motet eval control`` does by default; progress to stderr.

    The other songs are as many windows of the other one of "valid" and "test": splits have no song in common.

    Raises InvalidInputError below two songs, NotFoundError without the splits.
    """
    shard, others = Shard.open(corpus, split), Shard.open(corpus, "valid" if split == "test" else "test")
    windows = range(min(captions, len(shard)))
    tokenizer = Tokenizer.load(corpus / "tokenizer")
    theirs = human(shard, windows, tokenizer)
    bars = [excerpt.bars for excerpt in theirs.excerpts]
    texts = [shard.captions(window)[0].text for window in windows]
    prompts = [
        Prompt(text, Controls.of(parse_attributes(text), bars=length)) for text, length in zip(texts, bars, strict=True)
    ]
    scores = sample(Decoder(checkpoint, TextEncoder.load()), prompts, seed=seed)
    return Material(
        human=theirs,
        model=replace(theirs, excerpts=tuple(map(Excerpt, scores, bars))),
        other=human(others, range(min(captions, len(others))), tokenizer),
    )
