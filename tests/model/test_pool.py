"""Batches that share a pool: one step for all, and nobody notices the others."""

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Barrier, Event
from time import sleep
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from motet.model.controls import Controls
from motet.model.decoder import Batch, Decoder, Prompt
from motet.model.engine import Engine, EngineConfig, PackedNetwork
from motet.model.network import Memory
from motet.model.past import NetworkPast
from motet.model.pool import Pool
from motet.model.text import TextEncoder
from motet.music.error import InvalidInputError
from tests.tiny import tiny_checkpoint, tiny_network

WORKERS = 8


@lru_cache
def decoder() -> Decoder:
    return Decoder(tiny_checkpoint())


def opened(seed: int, rows: int = 3) -> Batch:
    prompts = [Prompt(f"a tune for {seed} and {row}", Controls(bars=4, guidance=1 + row % 2)) for row in range(rows)]
    return decoder().open(prompts, seed=seed, max_tokens=200)


def written(seed: int) -> list[tuple[list[int], float]]:
    """What a small search of its own leaves: rows that pause, branch, change their words and go on."""
    batch = opened(seed)
    batch.advance(1)
    batch.select(np.array([0, 2, 0, 1]), np.array([0, 2, 90 + seed, 1]))
    batch.advance(1)
    batch.select(np.arange(4), np.arange(4), [None, Prompt("other words", Controls(bars=4)), None, None])
    batch.advance(2)
    result = [(batch.tokens(row).tolist(), batch.log_probability(row)) for row in range(batch.size)]
    batch.close()
    return result


def test_rows_are_the_same_alone_and_with_seven_others_to_the_last_bit() -> None:
    alone = [written(seed) for seed in range(WORKERS)]
    with ThreadPoolExecutor(WORKERS) as workers:
        assert list(workers.map(written, range(WORKERS))) == alone


