"""Who may wait: a bound on the work that is running or queued, checked before anything is done for a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from motet.music.error import InvalidInputError, MotetError, UnavailableError
from motet.server.errors import ExhaustedError


class Admission:
    """A counter with a limit, for one event loop.

    Starts closed with ``WARMING_UP``; ``open`` lets requests in, ``close`` refuses new ones and keeps those inside.

    Args:
        limit: requests that may be inside at once, at least 1.
        retry_after_s: seconds that a refused caller is told to wait.
    """

    def __init__(self, limit: int, *, retry_after_s: float = 1.0) -> None:
        if limit < 1:
            raise InvalidInputError.of("limit", "must be at least 1", limit)
        self._limit = limit
        self._retry_after_s = retry_after_s
        self._inside = 0
        self._refuse: Callable[[], MotetError] | None = warming_up
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def inside(self) -> int:
        """Number of requests admitted and not yet done."""
        return self._inside

    def open(self) -> None:
        """Lets requests in from now on."""
        self._refuse = None

    def close(self, refuse: Callable[[], MotetError]) -> None:
        """Refuses new requests from now on with the error that ``refuse`` makes."""
        self._refuse = refuse

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Holds one place; raises ExhaustedError when all are taken, or the closing error when closed."""
        if self._refuse is not None:
            raise self._refuse()
        if self._inside >= self._limit:
            raise ExhaustedError(
                "QUEUE_FULL",
                f"the queue is full ({self._inside} of {self._limit} places taken); try again later",
                retry_after_s=self._retry_after_s,
            )
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if self._inside == 0:
                self._empty.set()

    async def drained(self) -> None:
        """Returns when nobody is inside."""
        await self._empty.wait()


def warming_up() -> MotetError:
    """What a request gets before the server is warm."""
    return UnavailableError("WARMING_UP", "the server is loading its model; try again soon")


def draining() -> MotetError:
    """What a request gets once the server is stopping."""
    return UnavailableError("DRAINING", "the server is shutting down")
