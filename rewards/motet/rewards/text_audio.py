"""The text reward: how well the sound of a score fits the words of a caption, by a dual encoder of our own."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from motet.music.caption import Caption
from motet.music.error import InvalidInputError, UnavailableError
from motet.music.score import Score
from motet.rewards.reward import Embed, Judgement, Resources
from motet.rewards.sound import Sound
from motet.rewards.spectrum import Spectrum, SpectrumConfig
from motet.rewards.towers import TEXT_WIDTH, Towers, TowersConfig

WEIGHTS = "text_audio.safetensors"
CONFIG = "config.json"
_FORMAT = 1
_KEPT_VECTORS = 4096
_K = TypeVar("_K")


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


class TextAudioScorer:
    """Scores sound against captions; deterministic, and safe to share between threads.

    Args:
        towers: the dual encoder; switched to evaluation.
        spectrum: sizes that the towers were trained with.
        calibration: from cosine to 0..1.
        embed: sentences to unit-norm embeddings [B, 384].
    """

    def __init__(self, towers: Towers, spectrum: SpectrumConfig, calibration: Calibration, embed: Embed) -> None:
        self.towers = towers.eval().requires_grad_(False)
        self.calibration = calibration
        self.spectrum = Spectrum(spectrum)
        self._embed = embed
        self._texts: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, folder: Path | None = None, *, embed: Embed) -> TextAudioScorer:
        """Loads safetensors and JSON from ``folder``, or the scorer shipped with the package.

        Raises UnavailableError when a file is missing and InvalidInputError when one is damaged.
        """
        folder = folder or Path(__file__).parent / "weights" / "text_audio"
        for name in (CONFIG, WEIGHTS):
            if not (folder / name).is_file():
                message = f"text reward: no file {folder / name}; `motet train text-audio` makes it"
                raise UnavailableError("TEXT_REWARD_MISSING", message, {"path": str(folder / name)})
        try:
            document: Mapping[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
            if document["format"] != _FORMAT:
                raise InvalidInputError.of("text_audio.format", f"must be {_FORMAT}", document["format"])
            spectrum = SpectrumConfig(**document["spectrum"])
            sizes = dict(document["towers"])
            config = TowersConfig(**{**sizes, "channels": tuple(sizes["channels"])})
            calibration = Calibration(**{name: tuple(row) for name, row in document["calibration"].items()})
            towers = Towers(config, spectrum)
            towers.load_state_dict(load_file(folder / WEIGHTS))
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, OSError, SafetensorError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InvalidInputError.of("text_audio", f"{folder} holds no text reward", first) from error
        return cls(towers, spectrum, calibration, embed)

    def save(self, folder: Path) -> None:
        """Writes weights and configuration into ``folder``, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in self.towers.state_dict().items()}, folder / WEIGHTS)
        (folder / WEIGHTS).chmod(0o644)  # safetensors writes for the owner alone
        document = {
            "format": _FORMAT,
            "spectrum": asdict(self.spectrum.config),
            "towers": asdict(self.towers.config),
            "calibration": asdict(self.calibration),
        }
        (folder / CONFIG).write_text(json.dumps(document, indent=1) + "\n", "utf-8")

    def audio_vector(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """The unit vector [width] of one window of mono sound [samples] at the spectrum's rate.

        One window at a time, so that a vector never depends on what else is being scored.
        """
        with torch.inference_mode():
            mel, tone = self.spectrum(torch.from_numpy(np.array(audio, np.float32))[None])
            vector: NDArray[np.float32] = self.towers.audio_vectors(mel, tone)[0].numpy()
        return vector

    def text_vector(self, caption: str) -> NDArray[np.float32]:
        """The unit vector [width] of a caption; the last few thousand are kept."""
        with self._lock:
            kept = self._texts.get(caption)
        if kept is not None:
            return kept
        sentence = np.array(self._embed([caption]), np.float32)
        if sentence.shape != (1, TEXT_WIDTH):
            raise InvalidInputError.of("embed", f"must give embeddings of shape (1, {TEXT_WIDTH})", sentence.shape)
        with torch.inference_mode():
            vector: NDArray[np.float32] = self.towers.text_vectors(torch.from_numpy(sentence))[0].numpy()
        _keep(self._texts, caption, vector, self._lock)
        return vector

    def score(self, audios: Sequence[NDArray[np.float32]], caption: str) -> list[float]:
        """How well each sound fits a caption, 0 to 1.

        Args:
            audios: each [samples] or [samples, channels] at the spectrum's rate, any length; heard in windows that
                follow one another from the start, the last one counting by its length. No samples: 0.
            caption: any text.
        """
        text = self.text_vector(caption)
        return [self._score(audio, text) for audio in audios]

    def _score(self, audio: NDArray[np.float32], text: NDArray[np.float32]) -> float:
        mono = audio if audio.ndim == 1 else audio.mean(axis=1, dtype=np.float32)
        size = self.spectrum.config.samples
        parts = [mono[start : start + size] for start in range(0, len(mono), size)]
        if not parts:
            return 0.0
        cosines = [float(self.audio_vector(part) @ text) for part in parts]
        return self.calibration(float(np.average(cosines, weights=[len(part) for part in parts])))


class TextTerm:
    """The reward "text": a ``TextAudioScorer`` over the windows of ``motet.rewards.sound``.

    The vector of each window is kept by content: a beginning that grew costs only its new windows.

    Args:
        scorer: hears.
        sound: renders, at the scorer's rate and length of window.
    """

    def __init__(self, scorer: TextAudioScorer, sound: Sound) -> None:
        config = scorer.spectrum.config
        if (sound.rate_hz, sound.window_s) != (config.rate_hz, config.window_s):
            rule = f"must be {config.rate_hz} Hz and windows of {config.window_s} s"
            raise InvalidInputError.of("sound", rule, (sound.rate_hz, sound.window_s))
        self._scorer = scorer
        self._sound = sound
        self._vectors: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def judge(self, scores: Sequence[Score], caption: Caption, *, complete: bool) -> list[Judgement]:
        """See ``motet.rewards.reward.Reward``; a score without notes has 0."""
        text = self._scorer.text_vector(caption.text)
        return [self._judge(score, text) for score in scores]

    def _judge(self, score: Score, text: NDArray[np.float32]) -> Judgement:
        windows = self._sound.windows(score)
        if not windows:
            return Judgement(value=0.0)
        cosines = []
        for window in windows:
            digest = window.plan.digest
            with self._lock:
                vector = self._vectors.get(digest)
            if vector is None:
                vector = self._scorer.audio_vector(self._sound.audio(window))
                _keep(self._vectors, digest, vector, self._lock)
            cosines.append(float(vector @ text))
        cosine = float(np.average(cosines, weights=[window.share for window in windows]))
        return Judgement(value=self._scorer.calibration(cosine), details={"cosine": cosine})


def text_consistency(resources: Resources) -> TextTerm:
    """Factory of the built-in term "text": the shipped scorer. Raises UnavailableError when it is missing."""
    return TextTerm(TextAudioScorer.load(embed=resources.embed), resources.sound)


def _keep(
    kept: OrderedDict[_K, NDArray[np.float32]], key: _K, vector: NDArray[np.float32], lock: threading.Lock
) -> None:
    with lock:
        kept[key] = vector
        kept.move_to_end(key)
        if len(kept) > _KEPT_VECTORS:
            kept.popitem(last=False)
