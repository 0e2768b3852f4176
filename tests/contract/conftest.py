"""A real server on loopback, in the test's own event loop, with the fake decoder and reward behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from motet.search.budget import Clock
from motet.search.run import Searcher
from motet.server.app import Server
from motet.server.backend import Backend
from motet.server.config import ServerConfig
from motet.v1.search_service_pb2_grpc import SearchServiceStub
from tests.fakes import CountingReward, FakeDecoder, SilentPlayer


@dataclass
class Running:
    """A warm server and what is behind it."""

    server: Server
    address: str
    channel: grpc.aio.Channel
    decoder: Any
    reward: CountingReward

    @property
    def stub(self) -> Any:
        return SearchServiceStub(self.channel)


def fake_backend(
    decoder: Any, reward: CountingReward, clock: Clock = time.monotonic, max_midi_bytes: int = 16 << 20
) -> Backend:
    """The real backend on a fake decoder, a fake reward and a fake renderer."""
    return Backend(
        searcher=Searcher(decoder, reward, clock=clock),
        reward=reward,
        model="fake",
        model_version="0123456789ab",
        reward_version="counting-1",
        max_midi_bytes=max_midi_bytes,
        open_player=SilentPlayer,
    )


@asynccontextmanager
async def running(
    decoder: Any = None,
    reward: CountingReward | None = None,
    *,
    clock: Clock = time.monotonic,
    warm: bool = True,
    **settings: Any,
) -> AsyncIterator[Running]:
    decoder = FakeDecoder() if decoder is None else decoder
    reward = CountingReward() if reward is None else reward
    settings = {"drain_grace_s": 0.0, "progress_interval_s": 0.01, **settings}
    config = ServerConfig(address="127.0.0.1:0", **settings)
    server = Server(config, lambda: fake_backend(decoder, reward, clock, config.max_midi_bytes))
    address = await server.start()
    try:
        if warm:
            await server.warm_up()
        async with grpc.aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel:
            yield Running(server, address, channel, decoder, reward)
    finally:
        await server.drain()


Start = Callable[..., Any]


@pytest.fixture
def start() -> Start:
    """``async with start(decoder, reward, **settings) as running``."""
    return running


class SlowDecoder(FakeDecoder):
    """Draws bars at a pace, or holds at the next one until released, so that a test decides how far a search gets."""

    def __init__(self) -> None:
        super().__init__()
        self.pace_s = 0.0
        self.waiting = False
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def on_bar(self) -> None:
        self.waiting = not self._open.is_set()
        if not self._open.wait(timeout=20):
            raise RuntimeError("the test forgot to release the decoder")
        self.waiting = False
        time.sleep(self.pace_s)
        super().on_bar()


async def collect(call: Any) -> tuple[list[Any], Any]:
    """All progress messages of a search that are still to come, and its result."""
    progress: list[Any] = []
    result = None
    while (response := await call.read()) is not grpc.aio.EOF:
        if response.HasField("progress"):
            progress.append(response.progress)
        else:
            result = response.result
    return progress, result
