"""Everything bad that can be sent: each gets one clear line that names the field, the rule and the value received."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest

from motet.music import midi
from motet.music.error import InvalidInputError
from motet.music.meter import Meter
from motet.music.score import Score
from motet.v1 import errors_pb2
from motet.v1.search_pb2 import BarRange, Controls, RewardWeight
from motet.v1.search_service_pb2 import RenderRequest, ScoreRequest, SearchRequest
from tests.contract.conftest import Start, collect
from tests.contract.test_search import detail_of
from tests.fakes import FakeDecoder, fake_score

CAPTION = "A calm piano piece"
GOOD_MIDI = midi.write(fake_score([0, 5, 6, 7, 8]))
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


def weights(**values: float) -> list[RewardWeight]:
    return [RewardWeight(name=name, weight=weight) for name, weight in values.items()]


SEARCHES: list[tuple[str, SearchRequest, list[str]]] = [
    ("an empty caption", SearchRequest(caption=""), ["caption"]),
    ("a blank caption", SearchRequest(caption=" \n\t"), ["caption"]),
    ("a caption of 10,000 characters", SearchRequest(caption="a" * 10_000), ["caption"]),
    ("a negative seed", SearchRequest(caption=CAPTION, seed=-1), ["seed"]),
    ("no candidates", SearchRequest(caption=CAPTION, candidate_count=0), ["candidate_count"]),
    ("negative candidates", SearchRequest(caption=CAPTION, candidate_count=-3), ["candidate_count"]),
    ("too many candidates", SearchRequest(caption=CAPTION, candidate_count=10_000), ["candidate_count"]),
    ("negative bars", SearchRequest(caption=CAPTION, bar_count=-1), ["bar_count"]),
    ("NaN temperature", SearchRequest(caption=CAPTION, temperature=math.nan), ["temperature"]),
    ("infinite temperature", SearchRequest(caption=CAPTION, temperature=math.inf), ["temperature"]),
    ("top_p above 1", SearchRequest(caption=CAPTION, top_p=1.5), ["top_p"]),
    ("NaN top_p", SearchRequest(caption=CAPTION, top_p=math.nan), ["top_p"]),
    ("too many results", SearchRequest(caption=CAPTION, candidate_count=2, result_count=3), ["result_count"]),
    (
        "a NaN weight",
        SearchRequest(caption=CAPTION, reward_weights=weights(text=math.nan)),
        ["reward_weights[0].weight"],
    ),
    (
        "a negative and an infinite weight",
        SearchRequest(caption=CAPTION, reward_weights=weights(text=-1, harmony=math.inf)),
        ["reward_weights[0].weight", "reward_weights[1].weight"],
    ),
    ("weights of 0", SearchRequest(caption=CAPTION, reward_weights=weights(text=0, harmony=0)), ["reward_weights"]),
    (
        "an unknown weight",
        SearchRequest(caption=CAPTION, reward_weights=weights(loudness=1)),
        ["reward_weights[0].name"],
    ),
    (
        "a weight twice",
        SearchRequest(caption=CAPTION, reward_weights=[*weights(text=1), *weights(text=1)]),
        ["reward_weights[1].name"],
    ),
    (
        "five bad fields at once",
        SearchRequest(caption="", seed=-1, candidate_count=0, top_p=2, reward_weights=weights(text=-1)),
        ["reward_weights[0].weight", "caption", "seed", "candidate_count", "top_p"],
    ),
]  # fmt: skip


SEED = midi.write(fake_score([0, 5, 6, 7, 8, 0, 5, 6, 7, 8]))  # two bars of piano in 4/4
CHANGING = midi.write(replace(midi.read(SEED), meter_tick=np.array([0, 4 * 480]), meters=(Meter(4, 4), Meter(3, 4))))
CONTROLS: list[tuple[str, Controls, list[str]]] = [
    ("a tempo of 0", Controls(tempo_bpm=0), ["controls.tempo_bpm"]),
    ("a NaN tempo", Controls(tempo_bpm=math.nan), ["controls.tempo_bpm"]),
    ("no key", Controls(key=""), ["controls.key"]),
    ("a German key", Controls(key="H dur"), ["controls.key"]),
    ("an impossible time signature", Controls(time_signature="4/5"), ["controls.time_signature"]),
    ("no time signature", Controls(time_signature="waltz"), ["controls.time_signature"]),
    ("an instrument without a name", Controls(instruments=["piano", ""]), ["controls.instruments[1]"]),
    ("a misspelt instrument", Controls(instruments=["vioilin"]), ["controls.instruments[0]"]),
    ("a program too high", Controls(instruments=["128"]), ["controls.instruments[0]"]),
    ("a crowd", Controls(instruments=[str(number) for number in range(17)]), ["controls.instruments"]),
    ("drums and none", Controls(instruments=["drum kit"], drums=False), ["controls.drums"]),
    ("nobody and only they", Controls(only_instruments=True, drums=False), ["controls.only_instruments"]),
    ("an empty seed", Controls(seed_midi=b""), ["controls.seed_midi"]),
    ("a seed that is text", Controls(seed_midi=b"hello, world"), ["controls.seed_midi"]),
    ("a damaged seed", Controls(seed_midi=SEED[:40]), ["controls.seed_midi"]),
    ("a seed of 2 MiB", Controls(seed_midi=bytes(2 << 20)), ["controls.seed_midi"]),
    ("a seed without notes", Controls(seed_midi=midi.write(Score.empty())), ["controls.seed_midi"]),
    ("a seed in two meters", Controls(seed_midi=CHANGING), ["controls.seed_midi"]),
    ("a seed of 1,000 bars", Controls(seed_midi=midi.write(fake_score([0, 5] * 1000))), ["controls.seed_midi"]),
    ("a tempo beside a seed", Controls(seed_midi=SEED, tempo_bpm=90), ["controls.tempo_bpm"]),
    ("a meter beside a seed", Controls(seed_midi=SEED, time_signature="3/4"), ["controls.time_signature"]),
    ("bars of nothing", Controls(rewrite_bars=BarRange(first=1, last=2)), ["controls.rewrite_bars"]),
    ("players of nothing", Controls(rewrite_instruments=["piano"]), ["controls.rewrite_instruments"]),
    ("bar 0", Controls(seed_midi=SEED, rewrite_bars=BarRange(last=1)), ["controls.rewrite_bars"]),
    ("bars after the end", Controls(seed_midi=SEED, rewrite_bars=BarRange(first=2, last=3)), ["controls.rewrite_bars"]),
    ("bars backwards", Controls(seed_midi=SEED, rewrite_bars=BarRange(first=2, last=1)), ["controls.rewrite_bars"]),
    ("an unknown part", Controls(seed_midi=SEED, rewrite_instruments=["x"]), ["controls.rewrite_instruments[0]"]),
    (
        "drums anew without drums",
        Controls(seed_midi=SEED, rewrite_instruments=["drums"], drums=False),
        ["controls.drums"],
    ),
    (
        "an instrument that cannot come in",
        Controls(seed_midi=SEED, rewrite_instruments=["drums"], instruments=["flute"]),
        ["controls.instruments"],
    ),
    (
        "four at once",
        Controls(tempo_bpm=1000, key="x", time_signature="x", seed_midi=b"x"),
        ["controls.tempo_bpm", "controls.key", "controls.time_signature", "controls.seed_midi"],
    ),
]  # fmt: skip
SEARCHES += [
    (name, SearchRequest(caption="some music", controls=controls), fields) for name, controls, fields in CONTROLS
]
SEARCHES += [
    ("NaN guidance", SearchRequest(caption=CAPTION, guidance=math.nan), ["guidance"]),
    ("too much guidance", SearchRequest(caption=CAPTION, guidance=10.5), ["guidance"]),
    (
        "a length beside bars that stay",
        SearchRequest(
            caption=CAPTION, bar_count=4, controls=Controls(seed_midi=SEED, rewrite_bars=BarRange(first=1, last=1))
        ),
        ["bar_count"],
    ),
    (
        "a bad field and a bad control",
        SearchRequest(caption=CAPTION, seed=-1, controls=Controls(key="?")),
        ["seed", "controls.key"],
    ),
]


SEARCHES += [
    ("no tokens", SearchRequest(caption=CAPTION, token_limit=0), ["token_limit"]),
    ("negative tokens", SearchRequest(caption=CAPTION, token_limit=-(2**63)), ["token_limit"]),
    ("no end of tokens", SearchRequest(caption=CAPTION, token_limit=2**63 - 1), ["token_limit"]),
    ("no rounds", SearchRequest(caption=CAPTION, round_count=0), ["round_count"]),
    ("negative rounds", SearchRequest(caption=CAPTION, round_count=-1), ["round_count"]),
    ("too many rounds", SearchRequest(caption=CAPTION, round_count=2**31 - 1), ["round_count"]),
    (
        "a number of rounds without number",
        SearchRequest(caption=CAPTION, round_count=2, unlimited_rounds=True),
        ["unlimited_rounds"],
    ),
    (
        "no rounds, and all of them",
        SearchRequest(caption=CAPTION, round_count=0, unlimited_rounds=True),
        ["unlimited_rounds", "round_count"],
    ),
    ("a loss as least gain", SearchRequest(caption=CAPTION, least_gain=-0.1), ["least_gain"]),
    ("more than all there is to gain", SearchRequest(caption=CAPTION, least_gain=1.5), ["least_gain"]),
    ("NaN gain", SearchRequest(caption=CAPTION, least_gain=math.nan), ["least_gain"]),
    ("infinite gain", SearchRequest(caption=CAPTION, least_gain=math.inf), ["least_gain"]),
    ("a setting without a name", SearchRequest(caption=CAPTION, strategy="population:.5"), ["strategy"]),
    ("a strategy with an empty setting", SearchRequest(caption=CAPTION, strategy="population:"), ["strategy"]),
    ("an unknown setting", SearchRequest(caption=CAPTION, strategy="population:luck=1"), ["strategy.luck"]),
    ("a setting of nothing", SearchRequest(caption=CAPTION, strategy="sample:keep=1"), ["strategy.keep"]),
    ("a setting twice", SearchRequest(caption=CAPTION, strategy="islands:islands=2,islands=3"), ["strategy.islands"]),
    ("a NaN setting", SearchRequest(caption=CAPTION, strategy="population:wide=nan"), ["strategy.wide"]),
    ("half an island", SearchRequest(caption=CAPTION, strategy="islands:islands=1.5"), ["strategy.islands"]),
    ("no islands", SearchRequest(caption=CAPTION, strategy="islands:islands=0"), ["strategy.islands"]),
    ("a setting in words", SearchRequest(caption=CAPTION, strategy="population:wide=very"), ["strategy.wide"]),
    (
        "a setting of 100,000 characters",
        SearchRequest(caption=CAPTION, strategy="population:" + "a" * 100_000),
        ["strategy"],
    ),
    (
        "limits that are all wrong",
        SearchRequest(caption=CAPTION, strategy="smc:x=1", token_limit=0, round_count=0, least_gain=2),
        ["strategy.x", "token_limit", "round_count", "least_gain"],
    ),
]


@pytest.mark.parametrize(("request_", "fields"), [case[1:] for case in SEARCHES], ids=[case[0] for case in SEARCHES])
async def test_a_bad_search_is_refused_by_field(start: Start, request_: SearchRequest, fields: list[str]) -> None:
    async with start() as running:
        opened = len(running.decoder.opened)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await collect(running.stub.Search(request_))
        assert len(running.decoder.opened) == opened
    check_line(caught.value, INVALID, fields)


def check_line(error: grpc.aio.AioRpcError, code: grpc.StatusCode, fields: list[str]) -> None:
    """One line, one violation a field, each with its rule and what was received, the same in both kinds of details."""
    from google.rpc import error_details_pb2  # type: ignore[import-untyped]
    from grpc_status import rpc_status  # type: ignore[import-untyped]

    assert error.code() is code
    message = error.details() or ""
    assert "\n" not in message
    assert len(message) < 400 * len(fields)
    detail = detail_of(error)
    assert detail.message == message
    assert [violation.field for violation in detail.violations] == fields
    for violation in detail.violations:
        assert violation.rule
        assert violation.received
        assert f"{violation.field}: {violation.rule} (received {violation.received})" in message
    status = rpc_status.from_call(error)
    kinds = [any_.TypeName() for any_ in status.details]
    assert len(kinds) == len(set(kinds))
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status.details[0].Unpack(info)
    status.details[1].Unpack(bad)
    assert info.domain == "motet"
    assert info.reason == detail.metadata["reason"]
    assert [violation.field for violation in bad.field_violations] == fields


@pytest.mark.parametrize(("seconds", "nanos"), [(0, 0), (-1, 0), (0, -5)])
async def test_a_time_limit_that_is_not_above_0_is_refused(start: Start, seconds: int, nanos: int) -> None:
    request = SearchRequest(caption=CAPTION)
    request.time_limit.seconds, request.time_limit.nanos = seconds, nanos
    async with start() as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await collect(running.stub.Search(request))
    check_line(caught.value, INVALID, ["time_limit"])


async def test_an_unknown_instrument_is_told_what_looks_like_it(start: Start) -> None:
    async with start() as running:
        for name, near in (("vioilin", "Violin"), ("Grand Paino", "Grand"), ("xyzzy", '"drums"')):
            request = SearchRequest(caption=CAPTION, controls=Controls(instruments=[name]))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await collect(running.stub.Search(request))
            assert near in (caught.value.details() or "")


async def test_what_only_the_model_can_tell_is_told_by_field_too(start: Start) -> None:
    class Deaf(FakeDecoder):
        def open(self, prompts: Any, **options: Any) -> Any:
            if prompts[0].controls.seed is not None:
                raise InvalidInputError.of("seed", "must fit 600 tokens", 700)
            return super().open(prompts, **options)

    async with start(Deaf()) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await collect(running.stub.Search(SearchRequest(caption=CAPTION, controls=Controls(seed_midi=SEED))))
    check_line(caught.value, INVALID, ["controls.seed_midi"])


async def test_unknown_names_are_not_found_and_the_known_ones_listed(start: Start) -> None:
    async with start() as running:
        for request, reason, known in (
            (SearchRequest(caption=CAPTION, model="gpt"), errors_pb2.ERROR_REASON_MODEL_NOT_FOUND, "fake"),
            (SearchRequest(caption=CAPTION, model="fake@old"), errors_pb2.ERROR_REASON_MODEL_NOT_FOUND, "fake@0123"),
            (SearchRequest(caption=CAPTION, strategy="luck"), errors_pb2.ERROR_REASON_STRATEGY_NOT_FOUND, "population"),
            (
                SearchRequest(caption=CAPTION, strategy="a:b=1"),
                errors_pb2.ERROR_REASON_STRATEGY_NOT_FOUND,
                "population",
            ),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await collect(running.stub.Search(request))
            assert caught.value.code() is NOT_FOUND
            assert detail_of(caught.value).reason == reason
            assert known in (caught.value.details() or "")


async def test_text_that_is_not_utf8_names_its_field(start: Start) -> None:
    cases: list[tuple[bytes, str, errors_pb2.ErrorReason.ValueType]] = [
        (b"\x0a\x03a\xffb", "caption", errors_pb2.ERROR_REASON_NOT_UTF8),
        (b"\x0a\x01a\x32\x03\x0a\x01\xc3", "reward_weights[0].name", errors_pb2.ERROR_REASON_NOT_UTF8),
        (b"\x0a\x01a\x4a\x02\xed\xa0", "model", errors_pb2.ERROR_REASON_NOT_UTF8),
        (b"\x0a\x01a\x6a\x03\x2a\x01\xff", "controls.instruments[0]", errors_pb2.ERROR_REASON_NOT_UTF8),
        (b"\xff\xff\xff", "request", errors_pb2.ERROR_REASON_MALFORMED_REQUEST),
    ]
    async with start() as running:
        for data, field, reason in cases:
            for method, streams in (("Search", True), ("Score", False)):
                if method == "Score" and field not in {"request"}:
                    continue
                kind = running.channel.unary_stream if streams else running.channel.unary_unary
                call: Any = kind(f"/motet.v1.SearchService/{method}")(data)
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await (collect(call) if streams else call)
                check_line(caught.value, INVALID, [field])
                assert detail_of(caught.value).reason == reason


def many_notes(count: int) -> bytes:
    """A file of ``count`` notes as small as they can be: six bytes each, with running status."""
    track = (
        b"\x00\x90" + b"\x00\x3c\x40\x01\x3c\x00"[1:] + b"\x00\x3c\x40\x01\x3c\x00" * (count - 1) + b"\x00\xff\x2f\x00"
    )
    return b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0MTrk" + len(track).to_bytes(4, "big") + track


FILES = {
    "0 bytes": b"",
    "text": b"hello, world",
    "a header and no more": GOOD_MIDI[:14],
    "cut in the middle": GOOD_MIDI[: len(GOOD_MIDI) // 2],
    "cut by one byte": GOOD_MIDI[:-1],
    "a track longer than the file": GOOD_MIDI[:18] + b"\xff\xff\xff\xff" + GOOD_MIDI[22:],
    "more notes than the limit": many_notes(1_000_001),
}


@pytest.mark.parametrize("name", [*FILES, "10 million notes"])
async def test_a_bad_file_is_refused_in_one_line_and_the_next_one_is_served(start: Start, name: str) -> None:
    file = FILES[name] if name in FILES else many_notes(10_000_000)
    async with start() as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.Score(ScoreRequest(midi=file, caption=CAPTION))
        check_line(caught.value, INVALID, ["midi"])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.Render(RenderRequest(midi=file)).read()
        check_line(caught.value, INVALID, ["midi"])
        assert (await running.stub.Score(ScoreRequest(midi=GOOD_MIDI, caption=CAPTION))).reward.total > 0


async def test_a_file_without_notes_cannot_be_judged(start: Start) -> None:
    async with start() as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.Score(ScoreRequest(midi=midi.write(Score.empty()), caption=CAPTION))
    check_line(caught.value, INVALID, ["midi"])


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"rate_hz": 0}, ["rate_hz"]),
        ({"rate_hz": -44100}, ["rate_hz"]),
        ({"start_seconds": math.nan}, ["start_seconds"]),
        ({"start_seconds": -1.0, "end_seconds": math.inf, "rate_hz": 1}, ["start_seconds", "end_seconds", "rate_hz"]),
        ({"start_seconds": 1.0, "end_seconds": 0.5}, ["start_seconds, end_seconds"]),
        ({"start_seconds": 1000.0}, ["start_seconds, end_seconds"]),
    ],
)
async def test_bad_options_of_a_rendering_are_refused(start: Start, options: dict[str, Any], fields: list[str]) -> None:
    async with start() as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.Render(RenderRequest(midi=GOOD_MIDI, **options)).read()
    check_line(caught.value, INVALID, fields)


async def test_a_bad_caption_or_weight_of_a_score_is_refused(start: Start) -> None:
    async with start() as running:
        for request, field in (
            (ScoreRequest(midi=GOOD_MIDI, caption=""), "caption"),
            (ScoreRequest(midi=GOOD_MIDI, caption="x" * 2001), "caption"),
            (
                ScoreRequest(midi=GOOD_MIDI, caption="x", reward_weights=weights(text=math.nan)),
                "reward_weights[0].weight",
            ),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await running.stub.Score(request)
            check_line(caught.value, INVALID, [field])


def test_small_notes_are_notes() -> None:
    assert len(midi.read(many_notes(1000))) == 1000
