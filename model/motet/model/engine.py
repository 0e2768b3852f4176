"""The decoding engine: sequences that share packed weights and a paged cache of keys and values.

A sequence lives in a slot. Slots join, leave and branch between steps; a branch shares the pages of its parent, and the
page that both would write next is copied when the first of them does (copy-on-write, as in arXiv 2309.06180). The
memory of a caption is projected once and its pages are shared by all slots that attend to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motet.model.kernels import PANEL, decode, write_memory
from motet.model.matrix import Precision, pack, whole_panels
from motet.model.network import DecoderLayer, Memory, MotetForConditionalGeneration, rotary_angles
from motet.music.error import InvalidInputError

_GROWTH_BYTES: Final = 1 << 22
"""Most that a cache grows by at a time, so that no step takes much longer than the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Bounds of an engine.

    Args:
        tokens: of the longest sequence, at least 1.
        threads: that share a step's rows, at least 1.
    """

    tokens: int
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("tokens", "threads"):
            if getattr(self, name) < 1:
                raise InvalidInputError.of(name, "must be at least 1", getattr(self, name))


class EngineMemory(NamedTuple):
    """Where a memory lies in an engine."""

    pages: NDArray[np.int32]
    length: int


def pages_of(tokens: int) -> int:
    """Pages that hold so many tokens."""
    return -(-tokens // PANEL)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().float().cpu().numpy())


def _filled(weight: NDArray[np.float32], axis: int, parts: int) -> NDArray[np.float32]:
    """Splits an axis into ``parts`` and fills each up with zeros to whole panels."""
    split = weight.reshape(*weight.shape[:axis], parts, -1, *weight.shape[axis + 1 :])
    size = split.shape[axis + 1]
    margin = [(0, 0)] * split.ndim
    margin[axis + 1] = (0, whole_panels(size) - size)
    padded = np.pad(split, margin)
    return padded.reshape(*weight.shape[:axis], -1, *weight.shape[axis + 1 :])


class PackedNetwork:
    """A network's weights as the kernels read them; engines share it.

    Args:
        network: any device.
        precision: "float32" computes what the network computes; "bfloat16" and "int8" trade accuracy for speed, in the
            cache too.

    Raises UnavailableError where the machine lacks the precision's instructions.
    """

    def __init__(self, network: MotetForConditionalGeneration, precision: Precision = "float32") -> None:
        config = network.config
        self.config = config
        self.vocabulary = int(config.vocab_size)  # a transformers configuration is slow to ask
        self.precision = precision
        weights: list[NDArray[np.float32]] = []
        norms: list[NDArray[np.float32]] = []
        for layer in cast(Sequence[DecoderLayer], network.layers):
            own, cross, feed = layer.self_attention, layer.cross_attention, layer.feed_forward
            weights += [
                _array(own.qkv.weight),
                _filled(_array(own.out.weight), 1, config.heads),
                _array(cross.query.weight),
                _filled(_array(cross.out.weight), 1, config.heads),
                _filled(_array(feed.gate_up.weight), 0, 2),
                _filled(_array(feed.down.weight), 1, 1),
            ]
            norms += [_array(one.weight) for one in (layer.self_norm, layer.cross_norm, layer.feed_norm)]
        self.matrices = pack([*weights, _array(network.head.weight)], precision)
        cos, sin = rotary_angles(torch.arange(config.max_tokens), config.head_width, config.rope_base).numpy()
        self.arguments = (  # of ``kernels.decode``
            _filled(_array(network.embedding.weight), 1, 1),
            np.stack([*norms, _array(network.norm.weight)]),
            np.ascontiguousarray(cos, np.float32),
            np.ascontiguousarray(sin, np.float32),
            *self.matrices,
            config.heads,
        )

    @property
    def token_nbytes(self) -> int:
        """Bytes that one token holds in a cache."""
        config = self.config
        number = 4 if self.precision == "float32" else 2
        return int(2 * config.layers * config.kv_heads * whole_panels(config.head_width) * number)


class Engine:
    """Slots on one cache, both growing with use. For one thread at a time.

    Args:
        packed: the weights.
        config: bounds.
    """

    exact = True
    """See ``motet.model.past.Past``."""
    piece = 64
    """Tokens of a prefix that go through the network together."""

    def __init__(self, packed: PackedNetwork, config: EngineConfig) -> None:
        shape = packed.config
        if config.tokens > shape.max_tokens:
            raise InvalidInputError.of("tokens", f"must be at most the model's {shape.max_tokens}", config.tokens)
        self.packed = packed
        self.config = config
        page = (shape.layers, shape.kv_heads, 2, whole_panels(shape.head_width) * PANEL)
        self._pool: NDArray[Any] = np.zeros((0, *page), np.float32 if packed.precision == "float32" else np.uint16)
        self._holders: NDArray[np.int32] = np.zeros(0, np.int32)  # of each page: slots, and memories not forgotten
        self._free: list[int] = []
        self._vacant: list[int] = []
        self._tables: NDArray[np.int32] = np.zeros((0, pages_of(config.tokens)), np.int32)
        self._lengths: NDArray[np.int64] = np.zeros(0, np.int64)
        self._memories: NDArray[np.int32] = np.zeros((0, 1), np.int32)
        self._memory_lengths: NDArray[np.int64] = np.zeros(0, np.int64)
        self._workers = ThreadPoolExecutor(config.threads) if config.threads > 1 else None

    @property
    def nbytes(self) -> int:
        """Bytes of the cache at present."""
        return self._pool.nbytes

    @property
    def pages_in_use(self) -> int:
        """Pages that somebody holds."""
        return int((self._holders > 0).sum())

    def length(self, slot: int) -> int:
        """Tokens in a slot."""
        return int(self._lengths[slot])

    def remember(self, memory: Memory) -> EngineMemory:
        """Takes in a memory of one row, for slots to attend to."""
        real = memory.mask[0, 0, 0]
        keys, values = (
            np.ascontiguousarray(_array(states[:, 0][:, :, real])) for states in (memory.keys, memory.values)
        )
        pages = self._take(pages_of(keys.shape[2]))
        write_memory(self._pool, pages, keys, values)
        return EngineMemory(pages, keys.shape[2])

    def forget(self, memory: EngineMemory) -> None:
        """Gives a memory back; slots that attend to it keep it as long as they live."""
        self._drop(memory.pages)

    def join(self, memory: EngineMemory) -> int:
        """An empty slot that attends to a memory."""
        slot = self._vacate()
        margin = len(memory.pages) - self._memories.shape[1]
        if margin > 0:
            self._memories = np.pad(self._memories, ((0, 0), (0, margin)))
        self._memories[slot, : len(memory.pages)] = memory.pages
        self._memory_lengths[slot] = memory.length
        self._lengths[slot] = 0
        self._holders[memory.pages] += 1
        return slot

    def leave(self, slot: int) -> None:
        """Vacates a slot."""
        self._drop(self._pages(slot))
        self._vacant.append(slot)

    def branch(self, slot: int) -> int:
        """A further slot with the same past, on the same pages."""
        twin = self._vacate()
        for store in (self._tables, self._lengths, self._memories, self._memory_lengths):
            store[twin] = store[slot]
        self._holders[self._pages(twin)] += 1
        return twin

    def step(self, slots: NDArray[np.intp], tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Appends one token to each of the different ``slots``; returns the logits [n, V] that follow."""
        positions = self._lengths[slots]
        self._extend(slots, positions)
        logits = self._zeros(len(slots))
        parts = 1 if self._workers is None else min(self.config.threads, len(slots))
        if self._workers is None or parts < 2:
            self._run(tokens, slots, positions, np.arange(len(slots)), logits)
        else:
            edges = np.linspace(0, len(slots), parts + 1).astype(int)
            jobs = [
                self._workers.submit(self._run, tokens[a:b], slots[a:b], positions[a:b], np.arange(b - a), logits[a:b])
                for a, b in pairwise(edges)
            ]
            for job in jobs:
                job.result()
        self._lengths[slots] = positions + 1
        return np.ascontiguousarray(logits[:, : self.packed.vocabulary])

    def prefill(self, slot: int, tokens: NDArray[np.int64], *, every: bool = False) -> NDArray[np.float32]:
        """Appends a run of tokens to a slot in one pass; returns the logits after the last, [1, V], or every one."""
        start = self.length(slot)
        count = len(tokens)
        logits = self._zeros(count if every else 1)
        for first in range(0, count, self.piece):
            rows = min(self.piece, count - first)
            positions = np.arange(start + first, start + first + rows)
            self._extend(np.full(rows, slot), positions)
            wanted = np.arange(rows)[0 if every else rows - (first + rows == count) :]
            out = logits[first : first + rows] if every else logits[: len(wanted)]
            self._run(tokens[first : first + rows], np.full(rows, slot), positions, wanted, out)
            self._lengths[slot] += rows
        return logits[:, : self.packed.vocabulary]

    def _zeros(self, rows: int) -> NDArray[np.float32]:
        return np.zeros((rows, whole_panels(self.packed.vocabulary)), np.float32)

    def _run(
        self,
        tokens: NDArray[np.int64],
        slots: NDArray[np.intp],
        positions: NDArray[np.int64],
        wanted: NDArray[np.intp],
        logits: NDArray[np.float32],
    ) -> None:
        cache = (self._pool, self._tables, self._memories, self._memory_lengths)
        decode(tokens, slots, positions, wanted, logits, *self.packed.arguments, *cache)

    def _vacate(self) -> int:
        """A slot that nobody is in; there are twice as many when all are taken."""
        if not self._vacant:
            count = len(self._lengths)
            more = max(count, 8)
            self._tables = np.pad(self._tables, ((0, more), (0, 0)))
            self._lengths = np.pad(self._lengths, (0, more))
            self._memories = np.pad(self._memories, ((0, more), (0, 0)))
            self._memory_lengths = np.pad(self._memory_lengths, (0, more))
            self._vacant += range(count + more - 1, count - 1, -1)
        return self._vacant.pop()

    def _pages(self, slot: int) -> NDArray[np.int32]:
        """All that a slot holds."""
        own = self._tables[slot, : pages_of(self.length(slot))]
        return np.concatenate((own, self._memories[slot, : pages_of(int(self._memory_lengths[slot]))]))

    def _extend(self, slots: NDArray[np.intp], positions: NDArray[np.int64]) -> None:
        """Makes the pages of all positions exist and belong to their slot alone."""
        if positions.max() >= self.config.tokens:
            raise InvalidInputError.of("tokens", f"must be at most {self.config.tokens}", int(positions.max()) + 1)
        places = positions // PANEL
        shared = self._holders[self._tables[slots, places]] > 1 if len(self._holders) else np.ones(len(slots), np.bool_)
        for row in np.flatnonzero((positions % PANEL == 0) | shared):
            slot, place = slots[row], places[row]
            if positions[row] % PANEL == 0:
                self._tables[slot, place] = self._take(1)[0]
            elif self._holders[self._tables[slot, place]] > 1:  # a row above may have left it to this one
                old = self._tables[slot, place]
                (new,) = self._take(1)
                self._pool[new] = self._pool[old]
                self._holders[old] -= 1
                self._tables[slot, place] = new

    def _take(self, count: int) -> NDArray[np.int32]:
        """Pages for one holder; the cache grows when none is free."""
        if len(self._free) < count:
            size = len(self._pool)
            page = self._pool.itemsize * int(np.prod(self._pool.shape[1:]))
            more = max(count, min(size, _GROWTH_BYTES // page), 8)
            # In place: no second copy of what may be large. Nobody else has a view of it.
            self._pool.resize((size + more, *self._pool.shape[1:]), refcheck=False)
            self._holders = np.pad(self._holders, (0, more))
            self._free += range(size + more - 1, size - 1, -1)
        pages = np.array([self._free.pop() for _ in range(count)], np.int32)
        self._holders[pages] = 1
        return pages

    def _drop(self, pages: NDArray[np.int32]) -> None:
        self._holders[pages] -= 1
        self._free += pages[self._holders[pages] == 0].tolist()
