from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from motet.music.key import Key
from motet.music.score import Score
from motet.rewards.harmony import NEUTRAL, HarmonyReward
from motet.rewards.measures import GROUPS
from tests.rewards.pieces import DEGENERATE, attempts, drums, score_of, song, together, windows

# Parallel triads at random for four bars: some human music is no better, by all that is measured.
LENIENT = {("random diatonic triads", 4): 0.1}


@pytest.fixture(scope="module")
def reward() -> HarmonyReward:
    return HarmonyReward()


def nudged(score: Score, share: float, rng: np.random.Generator) -> Score:
    hit = rng.random(len(score)) < share
    return replace(score, pitch=score.pitch + np.where(hit, rng.choice([-1, 1], len(score)), 0))


@pytest.mark.parametrize("bars", [4, 8, 16])
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_music_is_below_almost_all_human_music(reward: HarmonyReward, name: str, bars: int):
    found = [reward.judge(score) for score in attempts(name, bars)]
    assert np.mean([one.human for one in found]) < LENIENT.get((name, bars), 0.05), found
    assert np.mean([one.value for one in found]) < 0.4


def test_songs_made_by_rule_are_judged_like_human_music(reward: HarmonyReward):
    found = [reward.judge(song(8, seed=seed)).human for seed in range(20)]
    assert np.median(found) > 0.2
    assert np.min(found) > 0.1


def test_real_music_is_judged_like_human_music(reward: HarmonyReward):
    found = [reward.judge(score) for score in windows()]
    assert 0.25 < np.mean([one.human for one in found]) < 0.75
    assert min(one.human for one in found) > 0.05


@pytest.mark.parametrize("pieces", ["real", "made by rule"])
def test_corruption_lowers_the_reward_step_by_step(reward: HarmonyReward, pieces: str):
    rng = np.random.default_rng(0)
    scores = windows() * 3 if pieces == "real" else [song(8, seed=seed) for seed in range(24)]
    means = [np.mean([reward(nudged(score, share, rng)) for score in scores]) for share in (0, 0.05, 0.1, 0.2, 0.4)]
    assert means == sorted(means, reverse=True)
    assert means[-1] < 0.4 * means[0]


def test_thinning_does_not_pay(reward: HarmonyReward):
    """Neither fewer notes throughout nor fewer lines than the music has."""
    rng = np.random.default_rng(1)
    whole = np.mean([reward(score) for score in windows()])
    for share in (0.8, 0.6, 0.4, 0.2):
        thin = np.mean([reward(score.select(rng.random(len(score)) < share)) for score in windows()])
        assert thin < whole
        whole = thin


def test_transposition_tempo_tracks_and_drums_change_nothing(reward: HarmonyReward):
    for score in (song(24, seed=5), windows()[0]):
        expected = reward.judge(score)
        for semitones in range(-6, 6):
            judged = reward.judge(replace(score, pitch=score.pitch + semitones))
            assert judged.value == expected.value
            assert judged.terms == expected.terms
        assert reward(replace(score, tempo_bpm=np.full(len(score.tempo_bpm), 200.0))) == expected.value
        assert reward(replace(score, track=score.track.max() - score.track)) == expected.value
    assert reward(together(song(24, seed=5), drums(24))) == reward(song(24, seed=5))


def test_silence_is_nothing_and_drums_alone_are_neutral(reward: HarmonyReward):
    assert reward(Score.empty()) == 0.0
    assert reward(drums()) == NEUTRAL
    assert reward(drums(), Key(0, "major")) == NEUTRAL


def test_the_asked_key_counts(reward: HarmonyReward):
    score = song(8, seed=1)
    key = reward.judge(score).key
    assert key is not None
    right, wrong = reward.judge(score, key), reward.judge(score, Key((key.tonic + 6) % 12, key.mode))
    assert right.value > wrong.value
    assert right.terms["key_fit"] > 0.5 > wrong.terms["key_fit"]
    assert set(reward.judge(score).terms) == set(GROUPS)


def test_the_value_is_made_of_two_shares(reward: HarmonyReward):
    for score in windows():
        judged = reward.judge(score)
        assert judged.value == pytest.approx((min(1, judged.human / 0.75) + judged.corrupted) / 2)


def test_long_music_is_judged_by_segments(reward: HarmonyReward):
    long = song(64, seed=2)
    lines = long.bar_ticks()
    parts = [reward(long.between(int(lines[k]), int(lines[k + 16]))) for k in range(0, 64, 16)]
    assert reward(long) == pytest.approx(np.mean(parts))
    late = score_of([(240, 1, 60), (244, 1, 64)])
    assert 0 <= reward(late) < 0.1


def test_there_is_a_number_for_every_bar(reward: HarmonyReward):
    for score in (together(song(20, seed=3), drums(24)), score_of([(240, 1, 60), (244, 1, 64)])):
        curves = reward.judge(score).bars
        assert curves
        for curve in curves.values():
            assert len(curve) == len(score.bar_ticks()) - 1
            assert all(math.isfinite(number) for number in curve)


def test_every_number_is_a_share_and_never_nan(reward: HarmonyReward):
    rng = np.random.default_rng(7)
    scores = [make(bars) for make in DEGENERATE.values() for bars in (1, 3)]
    for _ in range(40):
        count = int(rng.integers(1, 40))
        onset = rng.integers(0, 9000, count)
        program = rng.integers(-1, 128, count).astype(np.int16)
        scores.append(
            Score(
                480,
                onset,
                rng.integers(1, 4000, count),
                rng.integers(0, 128, count).astype(np.int16),
                np.full(count, 64),
                program,
                program + 1,
            )
        )
    for score in scores:
        judged = reward.judge(score, Key(9, "minor"))
        for number in (judged.value, judged.human, judged.corrupted, judged.gate, judged.core, *judged.terms.values()):
            assert 0 <= number <= 1, judged
        assert all(math.isfinite(number) for number in judged.measures.values())


def test_two_hundred_tracks_and_ten_minutes_are_judged(reward: HarmonyReward):
    rng = np.random.default_rng(2)
    count = 20_000
    onset = np.sort(rng.integers(0, 300 * 4 * 480, count))
    track = rng.integers(0, 200, count).astype(np.int16)
    pitch = rng.integers(0, 128, count).astype(np.int16)
    velocity, length = np.full(count, 64, np.int16), np.full(count, 240)
    score = Score(480, onset, length, pitch, velocity, track % 128, track)
    assert reward(score) < 0.1
