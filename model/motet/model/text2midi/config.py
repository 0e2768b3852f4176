"""The sizes of a Text2midi checkpoint, and how its self-attention is laid out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from motet.music.error import InvalidInputError

MODEL_TYPE: Final = "text2midi"
"""``model_type`` in the ``config.json`` of a checkpoint of this architecture."""

LAYOUTS: Final = ("train", "upstream")


def _check_counts(config: object, field_names: tuple[str, ...]) -> None:
    for name in field_names:
        value = getattr(config, name)
        if type(value) is not int or value < 1:
            raise InvalidInputError.of(f"config.{name}", "must be a whole number of at least 1", value)


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Sizes of the T5 encoder that reads captions.

    Args:
        vocab_size: word pieces.
        width: of its states, the same as the decoder's.
        hidden: width inside a feed-forward layer.
        layers: at least 1.
        heads: of each self-attention.
        head_width: channels of one head.
        buckets: of the relative positions.
        gated: whether feed-forward layers are GELU-gated (FLAN-T5) or plain ReLU (the first T5).
    """

    vocab_size: int
    width: int
    hidden: int
    layers: int
    heads: int
    head_width: int
    buckets: int
    gated: bool

    def __post_init__(self) -> None:
        _check_counts(self, ("vocab_size", "width", "hidden", "layers", "heads", "head_width", "buckets"))


@dataclass(frozen=True, kw_only=True)
class Text2midiConfig:
    """Sizes of the whole model.

    Args:
        vocab_size: V, tokens of the vocabulary.
        width: D, divisible by ``heads``.
        heads: H, of the cross-attention; the self-attention cuts time, not width, by the same number.
        layers: L, of the decoder.
        hidden: width inside a feed-forward layer.
        max_tokens: n, tokens of a training sequence and at most of a generated one, begin included.
        encoder: sizes of the T5 encoder.
        layout: "train": self-attention blocks as in training, fixed by n. "upstream": blocks that are cut anew for
            each length, as the authors' ``generate`` does; every step then runs over the whole sequence.
    """

    vocab_size: int
    width: int
    heads: int
    layers: int
    hidden: int
    max_tokens: int
    encoder: EncoderConfig
    layout: str = "train"

    def __post_init__(self) -> None:
        _check_counts(self, ("vocab_size", "width", "heads", "layers", "hidden", "max_tokens"))
        if self.width % self.heads:
            raise InvalidInputError.of("config.heads", f"must divide the width {self.width}", self.heads)
        if self.encoder.width != self.width:
            raise InvalidInputError.of(
                "config.encoder.width", f"must be the decoder's {self.width}", self.encoder.width
            )
        if self.layout not in LAYOUTS:
            raise InvalidInputError.of("layout", f"must be one of {', '.join(LAYOUTS)}", self.layout)

    @classmethod
    def load(cls, folder: Path) -> Text2midiConfig:
        """Reads ``config.json``; InvalidInputError when it does not describe this architecture."""
        record: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if record.pop("model_type", None) != MODEL_TYPE:
            raise InvalidInputError.of("model", f"config.json must have the model_type {MODEL_TYPE}", str(folder))
        names, encoder_names = ({field.name for field in fields(kind)} for kind in (cls, EncoderConfig))
        encoder = record.pop("encoder", None)
        if not isinstance(encoder, dict) or set(encoder) != encoder_names or set(record) != names - {"encoder"}:
            raise InvalidInputError.of(
                "model", f"config.json must hold {sorted(names)}, and in `encoder` {sorted(encoder_names)}", str(folder)
            )
        return cls(encoder=EncoderConfig(**encoder), **record)

    def save(self, folder: Path) -> None:
        """Writes ``config.json``."""
        record = {"model_type": MODEL_TYPE, **asdict(self)}
        (folder / "config.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
