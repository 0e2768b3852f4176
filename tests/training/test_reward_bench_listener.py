"""Simulated listeners answer with the chances that their description gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from motet.music.error import InvalidInputError
from motet.training.reward_bench.listener import LISTENERS, Listener, standardised
from motet.training.reward_bench.statistic import agreement

PLAIN: dict[str, Any] = {
    "name": "plain",
    "column": "musicality",
    "weights": {"x": 1.0},
    "side_bias": 0.0,
    "length_bias": 0.0,
    "tie_within": 0.0,
    "bad_below": -math.inf,
    "careless": 0.0,
}
VOTES = 20_000
EVEN = np.zeros(2)


def votes_of(liking, length=None, **options):
    listener = Listener(**PLAIN | options)
    places = np.array(liking, float)
    rng = np.random.default_rng(0)
    pairs = [(2 * row, 2 * row + 1) for row in range(len(places) // 2)]
    return listener.ask(places, np.zeros(len(places)) if length is None else np.array(length, float), pairs, rng)


def share_of_first(votes):
    return np.mean([vote.preference for vote in votes])


def within(share):
    return pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / VOTES))


def test_the_better_one_wins_with_the_sigmoid_of_the_difference():
    liking = np.random.default_rng(1).normal(size=2 * VOTES)
    votes = votes_of(liking)
    margin = np.array([liking[vote.first] - liking[vote.second] for vote in votes])
    agreed = agreement(margin, np.array([vote.preference for vote in votes]))
    assert agreed.mean() == within(float(expit(np.abs(margin)).mean()))


def test_sides_and_length_count_as_much_as_they_are_said_to():
    even = np.zeros(2 * VOTES)
    assert share_of_first(votes_of(even)) == within(0.5)
    assert share_of_first(votes_of(even, side_bias=0.7)) == within(float(expit(0.7)))
    longer = np.tile([1.5, 0.0], VOTES)
    votes = votes_of(even, longer, length_bias=0.4)
    assert np.mean([vote.preference == (vote.first % 2 == 0) for vote in votes]) == within(float(expit(0.6)))


def test_ties_bad_pairs_and_careless_answers_come_as_often_as_they_should():
    even = np.zeros(2 * VOTES)
    ties = np.mean([vote.preference == 0.5 for vote in votes_of(even, tie_within=0.5)])
    assert ties == within(2 * float(expit(0.5)) - 1)
    both_below = math.exp(-math.exp(-0.3)) ** 2  # of two Gumbel variables
    assert len(votes_of(even, bad_below=0.3)) / VOTES == within(1 - both_below)
    sure = np.tile([30.0, 0.0], VOTES)
    careless = [vote.preference == (vote.first % 2 == 0) for vote in votes_of(sure, careless=0.2)]
    assert np.mean(careless) == within(0.9)


def test_liking_is_the_weighted_sum_of_standardised_features():
    listener = Listener(**PLAIN | {"weights": {"x": 2.0, "y": -1.0}})
    rows = {"x": np.array([1.0, 3.0]), "y": np.array([5.0, math.nan]), "z": EVEN}
    assert listener.liking(rows).tolist() == [-2, 2]  # one value does not differ from itself
    assert standardised(np.array([math.nan, math.nan])).tolist() == [0, 0]
    with pytest.raises(InvalidInputError, match="features"):
        listener.liking({"x": EVEN})


@pytest.mark.parametrize(
    "wrong",
    [{"weights": {}}, {"weights": {"x": math.nan}}, {"careless": 1.5}, {"tie_within": -1}, {"tie_within": math.nan}],
)
def test_a_listener_who_makes_no_sense_is_refused(wrong):
    with pytest.raises(InvalidInputError, match="listener"):
        Listener(**PLAIN | wrong)


def test_the_panel_listens_for_both_columns_and_answers_alike_for_a_seed():
    assert {one.column for one in LISTENERS} == {"alignment", "musicality"}
    assert len({one.name for one in LISTENERS}) == len(LISTENERS)
    liking = np.random.default_rng(3).normal(size=100)
    assert votes_of(liking, side_bias=0.2) == votes_of(liking, side_bias=0.2)
