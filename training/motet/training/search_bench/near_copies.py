"""Near-copies of training music among the results of the bench."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from motet.model.tokenizer import Tokenizer
from motet.training.corpus.shard import Shard
from motet.training.realism import copying
from motet.training.realism.tune import TuneReader, Tunes
from motet.training.search_bench.row import Case, Row

COPIED: Final = 16
"""Notes in a row, in whatever key and tempo, from which a tune counts as copied; see ``motet eval realism``."""

_PORTION: Final = 2048  # windows read at once: some 100 MB


def near_copies(rows: Sequence[Row], corpus: Path) -> dict[Case, int]:
    """The longest stretch of a tune, in notes, that each result shares with the training split of a corpus."""
    shard, reader = Shard.open(corpus, "train"), TuneReader(Tokenizer.load(corpus / "tokenizer"))

    def portions() -> Iterator[Tunes]:
        for start in range(0, len(shard), _PORTION):
            windows = range(start, min(start + _PORTION, len(shard)))
            tunes = reader.read([shard.tokens(window) for window in windows])
            yield replace(tunes, piece=tunes.piece + start)

    found = copying.longest(Tunes.of_scores([row.score for row in rows]), len(rows), portions())
    return {row.case: int(notes) for row, notes in zip(rows, found.notes, strict=True)}
