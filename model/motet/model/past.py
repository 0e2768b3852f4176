"""Pasts: what has been fed to sequences in slots, behind one face for every kind of network."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from motet.model.network import Cache, Memory, MotetForConditionalGeneration
from motet.model.text2midi.network import Text2midi

M = TypeVar("M")


class Past(Protocol[M]):
    """Sequences in slots, each with its memory; as many as are asked for. For one thread at a time.

    ``M`` is a memory as the past keeps it.
    """

    @property
    def exact(self) -> bool:
        """Whether what a slot yields does not depend, to the last bit, on the slots that step beside it."""
        ...

    @property
    def piece(self) -> int:
        """Tokens of a longer run that are best fed at a time."""
        ...

    def remember(self, memory: Memory) -> M:
        """Takes in a memory of one row, for slots to attend to."""
        ...

    def forget(self, memory: M) -> None:
        """Gives a memory back; slots that attend to it keep it as long as they live."""
        ...

    def join(self, memory: M) -> int:
        """An empty slot that attends to a memory."""
        ...

    def branch(self, slot: int) -> int:
        """A further slot with the same past."""
        ...

    def leave(self, slot: int) -> None:
        """Vacates a slot."""
        ...

    def prefill(self, slot: int, tokens: NDArray[np.int64]) -> object:
        """Feeds a run of tokens to one slot, of at most ``piece`` unless the slot is empty."""
        ...

    def step(self, slots: NDArray[np.intp], tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Feeds one token to each of the different ``slots``; the logits [n, V] that follow."""
        ...


class NetworkPast:
    """Slots in the cache of a network in plain PyTorch; a branch copies.

    Args:
        network: any that has ``allocate``, ``prefill`` and ``step``.
    """

    exact = False  # matrix products of another height may round differently

    def __init__(self, network: MotetForConditionalGeneration | Text2midi) -> None:
        self._network = network
        self._cache: Cache = network.allocate(0, 0)
        self._memories: dict[int, Memory] = {}  # of each slot in use
        self._lengths: dict[int, int] = {}
        self._last: tuple[list[int], Memory] | None = None  # slots of the step before, and their memories in one

    @property
    def piece(self) -> int:
        """See ``Past``."""
        return int(self._network.config.max_tokens)

    def remember(self, memory: Memory) -> Memory:
        """See ``Past``."""
        return memory

    def forget(self, memory: Memory) -> None:
        """See ``Past``; there is nothing to give back."""

    def join(self, memory: Memory) -> int:
        """See ``Past``."""
        slot = next(number for number in range(len(self._memories) + 1) if number not in self._memories)
        self._memories[slot], self._lengths[slot] = memory, 0
        self._last = None
        return slot

    @torch.inference_mode()
    def branch(self, slot: int) -> int:
        """See ``Past``."""
        twin = self.join(self._memories[slot])
        length = self._lengths[twin] = self._lengths[slot]
        self._make_room(length)
        for store in self._cache:
            store[:, twin, :, :length] = store[:, slot, :, :length]
        return twin

    def leave(self, slot: int) -> None:
        """See ``Past``."""
        del self._memories[slot], self._lengths[slot]

    @torch.inference_mode()
    def prefill(self, slot: int, tokens: NDArray[np.int64]) -> None:
        """See ``Past``; for empty slots."""
        self._make_room(len(tokens))
        self._network.prefill(torch.from_numpy(tokens), slot, self._cache, self._memories[slot])
        self._lengths[slot] = len(tokens)

    @torch.inference_mode()
    def step(self, slots: NDArray[np.intp], tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """See ``Past``."""
        several = slots.tolist()
        positions = torch.tensor([self._lengths[slot] for slot in several])
        self._make_room(int(positions.max()) + 1)
        if self._last is None or self._last[0] != several:
            self._last = several, _together([self._memories[slot] for slot in several])
        logits = self._network.step(
            torch.from_numpy(tokens), positions, self._cache, self._last[1], torch.from_numpy(slots)
        )
        for slot in several:
            self._lengths[slot] += 1
        return np.asarray(logits.float().numpy())

    def _make_room(self, tokens: int) -> None:
        """Lets the cache hold every slot in use, and so many tokens; it doubles where it is too small."""
        rows, room = self._cache.keys.shape[1], self._cache.keys.shape[3]
        needed = max(self._memories) + 1
        if needed <= rows and tokens <= room:
            return
        old = self._cache
        self._cache = self._network.allocate(
            rows if needed <= rows else max(needed, 2 * rows),
            room if tokens <= room else min(max(tokens, 2 * room), self.piece),
        )
        for store, before in zip(self._cache, old, strict=True):
            store[:, :rows, :, : before.shape[3]] = before


def _together(memories: list[Memory]) -> Memory:
    """One memory of several rows from memories of one row each."""
    longest = max(memory.mask.shape[-1] for memory in memories)

    def filled(states: torch.Tensor) -> torch.Tensor:
        return F.pad(states, (0, 0, 0, longest - states.shape[3]))

    return Memory(
        torch.cat([filled(memory.keys) for memory in memories], dim=1),
        torch.cat([filled(memory.values) for memory in memories], dim=1),
        torch.cat([F.pad(memory.mask, (0, longest - memory.mask.shape[-1])) for memory in memories]),
    )
