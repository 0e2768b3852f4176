"""How long a search may go on: a deadline, a caller who may cancel, and why it stopped."""

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
    DEADLINE = "deadline"
    CANCELLED = "cancelled"


class Budget:
    """The time of one search; starts when it is made.

    Args:
        deadline_s: seconds that the search may take, or None for no limit.
        cancelled: whether the caller has gone; asked often, so it must be cheap.
        clock: seconds, monotonic.
    """

    def __init__(
        self, deadline_s: float | None, cancelled: Callable[[], bool], *, clock: Clock = time.monotonic
    ) -> None:
        self._deadline_s = deadline_s
        self._cancelled = cancelled
        self._clock = clock
        self._start_s = clock()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start_s

    def stop(self, *, reserved: bool = False) -> StopReason | None:
        """Why the search must stop now, or None; with ``reserved`` it stops while there is time left to score."""
        if self._cancelled():
            return StopReason.CANCELLED
        if self._deadline_s is None:
            return None
        usable_s = self._deadline_s * (1.0 - RESERVED_SHARE) if reserved else self._deadline_s
        return StopReason.DEADLINE if self.elapsed_s >= usable_s else None
