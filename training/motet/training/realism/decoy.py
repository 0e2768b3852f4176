"""Decoys: human music with one thing destroyed, and noise; what a distance reads when music is not there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from motet.model.tokenizer import HIGHEST_PITCH, LOWEST_PITCH
from motet.music.score import DRUMS
from motet.training.realism.excerpt import Excerpt

_DRUM_KEYS = (35, 81)
_LONGEST_QUARTERS = 4


def shuffled_bars(excerpt: Excerpt, rng: np.random.Generator) -> Excerpt:
    """The same bars in another order; notes keep their lengths."""
    moved = rng.permutation(excerpt.bars)
    edges = excerpt.edges
    onset = edges[moved[excerpt.bar]] + excerpt.score.onset - edges[excerpt.bar]
    return replace(excerpt, score=replace(excerpt.score, onset=onset))


def shuffled_pitches(excerpt: Excerpt, rng: np.random.Generator) -> Excerpt:
    """The same rhythm with each player's pitches dealt out anew; drums stay."""
    score = excerpt.score
    pitch = score.pitch.copy()
    for program in np.unique(score.program[excerpt.pitched]):
        of_program = np.flatnonzero(score.program == program)
        pitch[of_program] = rng.permutation(pitch[of_program])
    return replace(excerpt, score=replace(score, pitch=pitch))


def noise(excerpt: Excerpt, rng: np.random.Generator) -> Excerpt:
    """As many notes of the same players, each at any twelfth of a quarter, of any pitch, length and velocity."""
    score = excerpt.score
    size, step = len(score), score.ppq // 12
    drums = rng.integers(*_DRUM_KEYS, size, endpoint=True)
    pitched = rng.integers(LOWEST_PITCH, HIGHEST_PITCH, size, endpoint=True)
    return replace(
        excerpt,
        score=replace(
            score,
            onset=rng.integers(0, excerpt.edges[-1] // step, size) * step,
            duration=rng.integers(1, 12 * _LONGEST_QUARTERS, size, endpoint=True) * step,
            pitch=np.where(score.program == DRUMS, drums, pitched),
            velocity=(rng.integers(1, 8, size, endpoint=True) * 16 - 1).astype(np.int16),
        ),
    )
