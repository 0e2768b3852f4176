"""One server process: wiring, warm-up before SERVING, drain on SIGTERM, engines last."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]

from motet.music.error import InternalError, UnavailableError
from motet.server.admission import Admission, draining
from motet.server.backend import Backend
from motet.server.config import ServerConfig, split_address
from motet.server.engine import Engine
from motet.server.interceptor import ErrorInterceptor
from motet.server.servicer import Lane, SearchServicer
from motet.v1 import search_service_pb2, search_service_pb2_grpc

SERVICE = search_service_pb2.DESCRIPTOR.services_by_name["SearchService"].full_name
_RPC_GRACE_S = 2.0
_ENGINE_GRACE_S = 5.0
_log = logging.getLogger(__name__)


class Server:
    """A server on the running event loop.

    Args:
        config: checked settings.
        load: makes the backend; called on a searching thread.
    """

    def __init__(self, config: ServerConfig, load: Callable[[], Backend]) -> None:
        self._config = config
        self._load = load
        self._backend: Backend | None = None
        # Files are judged and played in lanes of their own: no search, however long, keeps them waiting.
        self._searching = _lane("motet-search", config.queue_limit, config.parallel_searches)
        self._judging = _lane("motet-judge", config.queue_limit)
        self._sounding = _lane("motet-sound", config.queue_limit)
        self._lanes = (self._searching, self._judging, self._sounding)
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            interceptors=[ErrorInterceptor()],
            options=[
                ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share its traffic
                ("grpc.max_receive_message_length", config.max_message_bytes),
                ("grpc.max_send_message_length", config.max_message_bytes),
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.keepalive_timeout_ms", 20_000),
                ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
            ],
        )
        servicer = SearchServicer(
            config, searching=self._searching, judging=self._judging, sounding=self._sounding, backend=self._loaded
        )
        search_service_pb2_grpc.add_SearchServiceServicer_to_server(servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if config.reflection:
            names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)

    def _loaded(self) -> Backend:
        if self._backend is None:
            raise InternalError("NOT_LOADED", "a request was admitted before the model was loaded")
        return self._backend

    async def start(self) -> str:
        """Listens, with health NOT_SERVING; returns ``host:port`` with the port in use.

        Raises UnavailableError when the address cannot be had.
        """
        await self._tell(health_pb2.HealthCheckResponse.NOT_SERVING)
        host, _ = split_address(self._config.address)
        try:
            port = self._server.add_insecure_port(self._config.address)
        except RuntimeError as error:
            message = f"address: cannot listen on {self._config.address}; is another server running there?"
            raise UnavailableError("ADDRESS_UNAVAILABLE", message, {"address": self._config.address}) from error
        await self._server.start()
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def warm_up(self) -> None:
        """Loads the backend, does everything once, then lets requests in and tells SERVING."""
        for lane in self._lanes:
            lane.engine.start()

        def work() -> Backend:
            backend = self._load()
            backend.warm_up()
            return backend

        self._backend = await asyncio.wrap_future(self._searching.engine.submit(lambda job: work()).future)
        for lane in self._lanes:
            lane.admission.open()
        await self._tell(health_pb2.HealthCheckResponse.SERVING)

    async def drain(self) -> None:
        """Ends well: NOT_SERVING, no new work, what runs gets its grace and then ends with the best so far."""
        await self._health.enter_graceful_shutdown()
        for lane in self._lanes:
            lane.admission.close(draining)
        try:
            async with asyncio.timeout(self._config.drain_grace_s):
                for lane in self._lanes:
                    await lane.admission.drained()
        except TimeoutError:
            _log.info("stopping what still runs after %g s", self._config.drain_grace_s)
            for lane in self._lanes:
                lane.engine.cancel_all()
        await self._server.stop(grace=_RPC_GRACE_S)
        for lane in self._lanes:
            if not await asyncio.to_thread(lane.engine.stop, _ENGINE_GRACE_S):
                _log.warning("an engine thread did not end within %g s", _ENGINE_GRACE_S)

    async def _tell(self, status: int) -> None:
        for name in ("", SERVICE):
            await self._health.set(name, status)


def _lane(name: str, queue_limit: int, threads: int = 1) -> Lane:
    """Room for what runs and for as many jobs as may wait."""
    return Lane(Engine(name, threads), Admission(queue_limit + threads))


async def serve(
    config: ServerConfig,
    load: Callable[[], Backend],
    *,
    on_listening: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    """Runs a server until SIGTERM, SIGINT or ``stop``; a second signal ends the process at once.

    Args:
        config: checked settings.
        load: makes the backend.
        on_listening: told the address as soon as it answers (health: NOT_SERVING).
        stop: ends the server when set.
    """
    loop = asyncio.get_running_loop()

    def signalled(number: signal.Signals) -> None:
        _log.info("%s: draining; once more to end at once", number.name)
        stop.set()
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled, number)
    server = Server(config, load)
    on_listening(await server.start())
    warming = asyncio.create_task(server.warm_up())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({warming, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if warming.done():
            warming.result()
            _log.info("serving")
            await stopped
    finally:
        warming.cancel()
        stopped.cancel()
        await server.drain()
