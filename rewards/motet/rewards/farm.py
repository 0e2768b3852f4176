"""Players in processes of their own: several plans at once, and a native library that crashes takes nothing with it."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InternalError, InvalidInputError, MotetError, UnavailableError
from motet.rewards.plan import BLOCK, Plan
from motet.rewards.render import Player, RenderConfig, Renderer

_START_S = 120.0
_SLOWEST = 4.0  # seconds a second of music: far beyond 256 voices with effects at 96 kHz
_ATTEMPTS = 2


class Farm(Player):
    """Workers that each hold a loaded synthesizer; threads may share it, and plans wait in line for a free worker.

    Audio is bit-identical to that of a player in this process. A worker that dies, or takes longer than any plan can,
    is replaced and its plan played once more; the farm stays usable even when that fails too. Workers end with the
    farm, and with this process however it ends.

    Args:
        config: how scores are played.
        workers: processes, 1 to 64; each holds the soundfont and some 40 MB of Python.
        open_player: makes a worker's player from the configuration; picklable.
        patience_s: silence after which a worker counts as hung, besides four times the length of its plan.

    Raises what ``open_player`` raises, and UnavailableError when a worker dies while it starts.
    """

    def __init__(
        self,
        config: RenderConfig | None = None,
        *,
        workers: int = 2,
        open_player: Callable[[RenderConfig], Player] = Renderer,
        patience_s: float = 60.0,
    ) -> None:
        if not 1 <= workers <= 64:
            raise InvalidInputError.of("farm.workers", "must be from 1 to 64", workers)
        if not patience_s > 0:
            raise InvalidInputError.of("farm.patience_s", "must be above 0", patience_s)
        self.config = config or RenderConfig()
        self._patience_s = patience_s
        order = pickle.dumps((open_player, self.config))
        self._workers = [_Worker(order) for _ in range(workers)]
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="render")
        self._close = weakref.finalize(self, _end, self._threads, self._workers)
        # As many threads as workers, so that a thread always finds one; the last used is the warmest.
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        try:
            for worker in self._workers:
                worker.launch()
            for worker in self._workers:
                self.synthesizer = worker.greet()
                self._idle.put(worker)
        except BaseException:
            self.close()
            raise

    @property
    def processes(self) -> list[int]:
        """Ids of the processes of all workers, dead ones that nobody has missed yet among them."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    def play(self, plan: Plan) -> NDArray[np.float32]:
        """See ``plays``."""
        return self.plays([plan])[0]

    def plays(self, plans: Sequence[Plan]) -> list[NDArray[np.float32]]:
        """See ``Player.plays``; all workers share the plans.

        Raises what the worker's player raises, InternalError when two workers in a row died or hung over one plan, and
        UnavailableError after ``close``.
        """
        try:
            waiting = [self._threads.submit(self._play, plan) for plan in plans]
        except RuntimeError as error:
            raise _closed() from error
        try:
            return [one.result() for one in waiting]
        except CancelledError as error:
            raise _closed() from error
        finally:
            for one in waiting:
                one.cancel()

    def close(self) -> None:
        """See ``Player.close``; plans that are being played fail."""
        self._close()

    def _play(self, plan: Plan) -> NDArray[np.float32]:
        limit_s = self._patience_s + _SLOWEST * (plan.blocks * BLOCK / self.config.rate_hz + plan.tail_s)
        worker = self._idle.get()
        try:
            for _ in range(_ATTEMPTS):
                try:
                    return worker.play(plan, limit_s)
                except _LostError as error:
                    lost = error
        finally:
            self._idle.put(worker)
        message = f"{_ATTEMPTS} render workers in a row were lost over a plan of {plan.notes} notes: {lost}"
        raise InternalError("RENDER_WORKER_LOST", message, {"how": str(lost)}) from lost


class _LostError(Exception):
    """A worker died or hung; says how."""


