from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from motet.music.error import CancelledError, UnavailableError
from motet.server.engine import Engine, Job


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine("test")
    engine.start()
    yield engine
    engine.stop(5)


class Gate:
    """Work that says when it has begun and ends when it may, or when it is cancelled."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.open = threading.Event()

    def __call__(self, job: Job[str]) -> str:
        self.begun.set()
        while not self.open.wait(0.002):
            if job.cancelled():
                return "cancelled"
        return "done"


def test_work_runs_in_order_on_one_other_thread(engine: Engine) -> None:
    order: list[int] = []

    def work(number: int) -> int:
        order.append(number)
        return threading.get_ident()

    jobs = [engine.submit(lambda job, n=n: work(n)) for n in range(20)]  # type: ignore[misc]
    threads = {job.future.result(5) for job in jobs}
    assert order == list(range(20))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_an_exception_belongs_to_its_job_alone(engine: Engine) -> None:
    def fails(job: Job[None]) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        engine.submit(fails).future.result(5)
    assert engine.submit(lambda job: 7).future.result(5) == 7


def test_positions_count_down(engine: Engine) -> None:
    gates = [Gate() for _ in range(3)]
    jobs = [engine.submit(gate) for gate in gates]
    gates[0].begun.wait(5)
    assert [engine.position(job) for job in jobs] == [None, 1, 2]
    assert not engine.idle
    gates[0].open.set()
    gates[1].begun.wait(5)
    assert [engine.position(job) for job in jobs] == [None, None, 1]
    engine.cancel_all()
    assert jobs[1].future.result(5) == "cancelled"


def test_a_waiting_job_is_withdrawn_at_once_and_never_runs(engine: Engine) -> None:
    first, second = Gate(), Gate()
    running, waiting = engine.submit(first), engine.submit(second)
    first.begun.wait(5)
    engine.withdraw(waiting)
    with pytest.raises(CancelledError, match="waited"):
        waiting.future.result(0)
    first.open.set()
    assert running.future.result(5) == "done"
    assert not second.begun.is_set()
    engine.withdraw(running)  # nothing happens: it is done
    assert running.future.result(0) == "done"


def test_a_running_job_is_told_to_stop(engine: Engine) -> None:
    gate = Gate()
    job = engine.submit(gate)
    gate.begun.wait(5)
    engine.withdraw(job)
    assert job.future.result(5) == "cancelled"


def test_a_stopped_engine_takes_nothing(engine: Engine) -> None:
    gate = Gate()
    running, waiting = engine.submit(gate), engine.submit(Gate())
    gate.begun.wait(5)
    assert engine.stop(5)
    assert running.future.result(0) == "cancelled"
    with pytest.raises(CancelledError):
        waiting.future.result(0)
    with pytest.raises(UnavailableError):
        engine.submit(gate)


def test_an_engine_that_never_started_stops() -> None:
    assert Engine("test").stop(1)
