"""What the ear of the text reward sees: a mel spectrogram, one by semitones that keeps pitches apart, and beats."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from motet.music.error import InvalidInputError

_FLOOR = 1e-6
_BAND_EDGES_HZ = (30.0, 90.0, 180.0, 350.0, 700.0, 1500.0, 3500.0, 7000.0, 11_000.0)  # kick drum up to cymbals

BANDS = len(_BAND_EDGES_HZ) - 1
"""Bands of the third spectrogram."""


@dataclass(frozen=True, kw_only=True)
class SpectrumConfig:
    """Sizes of the spectrograms.

    Args:
        rate_hz: sample rate of the audio.
        window_s: length of a window in seconds; audio is padded with silence or cut to it.
        hop: samples between frames of the mel spectrogram (46 ms); the one by semitones has half as many frames, the
            one by bands twice as many, as beats need it.
        mels: mel bands between ``low_hz`` and ``high_hz``.
        tones: semitones from MIDI pitch ``lowest_tone`` up.
    """

    rate_hz: int = 22050
    window_s: float = 8.0
    hop: int = 1024
    mels: int = 64
    low_hz: float = 40.0
    high_hz: float = 10_000.0
    tones: int = 72
    lowest_tone: int = 31

    def __post_init__(self) -> None:
        for name, low in (("rate_hz", 8000), ("hop", 64), ("mels", 8), ("tones", 12), ("lowest_tone", 0)):
            if getattr(self, name) < low:
                raise InvalidInputError.of(f"spectrum.{name}", f"must be at least {low}", getattr(self, name))
        if self.tones % 12:
            raise InvalidInputError.of("spectrum.tones", "must be whole octaves of 12", self.tones)
        if not 1 <= self.window_s <= 60:
            raise InvalidInputError.of("spectrum.window_s", "must be from 1 to 60", self.window_s)
        if not 0 < self.low_hz < self.high_hz <= self.rate_hz / 2:
            rule = "must satisfy 0 < low_hz < high_hz <= rate_hz / 2"
            raise InvalidInputError.of("spectrum.low_hz, high_hz", rule, (self.low_hz, self.high_hz))

    @property
    def samples(self) -> int:
        """Samples of a window."""
        return round(self.window_s * self.rate_hz)

    @property
    def mel_frames(self) -> int:
        """Frames of the mel spectrogram."""
        return self.samples // self.hop + 1

    @property
    def tone_frames(self) -> int:
        """Frames of the semitone spectrogram."""
        return self.samples // (2 * self.hop) + 1

    @property
    def band_frames(self) -> int:
        """Frames of the spectrogram by bands."""
        return self.samples // (self.hop // 2) + 1


class Spectrum(nn.Module):
    """Audio to log spectrograms; holds filter banks and nothing that is learned."""

    def __init__(self, config: SpectrumConfig) -> None:
        super().__init__()
        self.config = config
        edges = _mel_to_hz(np.linspace(_hz_to_mel(config.low_hz), _hz_to_mel(config.high_hz), config.mels + 2))
        tones = 440 * 2 ** ((np.arange(config.tones + 2) + config.lowest_tone - 1 - 69) / 12)
        self._mel_size, self._tone_size, self._band_size = 2 * config.hop, 4 * config.hop, config.hop
        self.register_buffer("_mel_bank", _triangles(edges, self._mel_size, config.rate_hz), persistent=False)
        self.register_buffer("_tone_bank", _triangles(tones, self._tone_size, config.rate_hz), persistent=False)
        self.register_buffer("_band_bank", _steps(self._band_size, config.rate_hz), persistent=False)
        self.register_buffer("_mel_window", torch.hann_window(self._mel_size), persistent=False)
        self.register_buffer("_tone_window", torch.hann_window(self._tone_size), persistent=False)
        self.register_buffer("_band_window", torch.hann_window(self._band_size), persistent=False)

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log power by mels, tones and bands (``Towers.audio_vectors``) of mono audio [B, samples], of any length."""
        samples = self.config.samples
        audio = audio[:, :samples]
        audio = nn.functional.pad(audio, (0, samples - audio.shape[1]))
        return (
            self._log_power(audio, self._mel_size, self._mel_window, self._mel_bank),
            self._log_power(audio, self._tone_size, self._tone_window, self._tone_bank),
            self._log_power(audio, self._band_size, self._band_window, self._band_bank),
        )

    @staticmethod
    def _log_power(audio: Tensor, size: int, window: Tensor | nn.Module, bank: Tensor | nn.Module) -> Tensor:
        assert isinstance(window, Tensor)  # noqa: S101  # buffers are typed as either
        assert isinstance(bank, Tensor)  # noqa: S101
        waves = torch.stft(audio, size, size // 2, window=window, return_complex=True)
        power = waves.real.square() + waves.imag.square()  # half the time of abs().square()
        return torch.log10(bank @ power / size + _FLOOR)


def _hz_to_mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700 * (10 ** (mel / 2595) - 1))


def _triangles(edges: NDArray[np.float64], size: int, rate_hz: int) -> Tensor:
    """Triangular filters [len(edges) - 2, size / 2 + 1]; a narrow one still takes part of its nearest bin."""
    bins = np.arange(size // 2 + 1) * rate_hz / size
    width = rate_hz / size
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins - np.minimum(low, middle - width)) / (middle - np.minimum(low, middle - width))
    falling = (np.maximum(high, middle + width) - bins) / (np.maximum(high, middle + width) - middle)
    return torch.from_numpy(np.clip(np.minimum(rising, falling), 0, None).astype(np.float32))


def _steps(size: int, rate_hz: int) -> Tensor:
    """Filters [bands, size / 2 + 1] that take whole bins; each bin belongs to one band at most, each band has one."""
    bins = np.arange(size // 2 + 1) * rate_hz / size
    bank = np.zeros((BANDS, len(bins)), np.float32)
    for band, (low, high) in enumerate(pairwise(_BAND_EDGES_HZ)):
        inside = (bins >= low) & (bins < high)
        inside[int(np.argmin(np.abs(bins - (low + high) / 2)))] |= not inside.any()
        bank[band] = inside
    return torch.from_numpy(bank)
