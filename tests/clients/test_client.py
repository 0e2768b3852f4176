from __future__ import annotations

import grpc
import pytest

from motet.client import AsyncClient, Client, Controls, Progress, RequestError
from motet.client.retry import RetryPolicy
from motet.music import midi
from tests.clients.conftest import Background, wait_until
from tests.fakes import fake_score

CAPTION = "A calm piano piece in C major"
FILE = midi.write(fake_score([0, 5, 6, 7, 8]))


def test_a_search_returns_what_the_server_found(server: Background) -> None:
    seen: list[Progress] = []
    with Client(server.address) as client:
        result = client.search(CAPTION, seed=3, candidates=4, results=2, on_progress=seen.append)
        again = client.search(CAPTION, seed=3, candidates=4, results=2)
    assert result.seed == 3
    assert result.best is result.candidates[0]
    assert result.stop_reason == "COMPLETED"
    assert [c.midi for c in result.candidates] == [c.midi for c in again.candidates]
    assert result.plain_sample is not None
    assert result.best.reward.total >= result.plain_sample.reward.total
    assert result.arms[0] == CAPTION
    assert seen[-1].best is not None
    assert seen[-1].best.total == pytest.approx(result.best.reward.total)
    assert result.to_json()["candidates"][0]["midi_bytes"] == len(result.best.midi)


def test_controls_reach_the_server_and_come_back(server: Background) -> None:
    controls = Controls(tempo_bpm=96.0, key="D minor", instruments=["flute", "drums"], only_instruments=True)
    with Client(server.address) as client:
        result = client.search(CAPTION, seed=3, bars=2, controls=controls, guidance=1.5)
        told = result.controls
        assert (told.tempo_bpm, told.key, told.instruments, told.drums) == (96.0, "D minor", ("Flute",), True)
        assert (told.only_instruments, told.key_lock, told.bars, told.guidance) == (True, False, 2, 1.5)
        assert (told.tempo_word, told.time_signature, told.rewrite_bars, told.seed_bars) == (None, None, None, 0)
        assert result.to_json()["controls"]["key"] == "D minor"
        again = Controls(seed_midi=result.best.midi, rewrite_bars=(2, 2), rewrite_instruments=["flute"])
        told = client.search(CAPTION, seed=3, controls=again).controls
        assert (told.bars, told.seed_bars, told.rewrite_bars, told.rewrite_instruments) == (2, 2, (2, 2), ("Flute",))


async def test_controls_reach_the_server_from_the_aio_client(server: Background) -> None:
    async with AsyncClient(server.address) as client:
        result = await client.search(CAPTION, seed=3, bars=2, controls=Controls(key="D minor"), guidance=2.0)
    assert (result.controls.key, result.controls.guidance) == ("D minor", 2.0)


def test_progress_offers_the_tree_so_far(server: Background) -> None:
    seen: list[Progress] = []
    with Client(server.address) as client, client.start(CAPTION, seed=3, candidates=4) as stream:
        for progress in stream:
            assert stream.tree is progress.tree
            seen.append(progress)
            break  # who goes on later misses nothing
        seen.extend(stream)
        assert stream.tree == seen[-1].tree == stream.result.nodes
    for progress in seen:
        assert [node.index for node in progress.tree] == list(range(progress.nodes))
        assert set(progress.new_nodes) <= set(progress.tree)
    assert sum(len(progress.new_nodes) for progress in seen) >= len(stream.result.nodes)


async def test_the_aio_client_offers_the_tree_so_far(server: Background) -> None:
    async with AsyncClient(server.address) as client, client.start(CAPTION, seed=3, candidates=4) as stream:
        async for progress in stream:
            assert stream.tree is progress.tree
        assert stream.tree == (await stream.result()).nodes


def test_the_other_calls(server: Background) -> None:
    with Client(server.address) as client:
        assert client.is_serving()
        assert client.models()[0].name == "fake"
        judgement = client.score(FILE, CAPTION, weights={"harmony": 1.0})
        assert judgement.reward.total == pytest.approx(judgement.reward.terms["harmony"])
        wav = client.render(FILE, rate_hz=8000)
        assert (wav.rate_hz, wav.channels, wav.data[:4]) == (8000, 2, b"RIFF")
        assert wav.duration_s == pytest.approx(2.0)  # a bar


async def test_the_aio_client_has_the_same_surface(server: Background) -> None:
    seen: list[Progress] = []
    async with AsyncClient(server.address) as client:
        assert await client.is_serving()
        assert (await client.models())[0].name == "fake"
        result = await client.search(CAPTION, seed=3, on_progress=seen.append)
        assert seen
        assert (await client.score(FILE, CAPTION)).reward.total > 0
        assert (await client.render(FILE)).rate_hz == 44_100
        with pytest.raises(RequestError, match=r"^caption: must not be empty"):
            await client.search("")
    with Client(server.address) as sync:
        assert sync.search(CAPTION, seed=3).best.midi == result.best.midi


def test_the_two_clients_have_the_same_methods() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(Client) == public(AsyncClient)


def test_a_refusal_says_code_reason_and_fields(server: Background) -> None:
    with Client(server.address) as client, pytest.raises(RequestError) as caught:
        client.search("", seed=-1)
    error = caught.value
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason == "INVALID_ARGUMENT"
    assert [violation.field for violation in error.violations] == ["caption", "seed"]
    assert "\n" not in str(error)
    with Client(server.address) as client, pytest.raises(RequestError) as caught:
        client.search("x", model="other")
    assert caught.value.reason == "MODEL_NOT_FOUND"
    assert "fake" in str(caught.value)


def test_no_server_is_one_line() -> None:
    with Client("127.0.0.1:1", retry=RetryPolicy(attempts=1)) as client:
        assert not client.is_serving()
        with pytest.raises(RequestError, match=r"^no Motet server answers at 127\.0\.0\.1:1"):
            client.models()


def test_leaving_the_block_cancels_the_search(server: Background) -> None:
    server.decoder.hold()
    with Client(server.address) as client:
        with client.start(CAPTION, bars=64):
            wait_until(lambda: server.decoder.waiting)
        wait_until(lambda: server.running.server._searching.admission.inside == 0)


def test_stopping_gives_the_best_so_far(server: Background) -> None:
    server.decoder.pace_s = 0.005
    with Client(server.address) as client, client.start(CAPTION, bars=64) as stream:
        for progress in stream:
            if progress.best is not None:
                stream.stop()
        assert stream.result.stop_reason == "STOPPED"
        stream.stop()  # nothing happens: it has ended


async def test_stopping_gives_the_best_so_far_to_the_aio_client_too(server: Background) -> None:
    server.decoder.pace_s = 0.005
    async with AsyncClient(server.address) as client, client.start(CAPTION, bars=64) as stream:
        async for progress in stream:
            if progress.best is not None:
                await stream.stop()
        assert (await stream.result()).stop_reason == "STOPPED"
