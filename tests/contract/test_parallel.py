"""Several searches at once: whoever else is served changes nothing but the time."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from motet.model.decoder import Decoder
from motet.music import midi
from motet.v1 import search_pb2
from motet.v1.search_service_pb2 import ScoreRequest, SearchRequest, StopSearchRequest
from tests.contract.conftest import SlowDecoder, Start, collect
from tests.contract.test_search import CAPTION, until
from tests.fakes import CountingReward, fake_score
from tests.tiny import tiny_checkpoint

RUNNING, QUEUED = search_pb2.SEARCH_STATE_RUNNING, search_pb2.SEARCH_STATE_QUEUED


def music_of(result: search_pb2.SearchResult) -> bytes:
    """All that a result says but the time that it took."""
    kept = search_pb2.SearchResult.FromString(result.SerializeToString())
    kept.ClearField("elapsed")
    kept.ClearField("profile")
    return kept.SerializeToString(deterministic=True)


@pytest.mark.parametrize("threads", [1, 2])
async def test_a_search_is_the_same_alone_and_with_seven_others(start: Start, threads: int) -> None:
    """A real decoder on random weights: all eight go through one network in common steps."""
    strategies = ("population", "best_of_n", "islands", "sample", "smc", "puct", "inferalign_paper", "population")
    requests = [
        SearchRequest(
            caption=("a jazz waltz", "slow folk music")[number % 2], seed=7, strategy=strategy, candidate_count=4,
            bar_count=2, result_count=3, round_count=1 + number % 2,
        )
        for number, strategy in enumerate(strategies)
    ]  # fmt: skip
    requests[-1] = requests[0]  # the same one twice
    async with start(Decoder(tiny_checkpoint(), threads=threads), parallel_searches=8) as running:
        alone = [music_of((await collect(running.stub.Search(request)))[1]) for request in requests]
        calls = [running.stub.Search(request) for request in requests]
        together = [music_of(result) for _, result in await asyncio.gather(*map(collect, calls))]
        await until(lambda: running.server._searching.engine.idle)
    assert [one == other for one, other in zip(alone, together, strict=True)] == [True] * 8
    assert len(set(alone)) == 7


async def test_as_many_searches_run_as_the_server_is_told(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder, parallel_searches=2) as running:
        before = len(decoder.opened)
        decoder.hold()
        calls = []
        for seed in range(4):
            calls.append(running.stub.Search(SearchRequest(caption=CAPTION, seed=seed)))
            await until(lambda seed=seed: running.server._searching.admission.inside == seed + 1)
        first = [(await call.read()).progress for call in calls]
        assert [message.state for message in first] == [RUNNING, RUNNING, QUEUED, QUEUED]
        assert [message.queue_position for message in first] == [0, 0, 2, 3]
        await until(lambda: len(decoder.opened) == before + 2)
        decoder.release()
        results = [(await collect(call))[1] for call in calls]
    assert [result.seed for result in results] == [0, 1, 2, 3]


async def test_a_file_is_judged_while_searches_take_all_places(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder, parallel_searches=1, queue_limit=0) as running:
        decoder.hold()
        call = running.stub.Search(SearchRequest(caption=CAPTION))
        await until(lambda: decoder.waiting)
        file = midi.write(fake_score([0, 5, 6, 7, 8]))
        answer = await running.stub.Score(ScoreRequest(midi=file, caption=CAPTION), timeout=10)
        assert answer.reward.total > 0
        decoder.release()
        assert (await collect(call))[1] is not None


@pytest.mark.parametrize("by", ["stop", "cancel"])
async def test_only_the_search_that_is_named_ends(start: Start, by: str) -> None:
    decoder = SlowDecoder()
    async with start(decoder, parallel_searches=2) as running:
        request = SearchRequest(caption=CAPTION, seed=3, bar_count=16)
        _, alone = await collect(running.stub.Search(request))
        decoder.pace_s = 0.002
        other, call = running.stub.Search(request), running.stub.Search(SearchRequest(caption=CAPTION, bar_count=64))
        while not (message := (await call.read()).progress).HasField("best_reward"):
            pass
        if by == "stop":
            await running.stub.StopSearch(StopSearchRequest(search_id=message.search_id))
            assert (await collect(call))[1].stop_reason == search_pb2.STOP_REASON_STOPPED
        else:
            call.cancel()
        _, result = await collect(other)
    assert result.stop_reason == search_pb2.STOP_REASON_COMPLETED
    assert music_of(result) == music_of(alone)


class Allergic(CountingReward):
    """Fails over one caption."""

    def score(self, scores: Any, caption: Any, weights: Any, *, complete: bool) -> Any:
        if "banjo" in caption.text:
            raise RuntimeError("no banjos")
        return super().score(scores, caption, weights, complete=complete)


async def test_a_search_that_fails_fails_alone(start: Start) -> None:
    async with start(reward=Allergic(), parallel_searches=4) as running:
        request = SearchRequest(caption=CAPTION, seed=3)
        _, alone = await collect(running.stub.Search(request))
        good = [running.stub.Search(request) for _ in range(3)]
        bad = [running.stub.Search(SearchRequest(caption="a banjo")) for _ in range(3)]
        results = [(await collect(call))[1] for call in good]
        for call in bad:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await collect(call)
            assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert {music_of(result) for result in results} == {music_of(alone)}


async def test_draining_ends_all_that_run_with_their_best_so_far(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder, parallel_searches=3, drain_grace_s=0.05) as running:
        decoder.pace_s = 0.002
        calls = [running.stub.Search(SearchRequest(caption=CAPTION, bar_count=64)) for _ in range(3)]
        for call in calls:
            while not (await call.read()).progress.HasField("best_reward"):
                pass
        drained = asyncio.create_task(running.server.drain())
        results = [(await collect(call))[1] for call in calls]
        await drained
    assert [result.stop_reason for result in results] == [search_pb2.STOP_REASON_STOPPED] * 3
