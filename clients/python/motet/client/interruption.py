"""Ctrl-C during a search: once for the best so far, twice to give up."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

from motet.client.error import RequestError


class Interruption:
    """Within the ``with`` block the first SIGINT calls ``stop`` on another thread, the second raises KeyboardInterrupt.

    Outside the main thread, where no signal can be handled, it does nothing.

    Args:
        stop: asks the server for the best so far.
        cancel: ends the search if ``stop`` fails.
    """

    def __init__(self, stop: Callable[[], None], cancel: Callable[[], None]) -> None:
        self._stop = stop
        self._cancel = cancel
        self._handled = threading.current_thread() is threading.main_thread()
        self.happened = False

    def __enter__(self) -> Self:
        if self._handled:
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handled:
            signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.happened:
            raise KeyboardInterrupt
        self.happened = True
        # Not here: the handler interrupts the very thread that reads the stream.
        threading.Thread(target=self._ask, name="motet-stop", daemon=True).start()

    def _ask(self) -> None:
        sys.stderr.write("\nstopping with the best so far; once more to give up\n")
        try:
            self._stop()
        except RequestError as error:
            sys.stderr.write(f"cannot stop in good order: {error}\n")
            self._cancel()
