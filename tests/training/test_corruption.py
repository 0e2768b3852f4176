from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.model.tokenizer import HIGHEST_PITCH, LOWEST_PITCH
from motet.music.error import InvalidInputError
from motet.music.score import DRUMS, Score
from motet.training.corruption import CORRUPTIONS, DRUMS_TOO, change, corrupt, settled
from tests.rewards import pieces
from tests.tiny import random_score

KINDS = sorted(CORRUPTIONS)
SEVERITIES = (0.1, 0.4, 0.7, 1.0)


def band(seed: int = 0) -> Score:
    whole = pieces.together(pieces.song(8, seed), pieces.drums(8))
    return replace(whole, track=np.unique(whole.program, return_inverse=True)[1].astype(np.int16))


def spoil(score: Score, kind: str, severity: float, seed: int = 0) -> Score:
    return corrupt(score, kind, severity, np.random.default_rng(seed), other=pieces.song(6, seed + 100))


@pytest.mark.parametrize("kind", KINDS)
def test_more_severe_is_more_change_and_none_is_none(kind: str) -> None:
    amounts = np.array(
        [[change(band(seed), spoil(band(seed), kind, severity, seed)) for severity in SEVERITIES] for seed in range(8)]
    )
    mean = amounts.mean(axis=0)
    assert spoil(band(), kind, 0.0) is not None
    assert change(band(), spoil(band(), kind, 0.0)) == 0
    assert np.all(np.diff(mean) > 0)
    assert mean[0] > 0
    assert mean[-1] > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_generator_gives_the_same_notes(kind: str) -> None:
    assert change(spoil(band(), kind, 0.6, 3), spoil(band(), kind, 0.6, 3)) == 0
    assert any(change(spoil(band(), kind, 0.6, 3), spoil(band(), kind, 0.6, seed)) > 0 for seed in (4, 5, 6))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(KINDS), st.floats(0.01, 1), st.integers(0, 1000), st.integers(1, 9), st.sampled_from([0, 1, 2, 3])
)
def test_what_comes_out_is_a_score_that_can_be_written(
    kind: str, severity: float, seed: int, bars: int, shape: int
) -> None:
    score = [random_score(seed, bars), pieces.song(bars, seed), band(), pieces.drums(bars)][shape]
    spoilt = spoil(score, kind, severity, seed)
    assert np.array_equal(spoilt.tempo_bpm, score.tempo_bpm)
    assert spoilt.meters == score.meters
    assert set(spoilt.program) <= set(score.program)
    assert spoilt.end_tick <= score.bar_ticks()[-1]
    moved = spoilt.pitch[spoilt.program != DRUMS]
    assert len(moved) == 0 or (moved.min() >= LOWEST_PITCH and moved.max() <= HIGHEST_PITCH)
    if kind not in DRUMS_TOO:
        whole = settled(score, int(score.bar_ticks()[-1]))  # random drums strike one key twice at once
        drums, before = (one.select(one.program == DRUMS) for one in (spoilt, whole))
        assert np.array_equal(drums.onset, before.onset)
        assert np.array_equal(drums.pitch, before.pitch)
    if spoilt is not score:
        assert change(settled(spoilt, int(score.bar_ticks()[-1])), spoilt) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_spoil_is_left_alone(kind: str) -> None:
    for score in (Score.empty(), pieces.score_of([(0, 1, 60)])):
        assert spoil(score, kind, 1.0) is score
    drums = pieces.drums()
    if kind not in DRUMS_TOO:
        assert spoil(drums, kind, 1.0) is drums


def test_bars_are_spliced_from_the_other_piece_and_played_by_the_same_players() -> None:
    whole = spoil(band(), "spliced bars", 1.0)
    assert set(whole.program) <= set(band().program)
    assert change(band(), whole) > 0.7
    alone = corrupt(band(), "spliced bars", 1.0, np.random.default_rng(0))
    assert change(band(), alone) == 0


def test_settled_notes_neither_double_nor_overlap_themselves() -> None:
    score = pieces.score_of([(0, 4, 60), (1, 1, 60), (1, 2, 60), (2, 9, 64), (7, 1, 60)])
    clean = settled(score, 6 * score.ppq)
    notes = list(zip(clean.onset // score.ppq, clean.duration // score.ppq, clean.pitch, strict=True))
    assert notes == [(0, 1, 60), (1, 2, 60), (2, 4, 64)]


def test_unknown_kinds_and_severities_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="kind"):
        spoil(band(), "velocity", 0.5)
    for severity in (-0.1, 1.1, float("nan")):
        with pytest.raises(InvalidInputError, match="severity"):
            spoil(band(), "clusters", severity)
