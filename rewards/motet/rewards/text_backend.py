"""What hears sound and reads captions for the text reward: the contract of our own dual encoder and of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from motet.music.caption import Caption
from motet.rewards.calibration import Calibration

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Sentences to unit-norm embeddings [B, 384] (``motet.model.text.TextEncoder.pooled``)."""


class TextBackend(Protocol):
    """Hears sound and reads captions in one space, where what fits is near; safe to share between threads."""

    @property
    def rate_hz(self) -> int:
        """Sample rate of the sound that it hears."""
        ...

    @property
    def window_s(self) -> float:
        """Length of a window in seconds."""
        ...

    @property
    def calibration(self) -> Calibration:
        """From this backend's cosines to 0..1."""
        ...

    def audio_vector(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """The unit vector [D] of one window of mono sound [samples]; depends on nothing but that sound."""
        ...

    def text_vector(self, caption: Caption) -> NDArray[np.float32]:
        """The unit vector [D] of a caption."""
        ...
