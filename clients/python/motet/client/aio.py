"""The asynchronous client: the surface of ``Client``, with ``await``."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from motet.client import request as requests
from motet.client.channel import DEFAULT_ADDRESS, HEALTH_METHOD, OPTIONS, SERVICE, health_request, is_serving
from motet.client.controls import Controls
from motet.client.error import RequestError, from_rpc
from motet.client.offer import Model, Offer
from motet.client.request import Rounds
from motet.client.result import Judgement, Progress, SearchResult, TreeNode, Wav
from motet.client.retry import RetryPolicy
from motet.v1 import search_service_pb2
from motet.v1.search_service_pb2_grpc import SearchServiceStub

T = TypeVar("T")


class AsyncClient:
    """A connection to a Motet server; use it in an ``async with`` statement, on one event loop.

    Every method raises RequestError: for what the server refuses, and for a server that does not answer. Cancelling
    the task that awaits a method cancels the call, and with it the work on the server.

    Args:
        target: ``host:port``.
        timeout_s: seconds that ``score``, ``render`` and ``models`` may take; None for no limit.
        retry: when to try again.
    """

    def __init__(
        self,
        target: str = DEFAULT_ADDRESS,
        *,
        timeout_s: float | None = 300.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.target = target
        self._timeout_s = timeout_s
        self._retry = retry or RetryPolicy()
        self._random = random.Random()  # noqa: S311 (jitter)
        self._channel = grpc.aio.insecure_channel(target, options=OPTIONS)
        self._stub = SearchServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection, and every call on it."""
        await self._channel.close()

    async def search(
        self,
        caption: str,
        *,
        seed: int | None = None,
        strategy: str | None = None,
        candidates: int | None = None,
        bars: int | None = None,
        controls: Controls | None = None,
        weights: Mapping[str, float] | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        guidance: float | None = None,
        model: str | None = None,
        results: int | None = None,
        mutations: int | None = None,
        tokens: int | None = None,
        rounds: Rounds | None = None,
        least_gain: float | None = None,
        time_limit_s: float | None = None,
        timeout_s: float | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> SearchResult:
        """Searches for music that fits ``caption``; the arguments are those of ``Client.search``."""
        async with self.start(
            caption,
            seed=seed,
            strategy=strategy,
            candidates=candidates,
            bars=bars,
            controls=controls,
            weights=weights,
            temperature=temperature,
            top_p=top_p,
            guidance=guidance,
            model=model,
            results=results,
            mutations=mutations,
            tokens=tokens,
            rounds=rounds,
            least_gain=least_gain,
            time_limit_s=time_limit_s,
            timeout_s=timeout_s,
        ) as stream:
            async for progress in stream:
                if on_progress is not None:
                    on_progress(progress)
            return await stream.result()

    def start(
        self,
        caption: str,
        *,
        seed: int | None = None,
        strategy: str | None = None,
        candidates: int | None = None,
        bars: int | None = None,
        controls: Controls | None = None,
        weights: Mapping[str, float] | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        guidance: float | None = None,
        model: str | None = None,
        results: int | None = None,
        mutations: int | None = None,
        tokens: int | None = None,
        rounds: Rounds | None = None,
        least_gain: float | None = None,
        time_limit_s: float | None = None,
        timeout_s: float | None = None,
    ) -> AsyncSearchStream:
        """Starts a search and returns its stream; the arguments are those of ``Client.search``."""
        message = requests.search(
            caption,
            seed=seed,
            strategy=strategy,
            candidates=candidates,
            bars=bars,
            controls=controls,
            weights=weights,
            temperature=temperature,
            top_p=top_p,
            guidance=guidance,
            model=model,
            results=results,
            mutations=mutations,
            tokens=tokens,
            rounds=rounds,
            least_gain=least_gain,
            time_limit_s=time_limit_s,
        )
        return AsyncSearchStream(self, message, timeout_s)

    async def stop_search(self, search_id: str) -> None:
        """Ends a search, from anywhere: its stream gets the best so far. NOT_FOUND if it runs no more."""
        message = search_service_pb2.StopSearchRequest(search_id=search_id)
        await self._try(lambda: self._stub.StopSearch(message, timeout=self._timeout_s))

    async def score(self, midi: bytes, caption: str, *, weights: Mapping[str, float] | None = None) -> Judgement:
        """Judges a MIDI file against a caption; ``weights`` as in ``search``."""
        message = requests.score(midi, caption, weights)
        return Judgement.of(await self._try(lambda: self._stub.Score(message, timeout=self._timeout_s)))

    async def render(
        self,
        midi: bytes,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        rate_hz: int | None = None,
        effects: bool | None = None,
    ) -> Wav:
        """Plays a MIDI file, or a part of it, into a WAV file; the arguments are those of ``Client.render``."""
        message = requests.render(midi, start_s=start_s, end_s=end_s, rate_hz=rate_hz, effects=effects)

        async def attempt() -> Wav:
            format_ = search_service_pb2.RenderFormat()
            data = bytearray()
            async for part in self._stub.Render(message, timeout=self._timeout_s):
                if part.HasField("format"):
                    format_ = part.format
                data += part.chunk
            return Wav.of(format_, bytes(data))

        return await self._try(attempt)

    async def models(self) -> tuple[Model, ...]:
        """The models of the server, the default one first."""
        return (await self.offer()).models

    async def offer(self) -> Offer:
        """All that the server offers: models, strategies with their settings, and what it works with."""
        message = search_service_pb2.ListModelsRequest()
        return Offer.of(await self._try(lambda: self._stub.ListModels(message, timeout=self._timeout_s)))

    async def is_serving(self, *, timeout_s: float = 1.0) -> bool:
        """Whether a Motet server answers and is ready to work."""
        check: Any = self._channel.unary_unary(HEALTH_METHOD)
        try:
            return is_serving(await check(health_request(SERVICE), timeout=timeout_s))
        except grpc.RpcError:
            return False

    async def _try(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Runs ``attempt`` until it succeeds or its failure is final."""
        for number in range(1, self._retry.attempts + 1):
            try:
                return await attempt()
            except grpc.RpcError as error:
                await self._wait(error, number)
        raise AssertionError("the retry policy ends with an error")

    async def _wait(self, error: grpc.RpcError, number: int) -> None:
        """Waits before the next try, or raises when there is none."""
        failure = from_rpc(error, self.target)
        delay_s = self._retry.delay_s(failure, number, self._random)
        if delay_s is None:
            raise failure from None
        await asyncio.sleep(delay_s)


class AsyncSearchStream:
    """A running search: iterate for its progress, then await ``result()``. Leaving the block cancels it.

    ``tree`` holds the search tree up to the progress last taken, for whoever draws it at times of their own.
    """

    def __init__(self, client: AsyncClient, message: search_service_pb2.SearchRequest, timeout_s: float | None) -> None:
        self._client = client
        self._message = message
        self._timeout_s = timeout_s
        self._call = client._stub.Search(message, timeout=timeout_s)
        self._result: SearchResult | None = None
        self.search_id = ""
        self.tree: tuple[TreeNode, ...] = ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Ends the search with no result; nothing happens if it has ended."""
        self._call.cancel()

    async def stop(self) -> None:
        """Asks for the best so far: go on iterating, the result comes soon. Nothing happens if it has ended."""
        if not self.search_id:
            self.cancel()
            return
        try:
            await self._client.stop_search(self.search_id)
        except RequestError as error:
            if error.code is not grpc.StatusCode.NOT_FOUND:
                raise

    async def result(self) -> SearchResult:
        """The result; reads the stream to its end if need be."""
        if self._result is None:
            async for _ in self:
                pass
        if self._result is None:
            raise RequestError(grpc.StatusCode.INTERNAL, "NO_RESULT", "the server ended the search without a result")
        return self._result

    async def __aiter__(self) -> AsyncIterator[Progress]:
        arrived = self.search_id != ""  # by an earlier loop over the same stream
        number = 0
        while self._result is None:
            number += 1
            try:
                async for response in self._call:
                    arrived = True
                    if response.HasField("progress"):
                        progress = Progress.of(response.progress, self.tree)
                        self.tree = progress.tree
                        self.search_id = progress.search_id
                        yield progress
                    elif response.HasField("result"):
                        self._result = SearchResult.of(response.result)
            except grpc.RpcError as error:
                if arrived:
                    raise from_rpc(error, self._client.target) from None
                await self._client._wait(error, number)
                self._call = self._client._stub.Search(self._message, timeout=self._timeout_s)
            else:
                return
