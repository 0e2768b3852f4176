"""The synchronous client."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
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


class Client:
    """A connection to a Motet server; use it in a ``with`` statement, from one or many threads.

    Every method raises RequestError: for what the server refuses, and for a server that does not answer.

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
        self._channel = grpc.insecure_channel(target, options=OPTIONS)
        self._stub = SearchServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection, and every call on it."""
        self._channel.close()

    def search(
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
        """Searches for music that fits ``caption``; ``None`` leaves a choice to the server.

        Args:
            caption: 1 to 2,000 characters.
            seed: 0 to 2**63 - 1; the same request with the same seed gives the same bytes.
            strategy: name of a search strategy, or with settings of its own: ``"population:keep_early=.5,wide=2"``;
                ``models`` tells what there is.
            candidates: pieces decoded side by side, 1 to 64.
            bars: length, 1 to 64; with a seed, how many to add to it.
            controls: what must hold, whatever the caption says.
            weights: of the rewards that the server has installed, by name; one that is not named weighs 0.
            temperature: of sampling, above 0 and at most 2.
            top_p: of sampling, above 0 and at most 1.
            guidance: weight of the words, 0 to 10; 1 is the model's own, more takes twice the work.
            model: ``name`` or ``name@version``.
            results: pieces to return, 1 to ``candidates``.
            mutations: mutated captions to try, 0 to 8.
            tokens: return the best so far after so many decoded tokens.
            rounds: how many times the strategy is run, at least 1; ``"all"`` for as many as the limits allow.
            least_gain: begin no round that is expected to raise the best reward by less, 0 to 1.
            time_limit_s: return the best so far after so many seconds.
            timeout_s: deadline of the call; the server returns the best so far shortly before it.
            on_progress: told how the search goes, on this thread.
        """
        with self.start(
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
            for progress in stream:
                if on_progress is not None:
                    on_progress(progress)
            return stream.result

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
    ) -> SearchStream:
        """Starts a search and returns its stream; the arguments are those of ``search``."""
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
        return SearchStream(self, message, timeout_s)

    def stop_search(self, search_id: str) -> None:
        """Ends a search, from anywhere: its stream gets the best so far. NOT_FOUND if it runs no more."""
        message = search_service_pb2.StopSearchRequest(search_id=search_id)
        self._try(lambda: self._stub.StopSearch(message, timeout=self._timeout_s))

    def score(self, midi: bytes, caption: str, *, weights: Mapping[str, float] | None = None) -> Judgement:
        """Judges a MIDI file against a caption; ``weights`` as in ``search``."""
        message = requests.score(midi, caption, weights)
        return Judgement.of(self._try(lambda: self._stub.Score(message, timeout=self._timeout_s)))

    def render(
        self,
        midi: bytes,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        rate_hz: int | None = None,
        effects: bool | None = None,
    ) -> Wav:
        """Plays a MIDI file, or a part of it, into a WAV file.

        Args:
            midi: a Standard MIDI File.
            start_s: where to start, in seconds.
            end_s: where to end, in seconds.
            rate_hz: samples a second, 8,000 to 96,000; the server's default is 44,100.
            effects: reverb and chorus; the server's default is to add them.
        """
        message = requests.render(midi, start_s=start_s, end_s=end_s, rate_hz=rate_hz, effects=effects)

        def attempt() -> Wav:
            format_ = search_service_pb2.RenderFormat()
            data = bytearray()
            for part in self._stub.Render(message, timeout=self._timeout_s):
                if part.HasField("format"):
                    format_ = part.format
                data += part.chunk
            return Wav.of(format_, bytes(data))

        return self._try(attempt)

    def models(self) -> tuple[Model, ...]:
        """The models of the server, the default one first."""
        return self.offer().models

    def offer(self) -> Offer:
        """All that the server offers: models, strategies with their settings, and what it works with."""
        message = search_service_pb2.ListModelsRequest()
        return Offer.of(self._try(lambda: self._stub.ListModels(message, timeout=self._timeout_s)))

    def is_serving(self, *, timeout_s: float = 1.0) -> bool:
        """Whether a Motet server answers and is ready to work."""
        check: Any = self._channel.unary_unary(HEALTH_METHOD)
        try:
            return is_serving(check(health_request(SERVICE), timeout=timeout_s))
        except grpc.RpcError:
            return False

    def _try(self, attempt: Callable[[], T]) -> T:
        """Runs ``attempt`` until it succeeds or its failure is final."""
        for number in range(1, self._retry.attempts + 1):
            try:
                return attempt()
            except grpc.RpcError as error:
                self._wait(error, number)
        raise AssertionError("the retry policy ends with an error")

    def _wait(self, error: grpc.RpcError, number: int) -> None:
        """Waits before the next try, or raises when there is none."""
        failure = from_rpc(error, self.target)
        delay_s = self._retry.delay_s(failure, number, self._random)
        if delay_s is None:
            raise failure from None
        time.sleep(delay_s)


class SearchStream:
    """A running search: iterate for its progress, then take ``result``. Leaving the ``with`` block cancels it.

    ``tree`` holds the search tree up to the progress last taken, for whoever draws it at times of their own.
    """

    def __init__(self, client: Client, message: search_service_pb2.SearchRequest, timeout_s: float | None) -> None:
        self._client = client
        self._message = message
        self._timeout_s = timeout_s
        self._call = client._stub.Search(message, timeout=timeout_s)
        self._result: SearchResult | None = None
        self.search_id = ""
        self.tree: tuple[TreeNode, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Ends the search with no result; nothing happens if it has ended."""
        self._call.cancel()

    def stop(self) -> None:
        """Asks for the best so far: go on iterating, the result comes soon. Nothing happens if it has ended."""
        if not self.search_id:
            self.cancel()
            return
        try:
            self._client.stop_search(self.search_id)
        except RequestError as error:
            if error.code is not grpc.StatusCode.NOT_FOUND:
                raise

    @property
    def result(self) -> SearchResult:
        """The result; reads the stream to its end if need be."""
        if self._result is None:
            for _ in self:
                pass
        if self._result is None:
            raise RequestError(grpc.StatusCode.INTERNAL, "NO_RESULT", "the server ended the search without a result")
        return self._result

    def __iter__(self) -> Iterator[Progress]:
        arrived = self.search_id != ""  # by an earlier loop over the same stream
        number = 0
        while self._result is None:
            number += 1
            try:
                for response in self._call:
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
                self._client._wait(error, number)
                self._call = self._client._stub.Search(self._message, timeout=self._timeout_s)
            else:
                return
