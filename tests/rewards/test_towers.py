from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.music.error import InvalidInputError
from motet.rewards import statement
from motet.rewards.spectrum import Spectrum, SpectrumConfig
from motet.rewards.towers import Towers, TowersConfig, _classes, _correlation, _lag_grid

SPECTRUM = SpectrumConfig(window_s=2.0, mels=32, tones=24, lowest_tone=48)


@pytest.fixture
def towers() -> Towers:
    torch.manual_seed(0)
    return Towers(TowersConfig(width=16, channels=(4, 8, 8), trunk=16, text_hidden=16), SPECTRUM).eval()


def test_vectors_are_unit_whatever_is_heard_or_said(towers: Towers):
    sounds = torch.stack([torch.zeros(44100), 0.1 * torch.randn(44100, generator=torch.manual_seed(0))])
    heard = towers.audio_vectors(*Spectrum(SPECTRUM)(sounds))
    said = towers.text_vectors(torch.zeros(3, 384), torch.zeros(3, statement.WIDTH))
    for vectors, count in ((heard, 2), (said, 3)):
        assert vectors.shape == (count, 16)
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(count))


def test_autocorrelation_peaks_at_the_period():
    frames, period = 200, 25
    line = torch.zeros(1, 1, 1, frames)
    line[..., ::period] = 1
    correlation = _correlation(line)[0, 0]
    assert float(correlation[0]) == pytest.approx(1, abs=1e-4)
    assert int(correlation[5:40].argmax()) + 5 == period
    direct = np.correlate(line.numpy().ravel() - line.mean().item(), line.numpy().ravel() - line.mean().item(), "full")
    np.testing.assert_allclose(correlation.numpy(), direct[frames - 1 :] / direct[frames - 1], atol=1e-4)


def test_lags_are_read_between_frames_and_none_beyond_the_end():
    grid = _lag_grid(100, 0.05)
    line = torch.arange(100.0)
    expected = np.geomspace(0.12, 4.2, 80) / 0.05
    np.testing.assert_allclose((line @ grid).numpy(), expected, rtol=1e-4)
    assert not _lag_grid(10, 0.05)[:, -1].any()


def test_another_octave_is_the_same_pitch_class_and_another_tonic_a_turn():
    tone = torch.zeros(2, 72, 20)
    tone[0, 24:72:12] = 2.0
    tone[1, 26:72:12] = 2.0
    classes = _classes(tone)
    torch.testing.assert_close(torch.roll(classes[0], 2, -1), classes[1])
    shifted = torch.zeros(1, 72, 20)
    shifted[0, 36] = shifted[0, 60] = 2.0
    other = torch.zeros(1, 72, 20)
    other[0, 48] = other[0, 60] = 2.0
    torch.testing.assert_close(_classes(shifted)[:, :4], _classes(other)[:, :4])


def test_bad_sizes_are_refused():
    for options in ({"width": 2}, {"trunk": 1}, {"channels": (4, 8)}, {"dropout": 1.0}):
        with pytest.raises(InvalidInputError, match="towers"):
            TowersConfig(**options)
    with pytest.raises(InvalidInputError, match="tones"):
        SpectrumConfig(tones=25)
