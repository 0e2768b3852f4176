"""The dual encoder behind the text reward: an audio tower and a text tower that meet in one space."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from motet.music.error import InvalidInputError
from motet.rewards import statement
from motet.rewards.spectrum import BANDS, SpectrumConfig

TEXT_WIDTH = 384

_LAGS_S = (0.12, 4.2)  # from sixteenths to a slow bar
_LAGS = 80  # evenly by their logarithm: another tempo is a shift
_PULSES = BANDS // 2 + 2  # onsets in four ranges, and the return of low and of high tones
_MEL, _TONE, _RHYTHM, _METER, _CLASS = 192, 128, 96, 32, 16


@dataclass(frozen=True, kw_only=True)
class TowersConfig:
    """Sizes of the towers.

    Args:
        width: dimension of the common space.
        channels: of the convolutions, from the first layer on.
        trunk: units in front of the common space.
        text_hidden: hidden units of the text tower.
        dropout: in the heads, while training.
    """

    width: int = 128
    channels: tuple[int, int, int] = (16, 40, 80)
    trunk: int = 256
    text_hidden: int = 384
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if min(self.width, self.trunk, self.text_hidden) < 8 or len(self.channels) != 3 or min(self.channels) < 4:
            rule = "width, trunk, text_hidden >= 8 and three channels >= 4 are needed"
            raise InvalidInputError.of("towers", rule, self)
        if not 0 <= self.dropout < 1:
            raise InvalidInputError.of("towers.dropout", "must be at least 0 and below 1", self.dropout)


class Towers(nn.Module):
    """Audio and text to unit vectors; the cosine of a matching pair is high.

    The audio tower hears four things: timbre (a CNN over the mel spectrogram), notes (one over semitones, which keeps
    the pitch axis), the key (tones folded to pitch classes, by filters that are the same for all twelve tonics) and
    the beat (autocorrelations over the logarithm of the lag). The text tower reads a sentence embedding and a
    ``motet.rewards.statement.vector``.
    """

    def __init__(self, config: TowersConfig, spectrum: SpectrumConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third = config.channels
        for name in ("mel", "tone", "band"):  # mean and deviation, set from training data
            self.register_buffer(f"{name}_level", torch.tensor([-3.0, 2.0]))
        self.register_buffer("_tone_lags", _lag_grid(spectrum.tone_frames, 2 * spectrum.hop / spectrum.rate_hz), False)
        self.register_buffer("_band_lags", _lag_grid(spectrum.band_frames, spectrum.hop / 2 / spectrum.rate_hz), False)
        self.mel = nn.Sequential(_block(1, first, (2, 2)), _block(first, second, (2, 2)), _block(second, third, (2, 2)))
        self.tone = nn.Sequential(
            _block(1, first, (1, 2)), _block(first, second, (2, 2)), _block(second, third, (1, 2))
        )
        self.mel_flat = _flat(third * math.ceil(spectrum.mels / 8), _MEL)  # halved three times, rounded up each time
        self.tone_flat = _flat(third * math.ceil(spectrum.tones / 2), _TONE)
        self.key = nn.Sequential(
            _around(8, 32), nn.BatchNorm1d(32), nn.GELU(), _around(32, _CLASS), nn.GELU(), nn.Flatten()
        )
        self.beat = nn.Sequential(nn.Conv1d(_PULSES, 24, 5, padding=2), nn.BatchNorm1d(24), nn.GELU())
        self.rhythm = nn.Sequential(nn.Flatten(), nn.Linear(24 * _LAGS, _RHYTHM), nn.GELU())
        self.meter = nn.Sequential(nn.Conv1d(24, _METER, 33, padding=16), nn.GELU())  # at least one octave each way
        parts = 2 * (_MEL + _TONE) + 12 * _CLASS + _RHYTHM + _METER
        self.trunk = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(parts, config.trunk), nn.BatchNorm1d(config.trunk), nn.GELU()
        )
        self.head = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(config.trunk, config.width))
        self.text = nn.Sequential(
            nn.Linear(TEXT_WIDTH + statement.WIDTH, config.text_hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.text_hidden, config.width),
        )
        self.log_scale = nn.Parameter(torch.tensor(2.66))  # 1 / 0.07

    def features(self, mel: Tensor, tone: Tensor, band: Tensor) -> Tensor:
        """What is heard, before the common space: log spectrograms as of ``audio_vectors`` to [B, trunk]."""
        mel, tone, band = self._levelled(mel, "mel"), self._levelled(tone, "tone"), self._levelled(band, "band")
        parts = []
        for image, convolutions, flat in ((mel, self.mel, self.mel_flat), (tone, self.tone, self.tone_flat)):
            line = flat(convolutions(image.unsqueeze(1)).flatten(1, 2))
            parts += [line.mean(-1), line.amax(-1)]
        beat = self.beat(self._pulses(tone, band))
        features: Tensor = self.trunk(
            torch.cat([*parts, self.key(_classes(tone)), self.rhythm(beat), self.meter(beat).amax(-1)], dim=-1)
        )
        return features

    def audio_vectors(self, mel: Tensor, tone: Tensor, band: Tensor) -> Tensor:
        """Log spectrograms [B, mels, F], [B, tones, F / 2], [B, bands, 2F] to unit vectors [B, width]."""
        return self.placed(self.features(mel, tone, band))

    def placed(self, features: Tensor) -> Tensor:
        """Features [B, trunk] to unit vectors [B, width]."""
        return nn.functional.normalize(self.head(features), dim=-1)

    def text_vectors(self, sentences: Tensor, statements: Tensor) -> Tensor:
        """Sentence embeddings [B, 384] and what the sentences state [B, A] to unit vectors [B, width].

        Either may be 0: an unknown wording, or nothing stated.
        """
        said = torch.cat([sentences * math.sqrt(TEXT_WIDTH), statements], dim=-1)
        return nn.functional.normalize(self.text(said), dim=-1)

    @property
    def scale(self) -> Tensor:
        """The inverse temperature of the cosines, at most 100."""
        return self.log_scale.exp().clamp(max=100.0)

    def _levelled(self, image: Tensor, name: str) -> Tensor:
        level = self.get_buffer(f"{name}_level")
        return (image - level[0]) / level[1]

    def _pulses(self, tone: Tensor, band: Tensor) -> Tensor:
        """Autocorrelations [B, pulses, lags] of levelled spectrograms, each 1 at lag 0."""
        onsets = torch.relu(torch.diff(band, dim=-1, prepend=band[:, :, :1]))
        beats = _correlation(onsets.reshape(len(onsets), BANDS // 2, 2, -1))
        half = tone.shape[1] // 2
        returns = _correlation(torch.stack([tone[:, :half], tone[:, half : 2 * half]], dim=1))
        return torch.cat([beats @ self.get_buffer("_band_lags"), returns @ self.get_buffer("_tone_lags")], dim=1)


def _block(inside: int, outside: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    )


def _flat(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(inside, outside, 1), nn.BatchNorm1d(outside), nn.GELU())


def _around(inside: int, outside: int) -> nn.Conv1d:
    """A filter over the circle of pitch classes: every class sees all twelve, itself first."""
    return nn.Conv1d(inside, outside, 12, padding="same", padding_mode="circular")


def _classes(tone: Tensor) -> Tensor:
    """Pitch classes [B, 8, 12] of a levelled spectrogram by semitones: of all tones and of the low third, over the
    whole time, its halves, and at the loudest moment."""
    octaves = torch.relu(tone).reshape(len(tone), -1, 12, tone.shape[-1])
    low = max(1, octaves.shape[1] // 3)
    half = max(1, tone.shape[-1] // 2)
    parts = []
    for folded in (octaves.mean(1), octaves[:, :low].mean(1)):
        parts += [folded.mean(-1), folded[..., :half].mean(-1), folded[..., half:].mean(-1), folded.amax(-1)]
    return torch.stack(parts, dim=1)


def _correlation(lines: Tensor) -> Tensor:
    """Autocorrelation [B, G, F] over time of lines [B, G, R, F], summed over R, without their means; 1 at lag 0."""
    frames = lines.shape[-1]
    lines = lines - lines.mean(-1, keepdim=True)
    power = torch.fft.rfft(lines, n=2 * frames).abs().square().sum(2)
    correlation: Tensor = torch.fft.irfft(power)[..., :frames]
    return correlation / (correlation[..., :1] + 1e-6)


def _lag_grid(frames: int, frame_s: float) -> Tensor:
    """Weights [frames, lags] that read an autocorrelation at ``_LAGS`` lags between its frames; 0 beyond its end."""
    places = np.geomspace(*_LAGS_S, _LAGS) / frame_s
    weights = np.clip(1 - np.abs(np.arange(frames)[:, None] - places[None]), 0, None)
    return torch.from_numpy(weights.astype(np.float32))
