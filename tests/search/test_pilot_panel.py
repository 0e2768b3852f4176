import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.error import InvalidInputError
from motet.search.pilot.panel import TOTAL, Panel, centred, correlation, intraclass, spread
from tests.search.pilot_material import WEIGHTS, heard

RANDOM = np.random.default_rng(5)


def test_correlation_is_that_of_deviations_from_the_mean_of_the_caption() -> None:
    x = RANDOM.standard_normal((6, 10))
    y = 0.5 * x + RANDOM.standard_normal((6, 10))
    inside = [rows - rows.mean(1, keepdims=True) for rows in (x, y)]
    expected = np.corrcoef(inside[0].ravel(), inside[1].ravel())[0, 1]
    found = correlation(x, y)
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_levels_of_captions_say_nothing(seed: int) -> None:
    generator = np.random.default_rng(seed)
    x, y = generator.standard_normal((2, 4, 6))
    levels = generator.uniform(-9, 9, (2, 4, 1))
    moved, there = correlation(x + levels[0], y + levels[1]), correlation(x, y)
    assert moved.value == pytest.approx(there.value)
    finals = generator.standard_normal((4, 3, 5))
    assert intraclass(finals + levels[0][:, :, None]).value == pytest.approx(intraclass(finals).value)
    assert spread(x + levels[0]) == pytest.approx(spread(x))


def test_what_does_not_judge_or_vary_is_no_correlation() -> None:
    x = RANDOM.standard_normal((3, 5))
    assert np.isnan(correlation(x, np.ones((3, 5))).value)
    absent = x.copy()
    absent[1] = np.nan
    assert correlation(absent, x).value == pytest.approx(1.0)
    assert not centred(absent)[1].any()


def test_intraclass_correlation_equals_the_analysis_of_variance_by_hand() -> None:
    finals = RANDOM.standard_normal((5, 4, 1)) + 0.7 * RANDOM.standard_normal((5, 4, 6))
    between: list[float] = []
    within: list[float] = []
    for caption in finals:
        means = [float(np.mean(prefix)) for prefix in caption]
        between.append(float(6 * sum((mean - np.mean(means)) ** 2 for mean in means) / 3))
        within += [
            (value - mean) ** 2 for prefix, mean in zip(caption, means, strict=True) for value in prefix.tolist()
        ]
    b, w = np.mean(between), sum(within) / (5 * 20)
    assert intraclass(finals).value == pytest.approx((b - w) / (b + 5 * w))


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_intraclass_correlation_finds_the_share_that_prefixes_settle(share: float) -> None:
    settled = np.sqrt(share) * RANDOM.standard_normal((60, 6, 1))
    finals = settled + np.sqrt(1 - share) * RANDOM.standard_normal((60, 6, 4))
    found = intraclass(finals)
    assert found.low < share < found.high


def test_a_panel_holds_what_was_heard() -> None:
    panel = Panel.of(heard(6, without=(2,)), WEIGHTS)
    assert (panel.captions, panel.names) == (6, ["text", "harmony"])
    np.testing.assert_allclose(panel.shares, np.arange(1, 9) / 8)
    assert list(panel.branches) == [0.25, 0.5, 0.75]
    both = (panel.terms["text"] + panel.terms["harmony"]) / 2
    np.testing.assert_allclose(panel.terms[TOTAL][3], both[3])
    np.testing.assert_allclose(panel.terms[TOTAL][2], panel.terms["text"][2])  # the other term does not judge there
    assert panel.take(np.array([3, 3, 0])).captions == 3


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="captions: must be at least 2"):
        Panel.of(heard(1), WEIGHTS)
    with pytest.raises(InvalidInputError, match="as many samples"):
        Panel.of([*heard(2), *heard(2, samples=7)], WEIGHTS)
    with pytest.raises(InvalidInputError, match="weights: must be of rewards that tell"):
        Panel.of(heard(2), {"unknown": 1.0})
