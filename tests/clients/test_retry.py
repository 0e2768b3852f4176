"""What is tried again and what is not, against a server that fails as told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from motet.client import AsyncClient, Client, RequestError
from motet.client.retry import RetryPolicy
from motet.v1 import errors_pb2, search_pb2, search_service_pb2, search_service_pb2_grpc

QUICK = RetryPolicy(attempts=3, first_delay_s=0.001, max_delay_s=0.002)


class Failing(search_service_pb2_grpc.SearchServiceServicer):
    """Fails the first ``times`` calls with ``code``."""

    def __init__(self, code: grpc.StatusCode, times: int, *, retry_s: float | None, after_progress: bool) -> None:
        self.code, self.times, self.retry_s, self.after_progress = code, times, retry_s, after_progress
        self.calls = 0

    def _fail(self, context: Any) -> None:
        self.calls += 1
        if self.calls > self.times:
            return
        detail = errors_pb2.ErrorDetail(message="as told")
        if self.retry_s is not None:
            detail.retry_delay.nanos = int(self.retry_s * 1e9)
        context.set_trailing_metadata((("motet-error-bin", detail.SerializeToString()),))
        context.abort(self.code, "as told")

    def Search(self, request: Any, context: Any) -> Iterator[search_service_pb2.SearchResponse]:  # noqa: N802
        if self.after_progress:
            yield search_service_pb2.SearchResponse(progress=search_pb2.Progress(search_id="x"))
        self._fail(context)
        yield search_service_pb2.SearchResponse(result=search_pb2.SearchResult(seed=7))

    def ListModels(self, request: Any, context: Any) -> search_service_pb2.ListModelsResponse:  # noqa: N802
        self._fail(context)
        return search_service_pb2.ListModelsResponse()

    StopSearch = Score = Render = ListModels  # type: ignore[assignment]


class Fixture:
    def __init__(self) -> None:
        self.servers: list[grpc.Server] = []

    def __call__(
        self, code: grpc.StatusCode, times: int, *, retry_s: float | None = None, after_progress: bool = False
    ) -> tuple[str, Failing]:
        servicer = Failing(code, times, retry_s=retry_s, after_progress=after_progress)
        server = grpc.server(futures.ThreadPoolExecutor(2))
        search_service_pb2_grpc.add_SearchServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.servers.append(server)
        return f"127.0.0.1:{port}", servicer


@pytest.fixture
def failing() -> Iterator[Fixture]:
    fixture = Fixture()
    yield fixture
    for server in fixture.servers:
        server.stop(None)


def test_unavailable_is_tried_again_until_it_works(failing: Fixture) -> None:
    address, servicer = failing(grpc.StatusCode.UNAVAILABLE, 2)
    with Client(address, retry=QUICK) as client:
        client.models()
    assert servicer.calls == 3


async def test_unavailable_is_tried_again_by_the_aio_client(failing: Fixture) -> None:
    address, servicer = failing(grpc.StatusCode.UNAVAILABLE, 2)
    async with AsyncClient(address, retry=QUICK) as client:
        assert (await client.search("x")).seed == 7
    assert servicer.calls == 3


def test_the_last_failure_is_told(failing: Fixture) -> None:
    address, servicer = failing(grpc.StatusCode.UNAVAILABLE, 100)
    with Client(address, retry=QUICK) as client, pytest.raises(RequestError, match="as told"):
        client.models()
    assert servicer.calls == 3


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ],
)
def test_other_failures_are_final(failing: Fixture, code: grpc.StatusCode) -> None:
    address, servicer = failing(code, 1)
    with Client(address, retry=QUICK) as client, pytest.raises(RequestError) as caught:
        client.models()
    assert caught.value.code is code
    assert servicer.calls == 1


def test_an_exhausted_server_is_tried_again_when_it_says_when(failing: Fixture) -> None:
    address, servicer = failing(grpc.StatusCode.RESOURCE_EXHAUSTED, 1, retry_s=0.001)
    with Client(address, retry=QUICK) as client:
        assert client.search("x").seed == 7
    assert servicer.calls == 2


def test_a_stream_that_has_begun_is_not_begun_again(failing: Fixture) -> None:
    address, servicer = failing(grpc.StatusCode.UNAVAILABLE, 1, after_progress=True)
    with Client(address, retry=QUICK) as client, pytest.raises(RequestError):
        client.search("x")
    assert servicer.calls == 1


def test_waits_grow_and_are_bounded() -> None:
    policy = RetryPolicy(attempts=10, first_delay_s=0.1, max_delay_s=0.5, jitter=0.0)
    error = RequestError(grpc.StatusCode.UNAVAILABLE, "X", "x")
    generator = random.Random(0)  # noqa: S311
    waits = [policy.delay_s(error, attempt, generator) for attempt in range(1, 11)]
    assert waits == [0.1, 0.2, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, None]


def test_jitter_spreads_the_waits() -> None:
    policy = RetryPolicy(first_delay_s=1.0, jitter=0.25)
    error = RequestError(grpc.StatusCode.UNAVAILABLE, "X", "x")
    generator = random.Random(0)  # noqa: S311
    waits = {policy.delay_s(error, 1, generator) for _ in range(20)}
    assert len(waits) == 20
    assert all(wait is not None and 0.75 <= wait <= 1.25 for wait in waits)


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"jitter": 2.0}, {"first_delay_s": float("nan")}, {"max_delay_s": -1}]
)
def test_a_policy_is_checked(wrong: Any) -> None:
    with pytest.raises(RequestError, match=next(iter(wrong))):
        RetryPolicy(**wrong)
