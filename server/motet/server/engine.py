"""Where the computing happens: one thread, first come first served, so that the event loop never computes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from motet.music.error import CancelledError, UnavailableError

T = TypeVar("T")


class Job(Generic[T]):
    """One piece of work, its outcome, and the flag that stops it.

    Args:
        work: called once on the engine's thread with this job.
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
    """A worker thread with a FIFO queue. Its bound is ``admission``'s business.

    Args:
        name: of the thread, for people who read stack dumps.
    """

    def __init__(self, name: str) -> None:
        self._queue: deque[Job[Any]] = deque()
        self._running: Job[Any] | None = None
        self._change = threading.Condition()
        self._stopping = False
        # A daemon: a second SIGTERM must end the process even while a kernel computes.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread; once."""
        self._thread.start()

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
            return self._running is None and not self._queue

    def position(self, job: Job[Any]) -> int | None:
        """Number of jobs that come before ``job``, the running one included; ``None`` once it runs or is done."""
        with self._change:
            if job not in self._queue:
                return None
            return self._queue.index(job) + (self._running is not None)

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
        """Asks the running job and all waiting ones to stop."""
        with self._change:
            jobs = [*self._queue, *([self._running] if self._running else [])]
        for job in jobs:
            self.withdraw(job)

    def stop(self, timeout_s: float) -> bool:
        """Cancels everything and ends the thread; false if it has not ended within ``timeout_s``."""
        with self._change:
            self._stopping = True
            self._change.notify()
        self.cancel_all()
        if self._thread.ident is None:
            return True  # never started
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

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
                    self._running = None

    def _next(self) -> Job[Any] | None:
        with self._change:
            while not self._queue:
                if self._stopping:
                    return None
                self._change.wait()
            self._running = self._queue.popleft()
            return self._running
