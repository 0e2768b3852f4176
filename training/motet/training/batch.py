"""Batches of caption and token pairs: which windows share a step, and their padded tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from motet.model.text import TextEncoder
from motet.model.vocabulary import AnyVocabulary, expansions

IGNORED: Final = -100
TOKENS_MULTIPLE: Final = 32
MEMORY_MULTIPLE: Final = 16
MEMORY_OFFSET: Final = 1
"""Positions that the network adds to the memory itself."""


@dataclass(frozen=True)
class Batch:
    """Padded rows of one step."""

    tokens: Tensor  # [B, T] inputs, begin first
    labels: Tensor  # [B, T] the next token; IGNORED on padding
    weights: Tensor  # [B, T] share of each label in the training loss; 0 on padding
    text: Tensor  # [B, S, 384]
    text_mask: Tensor  # [B, S]

    def losses(self, network: Callable[..., Tensor]) -> Tensor:
        """Nats of every label, 0 on padding: [B, T]."""
        logits = network(self.tokens, self.text, self.text_mask)
        flat = F.cross_entropy(
            logits.flatten(0, 1).float(), self.labels.flatten(), ignore_index=IGNORED, reduction="none"
        )
        return flat.view_as(self.labels)

    def weighted_loss(self, network: Callable[..., Tensor]) -> Tensor:
        """The training loss: the weighted mean in nats a token."""
        return (self.losses(network) * self.weights).sum() / self.weights.sum()


class Collator:
    """Makes batches of rows: pads tokens, encodes captions.

    Args:
        tokenizer: for begin, end, padding and header tokens.
        text: the sentence encoder.
        device: where the batch goes.
        header_weight: weight of the header's tokens and of the tempo, which are few but decide most; else 1.
    """

    def __init__(
        self, tokenizer: AnyVocabulary, text: TextEncoder, device: str = "cpu", *, header_weight: float = 1.0
    ) -> None:
        self._begin, self._end, self._pad = tokenizer.begin_id, tokenizer.end_id, tokenizer.pad_id
        self._text, self._device = text, device
        kinds = [{name.partition("_")[0] for name in names} for names in expansions(tokenizer)]
        decides = [bool(names & {"Key", "Genre", "Player", "Tempo"}) for names in kinds]
        self._weights = np.where(decides, header_weight, 1.0).astype(np.float32)

    def __call__(
        self,
        sequences: list[NDArray[np.uint16]],
        captions: list[str],
        ends: list[bool],
        keep_text: NDArray[np.bool_],
    ) -> Batch:
        """One batch of B rows.

        Args:
            sequences: token ids without begin and end.
            captions: the words of each row.
            ends: whether the end token belongs after the sequence (the piece ends there).
            keep_text: [B] false where the words are dropped.
        """
        width = int(_round_up(np.array(max(len(sequence) for sequence in sequences) + 1), TOKENS_MULTIPLE))
        tokens = np.full((len(sequences), width), self._pad, np.int64)
        labels = np.full((len(sequences), width), IGNORED, np.int64)
        for row, (sequence, ending) in enumerate(zip(sequences, ends, strict=True)):
            length = len(sequence)
            tokens[row, 0] = self._begin
            tokens[row, 1 : length + 1] = sequence
            labels[row, :length] = sequence
            if ending:
                labels[row, length] = self._end
        weights = np.where(labels == IGNORED, np.float32(0), self._weights[labels])
        with torch.autocast(self._device, dtype=torch.bfloat16):
            text, text_mask = self._text.encode(captions)
        text, text_mask = _padded(text), _padded(text_mask)
        return Batch(
            torch.from_numpy(tokens).to(self._device),
            torch.from_numpy(labels).to(self._device),
            torch.from_numpy(weights).to(self._device),
            text.to(self._device),
            (text_mask & torch.from_numpy(keep_text)[:, None].to(text_mask.device)).to(self._device),
        )


def _padded(rows: Tensor) -> Tensor:
    """Zeros appended to dimension 1 until the memory is a multiple."""
    missing = -(rows.shape[1] + MEMORY_OFFSET) % MEMORY_MULTIPLE
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
