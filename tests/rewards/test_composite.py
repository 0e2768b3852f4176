from __future__ import annotations

import math
import pickle
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music import caption
from motet.music.error import InternalError, InvalidInputError
from motet.music.score import Score
from motet.rewards.composite import DEFAULT_WEIGHTS, NOTHING_ASKED, AdherenceTerm, Composite, HarmonyTerm, Weights
from motet.rewards.harmony import NEUTRAL
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


def composite(text: float | None = 0.5) -> Composite:
    rewards: dict[str, Reward] = {
        "text": Constant(text),
        "harmony": HarmonyTerm(),
        "adherence": AdherenceTerm(),
        "extra": Constant(1.0),
    }
    return Composite(rewards)


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
    [found] = composite(text=0.25).score([BAND], VAGUE, Weights(text=1, adherence=1), complete=True)
    assert found.terms == {"text": 0.25}
    assert found.total == 0.25
    [nothing] = composite().score([BAND], VAGUE, Weights(adherence=1), complete=True)
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
    rewards.score([BAND], CAPTION, Weights(text=0, harmony=1), complete=True)
    assert text.calls == 0


def test_any_reward_counts_with_the_weight_that_a_call_gives_it():
    [found] = composite(text=0.0).score([BAND], CAPTION, Weights(text=1, extra=3), complete=True)
    assert found.terms == {"text": 0.0, "extra": 1.0}
    assert found.total == pytest.approx(0.75)
    [without] = composite(text=0.0).score([BAND], CAPTION, Weights(text=1), complete=True)
    assert without.terms == {"text": 0.0}


def test_a_weight_without_its_reward_is_refused_in_one_line_that_lists_what_there_is():
    with pytest.raises(InvalidInputError) as error:
        composite().score([BAND], CAPTION, Weights(text=1, melody=0.5), complete=True)
    rule = "must name one of adherence, extra, harmony, text"
    assert str(error.value) == f"weights: {rule} (received 'melody=0.5')"


def test_weights_are_a_plain_immutable_mapping():
    weights = Weights(mine=0.5, adherence=1, text=0.2)
    assert dict(weights) == {"text": 0.2, "adherence": 1.0, "mine": 0.5}
    assert weights == Weights({"adherence": 1, "mine": 0.5, "text": 0.2})
    assert list(weights) == ["text", "adherence", "mine"]
    assert hash(weights) == hash(pickle.loads(pickle.dumps(weights)))  # noqa: S301
    assert pickle.loads(pickle.dumps(weights)) == deepcopy(weights) == weights  # noqa: S301
    assert dict(Weights()) == dict(DEFAULT_WEIGHTS)
    assert str(weights) == "text=0.2,adherence=1,mine=0.5"
    with pytest.raises(TypeError):
        weights["text"] = 1.0  # type: ignore[index]


names = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters="_-."), min_size=1, max_size=12)


@settings(max_examples=40)
@given(st.dictionaries(names, st.floats(0.001, 1e6), min_size=1, max_size=8))
def test_weights_are_read_back_from_their_text(values):
    read = Weights.parse(str(Weights(values)))
    assert read.keys() == values.keys()
    assert all(read[name] == pytest.approx(value) for name, value in values.items())


@pytest.mark.parametrize("text", ["text", "text=x", "=1", "text=1,text=2", "text=nan", "text=-1", "text=0", ""])
def test_weights_that_cannot_be_read_are_one_clear_line(text: str):
    with pytest.raises(InvalidInputError, match=r"^weights[a-z.]*: must .*received") as error:
        Weights.parse(text)
    assert "\n" not in str(error.value)


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


@pytest.mark.parametrize("value", [math.nan, math.inf, 1.5, -0.1, "loud"])
def test_a_reward_outside_its_range_is_a_defect_not_a_number(value):
    with pytest.raises(InternalError, match="'text'"):
        composite(text=value).score([BAND], CAPTION, Weights(), complete=True)


class Broken:
    def __init__(self, judgements) -> None:
        self.judgements = judgements

    def judge(self, scores, caption, *, complete):
        return self.judgements


@pytest.mark.parametrize(
    ("judgements", "message"),
    [
        ([], "0 judgements of 1 scores"),
        ([Judgement(value=0.5, details={"depth": math.nan})], "gave nan as 'depth'"),
        ([Judgement(value=0.5, bars={"depth": [0.5] * 7 + [math.inf]})], "gave inf as 'depth'"),
        ([Judgement(value=0.5, bars={"depth": [0.5] * 7})], "must be 8"),
    ],
)
def test_a_reward_that_breaks_its_contract_is_named(judgements, message: str):
    with pytest.raises(InternalError, match=message):
        Composite({"mine": Broken(judgements)}).score([BAND], CAPTION, Weights(mine=1), complete=True)


def test_bars_are_told_by_term_and_name():
    row = [index / 8 for index in range(8)]
    rewards: dict[str, Reward] = {
        "mine": Broken([Judgement(value=0.5, bars={"depth": row})]),
        "adherence": AdherenceTerm(),
    }
    [found] = Composite(rewards).score([BAND], CAPTION, Weights(mine=1, adherence=1), complete=True)
    assert found.bars["mine.depth"] == tuple(row)
    assert all(len(values) == 8 for values in found.bars.values())


def test_no_scores_and_empty_scores():
    assert composite().score([], CAPTION, Weights(), complete=True) == []
    [found] = composite().score([Score.empty()], CAPTION, Weights(harmony=1, adherence=1), complete=True)
    assert found.total == 0


def test_judging_together_or_apart_is_the_same():
    scores = [song(8, seed=seed) for seed in range(4)]
    together_ = composite().score(scores, CAPTION, Weights(), complete=True)
    apart = [composite().score([score], CAPTION, Weights(), complete=True)[0] for score in scores]
    assert together_ == apart
    assert len({found.total for found in apart}) > 1
    assert all(np.isfinite(found.total) for found in apart)


def test_drums_alone_are_no_way_round_harmony():
    term = HarmonyTerm()
    values = {
        text: term.judge([drums(8)], caption.parse(text), complete=True)[0].value
        for text in ("a drum solo with drums", "a slow waltz", "rock with drums and bass guitar")
    }
    assert values["a drum solo with drums"] == NEUTRAL
    assert values["a slow waltz"] == values["rock with drums and bass guitar"] == 0.0
