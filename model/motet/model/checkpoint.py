"""A checkpoint is a folder: ``config.json``, ``tokenizer.json``, ``model.safetensors`` and a model card."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import torch
from transformers.utils.logging import disable_progress_bar

from motet.model.config import MotetConfig
from motet.model.network import MotetForConditionalGeneration
from motet.model.tokenizer import Tokenizer
from motet.music.error import InvalidInputError, NotFoundError

DEFAULT_NAME: Final = "default"
WEIGHTS: Final = "model.safetensors"


def default_folder() -> Path:
    """Where the shipped default checkpoint lies."""
    return Path(str(files("motet.model") / "weights" / DEFAULT_NAME))


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A loaded model.

    Args:
        name: the folder's name, or "default".
        version: first 12 hex digits of the weights' sha256.
        network: in float32, evaluation mode.
        tokenizer: of the same vocabulary.
    """

    name: str
    version: str
    network: MotetForConditionalGeneration
    tokenizer: Tokenizer

    @classmethod
    def load(cls, folder: Path | str | None = None) -> Checkpoint:
        """Reads a checkpoint folder; the shipped default when ``folder`` is None.

        Raises NotFoundError when a file is missing and InvalidInputError when the parts do not fit each other. Only
        safetensors and JSON are read.
        """
        path = default_folder() if folder is None else Path(folder)
        for name in ("config.json", "tokenizer.json", WEIGHTS):
            if not (path / name).is_file():
                raise NotFoundError("MODEL_NOT_FOUND", f"model: no file {path / name}", {"path": str(path)})
        disable_progress_bar()  # type: ignore[no-untyped-call]
        tokenizer = Tokenizer.load(path)
        config = MotetConfig.from_pretrained(path, local_files_only=True)
        if config.vocab_size != len(tokenizer):
            raise InvalidInputError.of(
                "model", f"vocab_size must equal the tokenizer's {len(tokenizer)}", config.vocab_size
            )
        network = MotetForConditionalGeneration.from_pretrained(
            path, config=config, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        network.train(False).requires_grad_(False)
        return cls(
            name=DEFAULT_NAME if folder is None else path.name,
            version=hashlib.sha256((path / WEIGHTS).read_bytes()).hexdigest()[:12],
            network=network,
            tokenizer=tokenizer,
        )


def save(network: MotetForConditionalGeneration, tokenizer: Tokenizer, folder: Path, dtype: torch.dtype) -> None:
    """Writes config, tokenizer and weights (as ``dtype``) into ``folder``; a model card is the trainer's."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().to(dtype) for name, tensor in network.state_dict().items()}
    network.save_pretrained(folder, state_dict=weights, safe_serialization=True)
    (folder / WEIGHTS).chmod(0o644)  # safetensors keeps its files private, a server may run as somebody else
    tokenizer.save(folder)
