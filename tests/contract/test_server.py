"""The server as an operator sees it: health, reflection, its port, its end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # type: ignore[import-untyped]

from motet.music import midi
from motet.music.error import NotFoundError, UnavailableError
from motet.rewards.plan import BLOCK
from motet.server.app import SERVICE, Server, serve
from motet.server.config import ServerConfig
from motet.v1 import errors_pb2, search_pb2
from motet.v1.search_service_pb2 import ListModelsRequest, RenderRequest, ScoreRequest, SearchRequest
from motet.v1.search_service_pb2_grpc import SearchServiceStub
from tests.contract.conftest import SlowDecoder, Start, collect, fake_backend
from tests.contract.test_search import CAPTION, detail_of, until
from tests.fakes import CountingReward, fake_score

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
PROTO = Path(__file__).parents[2] / "proto" / "motet" / "v1"


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_health_says_serving_only_when_warm_and_stops_saying_so_first(start: Start, service: str) -> None:
    seen: list[int] = []
    async with start(warm=False) as running:
        stub = health_pb2_grpc.HealthStub(running.channel)
        request = health_pb2.HealthCheckRequest(service=service)
        assert (await stub.Check(request)).status == NOT_SERVING
        watch = stub.Watch(request)
        seen.append((await watch.read()).status)
        await running.server.warm_up()
        assert (await stub.Check(request)).status == SERVING
        seen.append((await watch.read()).status)
        drained = asyncio.create_task(running.server.drain())
        seen.append((await watch.read()).status)
        watch.cancel()
        await drained
    assert seen == [NOT_SERVING, SERVING, NOT_SERVING]


async def test_health_of_an_unknown_service_is_not_found(start: Start) -> None:
    async with start() as running:
        stub = health_pb2_grpc.HealthStub(running.channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="motet.v1.Nothing"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_what_the_proto_files_define(start: Start) -> None:
    text = "".join(path.read_text() for path in PROTO.glob("*.proto"))
    defined = {f"motet.v1.{name}" for name in re.findall(r"^service (\w+)", text, re.MULTILINE)}
    async with start() as running:
        stub = reflection_pb2_grpc.ServerReflectionStub(running.channel)
        call: Any = stub.ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=10
        )
        answers = [answer async for answer in call]
    names = {service.name for service in answers[0].list_services_response.service}
    assert {name for name in names if name.startswith("motet.")} == defined
    assert "grpc.health.v1.Health" in names


async def test_a_request_before_the_warm_up_is_told_to_wait(start: Start) -> None:
    async with start(warm=False) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await collect(running.stub.Search(SearchRequest(caption=CAPTION)))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert detail_of(caught.value).reason == errors_pb2.ERROR_REASON_WARMING_UP


async def test_draining_ends_what_runs_with_the_best_so_far_and_refuses_the_rest(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder, drain_grace_s=0.3) as running:
        decoder.pace_s = 0.005
        call = running.stub.Search(SearchRequest(caption=CAPTION, candidate_count=8, bar_count=64))
        while not (await call.read()).progress.HasField("best_reward"):
            pass
        drained = asyncio.create_task(running.server.drain())
        await asyncio.sleep(0.05)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await collect(running.stub.Search(SearchRequest(caption=CAPTION)))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert detail_of(caught.value).reason == errors_pb2.ERROR_REASON_DRAINING
        _, result = await collect(call)
        assert result.stop_reason == search_pb2.STOP_REASON_STOPPED
        await drained


def test_nothing_that_the_server_needs_to_answer_imports_pytorch() -> None:
    # PyTorch and transformers take seconds: they come with the model, on the engine's thread, after `listening on`.
    code = "import sys, motet.server.app, motet.server.backend; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


async def test_a_second_server_on_the_port_fails_in_one_line(start: Start) -> None:
    async with start() as running:
        second = Server(ServerConfig(address=running.address), lambda: pytest.fail("it must not load"))
        with pytest.raises(UnavailableError, match=f"cannot listen on {running.address}"):
            await second.start()
        await second.drain()


async def test_a_server_that_cannot_load_ends_with_the_reason() -> None:
    def load() -> Any:
        raise NotFoundError("MODEL_NOT_FOUND", "model: no such folder")

    heard: list[str] = []
    with pytest.raises(NotFoundError, match="no such folder"):
        await serve(
            ServerConfig(address="127.0.0.1:0", drain_grace_s=0), load, on_listening=heard.append, stop=asyncio.Event()
        )
    assert re.fullmatch(r"127\.0\.0\.1:\d+", heard[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_server_in_good_order(number: signal.Signals) -> None:
    decoder = SlowDecoder()
    heard: list[str] = []
    before = signal.getsignal(number)
    config = ServerConfig(address="127.0.0.1:0", drain_grace_s=0.2, progress_interval_s=0.01)
    served = asyncio.create_task(
        serve(config, lambda: fake_backend(decoder, CountingReward()), on_listening=heard.append, stop=asyncio.Event())
    )
    try:
        await until(lambda: heard)
        async with grpc.aio.insecure_channel(heard[0]) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            while (await health.Check(health_pb2.HealthCheckRequest())).status != SERVING:
                await asyncio.sleep(0.01)
            decoder.pace_s = 0.005
            call: Any = SearchServiceStub(channel).Search(
                SearchRequest(caption=CAPTION, candidate_count=8, bar_count=64)
            )
            while not (await call.read()).progress.HasField("best_reward"):
                pass
            os.kill(os.getpid(), number)
            _, result = await collect(call)
            assert result.stop_reason == search_pb2.STOP_REASON_STOPPED
        await asyncio.wait_for(served, 20)
    finally:
        signal.signal(number, before)


async def test_models_are_listed(start: Start) -> None:
    async with start(parallel_searches=3) as running:
        answer = await running.stub.ListModels(ListModelsRequest())
    assert [(model.name, model.version, model.default) for model in answer.models] == [("fake", "0123456789ab", True)]
    assert {"population", "best_of_n", "sample"} <= set(answer.models[0].strategies)
    assert answer.reward_version == "counting-1"
    assert (answer.mutator, answer.parallel_search_count) == ("builtin", 3)
    details = answer.models[0].strategy_details
    assert sorted(strategy.name for strategy in details) == list(answer.models[0].strategies)
    assert [strategy.name for strategy in details if strategy.default] == [details[0].name] == ["population"]
    assert {setting.name for setting in details[0].settings} >= {"keep_early", "wide"}


async def test_a_score_is_the_reward_of_the_search(start: Start) -> None:
    async with start() as running:
        _, result = await collect(running.stub.Search(SearchRequest(caption=CAPTION, seed=1)))
        best = result.candidates[0]
        answer = await running.stub.Score(ScoreRequest(midi=best.midi, caption=CAPTION))
        only = await running.stub.Score(
            ScoreRequest(
                midi=best.midi, caption=CAPTION, reward_weights=[search_pb2.RewardWeight(name="text", weight=2)]
            )
        )
    assert answer.reward == best.reward
    assert answer.reward_version == "counting-1"
    assert only.reward.total == pytest.approx(only.reward.terms[0].value)


async def test_a_rendering_streams_its_format_and_then_small_chunks(start: Start) -> None:
    file = midi.write(fake_score([token for _ in range(20) for token in (0, 5, 6, 7, 8)]))
    async with start() as running:
        parts = [part async for part in running.stub.Render(RenderRequest(midi=file))]
        slow = [part async for part in running.stub.Render(RenderRequest(midi=file, rate_hz=8000, effects=False))]
        window = [
            part async for part in running.stub.Render(RenderRequest(midi=file, start_seconds=0, end_seconds=1.5))
        ]
    assert parts[0].format.rate_hz == 44_100
    data = b"".join(part.chunk for part in parts[1:])
    assert data[:4] + data[8:12] == b"RIFFWAVE"
    assert len(data) == parts[0].format.byte_count
    assert max(len(part.chunk) for part in parts) <= 64_000
    assert parts[0].format.sample_count == round(40 * 44_100 / BLOCK) * BLOCK  # twenty bars of two seconds
    assert slow[0].format.rate_hz == 8000
    assert window[0].format.sample_count == round(1.5 * 44_100 / BLOCK) * BLOCK


async def test_health_answers_while_a_search_computes(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder) as running:
        decoder.hold()
        call = running.stub.Search(SearchRequest(caption=CAPTION))
        await until(lambda: decoder.waiting)
        stub = health_pb2_grpc.HealthStub(running.channel)
        assert (await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)).status == SERVING
        # Playing a file has its own thread.
        file = midi.write(fake_score([0, 5, 6, 7, 8]))
        assert [part async for part in running.stub.Render(RenderRequest(midi=file), timeout=5)]
        decoder.release()
        assert (await collect(call))[1] is not None
