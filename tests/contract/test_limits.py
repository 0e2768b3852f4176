"""How hard a search tries: tokens, rounds, expected gain; and what it tells of its cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from motet.v1 import search_pb2
from motet.v1.search_service_pb2 import SearchRequest, StopSearchRequest
from tests.contract.conftest import SlowDecoder, Start, collect
from tests.contract.test_search import CAPTION
from tests.fakes import FakeBatch, FakeDecoder

TOKENS_A_BAR = 5


async def test_tokens_run_out_and_the_best_so_far_comes_back(start: Start) -> None:
    async with start() as running:
        request = SearchRequest(caption=CAPTION, seed=1, candidate_count=8, bar_count=64, token_limit=400)
        _, result = await collect(running.stub.Search(request))
    assert result.stop_reason == search_pb2.STOP_REASON_TOKEN_LIMIT
    assert 400 <= result.token_count <= 400 + 8 * TOKENS_A_BAR
    assert not result.candidates[0].finished
    assert result.candidates[0].midi.startswith(b"MThd")


async def test_rounds_are_told_and_the_best_of_all_is_kept(start: Start) -> None:
    async with start(progress_interval_s=0.0) as running:
        request = SearchRequest(caption=CAPTION, seed=1, candidate_count=4, bar_count=4)
        progress, once = await collect(running.stub.Search(request))
        assert {(message.round, message.round_goal) for message in progress} <= {(0, 0), (1, 1)}
        request.round_count = 3
        progress, thrice = await collect(running.stub.Search(request))
    assert (once.round_count, thrice.round_count) == (1, 3)
    rounds = [message.round for message in progress if message.round]
    assert rounds == sorted(rounds)
    assert (rounds[-1], progress[-1].round_goal) == (3, 3)
    assert thrice.stop_reason == search_pb2.STOP_REASON_COMPLETED
    assert thrice.candidates[0].reward.total >= once.candidates[0].reward.total
    assert thrice.plain_sample == once.plain_sample
    assert thrice.token_count > 2 * once.token_count
    for node, same in zip(once.nodes, thrice.nodes, strict=False):
        assert (node.parent_index, node.bar_count, node.reward) == (same.parent_index, same.bar_count, same.reward)


async def test_rounds_go_on_as_long_as_there_are_tokens(start: Start) -> None:
    async with start() as running:
        request = SearchRequest(caption=CAPTION, seed=1, bar_count=2, unlimited_rounds=True, token_limit=1000)
        progress, result = await collect(running.stub.Search(request))
    assert result.stop_reason == search_pb2.STOP_REASON_TOKEN_LIMIT
    assert result.round_count > 3
    assert progress[-1].round == result.round_count
    assert progress[-1].round_goal == 0


async def test_rounds_go_on_until_they_are_stopped(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder) as running:
        decoder.pace_s = 0.001
        call = running.stub.Search(SearchRequest(caption=CAPTION, bar_count=1, unlimited_rounds=True))
        while (message := (await call.read()).progress).round < 3:
            pass
        await running.stub.StopSearch(StopSearchRequest(search_id=message.search_id))
        _, result = await collect(call)
    assert result.stop_reason == search_pb2.STOP_REASON_STOPPED
    assert result.round_count >= 3
    assert result.candidates[0].finished


async def test_rounds_end_when_little_is_expected_of_another(start: Start) -> None:
    async with start() as running:
        request = SearchRequest(caption=CAPTION, seed=1, bar_count=2, round_count=1000, least_gain=1.0)
        _, result = await collect(running.stub.Search(request))
    assert result.stop_reason == search_pb2.STOP_REASON_CONVERGED
    assert result.round_count < 10


class Echo(FakeDecoder):
    """Writes the same piece in every row."""

    def open(self, prompts: Sequence[Any], **options: Any) -> FakeBatch:
        return super().open(prompts, **{**options, "streams": np.zeros(len(prompts), np.int64)})


async def test_near_copies_are_left_out_and_counted(start: Start) -> None:
    async with start(Echo()) as running:
        request = SearchRequest(
            caption=CAPTION, seed=1, strategy="best_of_n", candidate_count=5, result_count=5, mutation_count=0
        )
        _, result = await collect(running.stub.Search(request))
    assert len(result.candidates) == 1
    assert result.near_copy_count == 4


@pytest.mark.parametrize("strategy", ["inferalign_paper", "inferalign_released", "population:keeps_plain=0"])
async def test_a_strategy_that_keeps_no_plain_sample_tells_none(start: Start, strategy: str) -> None:
    async with start() as running:
        _, result = await collect(running.stub.Search(SearchRequest(caption=CAPTION, seed=1, strategy=strategy)))
    assert not result.HasField("plain_sample")
    assert result.strategy == strategy
    assert result.candidates[0].reward.total > 0


async def test_settings_of_a_strategy_change_what_it_does(start: Start) -> None:
    async with start() as running:
        requests = [
            SearchRequest(caption=CAPTION, seed=1, strategy=strategy)
            for strategy in ("population", "population:wide=2", "population:chunk_bars=4")
        ]
        plain, wide, coarse = [(await collect(running.stub.Search(request)))[1] for request in requests]
    children = [sum(node.parent_index == 0 for node in result.nodes) for result in (plain, wide)]
    assert children[1] > children[0] == 8
    assert len(coarse.nodes) < len(plain.nodes)


async def test_every_installed_strategy_is_served(start: Start) -> None:
    async with start() as running:
        for strategy in running.server._loaded().strategies:
            _, result = await collect(
                running.stub.Search(SearchRequest(caption=CAPTION, seed=1, strategy=strategy.name))
            )
            assert result.candidates[0].finished, strategy.name
            assert result.HasField("plain_sample") == strategy.keeps_plain, strategy.name
            for piece in result.candidates:
                assert piece.arm_caption == result.arms[piece.arm_index].caption, strategy.name
                assert piece.seed == 1


async def test_the_time_of_a_search_is_told_by_its_parts(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder) as running:
        decoder.pace_s = 0.001
        _, result = await collect(running.stub.Search(SearchRequest(caption=CAPTION, seed=1)))
    spent = {
        name: getattr(result.profile, name).ToTimedelta().total_seconds()
        for name in ("decoding", "scoring", "waiting", "tree", "elapsed")
    }
    assert all(seconds > 0 for seconds in spent.values())
    assert spent["decoding"] + spent["waiting"] + spent["tree"] <= spent["elapsed"] * 1.001
    assert spent["elapsed"] <= result.elapsed.ToTimedelta().total_seconds()
    assert result.profile.tree_share == pytest.approx(spent["tree"] / spent["elapsed"], abs=1e-3)
