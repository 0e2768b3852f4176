"""What lies in a checkpoint folder, read without building the model."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from motet.model.artifact import WEIGHTS
from motet.model.checkpoint import DEFAULT_NAME, default_folder
from motet.music.error import InvalidInputError, NotFoundError

_TEXTS = ("layout",)  # the only setting that is a word


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A checkpoint in numbers.

    Args:
        name: the folder's name, or "default".
        version: first 12 hex digits of the weights' sha256.
        architecture: ``model_type`` in its ``config.json``.
        sizes: settings in its ``config.json``; those of a part as ``part.setting``.
        parameters: numbers in its tensors.
        kinds: how the tensors are stored, and how many numbers so.
        vocabulary: tokens.
        file_bytes: of the weights.
    """

    name: str
    version: str
    architecture: str
    sizes: Mapping[str, int | float | str]
    parameters: int
    kinds: Mapping[str, int]
    vocabulary: int
    file_bytes: int

    @classmethod
    def of(cls, folder: Path | None) -> Summary:
        """Reads a checkpoint folder; the shipped default when ``folder`` is None.

        Raises NotFoundError when a file is missing and InvalidInputError when one cannot be read.
        """
        path = default_folder() if folder is None else folder
        for name in ("config.json", WEIGHTS):
            if not (path / name).is_file():
                raise NotFoundError("MODEL_NOT_FOUND", f"model: no file {path / name}", {"path": str(path)})
        try:
            config = json.loads((path / "config.json").read_text(encoding="utf-8"))
            kinds: dict[str, int] = {}
            with safe_open(path / WEIGHTS, "np") as tensors:
                for name in tensors.keys():  # noqa: SIM118 (not a mapping)
                    part = tensors.get_slice(name)
                    kinds[part.get_dtype()] = kinds.get(part.get_dtype(), 0) + math.prod(part.get_shape())
        except (ValueError, SafetensorError) as error:
            raise InvalidInputError.of("model", "must hold JSON and safetensors", str(path)) from error
        with (path / WEIGHTS).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(
            name=DEFAULT_NAME if folder is None else path.resolve().name,
            version=digest[:12],
            architecture=str(config.get("model_type")),
            sizes=dict(_sizes(config)),
            parameters=sum(kinds.values()),
            kinds=kinds,
            vocabulary=int(config.get("vocab_size", 0)),
            file_bytes=(path / WEIGHTS).stat().st_size,
        )


def _sizes(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int | float | str]]:
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _sizes(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) or name in _TEXTS:
            yield prefix + name, value
