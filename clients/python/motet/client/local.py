"""A private server on this machine, for as long as it is needed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, Self

import grpc

from motet.client.client import Client
from motet.client.error import RequestError

_LISTENING = re.compile(r"listening on (\S+)")


class LocalServer:
    """Starts ``motet serve`` on a free loopback port, and stops it when the ``with`` block ends.

    The server also stops by itself when this process dies.

    Args:
        options: further options of ``motet serve``, e.g. ``["--threads", "2"]``.
        start_s: seconds that loading and warming up may take.
        on_wait: told the seconds waited, several times a second, until the server is ready.

    Raises RequestError (on entering) when the server is not installed, or does not come up.
    """

    def __init__(
        self,
        options: Sequence[str] = (),
        *,
        start_s: float = 300.0,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        self._options = list(options)
        self._start_s = start_s
        self._on_wait = on_wait
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[str] | None = None
        self.target = ""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        if any(importlib.util.find_spec(name) is None for name in ("grpc_health", "torch")):
            raise _down("the server is not installed here: pip install 'motet[server]', or name one with --server")
        self._log = tempfile.TemporaryFile("w+", prefix="motet-server-")  # noqa: SIM115 (lives as long as the server)
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            [
                *(sys.executable, "-P", "-m", "motet.server"),
                *("--address", "127.0.0.1:0", "--stop-on-stdin-eof", "--grace", "1", *self._options),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,  # ctrl-C is for this process, which then ends the search in good order
        )
        started = time.monotonic()
        lines: list[str] = []
        reader = threading.Thread(target=self._read, args=(self._process, lines), daemon=True)
        reader.start()
        while not self.target:
            self._look(started)
            for line in lines:
                if found := _LISTENING.match(line):
                    self.target = found[1]
        with Client(self.target) as client:
            while not client.is_serving(timeout_s=0.5):
                self._look(started)

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: list[str]) -> None:
        # To the end: a full pipe would block the server.
        for line in process.stdout or ():
            lines.append(line)  # noqa: PERF402 (each line is wanted as it comes)

    def _look(self, started: float) -> None:
        """Waits a moment; raises when the process has ended or the time is over."""
        if self._process is not None and self._process.poll() is not None:
            raise _down(f"the local server did not start: {self.last_log_line()}")
        waited_s = time.monotonic() - started
        if waited_s > self._start_s:
            raise _down(f"the local server was not ready after {waited_s:.0f} s: {self.last_log_line()}")
        if self._on_wait is not None:
            self._on_wait(waited_s)
        time.sleep(0.1)

    def last_log_line(self) -> str:
        """The last line that the server wrote on its standard error."""
        if self._log is None:
            return "it wrote nothing"
        self._log.flush()
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        return lines[-1] if lines else "it wrote nothing"

    def stop(self) -> None:
        """Stops the server and waits for its end."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if self._log is not None:
            self._log.close()
            self._log = None
        self.target = ""


def _down(message: str) -> RequestError:
    return RequestError(grpc.StatusCode.UNAVAILABLE, "LOCAL_SERVER", message)
