from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.rewards.judge_reading import CONTENT, MANNER, MOST_BARS, Reading, read
from tests.rewards import pieces
from tests.tiny import random_score


def same(one: list[Reading], other: list[Reading], *parts: str) -> bool:
    return len(one) == len(other) and all(
        np.allclose(getattr(a, part), getattr(b, part), atol=1e-5)
        for a, b in zip(one, other, strict=True)
        for part in parts or ("manner", "content")
    )


def moved(score: Score, semitones: int) -> Score:
    return replace(score, pitch=np.where(score.program == DRUMS, score.pitch, score.pitch + semitones).astype(np.int16))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_readings_are_finite_and_cover_all_bars(seed: int, bars: int) -> None:
    score = random_score(seed, bars)
    readings = read(score)
    assert sum(one.bars for one in readings) <= len(score.bar_ticks()) - 1
    for one in readings:
        assert one.bars <= MOST_BARS
        assert (one.manner.shape, one.content.shape) == ((MANNER,), (CONTENT,))
        assert np.all(np.isfinite(one.manner))
        assert np.all(np.isfinite(one.content))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("semitones", [-5, -1, 2, 6])
def test_manner_is_the_same_in_every_key(seed: int, semitones: int) -> None:
    whole = pieces.together(pieces.song(8, seed), pieces.drums(8))
    assert same(read(whole), read(moved(whole, semitones)), "manner")
    assert not same(read(whole), read(moved(whole, semitones)), "content")


def test_what_no_listener_of_notes_hears_does_not_count() -> None:
    score = pieces.song()
    rng = np.random.default_rng(0)
    loud = replace(score, velocity=rng.integers(1, 128, len(score)).astype(np.int16))
    fine = replace(score, ppq=960, onset=score.onset * 2, duration=score.duration * 2)
    one_track = replace(score, track=np.zeros(len(score), np.int16))
    twice = score.plus(score)
    for other in (loud, fine, one_track, twice):
        assert same(read(score), read(other))


def test_a_last_note_that_rings_on_adds_no_bars() -> None:
    score = pieces.song(4)
    longer = replace(score, duration=np.where(score.onset == score.onset.max(), 40 * score.ppq, score.duration))
    assert [one.bars for one in read(longer)] == [4]


def test_tempo_and_players_are_content_and_not_manner() -> None:
    score = pieces.song()
    fast = replace(score, tempo_bpm=np.array([180.0]))
    other = replace(score, program=np.where(score.program == 73, 40, score.program).astype(np.int16))
    for changed in (fast, other):
        assert not same(read(score), read(changed), "content")
    assert same(read(score), read(fast), "manner")


def test_long_scores_are_read_in_equal_parts() -> None:
    assert [one.bars for one in read(pieces.song(40))] == [13, 14, 13]
    assert read(Score.empty()) == []


def test_odd_scores_can_be_read() -> None:
    lone = pieces.score_of([(0, 1, 60)])
    late = pieces.score_of([(400, 1, 60)])
    many = np.arange(len(pieces.song())).astype(np.int16)
    crowd = replace(pieces.song(), track=many, program=(many % 128).astype(np.int16))
    waltz = replace(pieces.song(), meter_tick=np.array([0, 1440]), meters=(Meter(3, 4), Meter(7, 8)))
    slow, quick = (replace(pieces.song(), tempo_bpm=np.array([bpm])) for bpm in (10.0, 999.0))
    coarse = replace(pieces.song(), ppq=1, onset=pieces.song().onset // 480, duration=pieces.song().duration // 480 + 1)
    for score in (lone, late, crowd, waltz, slow, quick, coarse, pieces.drums()):
        for one in read(score):
            assert np.all(np.isfinite(one.manner))
            assert np.all(np.isfinite(one.content))
