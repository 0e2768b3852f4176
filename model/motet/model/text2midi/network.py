"""Text2midi's decoder: post-norm layers whose self-attention is local to blocks of time.

Its self-attention reshapes [B, n, D] to [B, H, n, D/H] without transposing. So each token becomes H sub-steps of D/H
channels, one after the other, and a "head" is a run of n of these n H sub-steps: a block of n/H tokens, within which
sub-steps see themselves and earlier ones. Where H does not divide n, a block's bound lies inside a token: its first
sub-steps end one block, the others begin the next.

No sub-step sees a later one, so with n fixed (layout "train") keys and values of past tokens never change and can be
kept. In layout "upstream" n is the present length and every step moves every bound: nothing can be kept.

There are no positions to speak of: the encoding is picked by the row of a batch, so that alone, a sequence gets row 0
at every step. We give row 0 to all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from motet.model.network import Cache, Memory
from motet.model.text2midi.config import Text2midiConfig


class SelfAttention(nn.Module):
    """Attention among the sub-steps of each block."""

    def __init__(self, config: Text2midiConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.to_qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.to_out = nn.Linear(config.width, config.width, bias=False)

    def forward(self, states: Tensor, length: int) -> Tensor:
        """[B, T, D] to [B, T, D] in blocks of ``length`` sub-steps, the first of which begins with the first token."""
        return self.mix(self.to_qkv(states), length)

    def mix(self, projected: Tensor, length: int) -> Tensor:
        """What ``forward`` makes of queries, keys and values [B, T, 3 D]."""
        batch, tokens, width = projected.shape[0], projected.shape[1], projected.shape[2] // 3
        length = min(length, tokens * self.heads)
        missing = -tokens * self.heads % length  # sub-steps of the last block that have no token yet

        def blocks(part: Tensor) -> Tensor:
            sub_steps = part.reshape(batch, tokens * self.heads, width // self.heads)
            return F.pad(sub_steps, (0, 0, 0, missing)).view(batch, -1, length, width // self.heads)

        query, key, value = map(blocks, projected.chunk(3, dim=-1))
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        whole = attended.flatten(1, 2)[:, : tokens * self.heads].reshape(batch, tokens, width)
        result: Tensor = self.to_out(whole)
        return result


class CrossAttention(nn.Module):
    """Attention to the caption, by heads of width as usual; named as PyTorch's MultiheadAttention."""

    def __init__(self, config: Text2midiConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * config.width, config.width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * config.width))
        self.out_proj = nn.Linear(config.width, config.width)

    def _split(self, projected: Tensor) -> Tensor:
        batch, length, width = projected.shape
        return projected.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def remember(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B, H, S, C] of caption states [B, S, D]."""
        width = text.shape[-1]
        key, value = F.linear(text, self.in_proj_weight[width:], self.in_proj_bias[width:]).chunk(2, dim=-1)
        return self._split(key), self._split(value)

    def forward(self, states: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Attended states [B, T, D]."""
        width = states.shape[-1]
        query = self._split(F.linear(states, self.in_proj_weight[:width], self.in_proj_bias[:width]))
        attended = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
        result: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return result


