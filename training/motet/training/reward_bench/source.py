"""Where the bench's numbers come from: registered rewards, and the judge where its weights are at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.model.text import TextEncoder
from motet.music.caption import Caption
from motet.music.error import UnavailableError
from motet.music.score import Score
from motet.rewards import reward, text
from motet.rewards.calibration import Calibration
from motet.rewards.judge import Judge
from motet.rewards.render import RenderConfig, Renderer
from motet.rewards.reward import Resources
from motet.rewards.sound import Sound
from motet.rewards.text_backend import TextBackend
from motet.training.reward_bench.contest import COLUMNS, Column
from motet.training.reward_bench.scorebook import JUDGES, Source, version_of

_CACHE_BYTES = 256 * 2**20  # so that several rewards hear what was rendered once


class HeardOnce:
    """A text backend that hears the same sound once, however many rewards ask for it.

    Args:
        backend: hears.
    """

    def __init__(self, backend: TextBackend) -> None:
        self._backend = backend
        self._vectors: dict[bytes, NDArray[np.float32]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)  # what only some backends tell, such as the scale of their logits

    @property
    def rate_hz(self) -> int:
        """See ``TextBackend``."""
        return self._backend.rate_hz

    @property
    def window_s(self) -> float:
        """See ``TextBackend``."""
        return self._backend.window_s

    @property
    def calibration(self) -> Calibration:
        """See ``TextBackend``."""
        return self._backend.calibration

    def audio_vector(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``TextBackend``."""
        digest = hashlib.sha256(audio.tobytes()).digest()
        if digest not in self._vectors:
            self._vectors[digest] = self._backend.audio_vector(audio)
        return self._vectors[digest]

    def text_vector(self, caption: Caption) -> NDArray[np.float32]:
        """See ``TextBackend``."""
        return self._backend.text_vector(caption)


@contextmanager
def sources(names: Sequence[str] | None, report: Callable[[str], object]) -> Iterator[list[Source]]:
    """The rewards by name, or all that are installed and have what they need, and the judge if there is one.

    The renderer is open meanwhile.

    Args:
        names: of rewards; None: all, and those that cannot be loaded are reported and left out.
        report: is told which are left out and why.

    Raises NotFoundError and UnavailableError for a reward that is named and missing.
    """
    factories = reward.registered(reward.installed() if names is None else list(dict.fromkeys(names)))
    encoder = TextEncoder.load()

    def embed(captions: Sequence[str]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = encoder.pooled(captions).numpy()
        return found

    backend = HeardOnce(text.open(text.BUILTIN, embed))
    with Renderer(RenderConfig(rate_hz=backend.rate_hz)) as renderer:
        sound = Sound(renderer, window_s=backend.window_s, cache_bytes=_CACHE_BYTES)
        resources = Resources(renderer=renderer, sound=sound, embed=embed, text=backend)
        found = []
        for name, make in factories.items():
            try:
                found.append(Source.of(name, make(resources)))
            except UnavailableError as error:
                if names is not None:
                    raise
                report(f"left out: {error.message}")
        try:
            judge = Judge.load()
        except UnavailableError as error:
            report(f"left out: {error.message}")
        else:
            found += [_opinion(judge, column) for column in COLUMNS]
        yield found


def _opinion(judge: Judge, column: Column) -> Source:
    def score(scores: Sequence[Score], caption: Caption) -> list[float | None]:
        return [getattr(verdict, column) for verdict in judge.judge(scores, caption.text)]

    return Source(name=JUDGES[column], version=version_of(Judge), score=score, columns=(column,))