class Tally:
    """A past that only counts: the logits of a slot are what it was fed."""

    piece = 8

    def __init__(self, *, exact: bool = True, bad: int = -1) -> None:
        self.exact = exact
        self.bad = bad
        self.steps: list[int] = []
        self.slots = 0

    def remember(self, memory: Any) -> Any:
        return memory

    def forget(self, memory: Any) -> None: ...

    def join(self, memory: Any) -> int:
        self.slots += 1
        return self.slots - 1

    branch = join

    def leave(self, slot: int) -> None: ...

    def prefill(self, slot: int, tokens: NDArray[np.int64]) -> None: ...

    def step(self, slots: NDArray[np.intp], tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        if self.bad in slots.tolist():
            raise MemoryError("no room for this one")
        self.steps.append(len(slots))
        return np.stack((slots, tokens), axis=1).astype(np.float32)


def together(past: Tally, work: Callable[[Pool, int], Any]) -> list[Any]:
    """Lets every worker decode with one slot; all are there before any begins."""
    pool = Pool(past, lambda caption, worded: None)  # type: ignore[arg-type, return-value]
    ready = Barrier(WORKERS)

    def run(number: int) -> Any:
        with pool.decoding():
            ready.wait(20)
            return work(pool, number)

    with ThreadPoolExecutor(WORKERS) as workers:
        jobs = [workers.submit(run, number) for number in range(WORKERS)]
        return [job.exception(20) or job.result() for job in jobs]


def ask(pool: Pool, number: int, times: int) -> int:
    for turn in range(times):
        logits = pool.step(np.array([number]), np.array([turn]))
        assert logits.tolist() == [[number, turn]]
    return times


def test_one_step_serves_all_who_decode() -> None:
    past = Tally()
    assert together(past, lambda pool, number: ask(pool, number, 5)) == [5] * WORKERS
    assert past.steps == [WORKERS] * 5


def test_nobody_waits_for_those_who_are_done() -> None:
    past = Tally()
    assert together(past, lambda pool, number: ask(pool, number, number)) == list(range(WORKERS))
    assert past.steps == list(range(WORKERS - 1, 0, -1))


def test_where_company_would_change_results_everybody_steps_alone() -> None:
    past = Tally(exact=False)
    together(past, lambda pool, number: ask(pool, number, 3))
    assert past.steps == [1] * WORKERS * 3


def test_only_those_fail_who_must() -> None:
    past = Tally(bad=2)
    results = together(past, lambda pool, number: ask(pool, number, 4))
    assert isinstance(results.pop(2), MemoryError)
    assert results == [4] * (WORKERS - 1)


def test_one_that_fails_between_steps_holds_nobody_up() -> None:
    def work(pool: Pool, number: int) -> int:
        ask(pool, number, 2)
        if number == 5:
            raise KeyError(number)
        return ask(pool, number, 3)

    results = together(Tally(), work)
    assert isinstance(results.pop(5), KeyError)
    assert results == [3] * (WORKERS - 1)


def test_nobody_waits_for_one_who_is_away() -> None:
    others = Event()
    finished = iter(range(WORKERS - 1))

    def work(pool: Pool, number: int) -> int:
        if number == 0:
            with pool.away():
                assert others.wait(20)  # which they only get to if they need not wait for this one
            return ask(pool, number, 2)
        ask(pool, number, 3)
        if next(finished) == WORKERS - 2:
            others.set()
        return 3

    assert together(Tally(), work) == [2] + [3] * (WORKERS - 1)


def test_a_cancelled_batch_returns_and_the_others_go_on() -> None:
    expected = opened(1)
    expected.advance(4)
    polls = iter([False] * 6 + [True] * 3)
    cancelled, other = opened(0), opened(1)
    with ThreadPoolExecutor(2) as workers:
        first = workers.submit(cancelled.advance, 4, lambda: next(polls))
        workers.submit(other.advance, 4).result(60)
        assert first.result(60) <= 6 * cancelled.size
    assert [other.tokens(row).tolist() for row in range(3)] == [expected.tokens(row).tolist() for row in range(3)]


def test_another_batch_may_grow_while_one_tells_of_its_pauses() -> None:
    outer, inner = opened(0), opened(1)
    told: list[int] = []

    def on_pause(rows: list[int]) -> None:
        told.extend(rows)
        inner.advance(1)

    outer.advance(1, on_pause=on_pause)
    assert sorted(told) == [0, 1, 2]
    alone = opened(1)
    alone.advance(1)
    alone.advance(1)
    assert inner.tokens(0)[: len(alone.tokens(0))].tolist() == alone.tokens(0).tolist()


def test_slots_and_pages_come_back() -> None:
    own = Decoder(tiny_checkpoint())
    engine = own.pool._past
    assert isinstance(engine, Engine)
    prompts = [Prompt("a", Controls(bars=8)), Prompt("b", Controls(bars=8, guidance=2.0))]

    def used() -> Batch:
        batch = own.open(prompts, seed=3)
        batch.advance(1)
        batch.select(np.array([0, 1, 0, 1, 1]), np.arange(5), [None, None, prompts[1], prompts[0], None])
        batch.advance(1)
        batch.select(np.array([4, 2]), np.arange(2))
        batch.advance(1)
        return batch

    used().close()
    own.open(prompts, seed=0).close()
    own.pool._reclaim()
    pages, slots = engine.pages_in_use, len(engine._lengths)  # the memories of two captions, with and without words
    assert pages <= 2 * len(prompts)
    for turn in range(4):
        batch = used()
        if turn % 2:
            batch.close()
            batch.close()
            with pytest.raises(InvalidInputError, match="closed"):
                batch.advance(1)
            assert len(batch.tokens(0))
        else:
            del batch
            gc.collect()
    batch = own.open(prompts, seed=1)
    batch.advance(8)
    assert batch.finished.all()  # and rows that have ended need no slots
    own.pool._reclaim()
    assert engine.pages_in_use == pages
    assert len(engine._lengths) == slots


def test_paused_copies_take_no_pages() -> None:
    own = Decoder(tiny_checkpoint())
    engine = own.pool._past
    assert isinstance(engine, Engine)
    batch = own.open([Prompt("a", Controls(bars=8))], seed=3)
    batch.advance(2)
    before = engine.pages_in_use
    batch.select(np.zeros(300, np.intp), np.arange(300))
    assert engine.pages_in_use == before
    batch.advance(1, rows=np.arange(300) == 299)
    assert engine.pages_in_use <= before + 3


@torch.inference_mode()
def test_the_plain_past_computes_what_the_engine_computes() -> None:
    network = tiny_network()
    text = torch.randn(2, 9, 384, generator=torch.Generator().manual_seed(0))
    memories = [
        network.remember(text[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool))
        for row, length in enumerate((3, 9))
    ]
    plain, engine = NetworkPast(network), Engine(PackedNetwork(network), EngineConfig(tokens=200))
    rng = np.random.default_rng(0)

    def same(act: Callable[[Any], Any]) -> Any:
        first, second = act(plain), act(engine)
        if isinstance(first, int):
            assert first == second
        elif first is not None and not isinstance(first, Memory):
            np.testing.assert_allclose(first, second, atol=1e-4)
        return first

    slots = []
    for memory, length in zip(memories, (40, 11), strict=True):
        slots.append(same(lambda past, memory=memory: past.join(past.remember(memory))))  # type: ignore[misc]
        prefix = rng.integers(0, 100, length)
        for past in (plain, engine):
            past.prefill(slots[-1], prefix)
    for turn in range(30):
        if turn in (5, 9):
            slots.append(same(lambda past: past.branch(slots[0])))
        if turn == 12:
            gone = slots.pop(1)
            plain.leave(gone)
            engine.leave(gone)
            slots.append(same(lambda past: past.branch(slots[1])))
        tokens = rng.integers(0, 100, len(slots))
        some = np.sort(rng.permutation(len(slots))[: 1 + turn % len(slots)])
        same(lambda past, some=some, tokens=tokens: past.step(np.array(slots)[some], tokens[some]))  # type: ignore[misc]


def test_a_text_encoder_reads_for_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    text = TextEncoder.load()
    reading, inside, most = text._pieces, [], [0]

    def slowly(caption: str) -> list[int]:
        inside.append(caption)
        most[0] = max(most[0], len(inside))
        sleep(0.002)
        pieces = reading(caption)
        inside.remove(caption)
        return pieces

    monkeypatch.setattr(text, "_pieces", slowly)
    captions = [f"caption {number} of several" for number in range(40)]
    with ThreadPoolExecutor(WORKERS) as workers:
        states = list(workers.map(lambda caption: text.encode([caption])[0], captions))
    assert most == [1]
    assert torch.equal(states[7], text.encode([captions[7]])[0])
