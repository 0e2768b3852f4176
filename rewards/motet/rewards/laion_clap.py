"""The text backend "laion-clap": a checkpoint file of the laion_clap package."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.music.error import InvalidInputError, UnavailableError
from motet.rewards.calibration import Calibration
from motet.rewards.clap import TOKENIZERS, Clap, check_vocabulary, damaged, missing_file

TOKENIZER = "roberta-base"
"""Name of the folder beside a checkpoint with RoBERTa's config.json, vocab.json and merges.txt (or tokenizer.json)."""

_INSTALL = "`pip install 'motet[laion-clap]' && pip install --no-deps laion-clap==1.1.7` brings it"
_SOURCE = (
    "download music_audioset_epoch_15_esc_90.14.pt from https://huggingface.co/lukewys/laion_clap and name it in "
    "--text-backend laion-clap:FILE"
)
_TEXT_SOURCE = (
    "download config.json, vocab.json and merges.txt of roberta-base from https://huggingface.co/roberta-base into it"
)
_TOWERS = {96: "HTSAT-tiny", 128: "HTSAT-base", 256: "HTSAT-large"}  # by the channels of the first layer
_TOKENS = 77  # as in training, whatever RoBERTa could read
_ABSENT = {
    "torchvision.ops.misc": ("FrozenBatchNorm2d",),
    "torchvision.transforms": (
        "CenterCrop",
        "Compose",
        "InterpolationMode",
        "Normalize",
        "RandomResizedCrop",
        "Resize",
        "ToTensor",
    ),
    "sklearn.metrics": ("accuracy_score", "average_precision_score", "roc_auc_score"),
    "h5py": (),
    "ftfy": (),
}
"""What the package imports for training and for images, and never uses to embed sound and words."""

_importing = threading.Lock()


class _Model:
    """``Towers`` of laion_clap's CLAP."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer

    def hear(self, clip: NDArray[np.float32]) -> Tensor:
        whole = (clip * 32767.0).astype(np.int16)  # the package hears sound as 16-bit files have it
        waveform = torch.from_numpy((whole / 32767.0).astype(np.float32)).clone()  # aligned, as in ``clap``
        vector: Tensor = self._model.get_audio_embedding([{"waveform": waveform}])[0]
        return vector

    def read(self, text: str) -> Tensor:
        tokens = self._tokenizer(text, padding="max_length", truncation=True, max_length=_TOKENS, return_tensors="pt")
        asked = {name: tokens[name] for name in ("input_ids", "attention_mask")}
        vector: Tensor = self._model.get_text_embedding(asked)[0]
        return vector


def require(file: Path) -> None:
    """Raises UnavailableError, with where to get it, unless checkpoint, words and package are there; cheap."""
    if not file.is_file():
        raise missing_file("laion-clap", f"there is no file {file}", _SOURCE, file)
    words = file.parent / TOKENIZER
    for names in (("config.json",), TOKENIZERS):
        if not any((words / name).is_file() for name in names):
            what = f"the folder {words}, which reads the words, has no {' or '.join(names)}"
            raise missing_file("laion-clap", what, _TEXT_SOURCE, words / names[0])
    for package in ("laion_clap", "torchlibrosa"):
        if importlib.util.find_spec(package) is None:
            message = f"text backend laion-clap: the package {package} is missing; {_INSTALL}"
            raise UnavailableError("TEXT_BACKEND_MISSING", message, {"package": package})


def load(file: Path, calibration: Calibration) -> Clap:
    """The model in a checkpoint file (.pt, or .safetensors made of one), without fusion: all the music ones are.

    The file is read as plain tensors, never unpickled as objects. Its text tower, a RoBERTa, is all in the file; only
    the sizes and the words come from the folder ``roberta-base`` beside it. Nothing is fetched. Raises what
    ``require`` raises, and InvalidInputError when the files are damaged or do not belong together.
    """
    require(file)
    state = _read(file)
    from transformers import AutoTokenizer, RobertaConfig, RobertaModel

    words = file.parent / TOKENIZER
    try:
        config = RobertaConfig.from_pretrained(words, local_files_only=True)
        tokenizer: Any = AutoTokenizer.from_pretrained(words, local_files_only=True)
    except Exception as error:  # transformers raises whatever its readers of JSON and tokenizers do
        raise damaged(f"{words} holds no RoBERTa tokenizer", error) from error
    table = state.get("text_branch.embeddings.word_embeddings.weight")
    patches = state.get("audio_branch.patch_embed.proj.weight")
    if table is None or patches is None or patches.shape[0] not in _TOWERS:
        rule = f"{file} must hold an {', '.join(_TOWERS.values())} and a RoBERTa of laion_clap"
        raise InvalidInputError.of("text backend laion-clap", rule, f"{len(state)} tensors")
    if any(name.startswith("audio_branch.patch_embed.fusion_model") for name in state):
        rule = f"{file} must be a checkpoint without fusion, such as music_audioset_epoch_15_esc_90.14.pt"
        raise InvalidInputError.of("text backend laion-clap", rule, "a fusion checkpoint")
    check_vocabulary(tokenizer, table.shape[0], words)
    package = import_package()
    factory: Any = importlib.import_module("clap_module.factory")
    sizes: dict[str, Any] = dict(factory._MODEL_CONFIGS[_TOWERS[patches.shape[0]]])
    sizes["text_cfg"] = {**sizes["text_cfg"], "model_type": "roberta"}

    class LocalRoberta:
        """Stands where the package would fetch RoBERTa's weights: the checkpoint has them."""

        @staticmethod
        def from_pretrained(name: str) -> RobertaModel:
            return RobertaModel(config)

    try:
        with _replaced(package.model, "RobertaModel", LocalRoberta):
            model: Any = package.model.CLAP(**sizes)
        model.load_state_dict(state)
    except (RuntimeError, TypeError, ValueError) as error:
        raise damaged(f"{file} and {words} must be of one laion_clap model", error) from error
    model.eval().requires_grad_(False)
    audio = sizes["audio_cfg"]
    return Clap(
        _Model(model, tokenizer),
        rate_hz=audio["sample_rate"],
        samples=audio["clip_samples"],
        logit_scale=float(model.logit_scale_a.exp()),
        calibration=calibration,
    )


