"""Music that is there already, and which part of it is to be written anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.model.header import DRUM_PLAYER, PLAYERS
from motet.music.error import InvalidInputError
from motet.music.score import DRUMS, Score


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seed:
    """A piece to continue, or to fill: with neither ``bars`` nor ``players`` it is continued after its last bar.

    Args:
        score: at least one note, one time signature throughout.
        bars: (first, last) bar to be written anew, from 1, both included; None with ``players``: all bars.
        players: whose part is written anew, drums ``DRUM_PLAYER``; empty with ``bars``: everybody's.

    Raises InvalidInputError that names the field.
    """

    score: Score
    bars: tuple[int, int] | None = None
    players: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.score):
            raise InvalidInputError.of("seed", "must hold at least one note", 0)
        if len(self.score.meters) > 1:
            meters = ", ".join(str(meter) for meter in self.score.meters)
            raise InvalidInputError.of("seed", "must keep one time signature", meters)
        if self.bars is not None and not 1 <= self.bars[0] <= self.bars[1] <= self.length_bars:
            raise InvalidInputError.of("seed.bars", f"must rise inside 1 to {self.length_bars}", self.bars)
        if any(not 0 <= player < PLAYERS for player in self.players):
            raise InvalidInputError.of("seed.players", f"must be from 0 to {DRUM_PLAYER}", self.players)

    @property
    def continues(self) -> bool:
        """Whether the piece is kept whole and goes on after its end."""
        return self.bars is None and not self.players

    @property
    def bar_ticks(self) -> int:
        """Length of a bar in the score's ticks."""
        return self.score.meters[0].bar_ticks(self.score.ppq)

    @property
    def length_bars(self) -> int:
        """Bars up to the last onset."""
        return int(self.score.onset[-1]) // self.bar_ticks + 1

    def open(self, bars: int) -> NDArray[np.bool_]:
        """Who may be written where: [bars, P], bars beyond the seed's included."""
        cells: NDArray[np.bool_] = np.zeros((bars, PLAYERS), np.bool_)
        if self.continues:
            cells[self.length_bars :] = True
            return cells
        first, last = self.bars or (1, self.length_bars)
        players = list(self.players) or slice(None)
        cells[first - 1 : last, players] = True
        return cells

    @property
    def kept(self) -> Score:
        """The notes that stay as they are."""
        cells = self.open(self.length_bars)
        player = np.where(self.score.program == DRUMS, DRUM_PLAYER, self.score.program)
        return self.score.select(~cells[self.score.onset // self.bar_ticks, player])
