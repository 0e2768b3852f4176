"""The plan of a build: how many windows to cut from which piece, so that every source has its share of tokens."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from motet.training.corpus import mix, shard, split
from motet.training.corpus.config import BuildConfig
from motet.training.corpus.manifest import Piece


@dataclass(frozen=True, slots=True)
class Task:
    """Windows to cut from one piece; ``stream`` keeps the chance of different passes apart."""

    piece: Piece
    split: split.Split
    windows: int
    stream: int


class Plan:
    """How many windows to cut from which piece."""

    def __init__(self, pieces: Sequence[Piece], splits: Mapping[str, split.Split], config: BuildConfig) -> None:
        self._config = config
        self._pieces: dict[split.Split, dict[str, list[Piece]]] = {name: {} for name in split.SPLITS}
        for piece in pieces:
            self._pieces[splits[piece.id]].setdefault(piece.source, []).append(piece)

    def sample(self, windows: int) -> list[Task]:
        """About ``windows`` training windows, the sources in proportion to their shares."""
        by_source = self._pieces["train"]
        counts = {source: max(20, round(share * windows)) for source, share in self._shares("train").items()}
        return self._tasks("train", {source: counts[source] for source in counts if by_source[source]}, stream=0)

    def full(self, mean_tokens: Mapping[str, float]) -> list[Task]:
        """All windows of all splits, so that the tokens of each source have its share.

        Args:
            mean_tokens: source -> tokens that a planned window gives on average.
        """
        tasks: list[Task] = []
        for stream, name in enumerate(split.SPLITS, 1):
            shares = self._shares(name)
            # A source whose probes gave nothing has nothing to give.
            per_token = {
                source: share / mean_tokens[source]
                for source, share in shares.items()
                if mean_tokens.get(source, 0.0) > 0
            }
            scale = float(self._config.tokens)
            if name != "train":
                scale = self._config.held_out_windows / max(sum(per_token.values()), 1e-9)
            counts = {source: round(scale * value) for source, value in per_token.items()}
            tasks += self._tasks(name, counts, stream=stream)
        order = np.random.default_rng([self._config.seed, 100]).permutation(len(tasks))
        return [tasks[index] for index in order]

    def _shares(self, name: split.Split) -> dict[str, float]:
        pieces = self._pieces[name]
        return self._config.mix.of({source: float(sum(piece.bars for piece in pieces[source])) for source in pieces})

    def _tasks(self, name: split.Split, counts: Mapping[str, int], *, stream: int) -> list[Task]:
        tasks: list[Task] = []
        for source, count in sorted(counts.items()):
            pieces = self._pieces[name][source]
            rng = np.random.default_rng([self._config.seed, stream, zlib.crc32(source.encode())])
            allotted = mix.allot(pieces, count, rng)
            tasks += [Task(piece, name, int(n), stream) for piece, n in zip(pieces, allotted, strict=True) if n]
        return tasks


def mean_tokens(tasks: Sequence[Task], records: Iterable[shard.Record]) -> dict[str, float]:
    """Source -> tokens per planned window, where a window that was given up counts as planned."""
    planned: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for task in tasks:
        planned[task.piece.source] += task.windows
    for record in records:
        tokens[record.meta.source] += len(record.tokens)
    return {source: tokens[source] / count for source, count in planned.items()}
