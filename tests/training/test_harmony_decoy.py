from __future__ import annotations

import numpy as np
import pytest

from motet.training.harmony.decoy import CORRUPTIONS, DECOYS, nudged
from tests.rewards.pieces import score_of, song, windows

KINDS = {**CORRUPTIONS, **DECOYS}


@pytest.mark.parametrize("name", KINDS)
def test_a_decoy_is_another_piece_no_longer_than_the_window_and_comes_out_again_by_its_seed(name: str):
    changed = 0
    for seed, score in enumerate([*windows(), song(4), score_of([(0, 1, 60)])]):
        made, again = (KINDS[name](score, np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(made.pitch, again.pitch)
        np.testing.assert_array_equal(made.onset, again.onset)
        assert not len(made) or made.onset.max() < score.bar_ticks()[-1]
        same = len(made) == len(score) and np.array_equal(made.pitch, score.pitch)
        changed += not (same and np.array_equal(made.onset, score.onset))
    assert changed >= 8


def test_nudged_moves_the_share_of_the_notes_by_a_semitone():
    melody = score_of([(beat, 1, 60) for beat in range(400)])
    moved = nudged(0.2)(melody, np.random.default_rng(0)).pitch - melody.pitch
    assert set(moved) == {-1, 0, 1}
    assert 0.14 < np.mean(moved != 0) < 0.26
