"""The statistics against definitions written out, against known cases, and in simulation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit

from motet.training.reward_bench.statistic import (
    BINS,
    accuracy,
    agreement,
    draws,
    indexed,
    mean,
    probabilities,
    rank_correlations,
    reliability,
    slope,
)

numbers = st.lists(st.integers(-3, 3), min_size=2, max_size=8)


def average_ranks(values: list[int]) -> NDArray[np.float64]:
    return np.array(
        [sum(other < one for other in values) + sum(other == one for other in values) / 2 for one in values]
    )


@settings(max_examples=60, deadline=None)
@given(numbers, st.randoms(use_true_random=False))
def test_rank_correlations_are_their_definitions(values, random):
    levels = random.choices(range(3), k=len(values))
    found = rank_correlations(np.array(values, float), np.array(levels, float))
    if len(set(levels)) == 1:
        assert found is None
    elif len(set(values)) == 1:
        assert found == (0, 0)
    else:
        rho = np.corrcoef(average_ranks(values), average_ranks(levels))[0, 1]
        pairs = [
            (np.sign(values[a] - values[b]), np.sign(levels[a] - levels[b]))
            for a, b in combinations(range(len(values)), 2)
        ]
        tau = sum(x * y for x, y in pairs) / np.sqrt(sum(x * x for x, _ in pairs) * sum(y * y for _, y in pairs))
        assert found == pytest.approx((rho, tau))


@given(st.floats(-5, 5), st.sampled_from([0, 0.5, 1]))
def test_agreement_is_even_handed(margin, preference):
    one, other = (agreement(np.array([sign * margin]), np.array([float(preference)]))[0] for sign in (1, -1))
    assert one + other == 1
    if preference == 0.5 or abs(margin) < 1e-9:
        assert one == 0.5
    else:
        assert one == float((margin > 0) == (preference == 1))


def test_the_mean_counts_cases_and_a_lone_song_has_no_interval():
    values, cluster = np.array([1.0, 1.0, 0.0]), indexed(["b", "b", "a"])
    assert cluster.tolist() == [1, 1, 0]
    found = mean(values, cluster, draws(2, 0))
    assert found.value == pytest.approx(2 / 3)
    assert (found.low, found.high, found.n) == (0, 1, 3)
    lone = mean(values, np.zeros(3, np.intp), draws(1, 0))
    assert lone.low == lone.high == lone.value


def test_a_handful_of_songs_proves_little_even_without_a_miss():
    for right in (0.0, 1.0):
        found = accuracy(np.full(12, right), np.repeat(np.arange(4), 3), draws(4, 0))
        assert found.value == right
        assert found.high - found.low == pytest.approx(0.49, abs=0.01)  # Wilson's for 4 of 4
    mixed = accuracy(np.array([1.0, 0.0]), np.arange(2), draws(2, 0))
    assert (mixed.low, mixed.high) == (0, 1)


def test_intervals_over_songs_cover_and_those_over_pairs_do_not():
    rng = np.random.default_rng(0)
    songs, votes, covered, naive = 60, 8, 0, 0
    cluster = np.repeat(np.arange(songs), votes)
    for turn in range(200):
        chance = np.repeat(rng.beta(1.4, 0.6, songs), votes)  # songs are easy or hard: their votes go together
        right = (rng.random(len(chance)) < chance).astype(float)
        found = mean(right, cluster, draws(songs, turn, 600))
        covered += found.low <= 0.7 <= found.high
        half = 1.96 * right.std() / np.sqrt(len(right))
        naive += abs(right.mean() - 0.7) <= half
    assert 180 <= covered <= 200
    assert naive < 160


@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_the_slope_that_made_the_answers_is_found(scale):
    rng = np.random.default_rng(1)
    margin = rng.normal(size=20_000) / scale
    preference = (rng.random(20_000) < expit(1.5 * scale * margin)).astype(float)
    assert slope(margin, preference) == pytest.approx(1.5 * scale, rel=0.05)
    assert slope(-margin, preference) == 0
    assert slope(-margin, 1 - preference) == pytest.approx(slope(margin, preference))


def test_the_slope_is_finite_where_answers_are_perfectly_separated_or_missing():
    assert 0 < slope(np.array([1.0, -2.0]), np.array([1.0, 0.0])) <= 30
    assert slope(np.zeros(3), np.ones(3)) == slope(np.zeros(0), np.zeros(0)) == 0


def test_calibrated_answers_have_no_error_and_overconfident_ones_have_theirs():
    rng = np.random.default_rng(2)
    size = 30_000
    logit = rng.normal(size=size) * 1.5
    preference = (rng.random(size) < expit(logit)).astype(float)
    cluster = np.arange(size, dtype=np.intp) % 100
    taken = draws(100, 0, 300)
    honest = reliability(expit(logit), preference, cluster, taken)
    assert honest.error.value < 0.015
    assert honest.counts.sum() == size
    assert len(honest.counts) == BINS
    boastful = reliability(expit(4 * logit), preference, cluster, taken)
    expected = np.mean(expit(np.abs(4 * logit)) - expit(np.abs(logit)))
    assert boastful.error.value == pytest.approx(expected, abs=0.01)
    assert boastful.error.low < boastful.error.value < boastful.error.high
    turned = reliability(1 - expit(4 * logit), 1 - preference, cluster, taken)
    assert turned.error.value == pytest.approx(boastful.error.value)


def test_probabilities_come_from_other_songs():
    margin = np.array([1.0, 1.0, 2.0, 2.0])
    cluster = np.array([0, 0, 1, 1], np.intp)
    # Song 0 is always right and song 1 always wrong: each gets what the other one teaches.
    found = probabilities(margin, np.array([1.0, 1.0, 0.0, 0.0]), cluster)
    assert found[:2].tolist() == [0.5, 0.5]
    assert np.all(found[2:] > 0.99)