class Layer(nn.Module):
    """Self-attention, cross-attention, feed-forward (ReLU); each added to the states, which are then normed."""

    def __init__(self, config: Text2midiConfig) -> None:
        super().__init__()
        self.self_attn = SelfAttention(config)
        self.multihead_attn = CrossAttention(config)
        self.linear1 = nn.Linear(config.width, config.hidden)
        self.linear2 = nn.Linear(config.hidden, config.width)
        self.norm1 = nn.LayerNorm(config.width)
        self.norm2 = nn.LayerNorm(config.width)
        self.norm3 = nn.LayerNorm(config.width)

    def finish(self, states: Tensor, attended: Tensor, memory: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """What follows the self-attention: [B, T, D] of states and of what it yields, to [B, T, D]."""
        states = self.norm1(states + attended)
        states = self.norm2(states + self.multihead_attn(states, *memory))
        result: Tensor = self.norm3(states + self.linear2(F.relu(self.linear1(states))))
        return result


class Stack(nn.Module):
    """The layers and the last norm."""

    def __init__(self, config: Text2midiConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)


class Text2midi(nn.Module):
    """Caption states in, next-token logits out. Parameters are named as in the published checkpoint."""

    def __init__(self, config: Text2midiConfig) -> None:
        super().__init__()
        self.config = config
        self.input_emb = nn.Embedding(config.vocab_size, config.width)
        self.position = nn.Parameter(torch.empty(config.width))
        self.decoder = Stack(config)
        self.projection = nn.Linear(config.width, config.vocab_size)

    @property
    def _stack(self) -> Sequence[Layer]:
        return cast(Sequence[Layer], self.decoder.layers)

    def _embed(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.input_emb(tokens) * math.sqrt(self.config.width) + self.position
        return embedded

    def _logits(self, states: Tensor) -> Tensor:
        logits: Tensor = self.projection(self.decoder.norm(states))
        return logits

    def remember(self, text: Tensor, text_mask: Tensor) -> Memory:
        """Projects caption states [B, S, D] for all layers; ``text_mask`` [B, S] is true where they are real."""
        pairs = [layer.multihead_attn.remember(text) for layer in self._stack]
        keys, values = (torch.stack(parts) for parts in zip(*pairs, strict=True))
        return Memory(keys, values, text_mask[:, None, None, :])

    def _run(self, tokens: Tensor, length: int, memory: Memory) -> Tensor:
        """States [B, T, D] of whole sequences [B, T] in blocks of ``length`` sub-steps."""
        states = self._embed(tokens)
        for index, layer in enumerate(self._stack):
            of_layer = (memory.keys[index], memory.values[index], memory.mask)
            states = layer.finish(states, layer.self_attn(states, length), of_layer)
        return states

    def forward(self, input_ids: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Teacher-forced logits [B, T, V]; T is at most ``max_tokens``. In layout "upstream" they depend on T."""
        length = self.config.max_tokens if self.config.layout == "train" else input_ids.shape[1]
        return self._logits(self._run(input_ids, length, self.remember(text, text_mask)))

    def allocate(self, rows: int, capacity: int) -> Cache:
        """An empty cache for ``rows`` sequences of at most ``capacity`` tokens.

        Keys and values in layout "train"; the tokens themselves in layout "upstream".
        """
        if self.config.layout == "upstream":
            tokens = torch.zeros(1, rows, 1, capacity, 1, dtype=torch.int64, device=self.position.device)
            return Cache(tokens, tokens[..., :0])
        shape = (self.config.layers, rows, 1, capacity, self.config.width)
        return Cache(self.position.new_zeros(shape), self.position.new_zeros(shape))

    def prefill(self, tokens: Tensor, row: int, cache: Cache, memory: Memory) -> None:
        """Writes what ``cache`` keeps of a row's first tokens, [T]; ``memory`` is of that row alone."""
        if self.config.layout == "upstream":
            cache.keys[0, row, 0, : len(tokens), 0] = tokens
            return
        states = self._embed(tokens)[None]
        for index, layer in enumerate(self._stack):
            projected = layer.self_attn.to_qkv(states)
            _, key, value = projected[0].chunk(3, dim=-1)
            cache.keys[index, row, 0, : len(tokens)] = key
            cache.values[index, row, 0, : len(tokens)] = value
            of_layer = (memory.keys[index], memory.values[index], memory.mask)
            states = layer.finish(states, layer.self_attn.mix(projected, self.config.max_tokens), of_layer)

    def step(
        self, tokens: Tensor, positions: Tensor, cache: Cache, memory: Memory, rows: Tensor | None = None
    ) -> Tensor:
        """Logits [B, V] after one more token a row, which ``cache`` keeps.

        Args:
            tokens: [B] ids of the newest tokens.
            positions: [B] index of each newest token in its own sequence; rows may differ.
            cache: of capacity greater than every position.
            memory: of the same rows.
            rows: [B] where they lie in ``cache``; 0 to B - 1 if None.
        """
        if rows is None:
            rows = torch.arange(len(tokens), device=tokens.device)
        if self.config.layout == "upstream":
            return self._step_upstream(tokens, positions, cache, memory, rows)
        heads, length = self.config.heads, self.config.max_tokens
        newest = positions[:, None] * heads + torch.arange(heads, device=tokens.device)  # [B, H] sub-steps
        starts = newest[:, 0] // length * length // heads  # [B] tokens in which the blocks that are read begin
        width = int((positions - starts).max()) + 1
        start, stop = int(starts.min()), int(positions.max()) + 1
        apart = stop - start > 2 * width  # rows far from each other: what lies between is not worth reading
        if apart:
            starts = starts.clamp(max=cache.keys.shape[3] - width)
            window = starts[:, None] + torch.arange(width, device=tokens.device)  # [B, W]
        else:
            window = torch.arange(start, stop, device=tokens.device)[None]
        past = (window[..., None] * heads + torch.arange(heads, device=tokens.device)).flatten(1)[:, None]
        visible = (past // length == newest[..., None] // length) & (past <= newest[..., None])
        visible = visible[:, None]  # [B, 1, H, W H]

        def read(kept: Tensor) -> Tensor:
            return kept[rows[:, None], window] if apart else kept[rows, start:stop]

        def sub_steps(part: Tensor) -> Tensor:
            return part.reshape(len(part), 1, -1, self.config.width // heads)

        states = self._embed(tokens)[:, None]
        for index, layer in enumerate(self._stack):
            query, key, value = layer.self_attn.to_qkv(states).chunk(3, dim=-1)
            keys, values = cache.keys[index, :, 0], cache.values[index, :, 0]
            keys[rows, positions] = key[:, 0]
            values[rows, positions] = value[:, 0]
            attended = F.scaled_dot_product_attention(
                sub_steps(query), sub_steps(read(keys)), sub_steps(read(values)), attn_mask=visible
            )
            of_layer = (memory.keys[index], memory.values[index], memory.mask)
            states = layer.finish(states, layer.self_attn.to_out(attended.flatten(2)), of_layer)
        return self._logits(states[:, 0])

    def _step_upstream(self, tokens: Tensor, positions: Tensor, cache: Cache, memory: Memory, rows: Tensor) -> Tensor:
        kept = cache.keys[0, :, 0, :, 0]
        kept[rows, positions] = tokens
        logits = self.position.new_empty(len(tokens), self.config.vocab_size)
        for position in sorted(set(positions.tolist())):  # rows of one length are cut into the same blocks
            same = torch.nonzero(positions == position)[:, 0]
            length = position + 1
            # Every H/common-th bound lies between two tokens; before the last of these, nothing reaches the newest.
            common = math.gcd(length, self.config.heads)
            states = self._run(kept[rows[same], length - length // common : length], length, memory.take(same))
            logits[same] = self._logits(states[:, -1])
        return logits
