"""The real rewards behind the real server: every file and every caption gets a number or one clear line."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest

from motet.music import midi
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.rewards.composite import Composite
from motet.rewards.render import RenderConfig, Renderer
from motet.server.convert import MOST_BARS
from motet.v1.search_pb2 import Reward, RewardWeight
from motet.v1.search_service_pb2 import ScoreRequest, ScoreResponse, SearchRequest
from tests.contract.conftest import Running, collect, running
from tests.contract.test_bad_input import INVALID, check_line
from tests.fakes import fake_embed
from tests.rewards.pieces import drums, score_of, song, together

PLAIN = "a piano piece in C major at 120 bpm"
IMPOSSIBLE = (
    "a very sparse and extremely dense piece at 999 bpm in 17/16 and 3/4, in B# major and Cb minor, very slow and very "
    "fast, for violin, tuba, koto, gunshot, applause, choir and helicopter, without any instruments, solo, no drums, "
    "with drums, 1024 bars long, lasting 1 second"
)


def at(score: Score, bpm: float) -> Score:
    return replace(score, tempo_bpm=np.array([bpm]))


def spread(score: Score, tracks: int) -> Score:
    """The same notes dealt out to so many tracks."""
    track = np.arange(len(score), dtype=np.int16) % tracks
    return replace(score, track=track, program=(track % 128).astype(np.int16))


PIECES = {
    "drums only": drums(4),
    "one note": score_of([(0, 1, 60)]),
    "one stroke": score_of([(0, 1, 38)], DRUMS),
    "200 tracks": spread(together(*(song(8, seed=seed) for seed in range(4))), 200),
    "10 minutes": song(300),
    "10 bpm": at(song(4), 10),
    "999 bpm": at(song(8), 999),
    "bars of a thirty-second": replace(song(2), meter_tick=np.array([0]), meters=(Meter(1, 32),)),
    "a note of a year": score_of([(0, 1, 60), (1, 60_000, 62)]),
    "all at once": score_of([(0, 1, pitch) for pitch in range(128)]),
}


@pytest.fixture(scope="module")
def rewards() -> Iterator[Composite]:
    with Renderer(RenderConfig()) as renderer:
        yield Composite.default(fake_embed, renderer=renderer)


@asynccontextmanager
async def serving(rewards: Composite) -> AsyncIterator[Running]:
    async with running(reward=rewards, warm=False) as started:  # type: ignore[arg-type]
        await started.server.warm_up()
        yield started


def check(reward: Reward, bars: int) -> None:
    numbers = [reward.total, *(term.value for term in reward.terms)]
    assert numbers
    assert all(0 <= number <= 1 for number in numbers)
    assert all(math.isfinite(detail.value) for detail in reward.details)
    assert all(len(row.values) == bars for row in reward.bars)
    assert all(math.isfinite(value) for row in reward.bars for value in row.values)


@pytest.mark.parametrize("caption", [PLAIN, IMPOSSIBLE], ids=["plain", "impossible"])
@pytest.mark.parametrize("name", PIECES)
async def test_every_file_gets_a_number(rewards: Composite, name: str, caption: str) -> None:
    file = midi.write(PIECES[name])
    async with serving(rewards) as started:
        answer = await started.stub.Score(ScoreRequest(midi=file, caption=caption))
        bars = len(midi.read(file).bar_ticks()) - 1
        check(answer.reward, bars)
        assert bool(answer.reward.bars) is (bars <= MOST_BARS)
        assert answer.ByteSize() < 4 << 20
        assert [term.name for term in answer.reward.terms] == ["text", "harmony", "adherence"]
        assert answer == await started.stub.Score(ScoreRequest(midi=file, caption=caption))


async def test_silence_is_refused_in_one_line(rewards: Composite) -> None:
    async with serving(rewards) as started:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await started.stub.Score(ScoreRequest(midi=midi.write(Score.empty()), caption=PLAIN))
    check_line(caught.value, INVALID, ["midi"])


async def test_what_was_asked_for_and_what_was_found_can_be_read(rewards: Composite) -> None:
    async with serving(rewards) as started:
        fast = await score(started, at(song(8), 999), "at 999 bpm, a dense piece")
        slow = await score(started, at(song(8), 10), "at 999 bpm, a dense piece")
    assert told(fast)["adherence.tempo"] == 1
    assert told(fast)["adherence.tempo.found_bpm"] == pytest.approx(999, rel=1e-3)
    assert told(slow)["adherence.tempo"] == 0
    assert told(fast)["adherence.density"] == 1
    assert told(slow)["adherence.density"] == 0


async def score(started: Running, piece: Score, caption: str, **weights: float) -> Reward:
    named = [RewardWeight(name=name, weight=weight) for name, weight in weights.items()]
    request = ScoreRequest(midi=midi.write(piece), caption=caption, reward_weights=named)
    answer: ScoreResponse = await started.stub.Score(request)
    return answer.reward


def told(reward: Reward) -> dict[str, float]:
    return {detail.name: detail.value for detail in reward.details}


OUTSIDE = """
def few(score, caption):
    return 1 / len(score)


def wrong(score, caption):
    return float("nan")
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of somebody else with two rewards, installed beside ours."""
    (tmp_path / "somebody.py").write_text(OUTSIDE)
    metadata = tmp_path / "somebody-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[motet.rewards]\nfew = somebody:few\nwrong = somebody:wrong\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "somebody", raising=False)


@pytest.mark.usefixtures("outside")
async def test_a_reward_of_somebody_else_is_weighed_by_name(rewards: Composite) -> None:
    async with serving(rewards) as started:
        alone = await score(started, song(2), PLAIN, few=1)
        assert [(term.name, term.value) for term in alone.terms] == [("few", 1 / len(song(2)))]
        both = await score(started, song(2), PLAIN, few=1, adherence=3)
        assert {term.name for term in both.terms} == {"few", "adherence"}
        request = SearchRequest(caption=PLAIN, seed=1, candidate_count=2, bar_count=2, mutation_count=0)
        request.reward_weights.add(name="few", weight=2)
        _, result = await collect(started.stub.Search(request))
        assert [term.name for term in result.candidates[0].reward.terms] == ["few"]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await score(started, song(2), PLAIN, wrong=1)
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert caught.value.details() == "the reward 'wrong' gave nan as 'value', not a finite number"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await score(started, song(2), PLAIN, fewer=1)
        check_line(caught.value, INVALID, ["reward_weights[0].name"])
        assert "must be one of text, harmony, adherence, few, " in (caught.value.details() or "")
        assert (await score(started, song(2), PLAIN)).total > 0


async def test_rewards_of_one_file_at_a_time_do_not_mix(rewards: Composite) -> None:
    async with serving(rewards) as started:
        pieces = [song(2, seed=seed) for seed in range(4)]
        together_ = await asyncio.gather(*(score(started, piece, PLAIN) for piece in pieces))
        apart = [await score(started, piece, PLAIN) for piece in pieces]
    assert together_ == apart
    assert len({reward.total for reward in apart}) > 1
