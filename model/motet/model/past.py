"""Pasts: what has been fed to the rows of a batch, behind one face for every kind of network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from motet.model.engine import Engine, EngineConfig, PackedNetwork
from motet.model.network import Memory, MotetForConditionalGeneration
from motet.model.text2midi.network import Text2midi


class Past(Protocol):
    """R rows of tokens, each with its memory."""

    def prefill(self, row: int, tokens: NDArray[np.int64]) -> None:
        """Feeds a run of tokens to one row."""

    def step(self, rows: NDArray[np.intp], tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Feeds one token to each of the different ``rows``; the logits [n, V] that follow."""

    def select(self, parents: NDArray[np.intp]) -> None:
        """Row i becomes a copy of row ``parents[i]``."""


class EnginePast:
    """Rows in the slots of an engine of their own.

    Args:
        packed: the network.
        memory: of the R rows.
        captions: [R] rows of the same number have the same memory, which is kept once.
        tokens: of the longest row.
        threads: that share a step.
    """

    def __init__(
        self, packed: PackedNetwork, memory: Memory, captions: Sequence[object], tokens: int, threads: int
    ) -> None:
        self._engine = Engine(packed, EngineConfig(slots=len(captions), tokens=tokens, threads=threads))
        first: dict[object, int] = {}
        for row, caption in enumerate(captions):
            first.setdefault(caption, row)
        memories = {}
        for caption, row in first.items():
            real = memory.mask[row, 0, 0]
            memories[caption] = self._engine.remember(memory.keys[:, row, :, real], memory.values[:, row, :, real])
        self._slots = np.array([self._engine.join(memories[caption]) for caption in captions], np.intp)
        for one in memories.values():
            self._engine.forget(one)

    def prefill(self, row: int, tokens: NDArray[np.int64]) -> None:
        """See ``Past``."""
        self._engine.prefill(int(self._slots[row]), tokens)

    def step(self, rows: NDArray[np.intp], tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """See ``Past``; rows that are not named cost nothing."""
        return self._engine.step(self._slots[rows], tokens)

    def select(self, parents: NDArray[np.intp]) -> None:
        """See ``Past``; copies share their parent's pages."""
        moved = np.flatnonzero(parents != np.arange(len(parents)))
        if len(moved):
            self._engine.copy(self._slots[parents[moved]], self._slots[moved])


class NetworkPast:
    """Rows in the cache of a network that steps all of them together, in plain PyTorch.

    Args:
        network: any that has ``allocate``, ``prefill`` and ``step``.
        memory: of the R rows.
        tokens: of the longest row.
    """

    def __init__(self, network: MotetForConditionalGeneration | Text2midi, memory: Memory, tokens: int) -> None:
        rows = len(memory.mask)
        self._network = network
        self._memory = memory
        self._cache = network.allocate(rows, tokens)
        self._newest: NDArray[np.int64] = np.zeros(rows, np.int64)
        self._fed: NDArray[np.int64] = np.zeros(rows, np.int64)

    @torch.inference_mode()
    def prefill(self, row: int, tokens: NDArray[np.int64]) -> None:
        """See ``Past``; for rows to which nothing was fed."""
        self._network.prefill(torch.from_numpy(tokens), row, self._cache, self._memory)
        self._newest[row], self._fed[row] = tokens[-1], len(tokens)

    @torch.inference_mode()
    def step(self, rows: NDArray[np.intp], tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """See ``Past``; the others' newest tokens are fed again, to the same effect."""
        self._newest[rows] = tokens
        self._fed[rows] += 1
        positions = torch.from_numpy(np.maximum(self._fed - 1, 0))
        logits = self._network.step(torch.from_numpy(self._newest), positions, self._cache, self._memory)
        return np.asarray(logits[torch.from_numpy(rows)].float().numpy())

    def select(self, parents: NDArray[np.intp]) -> None:
        """See ``Past``."""
        moved = np.flatnonzero(parents != np.arange(len(parents)))
        if not len(moved):
            return
        length = int(self._fed.max())
        for store in (self._cache.keys, self._cache.values):
            store[:, moved, :, :length] = store[:, parents[moved], :, :length]
        self._memory = self._memory.take(torch.from_numpy(parents))
        self._newest, self._fed = self._newest[parents], self._fed[parents]
