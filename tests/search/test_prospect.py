from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from motet.search.prospect import FEWEST, expected_gain

REWARDS = st.lists(st.floats(0.2, 0.6), min_size=FEWEST, max_size=12)


@pytest.mark.parametrize(("bests", "gain"), [((), 1.0), ((0.25,), 0.75), ((0.25, 0.5), 0.5)])
def test_little_is_known_of_few_rounds(bests: tuple[float, ...], gain: float) -> None:
    assert expected_gain(bests) == gain


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.3, 0.5), min_size=FEWEST, max_size=8).filter(lambda bests: np.std(bests) > 1e-3))
def test_it_is_the_mean_excess_of_the_predictive_distribution(bests: list[float]) -> None:
    count = len(bests)
    next_best = stats.t(count - 1, np.mean(bests), np.std(bests, ddof=1) * np.sqrt(1 + 1 / count))
    excess, _ = integrate.quad(next_best.sf, max(bests), np.inf)
    assert expected_gain(bests) == pytest.approx(min(excess, 1 - max(bests)), rel=1e-4, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(REWARDS, st.floats(-0.2, 0.3), st.randoms(use_true_random=False))
def test_it_is_within_bounds_and_knows_neither_order_nor_origin(bests: list[float], shift: float, random: Any) -> None:
    gain = expected_gain(bests)
    assert 0 <= gain <= 1 - max(bests)
    shuffled = list(bests)
    random.shuffle(shuffled)
    assert expected_gain(shuffled) == pytest.approx(gain, abs=1e-12)
    moved = expected_gain([best + shift for best in bests])
    assert moved == pytest.approx(gain, abs=1e-6) or max(moved, gain) > 0.05  # it may have met the bound


def test_the_further_the_best_is_ahead_and_the_more_alike_the_rounds_the_less_is_expected() -> None:
    spread = [0.40, 0.45, 0.50]
    assert expected_gain(spread) > expected_gain([0.445, 0.45, 0.455]) > expected_gain([0.45] * 3) == 0
    assert expected_gain([0.4, 0.42, 0.44, 0.5]) > expected_gain([0.4, 0.42, 0.44, 0.44, 0.5])


def test_on_average_it_promises_no_less_than_comes_and_soon_not_much_more() -> None:
    """Rounds drawn from one normal distribution: what was expected of the next one beside what it brought."""
    random = np.random.default_rng(0)
    for count, most in ((4, 3.0), (8, 1.5), (16, 1.2)):
        draws = random.normal(0.5, 0.02, (4000, count + 1))
        brought = np.maximum(draws[:, -1] - draws[:, :-1].max(axis=1), 0).mean()
        expected = np.mean([expected_gain(row) for row in draws[:, :-1].tolist()])
        assert 0.95 < expected / brought < most
