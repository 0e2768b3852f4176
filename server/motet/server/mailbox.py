"""One slot between a worker thread and the event loop: the latest message wins."""

from __future__ import annotations

import asyncio
import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Holds at most one message, so that a slow reader neither slows the writer nor grows memory.

    Args:
        loop: of the reader.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._message: T | None = None
        self._filled = asyncio.Event()

    def put(self, message: T) -> None:
        """Replaces the message; from any thread, never waits for the reader."""
        with self._lock:
            was_empty, self._message = self._message is None, message
        if was_empty:
            self.wake()

    def wake(self) -> None:
        """Ends the reader's wait, message or not; from any thread."""
        self._loop.call_soon_threadsafe(self._filled.set)

    def take(self) -> T | None:
        """The message, if there is one; afterwards there is none."""
        with self._lock:
            message, self._message = self._message, None
            self._filled.clear()
        return message

    async def wait(self, timeout_s: float) -> None:
        """Returns when there is something to take, when woken, or after ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._filled.wait()
        except TimeoutError:
            return
