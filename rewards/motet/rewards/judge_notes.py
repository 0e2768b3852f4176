"""Notes as the judge knows them: on a grid, with plain lengths and none twice, and what sounds together when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music.score import DRUMS, Score

STEPS: Final = 12
"""Steps of the grid in a quarter."""
LENGTHS: Final = np.array([1, 2, 3, 4, 6, 8, 9, 12, 15, 18, 21, 24, 30, 36, 48, 60, 72, 96, 120, 144])
"""Every note has one of these, in steps."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_OCTAVE: Final = 12


@dataclass(frozen=True, eq=False)
class Notes:
    """Notes in one form: ``N`` of them, by time, player and pitch.

    ``edges`` [bars + 1] are the bar lines in steps.
    """

    time: Ints
    length: Ints
    pitch: Ints
    player: Ints
    bar: Ints
    edges: Ints

    @property
    def pitched(self) -> NDArray[np.bool_]:
        """Which are not strokes of the drums: [N]."""
        return np.asarray(self.player != DRUMS)

    def only(self, keep: NDArray[np.bool_]) -> Notes:
        """Those where ``keep`` [N] is true."""
        return replace(
            self,
            time=self.time[keep],
            length=self.length[keep],
            pitch=self.pitch[keep],
            player=self.player[keep],
            bar=self.bar[keep],
        )


def notes_of(score: Score, bars: int) -> Notes:
    """The first bars of a score; a note ends where its player strikes the pitch anew, and with the last bar."""
    starts = score.bar_ticks()
    missing = bars + 1 - len(starts)
    length = score.meters[-1].bar_ticks(score.ppq)
    starts = np.concatenate([starts[: bars + 1], starts[-1] + length * np.arange(1, missing + 1)])
    place = np.clip(np.searchsorted(starts, score.onset, side="right") - 1, 0, bars - 1)
    scale = STEPS / score.ppq
    edges = np.concatenate([[0], np.cumsum(np.maximum(np.rint(np.diff(starts) * scale), 1))]).astype(np.int64)
    time = edges[place] + np.rint((score.onset - starts[place]) * scale).astype(np.int64)
    time = np.minimum(time, edges[-1] - 1)
    player, pitch = score.program.astype(np.int64), score.pitch.astype(np.int64)
    wanted = np.maximum(score.duration * scale, 1)
    order = np.lexsort((-wanted, time, pitch, player))
    time, pitch, player, wanted = time[order], pitch[order], player[order], wanted[order]
    same = (np.diff(player) == 0) & (np.diff(pitch) == 0)
    once = np.append(True, ~(same & (np.diff(time) == 0)))
    time, pitch, player, wanted = time[once], pitch[once], player[once], wanted[once]
    same = (np.diff(player) == 0) & (np.diff(pitch) == 0)
    free = np.where(np.append(same, False), np.append(np.diff(time), 0), edges[-1] - time)
    wanted = np.where(player == DRUMS, 1, np.minimum(wanted, np.maximum(free, 1)))
    sounding = LENGTHS[np.maximum(np.searchsorted(LENGTHS, wanted + 0.5, side="right") - 1, 0)]
    order = np.lexsort((pitch, player, time))
    return Notes(
        time=time[order],
        length=sounding[order],
        pitch=pitch[order],
        player=player[order],
        bar=np.searchsorted(edges, time[order], side="right") - 1,
        edges=edges,
    )


@dataclass(frozen=True, eq=False)
class Sounding:
    """What sounds when: ``E`` spans of time in which nothing begins or ends, cut at quarters of bars as well.

    Args:
        starts: [E + 1] in steps.
        pitches: [E, 128] how many players sound a pitch.
    """

    starts: Ints
    pitches: Floats

    @classmethod
    def of(cls, pitched: Notes) -> Sounding:
        """What sounds of some notes, drums left out before."""
        end = int(pitched.edges[-1])
        off = np.minimum(pitched.time + pitched.length, end)
        starts = np.unique(np.concatenate([pitched.time, off, cut(pitched.edges, 4)]))
        change = np.zeros((len(starts), 128))
        np.add.at(change, (np.searchsorted(starts, pitched.time), pitched.pitch), 1)
        np.add.at(change, (np.searchsorted(starts, off), pitched.pitch), -1)
        return cls(starts, np.cumsum(change, axis=0)[:-1])

    @cached_property
    def span(self) -> Floats:
        """[E, 1] lengths in steps."""
        return np.diff(self.starts)[:, None].astype(np.float64)

    @cached_property
    def sounding(self) -> Floats:
        """[E, 128] 1 where a pitch sounds."""
        return (self.pitches > 0).astype(np.float64)

    @cached_property
    def classes(self) -> Floats:
        """[E, 12] how many notes of a pitch class sound."""
        padded = np.concatenate([self.pitches, np.zeros((len(self.pitches), 4))], axis=1)
        return np.asarray(padded.reshape(len(self.pitches), 11, _OCTAVE).sum(axis=1))

    @cached_property
    def total(self) -> Floats:
        """[12] share of each pitch class in the sounding time."""
        time = (self.classes * self.span).sum(axis=0)
        return np.asarray(time / max(float(time.sum()), 1e-9))

    def between(self, rows: Floats, edges: Ints) -> Floats:
        """Sums over time of rows [E, ...] from each of ``edges``, which are starts, to the next."""
        total = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows * self.span, axis=0)])
        place = np.searchsorted(self.starts, edges)
        return np.asarray(total[place[1:]] - total[place[:-1]])


def edge_notes(notes: Notes, *, top: bool) -> Notes:
    """The highest, or lowest, of the notes that begin together."""
    order = np.lexsort((-notes.pitch if top else notes.pitch, notes.time))
    first = np.append(True, np.diff(notes.time[order]) != 0)[: len(order)]
    keep = np.zeros(len(order), np.bool_)
    keep[order[first]] = True
    return notes.only(keep)


def cut(edges: Ints, parts: int) -> Ints:
    """Every bar cut into equal parts: [bars * parts + 1]."""
    inner = edges[:-1, None] + np.diff(edges)[:, None] * np.arange(parts) // parts
    return np.append(inner.ravel(), edges[-1])
