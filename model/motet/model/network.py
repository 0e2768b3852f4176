"""The encoder-decoder transformer: a REMI decoder that attends to the states of a caption.

The encoder is a frozen sentence encoder (``motet.model.text``); its states arrive here as ``text`` and are only
projected. Decoder layers are pre-norm (RMSNorm, arXiv 1910.07467) with grouped-query self-attention (arXiv 2305.13245)
under rotary positions (arXiv 2104.09864), cross-attention to the memory, and SwiGLU (arXiv 2002.05202).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads
from transformers import PreTrainedModel

from motet.model.config import MotetConfig


class Memory(NamedTuple):
    """What every layer cross-attends to, projected once per caption."""

    keys: Tensor  # [L, B, G, S, C]
    values: Tensor  # [L, B, G, S, C]
    mask: Tensor  # [B, 1, 1, S] true where a position may be attended to

    def take(self, rows: Tensor) -> Memory:
        """The memory of the given rows, [B'] indices."""
        return Memory(self.keys[:, rows], self.values[:, rows], self.mask[rows])


class Cache(NamedTuple):
    """Preallocated keys and values of the self-attention; ``T`` is the capacity."""

    keys: Tensor  # [L, B, G, T, C]
    values: Tensor  # [L, B, G, T, C]


def rotary_angles(positions: Tensor, channels: int, base: float) -> Tensor:
    """Cosines and sines [2, ..., C/2] of the rotary embedding at integer ``positions`` of any shape."""
    frequencies = base ** (-torch.arange(0, channels, 2, device=positions.device, dtype=torch.float32) / channels)
    angles = positions.float().unsqueeze(-1) * frequencies
    return torch.stack((angles.cos(), angles.sin()))


def rotate(states: Tensor, angles: Tensor) -> Tensor:
    """Applies rotary angles, broadcastable [2, ..., C/2], to ``states`` [..., C] (halves layout)."""
    first, second = states.chunk(2, dim=-1)
    cos, sin = angles[0].to(states.dtype), angles[1].to(states.dtype)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def attend(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Grouped-query attention [B, H, T, C] of queries [B, H, T, C] to keys and values [B, G, S, C].

    Args:
        query: H is a multiple of G.
        keys, values: shared by H / G query heads each.
        mask: broadcastable to [B, 1, T, S], true where a position may be attended to; None is causal, with T = S.
    """
    batch, heads, length, channels = query.shape
    groups, positions = keys.shape[1], keys.shape[2]
    if query.device.type != "cpu" or not query.requires_grad:
        fused: Tensor = F.scaled_dot_product_attention(
            query, keys, values, attn_mask=mask, is_causal=mask is None, enable_gqa=True
        )
        return fused
    # In training on a CPU the fused kernel takes three times as long as these matrix products, which also stack the
    # query heads of a group.
    if mask is None:
        mask = torch.ones(length, positions, dtype=torch.bool).tril()
    bias = torch.zeros(mask.shape, dtype=query.dtype).masked_fill_(~mask, -math.inf)
    stacked = query.reshape(batch, groups, -1, channels)
    scores = (stacked @ keys.transpose(-1, -2)).view(batch, heads, length, positions) * channels**-0.5
    shares = (scores + bias).softmax(-1)
    attended: Tensor = (shares.view(batch, groups, -1, positions) @ values).view(batch, heads, length, channels)
    return attended


class RMSNorm(nn.RMSNorm):
    """RMSNorm whose weight follows the states under autocast: PyTorch has no fused kernel for mixed types."""

    def forward(self, states: Tensor) -> Tensor:
        """[..., D] to [..., D]."""
        normed: Tensor = F.rms_norm(states, self.normalized_shape, self.weight.to(states.dtype), self.eps)
        return normed


class SelfAttention(nn.Module):
    """Causal grouped-query attention with rotary positions."""

    def __init__(self, config: MotetConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.channels = config.heads, config.kv_heads, config.head_width
        self.qkv = nn.Linear(config.width, (self.heads + 2 * self.kv_heads) * self.channels, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)

    def project(self, states: Tensor, angles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries [B, H, T, C] and keys, and values, both [B, G, T, C]."""
        batch, length, _ = states.shape
        projected = self.qkv(states).view(batch, length, -1, self.channels).transpose(1, 2)
        query, key, value = projected.split((self.heads, self.kv_heads, self.kv_heads), dim=1)
        return rotate(query, angles), rotate(key, angles), value

    def merge(self, attended: Tensor) -> Tensor:
        """[B, H, T, C] back to [B, T, D]."""
        merged: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return merged


class CrossAttention(nn.Module):
    """Grouped-query attention to the memory; no positions."""

    def __init__(self, config: MotetConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.channels = config.heads, config.kv_heads, config.head_width
        self.query = nn.Linear(config.width, config.width, bias=False)
        self.kv = nn.Linear(config.width, 2 * self.kv_heads * self.channels, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)

    def remember(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B, G, S, C] of memory states [B, S, D]."""
        batch, length, _ = memory.shape
        key, value = self.kv(memory).view(batch, length, 2 * self.kv_heads, self.channels).transpose(1, 2).chunk(2, 1)
        return key, value

    def forward(self, states: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Attended states [B, T, D]."""
        batch, length, _ = states.shape
        query = self.query(states).view(batch, length, self.heads, self.channels).transpose(1, 2)
        attended = attend(query, keys, values, mask)
        merged: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return merged


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, config: MotetConfig) -> None:
        super().__init__()
        self.gate_up = nn.Linear(config.width, 2 * config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """[B, T, D] to [B, T, D]."""
        gate, up = self.gate_up(states).chunk(2, dim=-1)
        result: Tensor = self.down(F.silu(gate) * up)
        return result


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention, feed-forward; each pre-normed and added to the residual stream."""

    def __init__(self, config: MotetConfig) -> None:
        super().__init__()
        self.self_norm = RMSNorm(config.width, eps=1e-6)
        self.self_attention = SelfAttention(config)
        self.cross_norm = RMSNorm(config.width, eps=1e-6)
        self.cross_attention = CrossAttention(config)
        self.feed_norm = RMSNorm(config.width, eps=1e-6)
        self.feed_forward = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, states: Tensor, angles: Tensor, memory: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Teacher-forced pass over whole sequences: states [B, T, D], angles [2, T, C/2]."""
        query, key, value = self.self_attention.project(self.self_norm(states), angles)
        attended = attend(query, key, value)
        states = states + self.dropout(self.self_attention.merge(attended))
        states = states + self.dropout(self.cross_attention(self.cross_norm(states), *memory))
        result: Tensor = states + self.dropout(self.feed_forward(self.feed_norm(states)))
        return result


class MotetForConditionalGeneration(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Caption states in, next-token logits out; input and output embeddings are separate."""

    config_class = MotetConfig
    base_model_prefix = "motet"

    def __init__(self, config: MotetConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.null = nn.Parameter(torch.zeros(config.width))  # attention's resting place, all there is without words
        self.text = nn.Linear(config.text_width, config.width, bias=False)
        self.memory_norm = RMSNorm(config.width, eps=1e-6)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, eps=1e-6)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    @property
    def _stack(self) -> Sequence[DecoderLayer]:
        return cast(Sequence[DecoderLayer], self.layers)

    def get_input_embeddings(self) -> nn.Module:
        """The token embedding."""
        return self.embedding

    def get_output_embeddings(self) -> nn.Module:
        """The output projection."""
        return self.head

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
        elif isinstance(module, nn.RMSNorm):
            nn.init.ones_(module.weight)
        elif isinstance(module, MotetForConditionalGeneration):
            nn.init.normal_(module.null)
        if isinstance(module, DecoderLayer):  # residual branches start small, so depth does not change the scale
            for branch in (module.self_attention.out, module.cross_attention.out, module.feed_forward.down):
                branch.weight.data.mul_((2 * len(self.layers)) ** -0.5)

    def remember(self, text: Tensor, text_mask: Tensor) -> Memory:
        """Projects the memory for all layers: S is one null position and the text.

        Args:
            text: [B, S - 1, text_width] states of the sentence encoder.
            text_mask: [B, S - 1] true where a text position is real; all false is "no caption".
        """
        projected = self.text(text)
        null = self.null.to(projected.dtype).expand(len(text), 1, -1)
        states = self.memory_norm(torch.cat((null, projected), dim=1))
        pairs = [layer.cross_attention.remember(states) for layer in self._stack]
        mask = F.pad(text_mask, (1, 0), value=True)[:, None, None, :]
        return Memory(torch.stack([key for key, _ in pairs]), torch.stack([value for _, value in pairs]), mask)

    def forward(self, input_ids: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Teacher-forced logits [B, T, V]."""
        memory = self.remember(text, text_mask)
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        angles = rotary_angles(positions, self.config.head_width, self.config.rope_base)
        states = self.embedding(input_ids)
        for index, layer in enumerate(self._stack):
            states = layer(states, angles, (memory.keys[index], memory.values[index], memory.mask))
        logits: Tensor = self.head(self.norm(states))
        return logits

    def allocate(self, rows: int, capacity: int) -> Cache:
        """An empty cache for ``rows`` sequences of at most ``capacity`` tokens."""
        weight = self.embedding.weight
        shape = (self.config.layers, rows, self.config.kv_heads, capacity, self.config.head_width)
        return Cache(weight.new_zeros(shape), weight.new_zeros(shape))

    def prefill(self, tokens: Tensor, row: int, cache: Cache, memory: Memory) -> None:
        """Writes the keys and values of a row's first tokens, [T], into ``cache``; ``memory`` is of that row alone."""
        angles = rotary_angles(
            torch.arange(len(tokens), device=tokens.device), self.config.head_width, self.config.rope_base
        )
        states = self.embedding(tokens)[None]
        for index, layer in enumerate(self._stack):
            _, key, value = layer.self_attention.project(layer.self_norm(states), angles)
            cache.keys[index, row, :, : len(tokens)] = key[0]
            cache.values[index, row, :, : len(tokens)] = value[0]
            states = layer(states, angles, (memory.keys[index], memory.values[index], memory.mask))

    def step(
        self, tokens: Tensor, positions: Tensor, cache: Cache, memory: Memory, rows: Tensor | None = None
    ) -> Tensor:
        """Logits [B, V] after one more token a row; writes its keys and values into ``cache``.

        Args:
            tokens: [B] ids of the newest tokens.
            positions: [B] index of each newest token in its own sequence; rows may differ.
            cache: of capacity greater than every position.
            memory: of the same rows.
            rows: [B] where they lie in ``cache``; 0 to B - 1 if None.
        """
        if rows is None:
            rows = torch.arange(len(tokens), device=tokens.device)
        length = int(positions.max()) + 1
        angles = rotary_angles(positions[:, None, None], self.config.head_width, self.config.rope_base)
        past = (torch.arange(length, device=tokens.device) <= positions[:, None])[:, None, None, :]  # [B, 1, 1, T]
        states = self.embedding(tokens)[:, None]
        for index, layer in enumerate(self._stack):
            query, key, value = layer.self_attention.project(layer.self_norm(states), angles)
            keys, values = cache.keys[index], cache.values[index]
            keys[rows, :, positions] = key[:, :, 0]
            values[rows, :, positions] = value[:, :, 0]
            attended = attend(query, keys[rows, :, :length], values[rows, :, :length], past)
            states = states + layer.self_attention.merge(attended)
            crossed = layer.cross_attention(
                layer.cross_norm(states), memory.keys[index], memory.values[index], memory.mask
            )
            states = states + crossed
            states = states + layer.feed_forward(layer.feed_norm(states))
        logits: Tensor = self.head(self.norm(states[:, 0]))
        return logits
