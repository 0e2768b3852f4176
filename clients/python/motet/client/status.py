"""One line on a terminal that is written over and over; a line now and then where there is no terminal."""

from __future__ import annotations

import shutil
import time
from types import TracebackType
from typing import Self, TextIO

_PLAIN_INTERVAL_S = 5.0


class StatusLine:
    """Shows the latest of many states.

    Args:
        stream: where to write. A terminal gets one line that changes; anything else a new line every five seconds.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._last = float("-inf")
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def show(self, text: str, *, important: bool = False) -> None:
        """Shows ``text``; where there is no terminal, only if ``important`` or if the last was long ago."""
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            cut = text if len(text) <= width else f"{text[: width - 1]}…"
            self._stream.write(f"\r\x1b[K{cut}")
            self._stream.flush()
            self._shown = True
            return
        now = time.monotonic()
        if important or now - self._last >= _PLAIN_INTERVAL_S:
            self._last = now
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def keep(self, text: str) -> None:
        """Shows ``text`` for good."""
        self.clear()
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Empties the line."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False
