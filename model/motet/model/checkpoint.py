"""A checkpoint is a folder: ``config.json``, ``tokenizer.json``, ``model.safetensors`` and a model card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import torch
from transformers.utils.logging import disable_progress_bar

from motet.model.artifact import WEIGHTS, version
from motet.model.config import MotetConfig
from motet.model.network import MotetForConditionalGeneration
from motet.model.text2midi import checkpoint as text2midi
from motet.model.text2midi.config import MODEL_TYPE as TEXT2MIDI
from motet.model.text2midi.network import Text2midi
from motet.model.text2midi.text import CaptionEncoder
from motet.model.text2midi.vocabulary import Vocabulary
from motet.model.tokenizer import Tokenizer
from motet.music.error import InvalidInputError, NotFoundError

DEFAULT_NAME: Final = "default"


def default_folder() -> Path:
    """Where the shipped default checkpoint lies."""
    return Path(str(files("motet.model") / "weights" / DEFAULT_NAME))


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A loaded model.

    Args:
        name: the folder's name, or "default".
        version: first 12 hex digits of the weights' sha256.
        folder: where it was read from.
        network: in float32, evaluation mode.
        tokenizer: of the same vocabulary.
        captions: the caption encoder, where the folder holds one; None for the sentence encoder.
    """

    name: str
    version: str
    folder: Path
    network: MotetForConditionalGeneration | Text2midi
    tokenizer: Tokenizer | Vocabulary
    captions: CaptionEncoder | None = None

    @property
    def is_own(self) -> bool:
        """Whether this is a model of our own architecture, and not an imported one."""
        return isinstance(self.network, MotetForConditionalGeneration)

    @property
    def own(self) -> tuple[MotetForConditionalGeneration, Tokenizer]:
        """Network and tokenizer of our own architecture, which can be trained; InvalidInputError for another."""
        if not isinstance(self.network, MotetForConditionalGeneration) or not isinstance(self.tokenizer, Tokenizer):
            raise InvalidInputError.of("model", "must be of Motet's own architecture", self.name)
        return self.network, self.tokenizer

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
        name = DEFAULT_NAME if folder is None else path.resolve().name
        weights = version(path)
        if _model_type(path) == TEXT2MIDI:
            imported, vocabulary, captions = text2midi.load(path)
            return cls(
                name=name,
                version=weights,
                folder=path,
                network=imported,
                tokenizer=vocabulary,
                captions=captions,
            )
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
        return cls(name=name, version=weights, folder=path, network=network, tokenizer=tokenizer)


def _model_type(path: Path) -> object:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInputError.of("model", "config.json must hold JSON", str(path)) from error
    return config.get("model_type") if isinstance(config, dict) else None
