"""One line on a terminal that is written over and over; a line now and then where there is no terminal."""

from __future__ import annotations

import shutil
import time
from types import TracebackType
from typing import Self, TextIO

_PLAIN_INTERVAL_S = 3.0


class StatusLine:
    """Shows the latest of many states.

    Args:
        stream: where to write. A terminal gets one line that changes; anything else a new line every few seconds, and
            the last one.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._last = float("-inf")
        self._shown = False
        self._pending = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
        if self._pending:
            self._write_plain(self._pending)

    def show(self, text: str) -> None:
        """Shows ``text``; where there is no terminal, only if the last was long ago, or if it stays the last."""
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            cut = text if len(text) <= width else f"{text[: width - 1]}…"
            self._stream.write(f"\r\x1b[K{cut}")
            self._stream.flush()
            self._shown = True
            return
        if time.monotonic() - self._last >= _PLAIN_INTERVAL_S:
            self._write_plain(text)
        else:
            self._pending = text

    def _write_plain(self, text: str) -> None:
        self._last = time.monotonic()
        self._pending = ""
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Empties the line."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False
