"""Captions for Text2midi: a T5 tokenizer from a file, and the T5 encoder that the checkpoint carries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import T5Config, T5EncoderModel

from motet.model.text2midi import sentencepiece
from motet.model.text2midi.config import EncoderConfig
from motet.music.error import InvalidInputError, NotFoundError

FILE: Final = "text_tokenizer.json"
MIN_PIECES: Final = 32_000
"""T5's vocabulary; a tokenizer that was made without its files is silently tiny."""
MAX_PIECES: Final = 512
"""Word pieces of a caption that are read, the end among them."""
_END_PIECE: Final = "</s>"
_CACHED_CAPTIONS: Final = 256


def read_text_tokenizer(folder: Path) -> Tokenizer:
    """The T5 tokenizer of a folder that holds FLAN-T5's ``tokenizer.json`` or ``spiece.model``.

    Raises NotFoundError when it holds neither, and InvalidInputError when what it holds is not a T5 tokenizer.
    """
    if (folder / "tokenizer.json").is_file():
        tokenizer = _from_file(folder / "tokenizer.json")
    elif (folder / "spiece.model").is_file():
        tokenizer = sentencepiece.read(folder / "spiece.model")
    else:
        raise NotFoundError(
            "TEXT_TOKENIZER_NOT_FOUND",
            f"text_tokenizer: no tokenizer.json or spiece.model in {folder}; google/flan-t5-base has both",
            {"path": str(folder)},
        )
    return _checked(tokenizer, folder)


def _from_file(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises no other class
        raise InvalidInputError.of("text_tokenizer", f"{path.name} must be a fast tokenizer", str(path)) from error


def _checked(tokenizer: Tokenizer, path: Path) -> Tokenizer:
    size = tokenizer.get_vocab_size()
    if size < MIN_PIECES:
        raise InvalidInputError.of(
            "text_tokenizer", f"must hold at least {MIN_PIECES} word pieces", f"{size} in {path}"
        )
    if tokenizer.encode("music").tokens[-1:] != [_END_PIECE]:
        raise InvalidInputError.of(
            "text_tokenizer", f"must end every caption with {_END_PIECE}, as T5's does", str(path)
        )
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_PIECES)
    return tokenizer


def encoder_of(config: EncoderConfig) -> T5EncoderModel:
    """A T5 encoder of the given sizes, without weights: on the meta device."""
    with torch.device("meta"):
        return T5EncoderModel(
            T5Config(
                vocab_size=config.vocab_size,
                d_model=config.width,
                d_kv=config.head_width,
                d_ff=config.hidden,
                num_layers=config.layers,
                num_heads=config.heads,
                relative_attention_num_buckets=config.buckets,
                feed_forward_proj="gated-gelu" if config.gated else "relu",
                is_encoder_decoder=False,
                use_cache=False,
            )
        )


class CaptionEncoder:
    """Caption states of the checkpoint's own encoder; the last 256 captions are kept."""

    def __init__(self, model: T5EncoderModel, tokenizer: Tokenizer) -> None:
        self._model = model.train(False).requires_grad_(False)
        self._tokenizer = tokenizer
        self._states: OrderedDict[str, Tensor] = OrderedDict()

    @property
    def width(self) -> int:
        """D, channels of a state."""
        return int(self._model.config.d_model)

    def to(self, device: torch.device | str) -> CaptionEncoder:
        """Moves the encoder; results come on that device."""
        self._model.to(device)
        self._states.clear()
        return self

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """States [B, S, D] and mask [B, S] (true where real) of captions; cut after 512 word pieces.

        Each caption is encoded alone, so that its states do not depend on the others.
        """
        for caption in dict.fromkeys(captions):
            if caption not in self._states:
                ids = torch.tensor([self._tokenizer.encode(caption).ids], device=self._model.device)
                with torch.inference_mode():
                    self._states[caption] = self._model(input_ids=ids).last_hidden_state[0]
            self._states.move_to_end(caption)
        rows = [self._states[caption] for caption in captions]
        while len(self._states) > _CACHED_CAPTIONS:
            self._states.popitem(last=False)
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        lengths = torch.tensor([len(row) for row in rows], device=padded.device)
        return padded, torch.arange(padded.shape[1], device=padded.device) < lengths[:, None]
