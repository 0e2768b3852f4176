from __future__ import annotations

import math

import numpy as np
import pytest

from motet.music import caption
from motet.music.error import InternalError, InvalidInputError
from motet.music.score import Score
from motet.rewards.composite import NOTHING_ASKED, AdherenceTerm, Composite, HarmonyTerm, Weights
from motet.rewards.reward import Judgement, Reward
from tests.rewards.pieces import drums, song, together

CAPTION = caption.parse("A flute, piano and bass piece with drums in 4/4 at 120 BPM, 8 bars long")
VAGUE = caption.parse("Something")
BAND = together(song(8, seed=1), drums(8))


class Constant:
    def __init__(self, value: float | None) -> None:
        self.value = value
        self.calls = 0

    def judge(self, scores, caption, *, complete):
        self.calls += 1
        return [None if self.value is None else Judgement(value=self.value, details={"seen": 1.0}) for _ in scores]


def composite(text: float | None = 0.5, **options) -> Composite:
    rewards: dict[str, Reward] = {
        "text": Constant(text),
        "harmony": HarmonyTerm(),
        "adherence": AdherenceTerm(),
        "extra": Constant(1.0),
    }
    return Composite(rewards, **options)


def test_total_is_the_weighted_mean_of_the_terms():
    weights = Weights(text=1, harmony=2, adherence=1)
    [found] = composite().score([BAND], CAPTION, weights, complete=True)
    expected = (found.terms["text"] + 2 * found.terms["harmony"] + found.terms["adherence"]) / 4
    assert found.total == pytest.approx(expected)
    assert set(found.terms) == {"text", "harmony", "adherence"}
    assert found.terms["adherence"] > 0.95
    assert found.details["adherence.tempo"] == 1
    assert 0 <= found.details["harmony.gate"] <= 1


def test_only_ratios_of_weights_matter():
    [one] = composite().score([BAND], CAPTION, Weights(text=0.1, harmony=0.2, adherence=0.3), complete=True)
    [ten] = composite().score([BAND], CAPTION, Weights(text=1, harmony=2, adherence=3), complete=True)
    assert one.total == pytest.approx(ten.total)


def test_terms_that_the_caption_does_not_ask_for_are_left_out():
    [found] = composite(text=0.25).score([BAND], VAGUE, Weights(text=1, harmony=0, adherence=1), complete=True)
    assert found.terms == {"text": 0.25}
    assert found.total == 0.25
    [nothing] = composite().score([BAND], VAGUE, Weights(text=0, harmony=0, adherence=1), complete=True)
    assert nothing.terms == {}
    assert nothing.total == NOTHING_ASKED


def test_the_length_of_a_beginning_is_not_judged():
    beginning = song(4, seed=1)
    [partial] = composite().score([beginning], CAPTION, Weights(), complete=False)
    [whole] = composite().score([beginning], CAPTION, Weights(), complete=True)
    assert "adherence.bars" not in partial.details
    assert whole.details["adherence.bars"] == 0


def test_a_term_of_weight_zero_is_not_computed():
    text = Constant(0.5)
    rewards = Composite({"text": text, "harmony": HarmonyTerm(), "adherence": AdherenceTerm()})
    rewards.score([BAND], CAPTION, Weights(text=0), complete=True)
    assert text.calls == 0


def test_rewards_from_outside_count_with_their_own_weight():
    [found] = composite(text=0.0, extra_weights={"extra": 3.0}).score(
        [BAND], CAPTION, Weights(text=1, harmony=0, adherence=0), complete=True
    )
    assert found.terms == {"text": 0.0, "extra": 1.0}
    assert found.total == pytest.approx(0.75)
    with pytest.raises(InvalidInputError, match=r"extra_weights\.other"):
        composite(extra_weights={"other": 1.0})
    with pytest.raises(InvalidInputError, match=r"extra_weights\.extra"):
        composite(extra_weights={"extra": math.nan})


def test_a_weight_without_its_reward_is_refused():
    with pytest.raises(InvalidInputError, match=r"weights\.text"):
        Composite({"harmony": HarmonyTerm()}).score([BAND], CAPTION, Weights(), complete=True)


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, True, "0.4", None])
@pytest.mark.parametrize("name", ["text", "harmony", "adherence"])
def test_bad_weights_are_one_clear_line(name: str, value):
    with pytest.raises(InvalidInputError) as error:
        Weights(**{name: value})
    assert str(error.value).startswith(f"weights.{name}: must be a finite number of at least 0 (received ")
    assert "\n" not in str(error.value)


def test_weights_of_zero_are_refused():
    with pytest.raises(InvalidInputError, match="weights: must not all be 0"):
        Weights(text=0, harmony=0, adherence=0)


@pytest.mark.parametrize("value", [math.nan, 1.5, -0.1])
def test_a_reward_outside_its_range_is_a_defect_not_a_number(value: float):
    with pytest.raises(InternalError, match="'text'"):
        composite(text=value).score([BAND], CAPTION, Weights(), complete=True)


def test_no_scores_and_empty_scores():
    assert composite().score([], CAPTION, Weights(), complete=True) == []
    [found] = composite().score([Score.empty()], CAPTION, Weights(text=0), complete=True)
    assert found.total == 0


def test_judging_together_or_apart_is_the_same():
    scores = [song(8, seed=seed) for seed in range(4)]
    together_ = composite().score(scores, CAPTION, Weights(), complete=True)
    apart = [composite().score([score], CAPTION, Weights(), complete=True)[0] for score in scores]
    assert together_ == apart
    assert len({found.total for found in apart}) > 1
    assert all(np.isfinite(found.total) for found in apart)
