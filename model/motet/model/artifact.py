"""The files of a checkpoint folder, and how they are written; reading is ``motet.model.checkpoint``'s."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import torch

from motet.model.network import MotetForConditionalGeneration
from motet.model.vocabulary import AnyVocabulary

WEIGHTS: Final = "model.safetensors"


def save(network: MotetForConditionalGeneration, vocabulary: AnyVocabulary, folder: Path, dtype: torch.dtype) -> None:
    """Writes config, tokenizer and weights (as ``dtype``) into ``folder``; a model card is the trainer's."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().to(dtype) for name, tensor in network.state_dict().items()}
    network.save_pretrained(folder, state_dict=weights, safe_serialization=True)
    (folder / WEIGHTS).chmod(0o644)  # safetensors keeps its files private, a server may run as somebody else
    vocabulary.save(folder)


def version(folder: Path) -> str:
    """The first 12 hex digits of the sha256 of a checkpoint folder's weights."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
