"""Crews: several processes at work on one list of cases, each with a bench of its own."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING

from motet.music.error import InternalError
from motet.training.search_bench.arm import Arm
from motet.training.search_bench.row import Case, Row

if TYPE_CHECKING:  # PyTorch takes seconds to import
    from motet.training.search_bench.bench import Bench

Task = tuple[Case, Arm]


@dataclass(frozen=True, slots=True)
class Failure:
    """A search that raised an error; it is left for the next run.

    Args:
        case: which search.
        error: what it raised, in a line.
    """

    case: Case
    error: str


def work(
    tasks: Sequence[Task], load: Callable[[], Bench], workers: int, enough: Callable[[], bool] = lambda: False
) -> Iterator[Row | Failure]:
    """Yields what becomes of every task, as soon as it is known.

    One worker works in this process, in order. Several are processes of their own; tasks are begun in order. An
    interrupt ends the first at once; the others bring their searches to an end, are heard, and then it is raised.

    Args:
        tasks: what to do.
        load: makes a bench, once for each worker; picklable.
        workers: at least 1.
        enough: whether no further task is to be begun.
    """
    if not tasks:
        return
    if workers > 1 and len(tasks) > 1:
        yield from _shared(tasks, load, min(workers, len(tasks)), enough)
        return
    bench = load()
    for task in tasks:
        if enough():
            return
        yield _outcome(bench, task)


def _outcome(bench: Bench, task: Task) -> Row | Failure:
    try:
        return bench.row(*task)
    except Exception as error:  # one broken search must not cost the others of a long night
        return Failure(task[0], f"{type(error).__name__}: {error}")


def _shared(
    tasks: Sequence[Task], load: Callable[[], Bench], workers: int, enough: Callable[[], bool]
) -> Iterator[Row | Failure]:
    context = multiprocessing.get_context("spawn")
    crew: dict[Connection, SpawnProcess] = {}
    waiting = iter(tasks)
    interrupted = False
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, load), daemon=True)
            process.start()
            theirs.close()
            crew[ours] = process
            ours.send(next(waiting))
        busy = set(crew)
        while busy:
            try:
                ready = [each for each in wait(list(busy)) if isinstance(each, Connection)]
                for each in ready:
                    outcome = _received(each)
                    task = None if interrupted or enough() else next(waiting, None)
                    if task is None:
                        busy.remove(each)
                    else:
                        each.send(task)
                    yield outcome
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                sys.stderr.write("\nstopping after the searches under way; once more stops at once\n")
    finally:
        for connection, process in crew.items():
            connection.close()
            process.terminate()
            process.join()
    if interrupted:
        raise KeyboardInterrupt


def _received(connection: Connection) -> Row | Failure:
    try:
        outcome: Row | Failure = connection.recv()
    except (EOFError, ConnectionError) as error:
        message = "a worker of the bench has died, perhaps for want of memory; the rows that are done are kept"
        raise InternalError("WORKER_LOST", message) from error
    return outcome


def _serve(connection: Connection, load: Callable[[], Bench]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who listens decides when to stop
    bench = load()
    try:
        while True:
            connection.send(_outcome(bench, connection.recv()))
    except (EOFError, ConnectionError):
        return  # nobody listens any more
