from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest

from motet.model.decoder import Decoder
from motet.model.grammar import SCALES
from motet.music import midi
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.search.budget import StopReason
from motet.server.config import ServerConfig
from motet.v1 import errors_pb2, search_pb2
from motet.v1.search_service_pb2 import SearchRequest, StopSearchRequest
from tests.contract.conftest import SlowDecoder, Start, collect
from tests.fakes import CountingReward, FakeClock, FakeDecoder, fake_score
from tests.tiny import random_score, tiny_checkpoint

CAPTION = "A calm piano piece in C major"


def detail_of(error: grpc.aio.AioRpcError) -> errors_pb2.ErrorDetail:
    for key, value in error.trailing_metadata() or ():
        if key == "motet-error-bin" and isinstance(value, bytes):
            return errors_pb2.ErrorDetail.FromString(value)
    raise AssertionError(f"no detail in {error}")


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_search_streams_progress_and_ends_with_its_result(start: Start) -> None:
    async with start() as running:
        progress, result = await collect(running.stub.Search(SearchRequest(caption=CAPTION, seed=5)))
    assert progress
    assert len({message.search_id for message in progress}) == 1
    nodes = [message.node_count for message in progress]
    assert nodes == sorted(nodes)
    assert progress[-1].best_reward.total == pytest.approx(result.candidates[0].reward.total)
    assert result.candidates[0].reward.total >= result.plain_sample.reward.total
    assert [term.name for term in result.candidates[0].reward.terms] == ["text", "harmony", "adherence"]
    for piece in (result.candidates[0], result.plain_sample):
        assert {row.name: len(row.values) for row in piece.reward.bars} == {"harmony.notes": piece.bar_count}
    assert not any(message.best_reward.bars for message in progress)
    assert (result.model, result.model_version, result.reward_version) == ("fake", "0123456789ab", "counting-1")
    assert result.stop_reason == search_pb2.STOP_REASON_COMPLETED
    assert result.candidates[0].midi.startswith(b"MThd")
    by_index = {node.index: node for node in result.nodes}
    lineage = list(result.candidates[0].lineage)
    assert [by_index[child].parent_index for child in lineage[1:]] == lineage[:-1]
    assert by_index[lineage[-1]].reward == pytest.approx(result.candidates[0].reward.total)
    assert not by_index[0].HasField("reward")


async def test_the_same_seed_gives_the_same_bytes(start: Start) -> None:
    async with start() as running:
        results = [
            (await collect(running.stub.Search(SearchRequest(caption=CAPTION, seed=seed))))[1] for seed in (9, 9, 10)
        ]
    first, again, other = ([c.midi for c in result.candidates] for result in results)
    assert first == again
    assert first != other


async def test_a_seed_that_the_server_chooses_is_told_and_can_be_used_again(start: Start) -> None:
    async with start() as running:
        _, chosen = await collect(running.stub.Search(SearchRequest(caption=CAPTION)))
        _, again = await collect(running.stub.Search(SearchRequest(caption=CAPTION, seed=chosen.seed)))
    assert again.candidates[0].midi == chosen.candidates[0].midi


async def test_zero_is_a_value_and_not_an_absence(start: Start) -> None:
    async with start() as running:
        request = SearchRequest(caption=CAPTION, seed=0, mutation_count=0)
        _, result = await collect(running.stub.Search(request))
        assert result.seed == 0
        assert [arm.caption for arm in result.arms] == [CAPTION]
        for name in ("candidate_count", "bar_count", "temperature", "top_p", "result_count"):
            request = SearchRequest(caption=CAPTION)
            setattr(request, name, 0)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await collect(running.stub.Search(request))
            assert [v.field for v in detail_of(caught.value).violations] == [name]


