from __future__ import annotations

import numpy as np
import pytest

from motet.music.error import InvalidInputError
from motet.rewards.gain import gain

RNG = np.random.default_rng(0)
BEFORE = RNG.normal(size=300)


def test_the_share_is_what_was_put_in() -> None:
    judge = RNG.normal(size=300) * 5
    found = gain(BEFORE, BEFORE + 1, judge, judge + 2.5 + RNG.normal(size=300), seed=0)
    assert found.reward == pytest.approx(1 / BEFORE.std())
    assert found.share is not None
    assert found.share == pytest.approx(0.5 * BEFORE.std() / (judge.std() / 5), rel=0.1)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.share < found.high
    assert found.healthy
    assert found.record()["prompts"] == 300
    assert "judge share 0.5" in found.line()


def test_a_reward_that_is_gamed_has_no_share() -> None:
    judge = RNG.normal(size=300)
    found = gain(BEFORE, BEFORE + 2, judge, judge + 0.1, seed=0)
    assert not found.healthy
    assert "gamed" in found.line()


def test_units_do_not_matter() -> None:
    judge = RNG.normal(size=300)
    one = gain(BEFORE, BEFORE + 1, judge, judge + 1, seed=0)
    other = gain(7 * BEFORE + 3, 7 * BEFORE + 10, judge / 9, (judge + 1) / 9, seed=0)
    assert one.share == pytest.approx(other.share)
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_no_gain_has_no_share() -> None:
    found = gain(BEFORE, BEFORE - 1, BEFORE, BEFORE + 1, seed=0)
    assert found.share is found.low is found.high is None
    assert not found.healthy
    assert "did not rise" in found.line()
    few = gain(BEFORE[:20], BEFORE[:20] + RNG.normal(0.1, 2, 20), BEFORE[:20], BEFORE[:20] + 1, seed=0)
    assert few.low is None


def test_bad_numbers_are_refused() -> None:
    flat, holes = np.zeros(300), np.full(300, np.nan)
    for rows in ((flat, BEFORE, BEFORE, BEFORE), (BEFORE, holes, BEFORE, BEFORE), (BEFORE[:1],) * 4):
        with pytest.raises(InvalidInputError, match="gain"):
            gain(*rows, seed=0)
