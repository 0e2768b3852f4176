"""The reward "text": how well the sound of a score fits the words of a caption, by a backend that hears."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from motet.music.caption import Caption
from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.rewards.reward import Judgement, Resources
from motet.rewards.sound import Sound, Window

_KEPT_VECTORS = 4096


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Where cosines of held-out pairs lie: maps a cosine to 0..1.

    Args:
        matched: [Q] ascending quantiles of the cosine of a window and its own caption.
        mismatched: [Q] ascending quantiles of the cosine of a window and the caption of another.
    """

    matched: tuple[float, ...]
    mismatched: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("matched", "mismatched"):
            row = np.array(getattr(self, name), np.float64)
            if len(row) < 2 or not np.all(np.isfinite(row)) or np.any(np.diff(row) < 0):
                raise InvalidInputError.of(f"calibration.{name}", "must be at least two ascending numbers", row)

    @classmethod
    def of(cls, matched: NDArray[np.float64], mismatched: NDArray[np.float64], quantiles: int = 65) -> Calibration:
        """The calibration for samples of cosines, any shape."""
        levels = np.linspace(0, 1, quantiles)
        return cls(
            matched=tuple(round(float(value), 5) for value in np.quantile(matched, levels)),
            mismatched=tuple(round(float(value), 5) for value in np.quantile(mismatched, levels)),
        )

    def __call__(self, cosine: float) -> float:
        """Mean of the shares of mismatched and of matched pairs whose cosine is lower, 0 to 1.

        So the caption of another piece has 0.3 or so on average and a piece's own 0.7: neither end is flat.
        """
        share = 0.0
        for row in (self.matched, self.mismatched):
            share += float(np.interp(cosine, row, np.linspace(0, 1, len(row)))) / 2
        return share


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


class TextTerm:
    """The reward "text": the mean cosine over fixed windows of the sound, calibrated; deterministic.

    The vector of each window is kept by content, for this backend and this sound: a beginning that grew costs only
    its new windows.

    Args:
        backend: hears and reads.
        sound: renders, at the backend's rate and length of window.
    """

    def __init__(self, backend: TextBackend, sound: Sound) -> None:
        if (sound.rate_hz, sound.window_s) != (backend.rate_hz, backend.window_s):
            rule = f"must be {backend.rate_hz} Hz and windows of {backend.window_s} s"
            raise InvalidInputError.of("sound", rule, (sound.rate_hz, sound.window_s))
        self._backend = backend
        self._sound = sound
        self._vectors: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def judge(self, scores: Sequence[Score], caption: Caption, *, complete: bool) -> list[Judgement]:
        """See ``motet.rewards.reward.Reward``; a score in which nothing sounds has 0."""
        text = self._backend.text_vector(caption)
        heard = [self._sound.windows(score) for score in scores]
        vectors = self._listen([window for windows in heard for window in windows])
        return [self._judge(windows, vectors, text) for windows in heard]

    def _judge(
        self, windows: Sequence[Window], vectors: Mapping[bytes, NDArray[np.float32]], text: NDArray[np.float32]
    ) -> Judgement:
        if not windows:
            return Judgement(value=0.0)
        cosines = [float(vectors[window.plan.digest] @ text) for window in windows]
        cosine = float(np.average(cosines, weights=[window.share for window in windows]))
        return Judgement(value=self._backend.calibration(cosine), details={"cosine": cosine})

    def _listen(self, windows: Sequence[Window]) -> dict[bytes, NDArray[np.float32]]:
        """The vector of each window by its digest; only what was never heard is rendered."""
        wanted = {window.plan.digest: window for window in windows}
        vectors: dict[bytes, NDArray[np.float32]] = {}
        with self._lock:
            for digest in wanted:
                if digest in self._vectors:
                    self._vectors.move_to_end(digest)
                    vectors[digest] = self._vectors[digest]
        for digest, window in wanted.items():
            if digest not in vectors:
                vectors[digest] = self._backend.audio_vector(self._sound.audio(window))
                with self._lock:
                    self._vectors[digest] = vectors[digest]
                    if len(self._vectors) > _KEPT_VECTORS:
                        self._vectors.popitem(last=False)
        return vectors


def text_consistency(resources: Resources) -> TextTerm:
    """Factory of the built-in term "text": the shipped scorer. Raises UnavailableError when it is missing."""
    from motet.rewards.text_audio import TextAudioScorer  # it imports this module

    return TextTerm(TextAudioScorer.load(embed=resources.embed), resources.sound)