class _Worker:
    """A process that plays, started anew when it was lost; used by one thread at a time, but closed by any."""

    def __init__(self, order: bytes) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._order = order
        self._pipe: Connection | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def launch(self) -> None:
        """Starts the process and returns before it is ready."""
        with self._lock:
            if self._is_closed:
                raise _closed()
            if self._pipe is not None:
                self._pipe.close()
            self._pipe, theirs = Pipe()
            # Not by multiprocessing, whose children import the caller's main module and all that this brings.
            code = (
                f"import sys; sys.path[:] = {sys.path!r}; from motet.rewards.farm import work; work({theirs.fileno()})"
            )
            try:
                self.process = subprocess.Popen(  # noqa: S603  # our own code
                    [sys.executable, "-c", code],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            except OSError as error:
                message = f"a render worker cannot be started: {error.strerror}"
                raise UnavailableError("RENDER_WORKER_UNAVAILABLE", message) from error
            finally:
                theirs.close()

    def greet(self) -> str:
        """Waits until the process is ready: the name of its synthesizer. Raises what the process raises."""
        try:
            return str(self._ask(self._order, _START_S))
        except _LostError as error:
            message = f"a render worker was lost while it started: {error}"
            raise UnavailableError("RENDER_WORKER_UNAVAILABLE", message, {"how": str(error)}) from error

    def play(self, plan: Plan, limit_s: float) -> NDArray[np.float32]:
        """Raises _LostError when the process dies or takes longer than the limit, after which the next one plays."""
        if self.process is None or self.process.poll() is not None:
            self.launch()
            self.greet()
        audio = self._ask(pickle.dumps(plan), limit_s)
        assert isinstance(audio, np.ndarray)  # noqa: S101  # what a process answers to a plan
        return audio

    def close(self) -> None:
        """Ends the process for good."""
        with self._lock:
            self._is_closed = True
            if self.process is not None:
                self.process.kill()
                self.process.wait()

    def _ask(self, request: bytes, limit_s: float) -> str | NDArray[np.float32]:
        process, pipe = self.process, self._pipe
        assert process is not None and pipe is not None  # noqa: PT018, S101  # launched
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        watch = threading.Timer(limit_s, give_up)
        watch.start()
        try:
            pipe.send_bytes(request)
            answer = pipe.recv()
            if isinstance(answer, int):
                return _receive(pipe, answer)
        except (EOFError, OSError) as error:
            process.kill()
            status = process.wait()
            pipe.close()
            if self._is_closed:
                raise _closed() from error
            how = f"no answer within {limit_s:.0f} seconds" if late.is_set() else _describe(status)
            raise _LostError(how) from error
        finally:
            watch.cancel()
        if isinstance(answer, MotetError):
            raise answer
        return str(answer)


def work(handle: int) -> None:
    """A worker's life: opens the player that the first message asks for, then plays plans until the other end closes.

    Args:
        handle: file descriptor of this end of the pipe.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end is ours
    pipe = Connection(handle)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(pipe, requests), daemon=True).start()
    try:
        open_player, config = pickle.loads(requests.get())  # noqa: S301  # from our parent
        player: Player = open_player(config)
        pipe.send(player.synthesizer)
    except Exception as error:
        pipe.send(_told(error))
        return
    while True:
        plan: Plan = pickle.loads(requests.get())  # noqa: S301  # from our parent
        try:
            audio = np.ascontiguousarray(player.play(plan), np.float32)
        except Exception as error:
            pipe.send(_told(error))
        else:
            pipe.send(len(audio))
            _send(pipe, audio)


def _read(pipe: Connection, requests: queue.SimpleQueue[bytes]) -> None:
    """Ends the process as soon as its parent is gone, even in the middle of a plan."""
    try:
        while True:
            requests.put(pipe.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)


def _send(pipe: Connection, audio: NDArray[np.float32]) -> None:
    """The bare bytes: ``Connection`` would copy them twice on the other side."""
    rest = audio.data.cast("B")
    while rest:
        rest = rest[os.write(pipe.fileno(), rest) :]


def _receive(pipe: Connection, samples: int) -> NDArray[np.float32]:
    audio = np.empty((samples, 2), np.float32)
    rest = audio.data.cast("B")
    while rest:
        count = os.readv(pipe.fileno(), [rest])
        if not count:
            raise EOFError
        rest = rest[count:]
    return audio


def _told(error: Exception) -> MotetError:
    if isinstance(error, MotetError):
        return error
    return InternalError("RENDER_FAILED", f"a render worker failed: {type(error).__name__}: {error}")


def _describe(status: int) -> str:
    if status >= 0:
        return f"the process ended with status {status}"
    return f"the process was killed by {signal.Signals(-status).name}"


def _closed() -> UnavailableError:
    return UnavailableError("RENDERER_CLOSED", "the render farm is closed")


def _end(threads: ThreadPoolExecutor, workers: Sequence[_Worker]) -> None:
    threads.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.close()
