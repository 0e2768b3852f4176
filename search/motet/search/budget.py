"""How long a search may go on: tokens, a deadline, a caller who may cancel; and why it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

Clock = Callable[[], float]
"""Seconds from any fixed origin, never going back."""

RESERVED_SHARE = 0.25
"""Share of the time that is kept for scoring as long as nothing has been scored."""


class StopReason(Enum):
    """Why a search ended."""

    COMPLETED = "completed"
    TOKENS = "tokens"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    CONVERGED = "converged"


class Budget:
    """What one search may spend; its time starts when it is made.

    Args:
        deadline_s: seconds that the search may take, or None for no limit.
        tokens: that it may decode, or None for no limit; a step of all rows is not cut, so it may be a few more.
        cancelled: whether the caller has gone; asked often, so it must be cheap.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        deadline_s: float | None = None,
        tokens: int | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        clock: Clock = time.monotonic,
    ) -> None:
        self._deadline_s = deadline_s
        self._tokens = tokens
        self._cancelled = cancelled
        self._clock = clock
        self._start_s = clock()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start_s

    def interrupted(self, *, reserved: bool = False) -> StopReason | None:
        """Whether caller or time forbid any further work; with ``reserved`` while there is time left to score."""
        if self._cancelled():
            return StopReason.CANCELLED
        if self._deadline_s is None:
            return None
        usable_s = self._deadline_s * (1.0 - RESERVED_SHARE) if reserved else self._deadline_s
        return StopReason.DEADLINE if self.elapsed_s >= usable_s else None

    def exhausted(self, tokens: int, *, reserved: bool = False) -> StopReason | None:
        """Why nothing further may be decoded when ``tokens`` have been, or None; ``reserved`` as in ``interrupted``."""
        if self._tokens is not None and tokens >= self._tokens:
            return StopReason.TOKENS
        return self.interrupted(reserved=reserved)
