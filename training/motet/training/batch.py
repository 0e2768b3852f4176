"""Batches of caption and token pairs: which windows share a step, and their padded tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.model.control import ControlVocabulary
from motet.model.text import TextEncoder
from motet.model.tokenizer import Tokenizer
from motet.music.attributes import Attributes

IGNORED: Final = -100
TOKENS_MULTIPLE: Final = 32
MEMORY_MULTIPLE: Final = 16


@dataclass(frozen=True)
class Batch:
    """Padded rows of one step."""

    tokens: Tensor  # [B, T] inputs, begin first
    labels: Tensor  # [B, T] the next token; IGNORED on padding
    text: Tensor  # [B, S1, 384]
    text_mask: Tensor  # [B, S1]
    controls: Tensor  # [B, S2]
    control_mask: Tensor  # [B, S2]

    def loss(self, network: Callable[..., dict[str, Tensor]]) -> Tensor:
        """Mean loss of the rows in nats a token."""
        result = network(self.tokens, self.text, self.text_mask, self.controls, self.control_mask, self.labels)
        return result["loss"]


class Collator:
    """Makes batches of rows: pads tokens, encodes captions, maps attributes to control tokens.

    Args:
        tokenizer: for begin, end and padding ids.
        controls: the control vocabulary.
        text: the sentence encoder.
        device: where the batch goes.
    """

    def __init__(
        self, tokenizer: Tokenizer, controls: ControlVocabulary, text: TextEncoder, device: str = "cpu"
    ) -> None:
        self._tokenizer, self._controls, self._text, self._device = tokenizer, controls, text, device

    def __call__(
        self,
        sequences: list[NDArray[np.uint16]],
        captions: list[str],
        attributes: list[Attributes],
        ends: list[bool],
        keep_text: NDArray[np.bool_],
        keep_controls: NDArray[np.bool_],
    ) -> Batch:
        """One batch of B rows.

        Args:
            sequences: token ids without begin and end.
            captions: the words of each row.
            attributes: what those words state.
            ends: whether the end token belongs after the sequence (the piece ends there).
            keep_text: [B] false where the words are dropped.
            keep_controls: [B] false where the control tokens are dropped.
        """
        begin, end, pad = self._tokenizer.begin_id, self._tokenizer.end_id, self._tokenizer.pad_id
        width = int(_round_up(np.array(max(len(sequence) for sequence in sequences) + 1), TOKENS_MULTIPLE))
        tokens = np.full((len(sequences), width), pad, np.int64)
        labels = np.full((len(sequences), width), IGNORED, np.int64)
        for row, (sequence, ending) in enumerate(zip(sequences, ends, strict=True)):
            length = len(sequence)
            tokens[row, 0] = begin
            tokens[row, 1 : length + 1] = sequence
            labels[row, :length] = sequence
            if ending:
                labels[row, length] = end
        with torch.autocast(self._device, dtype=torch.bfloat16):
            text, text_mask = self._text.encode(captions)
        nothing = Attributes()
        ids = [
            torch.tensor(self._controls.ids(asked if keep else nothing))
            for asked, keep in zip(attributes, keep_controls, strict=True)
        ]
        controls = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
        lengths = torch.tensor([len(row) for row in ids])
        text, text_mask = _pad(text, MEMORY_MULTIPLE), _pad(text_mask, MEMORY_MULTIPLE)
        controls = _pad(controls, MEMORY_MULTIPLE)
        return Batch(
            torch.from_numpy(tokens).to(self._device),
            torch.from_numpy(labels).to(self._device),
            text.to(self._device),
            (text_mask & torch.from_numpy(keep_text)[:, None].to(text_mask.device)).to(self._device),
            controls.to(self._device),
            (torch.arange(controls.shape[1]) < lengths[:, None]).to(self._device),
        )


def _pad(rows: Tensor, multiple: int) -> Tensor:
    """Zeros appended to dimension 1 up to a multiple."""
    missing = -rows.shape[1] % multiple
    return torch.cat((rows, rows.new_zeros(rows.shape[0], missing, *rows.shape[2:])), dim=1)


def length_batches(lengths: NDArray[np.int64], batch_tokens: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Groups windows by padded length into batches of one size a length, in random order.

    Shapes repeat on purpose: kernels are compiled and cached by shape. What does not fill a batch waits for the next
    epoch's shuffle.
    """
    padded = _round_up(lengths + 1, TOKENS_MULTIPLE)
    batches: list[NDArray[np.intp]] = []
    for length in np.unique(padded):
        chosen = rng.permutation(np.flatnonzero(padded == length))
        rows = max(1, batch_tokens // int(length))
        batches += [chosen[start : start + rows] for start in range(0, len(chosen) - rows + 1, rows)]
    return [batches[index] for index in rng.permutation(len(batches))]


def _round_up(value: NDArray[np.int64], multiple: int) -> NDArray[np.int64]:
    return np.asarray(-(-value // multiple) * multiple)