def _read(file: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint by today's names."""
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            document: Any = load_file(file)
        else:
            with torch.serialization.safe_globals(_numbers()):
                document = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and safetensors each have errors of their own
        raise damaged(f"{file} must be a checkpoint of plain tensors", error) from error
    state = document.get("state_dict", document) if isinstance(document, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InvalidInputError.of("text backend laion-clap", f"{file} must hold named tensors", type(document))
    named = {name.removeprefix("module."): value for name, value in state.items()}
    named.pop("text_branch.embeddings.position_ids", None)  # counted anew by today's RoBERTa
    return named


def _numbers() -> list[Any]:
    """What NumPy needs to restore plain numbers, by its names of then and now: training notes its accuracy so."""
    restore: Any = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    return [*((restore, name) for name in names), np.dtype, *(type(np.dtype(code)) for code in "fdil")]


def import_package() -> ModuleType:
    """The package's models, `clap_module`, without what `import laion_clap` does besides.

    That would load three tokenizers from a hub and put a folder on Python's path for good. Modules that the package
    wants for training alone, and that are not installed, are stood in for until it is imported.
    Raises UnavailableError in one line when it cannot be imported.
    """
    with _importing:
        if "clap_module" not in sys.modules:
            spec = importlib.util.find_spec("laion_clap")
            if spec is None or not spec.submodule_search_locations:
                raise UnavailableError("TEXT_BACKEND_MISSING", f"text backend laion-clap: {_INSTALL}")
            folder = spec.submodule_search_locations[0]
            # transformers looks for torchvision when these are first used: before the stand-ins
            from transformers import BartModel, BertModel, RobertaModel  # noqa: F401

            sys.path.insert(0, folder)
            try:
                with _stand_ins():
                    importlib.import_module("clap_module")
            except Exception as error:  # a half-installed torchvision raises whatever its libraries do
                for name in [name for name in sys.modules if name.partition(".")[0] == "clap_module"]:
                    del sys.modules[name]
                first = (str(error).splitlines() or [type(error).__name__])[0]
                message = f"text backend laion-clap: the package cannot be imported: {first}"
                raise UnavailableError("TEXT_BACKEND_UNUSABLE", message) from error
            finally:
                sys.path.remove(folder)
        return sys.modules["clap_module"]


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Empty modules, for the time of an import, in place of those of ``_ABSENT`` that are not installed."""
    made: list[str] = []
    for name, attributes in _ABSENT.items():
        parts = name.split(".")
        if parts[0] not in made and importlib.util.find_spec(parts[0]) is not None:
            continue
        for depth in range(len(parts)):
            part = ".".join(parts[: depth + 1])
            if part not in made:
                module = ModuleType(part)
                module.__spec__ = importlib.machinery.ModuleSpec(part, None, is_package=True)
                module.__path__ = []
                sys.modules[part] = module
                made.append(part)
        for attribute in attributes:
            setattr(sys.modules[name], attribute, type(attribute, (), {}))
    try:
        yield
    finally:
        for part in made:
            del sys.modules[part]


@contextmanager
def _replaced(module: ModuleType, name: str, value: object) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
