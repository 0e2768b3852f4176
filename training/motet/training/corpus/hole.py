"""Holes: which part of a window is left for the model to write when the rest is given."""

from __future__ import annotations

import numpy as np

from motet.music.score import Score


def split(score: Score, bars: int, rng: np.random.Generator) -> tuple[Score, Score]:
    """What is given and what is missing, as two scores that together are ``score``.

    Half of the time a run of bars is missing, else some of the programs; either part may be empty where there is only
    one bar or program.
    """
    programs = np.unique(score.program)
    if len(programs) > 1 and rng.random() < 0.5:
        missing = np.isin(score.program, rng.permutation(programs)[: int(rng.integers(1, len(programs)))])
    else:
        length = int(rng.integers(1, max(2, bars)))
        start = int(rng.integers(0, bars - length + 1))
        bar = score.onset // score.meters[0].bar_ticks(score.ppq)
        missing = (bar >= start) & (bar < start + length)
    return score.select(~missing), score.select(missing)
