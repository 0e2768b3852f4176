from __future__ import annotations

import numpy as np
import pytest

from motet.music import caption
from motet.music.caption import Caption
from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.rewards.render import Renderer
from motet.rewards.sound import Sound
from motet.rewards.text import Calibration, TextTerm
from tests.rewards.pieces import song

CALIBRATION = Calibration(matched=(-0.2, 0.5, 1.0), mismatched=(-1.0, 0.0, 0.6))
ASKED = caption.parse("a calm flute piece")


class Loudness:
    """A backend of two dimensions: captions point along the first, sounds turn to the second as they grow louder."""

    rate_hz = 22050
    window_s = 2.0
    calibration = CALIBRATION

    def __init__(self) -> None:
        self.heard = 0

    def audio_vector(self, audio: np.ndarray) -> np.ndarray:
        self.heard += 1
        angle = min(10 * float(np.abs(audio).mean()), np.pi / 2)
        return np.array([np.cos(angle), np.sin(angle)], np.float32)

    def text_vector(self, caption: Caption) -> np.ndarray:
        return np.array([1, 0], np.float32)


@pytest.fixture(scope="module")
def renderer():
    with Renderer() as loaded:
        yield loaded


def test_calibration_rises_and_is_checked():
    values = [CALIBRATION(cosine) for cosine in np.linspace(-1, 1, 21)]
    assert values == sorted(values)
    assert values[0] == 0
    assert values[-1] == 1
    for rows in ({"matched": (1.0, 0.0)}, {"mismatched": (0.0, float("nan"))}, {"matched": (0.0,)}):
        with pytest.raises(InvalidInputError, match="calibration"):
            Calibration(**({"matched": (0.0, 1.0), "mismatched": (0.0, 1.0)} | rows))
    drawn = Calibration.of(np.array([0.4, 0.6]), np.array([0.0, 0.2]))
    assert drawn(0.5) == pytest.approx(0.75)


def test_only_what_is_new_is_rendered_and_heard(renderer: Renderer):
    sound, backend = Sound(renderer, window_s=2.0), Loudness()
    term = TextTerm(backend, sound)
    long = song(8, seed=3)
    beginning = long.between(0, int(long.bar_ticks()[4]))
    [first] = term.judge([beginning], ASKED, complete=False)
    rendered, heard = sound.rendered, backend.heard
    [second, again, twice] = term.judge([long, beginning, long], ASKED, complete=True)
    assert sound.rendered < 2 * rendered + 1
    assert backend.heard < 2 * heard + 1
    assert again == first != second == twice
    assert 0 <= first.value <= 1
    assert first.value == CALIBRATION(first.details["cosine"])


def test_a_score_has_the_same_value_in_any_company_and_in_any_order(renderer: Renderer):
    pieces = [song(2, seed=seed) for seed in range(3)]
    together = TextTerm(Loudness(), Sound(renderer, window_s=2.0)).judge(pieces, ASKED, complete=True)
    term = TextTerm(Loudness(), Sound(renderer, window_s=2.0))
    assert [term.judge([piece], ASKED, complete=True)[0] for piece in reversed(pieces)] == together[::-1]


def test_silence_is_worth_nothing(renderer: Renderer):
    term = TextTerm(Loudness(), Sound(renderer, window_s=2.0))
    assert term.judge([Score.empty()], ASKED, complete=True)[0].value == 0
    assert term.judge([], ASKED, complete=True) == []


def test_the_sound_must_be_what_the_backend_hears(renderer: Renderer):
    with pytest.raises(InvalidInputError, match="windows of 2"):
        TextTerm(Loudness(), Sound(renderer, window_s=4.0))
