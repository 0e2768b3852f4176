"""Where the computing happens: a few threads, first come first served, so that the event loop never computes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from motet.music.error import CancelledError, UnavailableError

T = TypeVar("T")


class Job(Generic[T]):
    """One piece of work, its outcome, and the flag that stops it.

    Args:
        work: called once on a thread of the engine with this job.
    """

    def __init__(self, work: Callable[[Job[T]], T]) -> None:
        self.work = work
        self.future: Future[T] = Future()
        self._cancelled = threading.Event()

    def cancelled(self) -> bool:
        """Whether the work should stop; cheap enough for an inner loop."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Asks the work to stop; safe from any thread, any number of times."""
        self._cancelled.set()


class Engine:
    """Worker threads that share a FIFO queue. Its bound is ``admission``'s business.

    Args:
        name: of the threads, for people who read stack dumps.
        threads: jobs that run at once, at least 1.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._queue: deque[Job[Any]] = deque()
        self._running: set[Job[Any]] = set()
        self._change = threading.Condition()
        self._stopping = False
        # Daemons: a second SIGTERM must end the process even while a kernel computes.
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Starts the threads; once."""
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[Job[T]], T]) -> Job[T]:
        """Queues ``work``; the outcome or the exception ends up in ``Job.future``."""
        job = Job(work)
        with self._change:
            if self._stopping:
                raise UnavailableError("DRAINING", "the server is shutting down")
            self._queue.append(job)
            self._change.notify()
        return job

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits."""
        with self._change:
            return not self._running and not self._queue

    def position(self, job: Job[Any]) -> int | None:
        """Number of jobs that come before ``job``, the running ones included; ``None`` once it runs or is done.

        0 while a thread that is free for it is about to take it.
        """
        with self._change:
            if job not in self._queue:
                return None
            ahead = self._queue.index(job) + len(self._running)
            return 0 if ahead < len(self._threads) else ahead

    def withdraw(self, job: Job[Any]) -> None:
        """Cancels ``job``; one that still waits leaves the queue at once."""
        job.cancel()
        with self._change:
            waiting = job in self._queue
            if waiting:
                self._queue.remove(job)
        if waiting:
            job.future.set_exception(CancelledError("CANCELLED", "cancelled while it waited in the queue"))

    def cancel_all(self) -> None:
        """Asks the running jobs and all waiting ones to stop."""
        with self._change:
            jobs = [*self._queue, *self._running]
        for job in jobs:
            self.withdraw(job)

    def stop(self, timeout_s: float) -> bool:
        """Cancels everything and ends the threads; false if one has not ended within ``timeout_s``."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        self.cancel_all()
        end = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:  # else it was never started
                thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                outcome = job.work(job)
            except BaseException as error:  # it belongs to the caller, not to the thread
                job.future.set_exception(error)
            else:
                job.future.set_result(outcome)
            finally:
                with self._change:
                    self._running.remove(job)

    def _next(self) -> Job[Any] | None:
        with self._change:
            while not self._queue:
                if self._stopping:
                    return None
                self._change.wait()
            job = self._queue.popleft()
            self._running.add(job)
            return job
