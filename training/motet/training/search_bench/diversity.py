"""Diversity: how far apart pieces are in the judge's ear.

Distances are between the vectors by which the judge compares music with words: it learned them from human music, by
what people say of it, it reads notes in any key and instrumentation, and no search has ever climbed it. The traits of
``motet eval realism`` would do as well, but many do not apply to some pieces, and 30 scales would have to be weighed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from motet.music.score import Score
from motet.rewards.judge import Judge
from motet.rewards.judge_reading import read


def vector(judge: Judge, score: Score) -> NDArray[np.float64] | None:
    """A unit vector [D]; None for a score without notes."""
    readings = read(score)
    if not readings:
        return None
    with torch.inference_mode():
        vectors = judge.towers.music_vectors(
            torch.from_numpy(np.stack([reading.manner for reading in readings])),
            torch.from_numpy(np.stack([reading.content for reading in readings])),
        ).numpy()
    mean = np.average(vectors.astype(np.float64), axis=0, weights=[reading.bars for reading in readings])
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float64)


def spread(judge: Judge, scores: Sequence[Score]) -> float | None:
    """Mean of 1 - cosine over all pairs, 0 to 2; None where there are no two scores with notes."""
    vectors = [found for score in scores if (found := vector(judge, score)) is not None]
    if len(vectors) < 2:
        return None
    likeness = np.stack(vectors) @ np.stack(vectors).T
    return float(1 - likeness[np.triu_indices(len(vectors), 1)].mean())
