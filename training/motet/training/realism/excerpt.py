"""Excerpts: a score and the length in bars that it is meant to have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.music.score import DRUMS, Score

GRID: Final = 24
"""Ticks a quarter to which times are brought: the tokenizer's twelfths, and those of an eighth in meters of eighths."""


@dataclass(frozen=True)
class Excerpt:
    """Some bars of music, whether or not the last of them sound.

    Args:
        score: the notes; ``bars`` bars from tick 0.
        bars: length, >= 1; notes that start later count for the last bar.
    """

    score: Score
    bars: int

    def __post_init__(self) -> None:
        if self.bars < 1:
            raise InvalidInputError.of("excerpt.bars", "must be at least 1", self.bars)

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """Ticks of the bar lines, the end of the last bar among them: [bars + 1]."""
        known = self.score.bar_ticks()
        missing = self.bars + 1 - len(known)
        length = self.score.meters[-1].bar_ticks(self.score.ppq)
        return np.concatenate([known[: self.bars + 1], known[-1] + length * np.arange(1, missing + 1)])

    @cached_property
    def bar(self) -> NDArray[np.int64]:
        """The bar of each note: [N], 0 to bars - 1."""
        return np.minimum(np.searchsorted(self.edges, self.score.onset, side="right") - 1, self.bars - 1)

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """The time of each note since its bar line, in ticks of ``GRID``: [N]."""
        return (self.score.onset - self.edges[self.bar]) * GRID // self.score.ppq

    @cached_property
    def pitched(self) -> NDArray[np.bool_]:
        """Which notes are not strokes of the drums: [N]."""
        return np.asarray(self.score.program != DRUMS)
