"""Small pieces made by rule: plain tonal music, and the degenerate things that a reward must see through."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from motet.music.score import DRUMS, Score

PPQ = 480
DIATONIC = [pitch for pitch in range(48, 85) if pitch % 12 in (0, 2, 4, 5, 7, 9, 11)]

Note = tuple[float, float, int]


def score_of(notes: Sequence[Note], program: int = 0, track: int = 0) -> Score:
    """Notes as (onset, length, pitch), times in quarters."""
    rows = np.array(notes, float).reshape(-1, 3)
    count = len(rows)
    onset = np.rint(rows[:, 0] * PPQ).astype(int)
    duration = np.maximum(np.rint(rows[:, 1] * PPQ), 1).astype(int)
    return Score(
        ppq=PPQ,
        onset=onset.astype(np.int32),
        duration=duration.astype(np.int32),
        pitch=rows[:, 2].astype(np.int16),
        velocity=np.full(count, 90, np.int16),
        program=np.full(count, program, np.int16),
        track=np.full(count, track, np.int16),
    )


def together(*scores: Score) -> Score:
    """All notes of the scores at once, on tracks of their own."""
    return Score(
        ppq=PPQ,
        onset=np.concatenate([score.onset for score in scores]),
        duration=np.concatenate([score.duration for score in scores]),
        pitch=np.concatenate([score.pitch for score in scores]),
        velocity=np.concatenate([score.velocity for score in scores]),
        program=np.concatenate([score.program for score in scores]),
        track=np.concatenate([np.full(len(score), k, np.int16) for k, score in enumerate(scores)]),
    )


def song(bars: int = 8, seed: int = 0) -> Score:
    """A tonal piece: four chords, a bass, and a melody that mostly moves by step and takes up its motifs again."""
    rng = np.random.default_rng(seed)
    tonic = int(rng.integers(0, 12))
    roots = ([0, 9, 5, 7], [0, 5, 2, 7], [9, 5, 0, 7], [0, 7, 9, 5])[int(rng.integers(0, 4))]
    scale = [0, 2, 4, 5, 7, 9, 11]
    chords: list[Note] = []
    bass: list[Note] = []
    melody: list[Note] = []
    motifs = [[int(step) for step in rng.integers(-2, 3, 6)] for _ in range(2)]
    lengths = [[1, 0.5, 0.5, 1, 0.5, 0.5], [0.5, 0.5, 1, 1, 0.5, 0.5]]
    for bar in range(bars):
        root = roots[bar % 4] if bar % 8 != 7 else 0
        degree = scale.index(root)
        tones = [scale[(degree + step) % 7] for step in (0, 2, 4)]
        chords += [(bar * 4, 4, 60 + (tonic + tone) % 12) for tone in tones]
        bass += [(bar * 4, 2, 36 + (tonic + root) % 12), (bar * 4 + 2, 2, 36 + (tonic + tones[2]) % 12)]
        place, at = degree + 7 * 6, bar * 4.0
        motif = (bar // 2) % 2 if bar % 8 != 7 else 0  # another ending
        for step, length in zip(motifs[motif], lengths[motif], strict=True):
            octave, index = divmod(place, 7)
            melody.append((at, length, 12 * octave + scale[index] + tonic % 6))
            place, at = place + step, at + length
    shift = tonic % 6 - tonic
    chords = [
        (on, length, pitch + shift if pitch + shift >= 55 else pitch + shift + 12) for on, length, pitch in chords
    ]
    bass = [(on, length, pitch + shift if pitch + shift >= 30 else pitch + shift + 12) for on, length, pitch in bass]
    return together(score_of(melody, 73), score_of(chords, 0), score_of(bass, 33))


def drums(bars: int = 8) -> Score:
    """A plain rock beat."""
    return score_of([(beat / 2, 0.25, (36, 42, 38, 42)[beat % 4]) for beat in range(bars * 8)], DRUMS)


def _noise(pick: Callable[[np.random.Generator], NDArray[np.integer]]) -> Callable[[int], Score]:
    def make(bars: int) -> Score:
        rng = np.random.default_rng(bars)
        return score_of([(at / 2, 0.5, int(pitch)) for at in range(bars * 8) for pitch in pick(rng)])

    return make


DEGENERATE: dict[str, Callable[[int], Score]] = {
    "silence": lambda bars: Score.empty(),
    "single note": lambda bars: score_of([(0, 4, 60), (bars * 4 - 4, 4, 60)]),
    "repeated note": lambda bars: score_of([(beat, 1, 60) for beat in range(bars * 4)]),
    "two-note alternation": lambda bars: score_of([(at / 2, 0.5, 60 + 7 * (at % 2)) for at in range(bars * 8)]),
    "one pitch class in octaves": lambda bars: score_of([(at, 1, 36 + 12 * (at % 4)) for at in range(bars * 4)]),
    "triad repeated": lambda bars: score_of([(at, 1, pitch) for at in range(bars * 4) for pitch in (60, 64, 67)]),
    "looped scale": lambda bars: score_of(
        [(at / 2, 0.5, (60, 62, 64, 65, 67, 69, 71, 72)[at % 8]) for at in range(bars * 8)]
    ),
    "repeated clusters": lambda bars: score_of([(at, 1, 60 + k) for at in range(bars * 4) for k in range(6)]),
    "moving clusters": _noise(lambda rng: rng.integers(48, 72) + np.arange(6)),
    "random diatonic": _noise(lambda rng: rng.choice(DIATONIC, 1)),
    "random chromatic": _noise(lambda rng: rng.integers(48, 85, 1)),
    "random chromatic chords": _noise(lambda rng: rng.choice(np.arange(48, 85), 3, replace=False)),
}
