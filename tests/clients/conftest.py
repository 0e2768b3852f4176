"""A real server with fakes behind it, on a thread of its own, for clients that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.conftest import Running, SlowDecoder, running


@dataclass
class Background:
    """A running server, and its event loop, which lives on another thread."""

    address: str
    running: Running
    decoder: SlowDecoder


@pytest.fixture
def server() -> Iterator[Background]:
    ready: list[Background] = []
    ended = threading.Event()
    up = threading.Event()

    async def main() -> None:
        decoder = SlowDecoder()
        async with running(decoder) as started:
            ready.append(Background(started.address, started, decoder))
            up.set()
            while not ended.is_set():
                await asyncio.sleep(0.01)

    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failures.append(error)
        finally:
            up.set()

    thread = threading.Thread(target=run)
    thread.start()
    up.wait()
    try:
        if ready:
            yield ready[0]
    finally:
        ended.set()
        if ready:
            ready[0].decoder.release()
        thread.join()
    if failures:
        raise failures[0]


def wait_until(condition: Any) -> None:
    """Polls ``condition`` for at most ten seconds."""
    pause = threading.Event()
    for _ in range(2000):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it did not happen within 10 s")
