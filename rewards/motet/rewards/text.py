"""The reward "text": how well the sound of a score fits the words of a caption, by a backend that hears."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motet.music.caption import Caption
from motet.music.error import InvalidInputError, UnavailableError
from motet.music.score import Score
from motet.rewards.calibration import Calibration
from motet.rewards.render import Renderer
from motet.rewards.reward import Judgement, Resources
from motet.rewards.sound import Sound, Window
from motet.rewards.text_backend import Embed, TextBackend

BUILTIN = "builtin"
BACKENDS = (BUILTIN, "clap", "laion-clap")
"""Kinds of backends: our own; a ClapModel folder of transformers; a checkpoint file of the laion_clap package."""

_KEPT_VECTORS = 4096
_AT_ONCE = 64  # windows of sound in memory: 120 MB at 48 kHz and 10 s


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
        self.backend = backend
        self._sound = sound
        self._vectors: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def judge(self, scores: Sequence[Score], caption: Caption, *, complete: bool) -> list[Judgement]:
        """See ``motet.rewards.reward.Reward``; a score in which nothing sounds has 0.

        Judgements tell the mean ``cosine``, and by bar ``fit``: the calibrated cosine of the windows that cover a bar,
        or of the nearest one for a bar that is silent. Pieces too long for every window to be heard have no ``fit``.
        """
        heard = [self._sound.windows(score) for score in scores]
        cosines = self._cosines([window for windows in heard for window in windows], caption)
        return [
            self._judge(score, windows, [cosines[window.digest] for window in windows])
            for score, windows in zip(scores, heard, strict=True)
        ]

    def _judge(self, score: Score, windows: Sequence[Window], cosines: Sequence[float]) -> Judgement:
        if not windows:
            return Judgement(value=0.0)
        cosine = float(np.average(cosines, weights=[window.share for window in windows]))
        bars = {}
        if self._sound.hears_whole(score):
            starts = np.array([window.start_s for window in windows])
            here = _of_bars(score, starts, self._sound.window_s) @ np.array(cosines)
            bars["fit"] = [self.backend.calibration(float(one)) for one in here]
        return Judgement(value=self.backend.calibration(cosine), details={"cosine": cosine}, bars=bars)

    def _cosines(self, windows: Sequence[Window], caption: Caption) -> dict[bytes, float]:
        """The cosine of each window with the caption by its digest; only what was never heard is rendered."""
        wanted = {window.digest: window for window in windows}
        text = self.backend.text_vector(caption)
        vectors: dict[bytes, NDArray[np.float32]] = {}
        with self._lock:
            for digest in wanted:
                if digest in self._vectors:
                    self._vectors.move_to_end(digest)
                    vectors[digest] = self._vectors[digest]
        missing = [window for digest, window in wanted.items() if digest not in vectors]
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            for window, audio in zip(part, self._sound.audios(part), strict=True):
                vectors[window.digest] = self.backend.audio_vector(audio)
        with self._lock:
            for window in missing:
                self._vectors[window.digest] = vectors[window.digest]
                if len(self._vectors) > _KEPT_VECTORS:
                    self._vectors.popitem(last=False)
        return {digest: float(vectors[digest] @ text) for digest in wanted}


def _of_bars(score: Score, starts: NDArray[np.float64], window_s: float) -> NDArray[np.float64]:
    """What part each window, of these beginnings in seconds [W], has in each bar: [bars, W], rows sum to 1."""
    lines = score.seconds(score.bar_ticks())
    begin, end = lines[:-1, None], lines[1:, None]
    parts = np.clip(np.minimum(end, starts + window_s) - np.maximum(begin, starts), 0, None)
    silent = parts.sum(axis=1) == 0
    nearest = np.abs((begin + end) / 2 - (starts + window_s / 2)).argmin(axis=1)
    parts[silent, nearest[silent]] = 1
    return np.asarray(parts / parts.sum(axis=1, keepdims=True))


def calibration_path(spec: str) -> Path | None:
    """Where the calibration of an external backend lies: beside its weights; None for the built-in one."""
    kind, place = _parse(spec)
    if kind == BUILTIN:
        return None
    return place / "text_calibration.json" if kind == "clap" else place.with_name(f"{place.name}.calibration.json")


def open(spec: str, embed: Embed, *, calibration: Calibration | None = None) -> TextBackend:  # noqa: A001  # text.open
    """The backend that a specification names.

    Args:
        spec: ``builtin``, ``builtin:FOLDER``, ``clap:FOLDER`` or ``laion-clap:FILE``.
        embed: sentences to unit-norm embeddings [B, 384], for the built-in backend.
        calibration: of an external backend; None: the one that lies beside its weights.

    Raises InvalidInputError for a specification that names no kind of backend or for damaged files, and
    UnavailableError when weights, a library or the calibration are missing: the line says how to get them.
    """
    kind, place = _parse(spec)
    if kind == BUILTIN:
        from motet.rewards.text_audio import TextAudioScorer  # PyTorch takes seconds to import

        return TextAudioScorer.load(place if spec != BUILTIN else None, embed=embed)
    # transformers and laion_clap take seconds to import
    if kind == "clap":
        from motet.rewards import clap

        clap.require(place)
        return clap.load(place, calibration or _calibration(spec))
    from motet.rewards import laion_clap

    laion_clap.require(place)
    return laion_clap.load(place, calibration or _calibration(spec))


def _parse(spec: str) -> tuple[str, Path]:
    kind, _, place = spec.partition(":")
    if kind not in BACKENDS or not (place or spec == BUILTIN):
        rule = "must be builtin, builtin:FOLDER, clap:FOLDER or laion-clap:FILE"
        raise InvalidInputError.of("text backend", rule, spec)
    return kind, Path(place).expanduser()


def _calibration(spec: str) -> Calibration:
    path = calibration_path(spec)
    if path is None or not path.is_file():
        message = (
            f"text backend {spec}: no file {path} says what its cosines mean; "
            f"`motet calibrate text --backend {spec} CORPUS_DIR` writes it"
        )
        raise UnavailableError("TEXT_BACKEND_UNCALIBRATED", message, {"path": str(path)})
    return Calibration.read(path)


def text_consistency(resources: Resources) -> TextTerm:
    """Factory of the built-in term "text", with the backend of ``resources`` or else the shipped one.

    Raises UnavailableError when it, or the sound that it hears, is missing.
    """
    backend = resources.text or open(BUILTIN, resources.embed)
    sound = resources.sound
    if (sound.rate_hz, sound.window_s) != (backend.rate_hz, backend.window_s):
        player = Renderer(replace(resources.renderer.config, rate_hz=backend.rate_hz))
        sound = Sound(player, window_s=backend.window_s)
    return TextTerm(backend, sound)