async def test_options_reach_the_search(start: Start) -> None:
    async with start() as running:
        request = SearchRequest(
            caption=CAPTION, seed=1, strategy="best_of_n", candidate_count=3, bar_count=2, result_count=2,
            temperature=0.5, top_p=0.25, mutation_count=0, model="fake@0123456789ab",
            reward_weights=[search_pb2.RewardWeight(name="harmony")],
        )  # fmt: skip
        _, result = await collect(running.stub.Search(request))
        opened = running.decoder.opened[-1]
    assert (len(opened["prompts"]), opened["bars"]) == (3, 2)
    controls = opened["prompts"][0].controls
    assert (controls.temperature, controls.top_p) == (0.5, 0.25)
    assert result.strategy == "best_of_n"
    assert len(result.candidates) == 2
    best = result.candidates[0].reward
    assert best.total == pytest.approx({term.name: term.value for term in best.terms}["harmony"])


async def test_controls_reach_every_row_and_come_back(start: Start) -> None:
    async with start() as running:
        controls = search_pb2.Controls(
            tempo_bpm=96, key="Dm", key_lock=True, time_signature="6/8",
            instruments=["sax", "string trio", "0", "Acoustic Grand Piano"], only_instruments=True, drums=True,
        )  # fmt: skip
        request = SearchRequest(caption="A sad waltz in C major", bar_count=2, guidance=1.5, controls=controls)
        _, result = await collect(running.stub.Search(request))
        prompts = running.decoder.opened[-1]["prompts"]
    for prompt in prompts:
        row = prompt.controls
        assert (row.tempo_bpm, str(row.key), row.scale, str(row.meter)) == (96.0, "D minor", True, "6/8")
        assert row.required == row.allowed == (65, 40, 41, 42, 0, 128)
        assert (row.bars, row.guidance) == (2, 1.5)
    told = result.controls
    assert (told.tempo_bpm, told.key, told.key_lock, told.time_signature) == (96.0, "D minor", True, "6/8")
    assert list(told.instruments) == ["Alto Sax", "Violin", "Viola", "Cello", "Acoustic Grand Piano"]
    assert (told.only_instruments, told.drums, told.bar_count, told.seed_bar_count) == (True, True, 2, 0)
    assert (list(told.genres), list(told.moods)) == (["waltz"], ["sad"])
    assert (told.temperature, told.top_p, told.guidance) == (0.9, 0.85, 1.5)
    assert not told.HasField("tempo_word")
    assert not told.HasField("rewrite_bars")


async def test_what_nobody_asked_for_is_absent(start: Start) -> None:
    async with start() as running:
        _, result = await collect(running.stub.Search(SearchRequest(caption="some slow music")))
    told = result.controls
    assert told.tempo_word == "slow"
    assert not any(told.HasField(name) for name in ("tempo_bpm", "key", "time_signature", "drums", "rewrite_bars"))
    assert not told.instruments
    assert not told.only_instruments


@pytest.mark.parametrize("rewrite", [{}, {"rewrite_bars": (2, 3)}, {"rewrite_instruments": ["drums", "flute"]}])
async def test_a_seed_reaches_every_row_and_is_told(start: Start, rewrite: dict[str, Any]) -> None:
    file = midi.write(fake_score([0, 5, 6, 7, 8] * 4))
    controls = search_pb2.Controls(seed_midi=file, rewrite_instruments=rewrite.get("rewrite_instruments", []))
    if "rewrite_bars" in rewrite:
        controls.rewrite_bars.first, controls.rewrite_bars.last = rewrite["rewrite_bars"]
    async with start() as running:
        request = SearchRequest(caption=CAPTION, controls=controls)
        if not rewrite:
            request.bar_count = 6
        progress, result = await collect(running.stub.Search(request))
        seeds = [prompt.controls.seed for prompt in running.decoder.opened[-1]["prompts"]]
    assert all(len(seed.score) == 16 and seed.bars == rewrite.get("rewrite_bars") for seed in seeds)
    assert seeds[0].players == ((128, 73) if "rewrite_instruments" in rewrite else ())
    told = result.controls
    written, whole = (6, 10) if not rewrite else (2, 4) if "rewrite_bars" in rewrite else (4, 4)
    assert (told.bar_count, told.seed_bar_count) == (whole, 4)
    assert (result.bar_count, progress[-1].bar_count, progress[-1].bar_goal) == (written, written, written)
    assert result.candidates[0].bar_count == whole
    assert told.HasField("rewrite_bars") == ("rewrite_bars" in rewrite)
    assert list(told.rewrite_instruments) == (["drums", "Flute"] if "rewrite_instruments" in rewrite else [])
    assert told.tempo_bpm == 120.0
    assert told.time_signature == "4/4"


