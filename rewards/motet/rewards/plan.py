"""What is to be played: the notes of a stretch of a score as events on the synthesizer's grid."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.music.score import DRUMS, Score

BLOCK = 64
"""FluidSynth's internal block in samples; every event falls on one, so that none of them is ever left half used."""

MAX_DURATION_S = 20 * 60.0
MAX_NOTES = 200_000

_SURE_TO_SOUND_S = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What is to be played, ready for the synthesizer: ``E`` note events in playing order, times in blocks.

    Two plans with one ``digest`` sound the same, bit for bit, on one player.
    """

    block: NDArray[np.int64]  # [E] ascending
    is_on: NDArray[np.bool_]  # [E]
    program: NDArray[np.int64]  # [E] 0..127 or DRUMS
    pitch: NDArray[np.int64]  # [E] 0..127
    velocity: NDArray[np.int64]  # [E] 1..127, 0 for note ends
    blocks: int  # length without the tail
    tail_s: float
    notes: int
    sure_to_sound: bool  # notes in every instrument's range sound for long enough to be heard

    @classmethod
    def of(cls, score: Score, start_s: float, end_s: float, *, rate_hz: int, tail_s: float = 0.0) -> Plan:
        """Seconds [start, end) of a score at ``rate_hz`` and a tail of at most ``tail_s``; cheap.

        Only notes sounding there are played; those already sounding at the start are struck again at the start.
        Raises InvalidInputError when not 0 <= start < end, for more than 20 minutes or for more than 200,000 notes.
        """
        if not 0 <= start_s < end_s:
            raise InvalidInputError.of("start_s, end_s", "must satisfy 0 <= start < end", (start_s, end_s))
        if end_s - start_s > MAX_DURATION_S:
            rule = f"must be at most {MAX_DURATION_S:.0f} seconds to be rendered"
            raise InvalidInputError.of("score.duration_s", rule, round(end_s - start_s, 1))
        on_s, off_s = score.seconds(score.onset), score.seconds(score.onset + score.duration)
        here = np.flatnonzero((on_s < end_s) & (off_s > start_s))
        if len(here) > MAX_NOTES:
            raise InvalidInputError.of("score", f"must have at most {MAX_NOTES} notes to be rendered", len(here))
        blocks_per_s = rate_hz / BLOCK
        blocks = max(1, round((end_s - start_s) * blocks_per_s))
        on = np.rint((np.maximum(on_s[here], start_s) - start_s) * blocks_per_s).astype(np.int64)
        off = np.rint((np.minimum(off_s[here], end_s) - start_s) * blocks_per_s).astype(np.int64)
        on = np.minimum(on, blocks - 1)
        off = np.maximum(off, on + 1)
        notes = np.stack(
            [on, score.program[here], score.pitch[here], off, score.velocity[here]], axis=1, dtype=np.int64
        )
        return cls.of_notes(_merge_unisons(notes), blocks, blocks_per_s=blocks_per_s, tail_s=tail_s)

    @classmethod
    def of_notes(cls, notes: NDArray[np.int64], blocks: int, *, blocks_per_s: float, tail_s: float = 0.0) -> Plan:
        """The plan of notes [N, (on, program, pitch, off, velocity)], times in blocks; no two share the first three."""
        count = len(notes)
        block = np.concatenate([notes[:, 0], notes[:, 3]])
        is_on = np.arange(2 * count) < count
        program = np.tile(notes[:, 1], 2)
        pitch = np.tile(notes[:, 2], 2)
        velocity = np.concatenate([notes[:, 4], np.zeros(count, np.int64)])
        order = np.lexsort((pitch, program, is_on, block))  # ends before beginnings
        drums = notes[:, 1] == DRUMS
        low, high = np.where(drums, 35, 48), np.where(drums, 59, 72)
        plain = (notes[:, 2] >= low) & (notes[:, 2] <= high) & (notes[:, 4] >= 32)
        sounding_s = float((notes[plain, 3] - notes[plain, 0]).max(initial=0)) / blocks_per_s
        return cls(
            block=block[order],
            is_on=is_on[order],
            program=program[order],
            pitch=pitch[order],
            velocity=velocity[order],
            blocks=blocks,
            tail_s=tail_s,
            notes=count,
            sure_to_sound=sounding_s >= _SURE_TO_SOUND_S,
        )

    @classmethod
    def test_tone(cls) -> Plan:
        """Middle C on a piano for 2 s at 8 kHz (less at higher rates): no soundfont fit for music is silent on it."""
        return cls.of_notes(np.array([[0, 0, 60, 250, 100]], np.int64), 250, blocks_per_s=8000 / BLOCK)

    def parts(self, blocks: int, *, blocks_per_s: float) -> list[tuple[int, Plan]]:
        """Plans of the notes that begin in each stretch of ``blocks``, with the block at which each is to be heard.

        Without effects a synthesizer adds up its voices, so the parts, each ringing on to the end of the whole, sum up
        to it, but for drums that cut each other short across two parts. A part depends on the notes that begin in it
        alone, and on when one of another part strikes one of its keys again.
        """
        notes = self._released()
        found = []
        for stretch in np.unique(notes[:, 0] // blocks).tolist():
            mine = notes[notes[:, 0] // blocks == stretch]
            start = stretch * blocks
            mine[:, [0, 3]] -= start
            end = int(mine[:, 3].max())
            rest_s = (self.blocks - start - end + 0.5) / blocks_per_s + self.tail_s
            found.append((start, Plan.of_notes(mine, end, blocks_per_s=blocks_per_s, tail_s=rest_s)))
        return found

    def _released(self) -> NDArray[np.int64]:
        """The notes [N, (on, program, pitch, off, velocity)] as keys release them: a key struck again lets go first."""
        notes: list[list[int]] = []
        newest: dict[tuple[int, int], list[int]] = {}
        held: dict[tuple[int, int], int] = {}
        events = (self.block, self.is_on, self.program, self.pitch, self.velocity)
        for block, is_on, program, pitch, velocity in zip(*(column.tolist() for column in events), strict=True):
            key = (program, pitch)
            held[key] = held.get(key, 0) + (1 if is_on else -1)
            if key in newest and (is_on or not held[key]):
                newest.pop(key)[3] = block
            if is_on:
                notes.append([block, program, pitch, block, velocity])
                newest[key] = notes[-1]
        return np.array(notes, np.int64).reshape(-1, 5)

    @cached_property
    def digest(self) -> bytes:
        """sha256 over all that decides the sound (32 bytes)."""
        hasher = hashlib.sha256(np.array([self.blocks, round(self.tail_s * 1e6)], np.int64).tobytes())
        for column in (self.block, self.is_on, self.program, self.pitch, self.velocity):
            hasher.update(np.ascontiguousarray(column).tobytes())
        return hasher.digest()


def _merge_unisons(notes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Notes [N, (on, program, pitch, off, velocity)] struck together on one key become one, as long and loud as any."""
    if not len(notes):
        return notes
    notes = notes[np.lexsort((notes[:, 2], notes[:, 1], notes[:, 0]))]
    first = np.flatnonzero(np.concatenate(([True], np.any(notes[1:, :3] != notes[:-1, :3], axis=1))))
    merged = notes[first]
    merged[:, 3] = np.maximum.reduceat(notes[:, 3], first)
    merged[:, 4] = np.maximum.reduceat(notes[:, 4], first)
    return merged
