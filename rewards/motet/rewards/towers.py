"""The dual encoder behind the text reward: an audio tower and a text tower that meet in one space."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motet.music.error import InvalidInputError
from motet.rewards.spectrum import SpectrumConfig

TEXT_WIDTH = 384
_LAGS = (3, 83)  # frames of 46 ms: 0.14 to 3.8 s, from sixteenths to a bar
_PULSE = 32


@dataclass(frozen=True, kw_only=True)
class TowersConfig:
    """Sizes of the towers.

    Args:
        width: dimension of the common space.
        channels: of the convolutions, from the first layer on.
        text_hidden: hidden units of the text tower.
        dropout: in the heads, while training.
    """

    width: int = 128
    channels: tuple[int, int, int] = (16, 48, 96)
    text_hidden: int = 256
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.width < 8 or self.text_hidden < 8 or len(self.channels) != 3 or min(self.channels) < 4:
            raise InvalidInputError.of("towers", "width, text_hidden >= 8 and three channels >= 4 are needed", self)
        if not 0 <= self.dropout < 1:
            raise InvalidInputError.of("towers.dropout", "must be at least 0 and below 1", self.dropout)


class Towers(nn.Module):
    """Audio and text to unit vectors; the cosine of a matching pair is high.

    The audio tower keeps the pitch axis up to its head (a depthwise-separable CNN over each spectrogram, mean and
    maximum over time only) and adds the autocorrelation of the onsets, which tells the tempo.
    """

    def __init__(self, config: TowersConfig, spectrum: SpectrumConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third = config.channels
        self.register_buffer("mel_level", torch.tensor([-3.0, 2.0]))  # mean and deviation, set from training data
        self.register_buffer("tone_level", torch.tensor([-3.0, 2.0]))
        self.mel = nn.Sequential(
            _entry(first, (2, 2)), _separable(first, second, (2, 2)), _separable(second, third, (2, 2))
        )
        self.tone = nn.Sequential(
            _entry(first, (1, 2)), _separable(first, second, (2, 2)), _separable(second, third, (1, 1))
        )
        mel_rows = math.ceil(spectrum.mels / 8)  # halved three times, rounded up each time
        tone_rows = math.ceil(spectrum.tones / 2)
        self.mel_flat = nn.Sequential(nn.Conv1d(third * mel_rows, 192, 1), nn.BatchNorm1d(192), nn.GELU())
        self.tone_flat = nn.Sequential(nn.Conv1d(third * tone_rows, 128, 1), nn.BatchNorm1d(128), nn.GELU())
        self.pulse = nn.Sequential(nn.Linear(_LAGS[1] - _LAGS[0], _PULSE), nn.GELU())
        self.head = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(2 * (192 + 128) + _PULSE, config.width))
        self.text = nn.Sequential(
            nn.Linear(TEXT_WIDTH, config.text_hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.text_hidden, config.width),
        )
        self.log_scale = nn.Parameter(torch.tensor(2.66))  # 1 / 0.07

    def audio_vectors(self, mel: Tensor, tone: Tensor) -> Tensor:
        """Log spectrograms [B, mels, F], [B, tones, F'] to unit vectors [B, width]."""
        mel = self._levelled(mel, self.mel_level)
        tone = self._levelled(tone, self.tone_level)
        parts = []
        for image, convolutions, flat in ((mel, self.mel, self.mel_flat), (tone, self.tone, self.tone_flat)):
            maps = convolutions(image.unsqueeze(1)).flatten(1, 2)
            line = flat(maps)
            parts += [line.mean(-1), line.amax(-1)]
        return nn.functional.normalize(self.head(torch.cat([*parts, self.pulse(_pulse(mel))], dim=-1)), dim=-1)

    def text_vectors(self, sentences: Tensor) -> Tensor:
        """Sentence embeddings [B, 384] to unit vectors [B, width]."""
        return nn.functional.normalize(self.text(sentences), dim=-1)

    @property
    def scale(self) -> Tensor:
        """The inverse temperature of the cosines, at most 100."""
        return self.log_scale.exp().clamp(max=100.0)

    @staticmethod
    def _levelled(image: Tensor, level: Tensor | nn.Module) -> Tensor:
        assert isinstance(level, Tensor)  # noqa: S101  # buffers are typed as either
        return (image - level[0]) / level[1]


def _entry(channels: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
    )


def _separable(inside: int, outside: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, inside, 3, stride=stride, padding=1, groups=inside, bias=False),
        nn.BatchNorm2d(inside),
        nn.Conv2d(inside, outside, 1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(),
    )


def _pulse(mel: Tensor) -> Tensor:
    """Autocorrelation [B, lags] of the onset strength of a levelled mel spectrogram [B, mels, F], 1 at lag 0."""
    onset = torch.relu(mel[:, :, 1:] - mel[:, :, :-1]).mean(1)
    onset = onset - onset.mean(-1, keepdim=True)
    power = torch.fft.rfft(onset, n=2 * onset.shape[-1]).abs().square()
    correlation: Tensor = torch.fft.irfft(power)
    return correlation[:, _LAGS[0] : _LAGS[1]] / (correlation[:, :1] + 1e-6)
