"""The text backend "clap": a CLAP model of the transformers library, read from a local folder."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.music.caption import Caption
from motet.music.error import InternalError, InvalidInputError, UnavailableError
from motet.rewards.calibration import Calibration

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
TOKENIZERS = ("tokenizer.json", "vocab.json")

_SOURCE = (
    "download all files of laion/larger_clap_music_and_speech from https://huggingface.co into it, "
    "for instance with `hf download laion/larger_clap_music_and_speech --local-dir FOLDER`"
)
_KEPT_TEXTS = 4096
_SILENT = 1e-4  # -80 dB


class Towers(Protocol):
    """The two halves of a CLAP model."""

    def hear(self, clip: NDArray[np.float32]) -> Tensor:
        """The embedding [D] of mono sound [samples] of exactly the model's length, within -1..1."""
        ...

    def read(self, text: str) -> Tensor:
        """The embedding [D] of a text."""
        ...


class Clap:
    """A text backend made of any CLAP model; deterministic, and safe to share between threads.

    A window is a clip of exactly the length that the model was trained with, so that nothing is left for the library
    to crop at random. As in training, a clip whose sound ends early is filled by repeating the sound as often as it
    fits, the rest with silence.

    Args:
        towers: the model.
        rate_hz: its sample rate.
        samples: length of its clips.
        logit_scale: by how much the model's training multiplied cosines in the end.
        calibration: from its cosines to 0..1.
    """

    def __init__(
        self, towers: Towers, *, rate_hz: int, samples: int, logit_scale: float, calibration: Calibration
    ) -> None:
        self.logit_scale = logit_scale
        self.rate_hz = rate_hz
        self.window_s = samples / rate_hz
        self.calibration = calibration
        self._towers = towers
        self._samples = samples
        self._texts: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def audio_vector(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """The unit vector [D] of one window of mono sound [samples]; longer sound is cut, silence is a sound too."""
        clip = filled(np.clip(audio[: self._samples], -1, 1), self._samples)
        return self._unit(lambda: self._towers.hear(clip))

    def text_vector(self, caption: Caption) -> NDArray[np.float32]:
        """The unit vector [D] of a caption; the last few thousand are kept."""
        with self._lock:
            kept = self._texts.get(caption.text)
        if kept is None:
            kept = self._unit(lambda: self._towers.read(caption.text))
            with self._lock:
                self._texts[caption.text] = kept
                if len(self._texts) > _KEPT_TEXTS:
                    self._texts.popitem(last=False)
        return kept

    @staticmethod
    def _unit(compute: Callable[[], Tensor]) -> NDArray[np.float32]:
        with torch.inference_mode():
            embedding = compute().float()
            vector: NDArray[np.float32] = (embedding / embedding.norm()).numpy()
        if not np.all(np.isfinite(vector)):
            raise InternalError("CLAP_NOT_FINITE", "the CLAP model gave an embedding that is not finite")
        return vector


def filled(audio: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """A clip [samples] of sound [at most samples]: what ends early is repeated as often as it fits, then silence."""
    loud = np.flatnonzero(np.abs(audio) > _SILENT)
    clip = np.zeros(samples, np.float32)
    if len(loud):
        sound = audio[: loud[-1] + 1]
        times = samples // len(sound)
        clip[: times * len(sound)] = np.tile(sound, times)
    return clip


class _Model:
    """``Towers`` of transformers' ClapModel."""

    def __init__(self, model: Any, extractor: Any, tokenizer: Any, tokens: int) -> None:
        self._model = model
        self._extractor = extractor
        self._tokenizer = tokenizer
        self._tokens = tokens

    def hear(self, clip: NDArray[np.float32]) -> Tensor:
        features = self._extractor(clip, sampling_rate=self._extractor.sampling_rate, return_tensors="pt")
        # Cloned into memory of torch's own: how NumPy's happens to be aligned would show in the last bits.
        heard = {name: value.clone() for name, value in features.items()}
        vector: Tensor = self._model.get_audio_features(**heard).pooler_output[0]
        return vector

    def read(self, text: str) -> Tensor:
        tokens = self._tokenizer(text, truncation=True, max_length=self._tokens, return_tensors="pt")
        asked = {name: tokens[name] for name in ("input_ids", "attention_mask")}
        vector: Tensor = self._model.get_text_features(**asked).pooler_output[0]
        return vector


def load(folder: Path, calibration: Calibration) -> Clap:
    """The CLAP model in ``folder``, as `save_pretrained` or a download of the model's repository leaves it.

    Nothing is fetched: no hub is asked, whatever the environment says. Raises what ``require`` raises, and
    InvalidInputError when the files do not belong together.
    """
    require(folder)
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    try:
        extractor: Any = ClapFeatureExtractor.from_pretrained(folder, local_files_only=True)
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        loaded: Any = ClapModel.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
        )
    except Exception as error:  # transformers raises whatever its readers of JSON, tokenizers and tensors do
        raise damaged(f"{folder} holds no CLAP model", error) from error
    model, report = loaded
    missing = sorted({*report["missing_keys"], *(str(key[0]) for key in report["mismatched_keys"])})
    if missing:
        rule = f"{folder} must hold every weight of the model, of the size that config.json says"
        raise InvalidInputError.of("text backend clap", rule, f"{len(missing)} missing or unfit, {missing[0]} first")
    text: Any = model.config.text_config
    check_vocabulary(tokenizer, text.vocab_size, folder)
    model.eval().requires_grad_(False)
    for weights in (*model.parameters(), *model.buffers()):
        weights.data = weights.data.clone()  # a mapped file's alignment would show in the last bits, too
    return Clap(
        _Model(model, extractor, tokenizer, text.max_position_embeddings - 2),  # RoBERTa counts from 2
        rate_hz=extractor.sampling_rate,
        samples=extractor.nb_max_samples,
        logit_scale=float(model.logit_scale_a.exp()),
        calibration=calibration,
    )


def check_vocabulary(tokenizer: Any, size: int, folder: Path) -> None:
    """Raises InvalidInputError unless a tokenizer has the words of a model that knows ``size``.

    A tokenizer whose files are missing is not an error for transformers: it comes with the special tokens alone, and
    every caption becomes the same.
    """
    if not 0.95 * size <= len(tokenizer) <= size:
        rule = f"the tokenizer in {folder} must have the {size} tokens that the model knows"
        raise InvalidInputError.of("text backend", f"{rule}: are vocab.json and merges.txt there?", len(tokenizer))


def damaged(what: str, error: Exception) -> InvalidInputError:
    """One line for whatever a library raised while reading files."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return InvalidInputError.of("text backend", what, first)


def require(folder: Path) -> None:
    """Raises UnavailableError, with where to get it, unless all files of a model are there; cheap."""
    if not folder.is_dir():
        raise missing_file("clap", f"there is no folder {folder}", _SOURCE, folder)
    for names in ((CONFIG,), (PREPROCESSOR,), WEIGHTS, TOKENIZERS):
        if not any((folder / name).is_file() for name in names):
            raise missing_file("clap", f"{folder} has no {' or '.join(names)}", _SOURCE, folder / names[0])


def missing_file(backend: str, what: str, remedy: str, path: Path) -> UnavailableError:
    """One line that says what is missing, where to get it and where to put it."""
    return UnavailableError("TEXT_BACKEND_MISSING", f"text backend {backend}: {what}; {remedy}", {"path": str(path)})
