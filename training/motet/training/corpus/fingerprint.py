"""What a piece is recognised by, whatever its key and tempo: a digest of all notes, and a sketch of its melodies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.model.splitmix import mixed
from motet.music.score import DRUMS, Score

STEPS_PER_QUARTER: Final = 12
SKETCH: Final = 512
"""Most n-grams kept of a piece: those of the smallest hashes, so that pieces keep the same ones."""

_STEPS: Final = 7  # melodic steps in an n-gram, so eight notes
_WIDEST: Final = 12


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """What a piece is recognised by.

    Args:
        digest: the same for pieces with the same notes and programs on a grid of twelfths of a quarter, up to
            transposition, tempo, dynamics, note lengths and silence before the first note; "" without notes.
        sketch: hashes of melodic n-grams of its tracks, ascending, no duplicates, at most ``SKETCH``.
    """

    digest: str = ""
    sketch: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))


def fingerprint(score: Score) -> Fingerprint:
    """The fingerprint of a score.

    An n-gram is eight notes of the top line of a track: the intervals between them and the ratios of the times
    between their onsets. Of music for drums alone, the drum keys stand for the intervals.
    """
    if not len(score):
        return Fingerprint()
    # From the first note on: a shift by less than a step must not move notes onto other steps.
    step = np.rint((score.onset - score.onset.min()) * (STEPS_PER_QUARTER / score.ppq)).astype(np.int64)
    pitch, program = score.pitch.astype(np.int64), score.program.astype(np.int64)
    drums = program == DRUMS
    return Fingerprint(_digest(step, pitch, program, drums), _sketch(step, pitch, score.track.astype(np.int64), drums))


def _digest(
    step: NDArray[np.int64], pitch: NDArray[np.int64], program: NDArray[np.int64], drums: NDArray[np.bool_]
) -> str:
    lowest = pitch[~drums].min() if not drums.all() else 0
    notes = (step * 128 + np.where(drums, pitch, pitch - lowest)) * 256 + program + 1
    return hashlib.sha256(np.unique(notes).astype("<i8").tobytes()).hexdigest()[:24]


def _sketch(
    step: NDArray[np.int64], pitch: NDArray[np.int64], track: NDArray[np.int64], drums: NDArray[np.bool_]
) -> NDArray[np.uint32]:
    grams: list[NDArray[np.uint32]] = []
    only_drums = bool(drums.all())
    used = np.flatnonzero(drums == only_drums)
    used = used[np.argsort(track[used], kind="stable")]
    for inside in np.split(used, np.flatnonzero(np.diff(track[used])) + 1):
        onsets, height = _top(step[inside], pitch[inside])
        if len(onsets) <= _STEPS:
            continue
        gaps = np.diff(onsets).astype(float)
        moves = height[1:] if only_drums else np.clip(np.diff(height), -_WIDEST, _WIDEST)
        ratios = np.clip(np.rint(2.0 * np.log2(gaps[1:] / gaps[:-1])), -6, 6).astype(np.int64)
        symbols = (moves[1:] + 128) * 16 + ratios + 8  # the step before the first has no ratio
        if len(symbols) < _STEPS - 1:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(symbols, _STEPS - 1)
        first = moves[: len(windows)] + 128
        grams.append(_hashed(np.concatenate([first[:, None], windows], axis=1)))
    if not grams:
        return np.zeros(0, np.uint32)
    return np.unique(np.concatenate(grams))[:SKETCH]


def _top(step: NDArray[np.int64], pitch: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The highest note at each onset: [M] steps, ascending, and [M] pitches."""
    notes = np.sort(step * 128 + pitch)
    onsets, heights = notes // 128, notes % 128
    last = np.append(onsets[1:] != onsets[:-1], True)
    return onsets[last], heights[last]


def _hashed(rows: NDArray[np.int64]) -> NDArray[np.uint32]:
    """A 32-bit hash of every row."""
    value = np.full(len(rows), 0x9E3779B97F4A7C15, np.uint64)
    for column in rows.T.astype(np.uint64):
        value = mixed(value ^ column)
    return (value >> np.uint64(32)).astype(np.uint32)
