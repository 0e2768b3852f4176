"""Tunes: the top voice of every pitched player as a run of moves, by which a stretch is known in any key and tempo.

A move is the interval in semitones from the note before and the time since its onset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.model.tokenizer import Tokenizer
from motet.music.score import DRUMS, Score
from motet.training.realism.excerpt import GRID

_LONGEST_GAP: Final = 4095
_BASE: Final = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_KINDS: Final = {
    name: index for index, name in enumerate(("", "Bar", "Write", "TimeSig", "Position", "Program", "Pitch"))
}


@dataclass(frozen=True)
class Tunes:
    """The tunes of many pieces, end to end.

    Args:
        piece: [N] the piece that each note belongs to, ascending.
        player: [N] the program that plays it, 0 to 127.
        onset: [N] ticks of ``GRID``, rising within a tune.
        pitch: [N] MIDI pitch, or semitones above anything that stays the same within a piece.
    """

    piece: NDArray[np.int64]
    player: NDArray[np.int64]
    onset: NDArray[np.int64]
    pitch: NDArray[np.int64]

    @classmethod
    def of_notes(
        cls,
        piece: NDArray[np.int64],
        program: NDArray[np.int64],
        onset: NDArray[np.int64],
        pitch: NDArray[np.int64],
    ) -> Tunes:
        """The highest of the notes that a player starts together; columns [notes] in any order, drums left out."""
        order = np.lexsort((pitch, onset, program, piece))
        order = order[program[order] != DRUMS]
        piece, program, onset, pitch = piece[order], program[order], onset[order], pitch[order]
        top = np.ones(len(piece), np.bool_)
        top[:-1] = (np.diff(piece) != 0) | (np.diff(program) != 0) | (np.diff(onset) != 0)
        return cls(piece[top], program[top], onset[top], pitch[top])

    @classmethod
    def of_scores(cls, scores: Sequence[Score]) -> Tunes:
        """The tunes of scores; the piece is the score's place in the list."""

        def column(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
            return np.concatenate([np.zeros(0, np.int64), *parts])

        return cls.of_notes(
            np.repeat(np.arange(len(scores)), [len(score) for score in scores]),
            column([score.program.astype(np.int64) for score in scores]),
            column([score.onset * GRID // score.ppq for score in scores]),
            column([score.pitch.astype(np.int64) for score in scores]),
        )

    def __len__(self) -> int:
        return len(self.piece)

    @cached_property
    def starts(self) -> NDArray[np.bool_]:
        """[N] whether a note is the first of its tune."""
        first = np.ones(len(self), np.bool_)
        first[1:] = (np.diff(self.piece) != 0) | (np.diff(self.player) != 0)
        return first

    @cached_property
    def left(self) -> NDArray[np.int64]:
        """[N] notes of the tune from this one on, itself included."""
        return run_lengths(np.append(~self.starts[1:], False)) + 1

    @cached_property
    def moves(self) -> NDArray[np.int64]:
        """[N] the move to each note from the one before, as a number; 0 at the start of a tune."""
        interval = np.diff(self.pitch, prepend=0)
        gap = np.clip(np.diff(self.onset, prepend=0), 0, _LONGEST_GAP)
        return np.where(self.starts, 0, (interval + 128) * (_LONGEST_GAP + 1) + gap)

    def hashes(self, first: NDArray[np.int64], notes: int) -> NDArray[np.uint64]:
        """[K] equal for equal moves: of ``notes`` notes from each of ``first`` [K] on, all within their tunes.

        Two different stretches share one with a chance of some 2^-64.
        """
        sums, inverse = self._powers
        return np.asarray((sums[first + notes - 1] - sums[first]) * inverse[first], np.uint64)

    @cached_property
    def _powers(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """[N] sums of the mixed moves times rising powers of the base, and the powers that undo a start."""
        base = np.full(len(self), _BASE, np.uint64)
        base[:1] = 1
        undo = np.full(len(self), pow(_BASE, -1, 2**64), np.uint64)
        undo[:1] = 1
        mixed = _mixed(self.moves.astype(np.uint64))
        return np.cumsum(mixed * np.cumprod(base), dtype=np.uint64), np.cumprod(undo)


def run_lengths(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """[N] how many flags are set in a row from each one on."""
    place = np.arange(len(flags))
    stop = np.minimum.accumulate(np.where(flags, len(flags), place)[::-1])[::-1]
    return stop - place


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The splitmix64 finaliser (Steele, Lea, Flood, OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class TuneReader:
    """Reads tunes from token ids without building scores: many windows at once, some twenty times as fast.

    Args:
        tokenizer: that wrote the windows.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        kinds: list[int] = []
        values: list[int] = []
        bounds = [0]
        for token in range(len(tokenizer)):
            for name in tokenizer.expansion(token):
                kind, _, value = name.partition("_")
                kinds.append(_KINDS.get(kind, 0))
                values.append(
                    _bar_length(value) if kind == "TimeSig" else int(value) if kinds[-1] > _KINDS["TimeSig"] else 0
                )
            bounds.append(len(kinds))
        self._kinds, self._values = np.array(kinds, np.int8), np.array(values, np.int64)
        self._starts, self._counts = np.array(bounds[:-1]), np.diff(bounds)

    def read(self, windows: Sequence[NDArray[np.uint16]]) -> Tunes:
        """The tunes of windows of one meter each, given music and all; the piece is the window's place in the list."""
        tokens = np.concatenate([np.zeros(0, np.uint16), *windows])
        counts = self._counts[tokens]
        ends = np.cumsum(counts)
        where = np.arange(counts.sum()) + np.repeat(self._starts[tokens] - ends + counts, counts)
        kind, value = self._kinds[where], self._values[where]
        window = np.repeat(np.repeat(np.arange(len(windows)), [len(each) for each in windows]), counts)
        note = np.flatnonzero(kind == _KINDS["Pitch"])

        def in_force(name: str) -> NDArray[np.int64]:
            """The place of the last token of a kind before each note."""
            is_kind = kind == _KINDS[name]
            return np.maximum.accumulate(np.where(is_kind, np.arange(len(kind)), 0))[note]

        meter = value[in_force("TimeSig")]
        length, unit = np.divmod(meter, 256)
        bars = np.cumsum(kind == _KINDS["Bar"])
        # Bars are counted from the start of the window, and anew after the music that is given.
        start = np.maximum(np.searchsorted(window, window[note]), in_force("Write"))
        before = np.concatenate([np.zeros(1, np.int64), bars])[start]
        onset = (bars[note] - before - 1) * length + value[in_force("Position")] * unit
        return Tunes.of_notes(window[note], value[in_force("Program")], onset, value[note])


def _bar_length(meter: str) -> int:
    """The ticks of a bar and those of a position, which is a twelfth of a beat, as one number."""
    beats, unit = (int(part) for part in meter.split("/"))
    return 4 * GRID * beats // unit * 256 + 4 * GRID // unit // 12
