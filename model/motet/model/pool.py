"""The pool: one past that several batches share, each from a thread of its own.

Whoever is inside ``decoding`` takes part in the common step: the last of them to ask runs it for all. Nobody else is
waited for, so a batch that is judged, has been cancelled or has failed holds up none of the others.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from motet.model.network import Memory
from motet.model.past import Past

_CAPTIONS: Final = 64  # whose memories are kept for the next who ask


@dataclass(slots=True, eq=False)
class _Step:
    """What one batch asks of the common step, and what came of it."""

    slots: NDArray[np.intp]
    tokens: NDArray[np.int64]
    logits: NDArray[np.float32] | None = None
    error: BaseException | None = None


class Pool:
    """Slots for any number of batches, of any number of threads.

    Args:
        past: used by nobody else.
        remember: the memory of a caption, or, where the flag is false, that of no words at all.
    """

    def __init__(self, past: Past[Any], remember: Callable[[str, bool], Memory]) -> None:
        self._past = past
        self._remember = remember
        self._reading = Lock()  # captions are read one at a time
        self._memories: OrderedDict[tuple[str, bool], Any] = OrderedDict()
        self._turn = Condition(Lock())  # around the past, and what follows here
        self._left: deque[int] = deque()
        self._decoding = 0
        self._asked: list[_Step] = []

    @property
    def piece(self) -> int:
        """Tokens that ``prefill`` takes at a time."""
        return self._past.piece

    def join(self, caption: str, worded: bool) -> int:
        """An empty slot that attends to a caption, or, unless ``worded``, to no words at all."""
        key = caption, worded
        with self._reading:
            if key not in self._memories:
                memory = self._remember(caption, worded)
                with self._turn:
                    self._memories[key] = self._past.remember(memory)
                    if len(self._memories) > _CAPTIONS:
                        self._past.forget(self._memories.popitem(last=False)[1])
            self._memories.move_to_end(key)
            with self._turn:
                self._reclaim()
                return self._past.join(self._memories[key])

    def branch(self, slot: int) -> int:
        """A further slot with the same past."""
        with self._turn:
            self._reclaim()
            return self._past.branch(slot)

    def leave(self, slots: Iterable[int]) -> None:
        """Vacates slots, before the next one is taken; never waits, so that the garbage collector may call it."""
        self._left.extend(slots)

    def prefill(self, slot: int, tokens: NDArray[np.int64]) -> None:
        """Feeds a run of at most ``piece`` tokens to one slot."""
        with self._turn:
            self._past.prefill(slot, tokens)

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """While it is open, the others' steps wait for this batch's."""
        yield from self._counted(1)

    @contextmanager
    def away(self) -> Iterator[None]:
        """While it is open, inside of ``decoding``, nobody waits for this batch."""
        yield from self._counted(-1)

    def _counted(self, one: int) -> Iterator[None]:
        self._count(one)
        try:
            yield
        finally:
            self._count(-one)

    def _count(self, one: int) -> None:
        with self._turn:
            self._decoding += one
            self._turn.notify_all()  # somebody may have been waiting for this one alone

    def step(self, slots: NDArray[np.intp], tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Feeds one token to each of the different ``slots``; the logits [n, V] that follow.

        One call of the past serves all batches that are ``decoding``.
        """
        step = _Step(slots, tokens)
        with self._turn:
            self._asked.append(step)
            try:
                while step.logits is None and step.error is None:
                    if len(self._asked) >= self._decoding:
                        self._run()
                    else:
                        self._turn.wait()
            finally:
                if step in self._asked:  # interrupted while waiting
                    self._asked.remove(step)
        if step.logits is None:
            assert step.error is not None  # noqa: S101 (the loop above ends with one of them)
            raise step.error
        return step.logits

    def _run(self) -> None:
        """The common step, or, where company would change results, everybody's own."""
        asked, self._asked = self._asked, []
        try:
            for group in [asked] if self._past.exact else [[one] for one in asked]:
                self._serve(group)
        finally:
            for one in asked:
                if one.logits is None and one.error is None:  # this thread is interrupted
                    one.error = RuntimeError("the step was interrupted")
            self._turn.notify_all()

    def _serve(self, group: list[_Step]) -> None:
        """One call of the past; where it fails, one for each, so that only those fail who must."""
        try:
            logits = self._past.step(
                np.concatenate([one.slots for one in group]), np.concatenate([one.tokens for one in group])
            )
        except Exception as error:
            if len(group) == 1:
                group[0].error = error
                return
            for one in group:
                self._serve([one])
        else:
            end = 0
            for one in group:
                end += len(one.slots)
                one.logits = logits[end - len(one.slots) : end]

    def _reclaim(self) -> None:
        while self._left:
            self._past.leave(self._left.popleft())
