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


@pytest.fixture
def three() -> Iterator[Engine]:
    engine = Engine("three", 3)
    engine.start()
    yield engine
    engine.stop(5)


def test_as_many_jobs_run_at_once_as_there_are_threads(three: Engine) -> None:
    gates = [Gate() for _ in range(5)]
    jobs = [three.submit(gate) for gate in gates]
    assert all(gate.begun.wait(5) for gate in gates[:3])
    assert [three.position(job) for job in jobs] == [None, None, None, 3, 4]
    gates[1].open.set()  # whichever ends, the first that waits is next
    assert gates[3].begun.wait(5)
    assert not gates[4].begun.is_set()
    assert [three.position(job) for job in jobs] == [None, None, None, None, 3]
    three.withdraw(jobs[0])
    assert jobs[0].future.result(5) == "cancelled"
    assert gates[4].begun.wait(5)
    assert not any(job.future.done() for job in jobs[2:])  # the others were not told to stop
    three.cancel_all()
    assert [job.future.result(5) for job in jobs[2:]] == ["cancelled"] * 3


def test_all_threads_end_whatever_they_do(three: Engine) -> None:
    gates = [Gate() for _ in range(2)]
    jobs = [three.submit(gate) for gate in gates]
    assert all(gate.begun.wait(5) for gate in gates)
    assert three.stop(5)
    assert [job.future.result(0) for job in jobs] == ["cancelled"] * 2
    assert three.idle


def test_a_thread_that_does_not_end_is_told_and_the_others_end(three: Engine) -> None:
    begun, stuck = threading.Event(), threading.Event()

    def work(job: Job[bool]) -> bool:
        begun.set()
        return stuck.wait(20)

    job = three.submit(work)
    assert begun.wait(5)
    assert not three.stop(0.05)
    stuck.set()
    assert job.future.result(5)
    assert three.stop(5)