async def test_part_of_a_file_is_written_anew_in_a_locked_key(start: Start) -> None:
    """The whole way, with a real decoder on random weights."""
    file = midi.write(random_score(4))
    controls = search_pb2.Controls(
        seed_midi=file,
        rewrite_bars=search_pb2.BarRange(first=2, last=3),
        rewrite_instruments=["flute", "drums"],
        key="Eb minor",
        key_lock=True,
    )
    async with start(Decoder(tiny_checkpoint())) as running:
        request = SearchRequest(caption="a jazz waltz", seed=1, candidate_count=2, controls=controls)
        _, result = await collect(running.stub.Search(request))
    before, after = midi.read(file), midi.read(result.candidates[0].midi)
    bar = before.meters[0].bar_ticks(before.ppq)

    def notes(score: Score) -> set[tuple[int, ...]]:
        columns = (score.onset, score.duration, score.pitch, score.velocity, score.program)
        return set(zip(*(column.tolist() for column in columns), strict=True))

    open_ = (before.onset // bar >= 1) & (before.onset // bar < 3) & np.isin(before.program, (73, DRUMS))
    kept = notes(before.select(~open_))
    written = notes(after) - kept
    assert kept <= notes(after)
    assert {program for *_, program in written} == {73, DRUMS}
    assert {onset // bar for onset, *_ in written} <= {1, 2}
    assert {(pitch - 3) % 12 for _, _, pitch, _, program in written if program == 73} <= set(SCALES["minor"])
    assert result.controls.key == "Eb minor"
    assert after.end_tick <= 4 * bar or after.end_tick == before.end_tick


async def test_a_time_signature_said_twice_is_one(start: Start) -> None:
    score = replace(fake_score([0, 5, 6, 7, 8] * 4), meter_tick=np.array([0, 1920]), meters=(Meter(4, 4), Meter(4, 4)))
    request = SearchRequest(caption=CAPTION, controls=search_pb2.Controls(seed_midi=midi.write(score)))
    async with start() as running:
        _, result = await collect(running.stub.Search(request))
    assert result.controls.time_signature == "4/4"


async def test_cancelling_the_call_stops_the_work(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder) as running:
        await until(lambda: decoder.bars_drawn > 0)  # the warm-up
        decoder.hold()
        before = decoder.bars_drawn
        call = running.stub.Search(SearchRequest(caption=CAPTION, candidate_count=64, bar_count=64))
        await until(lambda: decoder.waiting)
        call.cancel()
        await until(lambda: running.server._searching.admission.inside == 0)
        decoder.release()
        _, result = await collect(running.stub.Search(SearchRequest(caption=CAPTION, candidate_count=1, bar_count=1)))
        assert result is not None
        # One bar was in the making when the call was cancelled, and one belongs to the second search.
        assert decoder.bars_drawn - before <= 2


async def test_the_death_of_a_client_stops_the_work(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder) as running:
        decoder.hold()
        channel = grpc.aio.insecure_channel(running.address)
        method: Any = channel.unary_stream(
            "/motet.v1.SearchService/Search", request_serializer=SearchRequest.SerializeToString
        )
        call = method(SearchRequest(caption=CAPTION, candidate_count=64, bar_count=64))
        await until(lambda: decoder.waiting)
        await channel.close()
        await until(lambda: running.server._searching.admission.inside == 0)
        assert call.cancelled()
        decoder.release()


async def test_a_waiting_search_is_told_its_place_and_can_be_cancelled(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder, parallel_searches=1) as running:
        decoder.hold()
        first = running.stub.Search(SearchRequest(caption=CAPTION, seed=1))
        await until(lambda: decoder.waiting)
        second = running.stub.Search(SearchRequest(caption=CAPTION, seed=2))
        message = await second.read()
        assert message.progress.state == search_pb2.SEARCH_STATE_QUEUED
        assert message.progress.queue_position == 1
        opened = len(decoder.opened)
        second.cancel()
        await until(lambda: running.server._searching.admission.inside == 1)
        decoder.release()
        _, result = await collect(first)
        assert result.seed == 1
        assert len(decoder.opened) == opened  # the second never began


async def test_a_full_queue_refuses_before_any_work_and_says_when_to_come_back(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder, queue_limit=1, parallel_searches=1) as running:
        decoder.hold()
        admitted = [running.stub.Search(SearchRequest(caption=CAPTION, seed=1, bar_count=1)) for _ in range(2)]
        await until(lambda: running.server._searching.admission.inside == 2)
        for _ in range(4):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await collect(running.stub.Search(SearchRequest(caption=CAPTION)))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            detail = detail_of(caught.value)
            assert detail.reason == errors_pb2.ERROR_REASON_QUEUE_FULL
            assert detail.HasField("retry_delay")
        check = running.channel.unary_unary("/grpc.health.v1.Health/Check")
        assert await check(b"", timeout=5) == b"\x08\x01"  # health is not counted
        decoder.release()
        for call in admitted:
            assert (await collect(call))[1].seed == 1


@pytest.mark.parametrize("by", ["deadline", "time_limit"])
async def test_the_best_so_far_comes_back_in_time(start: Start, by: str) -> None:
    clock = FakeClock()
    decoder = FakeDecoder(clock=clock, seconds_per_bar=2.0)
    async with start(decoder, CountingReward(clock=clock, seconds_per_score=0.5), clock=clock) as running:
        request = SearchRequest(caption=CAPTION, candidate_count=8, bar_count=64)
        if by == "time_limit":
            request.time_limit.FromSeconds(500)
        began_s = clock()
        _, result = await collect(running.stub.Search(request, timeout=500 if by == "deadline" else None))
    assert result.stop_reason == search_pb2.STOP_REASON_TIME_LIMIT
    assert result.candidates[0].midi.startswith(b"MThd")
    assert not result.candidates[0].finished
    assert clock() - began_s <= 500


async def test_a_deadline_that_leaves_no_time_is_told_as_one(start: Start) -> None:
    async with start(deadline_margin_s=60.0) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await collect(running.stub.Search(SearchRequest(caption=CAPTION), timeout=30))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert detail_of(caught.value).reason == errors_pb2.ERROR_REASON_DEADLINE_EXCEEDED


async def test_stopping_a_search_returns_the_best_so_far(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder) as running:
        decoder.pace_s = 0.005
        call = running.stub.Search(SearchRequest(caption=CAPTION, candidate_count=8, bar_count=64))
        while not (message := await call.read()).progress.HasField("best_reward"):
            assert message.HasField("progress")
        await running.stub.StopSearch(StopSearchRequest(search_id=message.progress.search_id))
        _, result = await collect(call)
        assert result.stop_reason == search_pb2.STOP_REASON_STOPPED
        assert len(result.candidates) == 1
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.StopSearch(StopSearchRequest(search_id="no such search"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def merged(messages: list[search_pb2.Progress]) -> dict[int, search_pb2.TreeNode]:
    """The tree that the messages tell, checked on the way for what the .proto file promises."""
    tree: dict[int, search_pb2.TreeNode] = {}
    for message in messages:
        told = [node.index for node in message.nodes]
        assert told == sorted(set(told))
        for node in message.nodes:
            known = tree.get(node.index)
            assert node != known
            assert node.index == 0 or node.parent_index in tree
            if known is not None:
                assert (node.parent_index, node.arm_index, node.bar_count) == (
                    known.parent_index,
                    known.arm_index,
                    known.bar_count,
                )
                assert known.alive >= node.alive
                assert node.HasField("reward") >= known.HasField("reward")
            tree[node.index] = node
        assert len(tree) == message.node_count
    return tree


@pytest.mark.parametrize("strategy", ["population", "best_of_n", "sample"])
@pytest.mark.parametrize("interval_s", [0.001, 60.0])
async def test_the_nodes_of_all_progress_make_the_tree(start: Start, strategy: str, interval_s: float) -> None:
    decoder = SlowDecoder()
    async with start(decoder, progress_interval_s=interval_s) as running:
        decoder.pace_s = 0.001
        request = SearchRequest(caption=CAPTION, seed=5, strategy=strategy, candidate_count=8, bar_count=8)
        progress, result = await collect(running.stub.Search(request))
    assert list(merged(progress).values()) == list(result.nodes)
    if interval_s == 60.0:
        assert len([message for message in progress if message.nodes]) <= 2  # the first and the last


async def test_a_repeated_message_does_not_repeat_the_nodes(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_REPEAT_S", "_LOOK_S"):
        monkeypatch.setattr(f"motet.server.servicer.{name}", 0.02)
    decoder = SlowDecoder()
    async with start(decoder) as running:
        decoder.pace_s = 0.01
        call = running.stub.Search(SearchRequest(caption=CAPTION, seed=5, candidate_count=4, bar_count=64))
        messages: list[search_pb2.Progress] = []
        while not (messages and messages[-1].nodes):
            messages.append((await call.read()).progress)
        decoder.hold()
        await until(lambda: decoder.waiting)
        messages += [(await call.read()).progress for _ in range(10)]  # more than can have happened before
        assert messages[-1].elapsed.ToNanoseconds() > messages[-2].elapsed.ToNanoseconds()
        decoder.pace_s = 0.0
        decoder.release()
        rest, result = await collect(call)
    assert list(merged([*messages, *rest]).values()) == list(result.nodes)


async def test_a_stopped_search_tells_its_whole_tree_too(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder) as running:
        decoder.pace_s = 0.002
        call = running.stub.Search(SearchRequest(caption=CAPTION, candidate_count=8, bar_count=64))
        messages: list[search_pb2.Progress] = []
        while not (messages and messages[-1].HasField("best_reward")):
            messages.append((await call.read()).progress)
        await running.stub.StopSearch(StopSearchRequest(search_id=messages[-1].search_id))
        rest, result = await collect(call)
    assert result.stop_reason == search_pb2.STOP_REASON_STOPPED
    assert list(merged([*messages, *rest]).values()) == list(result.nodes)


async def test_a_slow_reader_does_not_slow_the_search(start: Start) -> None:
    async with start() as running:
        call = running.stub.Search(SearchRequest(caption=CAPTION, candidate_count=32, bar_count=32))
        first = (await call.read()).progress
        # Nothing is read meanwhile, and yet the engine gets to the end.
        await until(lambda: running.server._searching.engine.idle)
        progress, result = await collect(call)
    assert len(progress) < 40
    assert list(merged([first, *progress]).values()) == list(result.nodes)


async def test_progress_is_not_told_more_often_than_asked(start: Start) -> None:
    decoder = SlowDecoder()
    async with start(decoder, progress_interval_s=0.1) as running:
        decoder.pace_s = 0.002
        began = time.monotonic()
        progress, _ = await collect(running.stub.Search(SearchRequest(caption=CAPTION, bar_count=32)))
        lasted_s = time.monotonic() - began
    assert len(progress) <= lasted_s / 0.1 + 3


async def test_a_defect_is_told_as_an_id_and_the_next_search_is_served(start: Start, caplog: Any) -> None:
    reward = CountingReward(fail_on_call=1_000_000, error=RuntimeError("secret /path/to/thing"))
    async with start(reward=reward) as running:
        reward.fail_on_call = reward.calls + 1
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await collect(running.stub.Search(SearchRequest(caption=CAPTION)))
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert "secret" not in str(caught.value.details())
        number = detail_of(caught.value).metadata["id"]
        assert caught.value.details() == f"internal error {number}"
        assert "secret" in caplog.text
        assert number in caplog.text
        _, result = await collect(running.stub.Search(SearchRequest(caption=CAPTION)))
        assert result is not None


def test_every_stop_reason_has_a_name_on_the_wire() -> None:
    from motet.server.convert import _STOP_REASONS

    assert set(_STOP_REASONS) == set(StopReason)
    assert ServerConfig().max_midi_bytes < ServerConfig().max_message_bytes
