from __future__ import annotations

import numpy as np
import pytest

from motet.music import caption
from motet.music.caption import Caption
from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.rewards.calibration import Calibration
from motet.rewards.inferalign import (
    LOGIT_SCALE,
    InferAlign,
    Notes,
    Paper,
    Released,
    inferalign_paper,
    inferalign_released,
)
from motet.rewards.render import Renderer
from motet.rewards.reward import Resources
from motet.rewards.sound import Sound
from motet.rewards.text import TextTerm
from tests.fakes import fake_embed
from tests.rewards.pieces import DEGENERATE, drums, score_of, song, together

ASKED = caption.parse("a calm flute piece")


class Constant:
    """A backend that finds the same cosine in everything."""

    rate_hz = 22050
    window_s = 2.0
    calibration = Calibration(matched=(-1.0, 1.0), mismatched=(-1.0, 1.0))

    def __init__(self, cosine: float) -> None:
        self.text = np.array([cosine, np.sqrt(1 - cosine**2)], np.float32)

    def audio_vector(self, audio: np.ndarray) -> np.ndarray:
        return np.array([1, 0], np.float32)

    def text_vector(self, caption: Caption) -> np.ndarray:
        return self.text


@pytest.fixture(scope="module")
def renderer():
    with Renderer() as loaded:
        yield loaded


def hearing(renderer: Renderer, cosine: float) -> TextTerm:
    return TextTerm(Constant(cosine), Sound(renderer, window_s=2.0))


@pytest.mark.parametrize(
    ("name", "harmonic"),
    [
        ("single note", 2.50),
        ("repeated note", 2.50),
        ("two-note alternation", 3.75),
        ("one pitch class in octaves", 4.38),
        ("triad repeated", 4.17),
        ("repeated clusters", 3.75),
    ],
)
def test_harmonic_terms_of_degenerate_pieces(name: str, harmonic: float):
    """As measured with another key finder, where the key is plain."""
    notes = Notes.of(DEGENERATE[name](8))
    assert notes is not None
    assert 2.5 * notes.in_key + 2.5 * notes.variety == pytest.approx(harmonic, abs=0.005)


def test_in_key_is_judged_by_the_natural_minor_alone():
    chords = [(beat, 1, pitch) for beat in range(8) for pitch in (57, 60, 64)]
    notes = Notes.of(score_of([*chords, (7, 1, 68)]))  # the leading note of A minor
    assert notes == Notes(in_key=24 / 25, variety=1 - 8 / 25)


def test_pitches_are_counted_by_octave_and_drums_not_at_all():
    piece = score_of([(at, 1, 48 + 12 * (at % 2)) for at in range(8)])
    assert Notes.of(together(piece, drums(8))) == Notes.of(piece) == Notes(in_key=1.0, variety=0.5)


def test_raw_numbers_are_those_of_the_formulas(renderer: Renderer):
    piece = score_of([(at, 1, (60, 64, 67, 61)[at % 4]) for at in range(8)])
    text = hearing(renderer, 0.25)
    notes = Notes.of(piece)
    assert notes is not None
    [released] = InferAlign(Released(logit_scale=14.0), text).judge([piece], ASKED, complete=True)
    assert released.details["raw"] == pytest.approx(2.5 * notes.in_key + 3.5 + 2.5 * 0.75, abs=1e-5)
    assert released.value == pytest.approx((released.details["raw"] + 14) / 33)
    [paper] = InferAlign(Paper(alpha=0.6, beta=0.4), text).judge([piece], ASKED, complete=True)
    assert paper.details["raw"] == pytest.approx(0.6 * 0.25 + 0.4 * notes.in_key, abs=1e-6)
    assert paper.value == pytest.approx((paper.details["raw"] + 0.6) / 1.6)
    assert released.details["cosine"] == pytest.approx(0.25)


@pytest.mark.parametrize("formula", [Paper(), Released()])
def test_values_keep_the_order_of_raw_numbers(renderer: Renderer, formula):
    pieces = [song(2, seed) for seed in range(3)] + [make(2) for make in DEGENERATE.values()] + [drums(2)]
    found = []
    for cosine in (-1.0, -0.2, 0.3, 1.0):
        found += InferAlign(formula, hearing(renderer, cosine)).judge(pieces, ASKED, complete=True)
    raw = np.array([one.details["raw"] for one in found])
    value = np.array([one.value for one in found])
    assert value.min() >= 0
    assert value.max() <= 1
    order = np.argsort(raw)
    assert np.all(np.diff(value[order]) >= 0)
    np.testing.assert_allclose(np.polyval(np.polyfit(raw, value, 1), raw), value, atol=1e-9)


def test_what_cannot_be_computed_is_taken_for_zero_as_in_the_released_code(renderer: Renderer):
    reward = InferAlign(Released(), hearing(renderer, 0.9))
    nothing, beat = reward.judge([Score.empty(), drums(2)], ASKED, complete=True)
    assert nothing == beat
    assert nothing.details == {"raw": 0.0}
    assert nothing.value == pytest.approx(LOGIT_SCALE / (2 * LOGIT_SCALE + 5))


def test_both_are_made_from_what_rewards_may_use(renderer: Renderer):
    resources = Resources(renderer=renderer, sound=Sound(renderer), embed=fake_embed)
    for factory in (inferalign_paper, inferalign_released):
        [first] = factory(resources).judge([song(2)], ASKED, complete=True)
        assert 0 < first.value < 1
        assert set(first.details) == {"raw", "cosine", "in_key", "variety"}
    loud = Constant(0.5)
    chosen = Resources(renderer=renderer, sound=Sound(renderer, window_s=2.0), embed=fake_embed, text=loud)
    [heard] = inferalign_released(chosen).judge([song(2)], ASKED, complete=True)
    assert heard.details["cosine"] == pytest.approx(0.5)


def test_weights_are_checked():
    for alpha, beta in ((-1.0, 1.0), (0.0, 0.0), (float("nan"), 1.0), (float("inf"), 1.0)):
        with pytest.raises(InvalidInputError, match="alpha and beta"):
            Paper(alpha=alpha, beta=beta)
