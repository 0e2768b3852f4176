"""The built-in backend of the text reward: a dual encoder of our own."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from motet.music.attributes import Attributes
from motet.music.caption import Caption
from motet.music.error import InvalidInputError, UnavailableError
from motet.rewards import statement
from motet.rewards.calibration import Calibration
from motet.rewards.spectrum import Spectrum, SpectrumConfig
from motet.rewards.text_backend import Embed
from motet.rewards.towers import TEXT_WIDTH, Towers, TowersConfig

WEIGHTS = "text_audio.safetensors"
CONFIG = "config.json"
_FORMAT = 2
_KEPT_VECTORS = 4096


class TextAudioScorer:
    """Scores sound against captions; deterministic, and safe to share between threads.

    Args:
        towers: the dual encoder; switched to evaluation.
        spectrum: sizes that the towers were trained with.
        calibration: from cosine to 0..1.
        embed: sentences to unit-norm embeddings [B, 384].
        claims: the attributes of ``motet.rewards.statement.GROUPS`` that it is known to hear; what a caption states of
            others is not read.
    """

    def __init__(
        self,
        towers: Towers,
        spectrum: SpectrumConfig,
        calibration: Calibration,
        embed: Embed,
        claims: Collection[str] = tuple(statement.GROUPS),
    ) -> None:
        for name in claims:
            if name not in statement.GROUPS:
                raise InvalidInputError.of("text_audio.claims", f"must be among {list(statement.GROUPS)}", name)
        self.towers = towers.eval().requires_grad_(False)
        self.calibration = calibration
        self.spectrum = Spectrum(spectrum)
        self.claims = tuple(claims)
        self._read = statement.only(claims)
        self._embed = embed
        self._texts: OrderedDict[Caption, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def rate_hz(self) -> int:
        """Sample rate of the sound that it hears."""
        return self.spectrum.config.rate_hz

    @property
    def window_s(self) -> float:
        """Length of a window in seconds."""
        return self.spectrum.config.window_s

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
            return cls(towers, spectrum, calibration, embed, document["claims"])
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, OSError, SafetensorError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InvalidInputError.of("text_audio", f"{folder} holds no text reward", first) from error

    def save(self, folder: Path) -> None:
        """Writes weights and configuration into ``folder``, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in self.towers.state_dict().items()}, folder / WEIGHTS)
        (folder / WEIGHTS).chmod(0o644)  # safetensors writes for the owner alone
        document = {
            "format": _FORMAT,
            "spectrum": asdict(self.spectrum.config),
            "towers": asdict(self.towers.config),
            "claims": list(self.claims),
            "calibration": asdict(self.calibration),
        }
        (folder / CONFIG).write_text(json.dumps(document, indent=1) + "\n", "utf-8")

    def audio_vector(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """The unit vector [width] of one window of mono sound [samples] at the spectrum's rate.

        One window at a time, so that a vector never depends on what else is being scored.
        """
        with torch.inference_mode():
            heard = self.spectrum(torch.from_numpy(np.array(audio, np.float32))[None])
            vector: NDArray[np.float32] = self.towers.audio_vectors(*heard)[0].numpy()
        return vector

    def text_vector(self, caption: Caption) -> NDArray[np.float32]:
        """The unit vector [width] of a caption; the last few thousand are kept."""
        with self._lock:
            kept = self._texts.get(caption)
        if kept is not None:
            return kept
        sentence = np.array(self._embed([caption.text]), np.float32)
        if sentence.shape != (1, TEXT_WIDTH):
            raise InvalidInputError.of("embed", f"must give embeddings of shape (1, {TEXT_WIDTH})", sentence.shape)
        vector: NDArray[np.float32] = self.text_vectors(sentence, [caption.attributes])[0]
        with self._lock:
            self._texts[caption] = vector
            if len(self._texts) > _KEPT_VECTORS:
                self._texts.popitem(last=False)
        return vector

    def text_vectors(self, sentences: NDArray[np.float32], stated: Sequence[Attributes]) -> NDArray[np.float32]:
        """Unit vectors [B, width] of sentence embeddings [B, 384] and what the sentences state [B]."""
        statements = np.array([statement.vector(one) * self._read for one in stated], np.float32)
        with torch.inference_mode():
            vectors: NDArray[np.float32] = self.towers.text_vectors(
                torch.from_numpy(sentences), torch.from_numpy(statements)
            ).numpy()
        return vectors

    def score(self, audios: Sequence[NDArray[np.float32]], caption: Caption) -> list[float]:
        """How well each sound fits a caption, 0 to 1.

        Args:
            audios: each [samples] or [samples, channels] at the spectrum's rate, any length; heard in windows that
                follow one another from the start, the last one counting by its length. No samples: 0.
            caption: what it should fit.
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
