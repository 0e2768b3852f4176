"""``motet.v1.SearchService``: message in, engine, message out; no logic of its own."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import grpc

from motet.music.error import InvalidInputError, NotFoundError
from motet.search.progress import Progress
from motet.search.run import SearchRequest
from motet.server import convert
from motet.server.admission import Admission
from motet.server.backend import Backend
from motet.server.config import ServerConfig
from motet.server.engine import Engine, Job
from motet.server.errors import DeadlineError, duration_of
from motet.server.mailbox import Mailbox
from motet.v1 import search_pb2, search_service_pb2, search_service_pb2_grpc

CHUNK_BYTES = 64_000
"""Of a WAV file in one message."""

_LOOK_S = 0.25
"""How often to look whether a waiting search has moved on, or the last message is due again."""

_REPEAT_S = 0.5
"""After how long a message is repeated when there is nothing new."""

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Lane:
    """One engine and the bound on the work that waits for it."""

    engine: Engine
    admission: Admission


class SearchServicer(search_service_pb2_grpc.SearchServiceServicer):
    """The service, on one event loop.

    Args:
        config: of the server.
        searching: where searches run.
        judging: where MIDI is judged.
        sounding: where MIDI is played.
        backend: gives what was loaded; only called for admitted requests, so never before the warm-up.
    """

    def __init__(
        self, config: ServerConfig, *, searching: Lane, judging: Lane, sounding: Lane, backend: Callable[[], Backend]
    ) -> None:
        self._config = config
        self._searching = searching
        self._judging = judging
        self._sounding = sounding
        self._backend = backend
        self._searches: dict[str, Job[Any]] = {}

    async def Search(  # noqa: N802
        self, request: search_service_pb2.SearchRequest, context: Context
    ) -> AsyncGenerator[search_service_pb2.SearchResponse, None]:
        """Streams progress, then the result."""
        started = time.monotonic()
        with self._searching.admission.admit():
            deadline = started + self._budget_s(request, context)
            if request.controls.HasField("seed_midi"):  # a file takes its time to read; the loop goes on meanwhile
                search = await asyncio.to_thread(convert.search_request, request, deadline_s=deadline - started)
            else:
                search = convert.search_request(request, deadline_s=deadline - started)
            backend = self._backend()
            backend.check_model(request.model)
            search_id = secrets.token_hex(8)
            mailbox: Mailbox[Progress] = Mailbox(asyncio.get_running_loop())

            def work(job: Job[search_pb2.SearchResult]) -> search_pb2.SearchResult:
                try:
                    found = backend.search(_until(search, deadline), on_progress=mailbox.put, cancelled=job.cancelled)
                except InvalidInputError as error:  # what only the model can tell
                    raise convert.on_the_wire(error) from error
                return convert.result(
                    found,
                    model=backend.model,
                    model_version=backend.model_version,
                    reward_version=backend.reward_version,
                )

            engine = self._searching.engine
            job = engine.submit(work)
            job.future.add_done_callback(lambda _: mailbox.wake())
            self._searches[search_id] = job
            try:
                async for progress in self._progress(job, mailbox, search_id, started, search.rounds):
                    yield search_service_pb2.SearchResponse(progress=progress)
                result = job.future.result()
                result.elapsed.CopyFrom(duration_of(time.monotonic() - started))
                yield search_service_pb2.SearchResponse(result=result)
            finally:
                del self._searches[search_id]
                engine.withdraw(job)

    async def _progress(
        self, job: Job[Any], mailbox: Mailbox[Progress], search_id: str, started: float, rounds: int | None
    ) -> AsyncGenerator[search_pb2.Progress, None]:
        """Tells the place in the queue while it changes, then the latest progress, until the job is done.

        While nothing changes the last message is repeated with the time, so that people see that it lives. The tree is
        told as differences between messages that are really sent: what the mailbox drops makes the next one larger.
        """
        told: int | None = None
        tree = convert.ToldTree()
        last: search_pb2.Progress | None = None
        repeat_at = 0.0
        interval_s = self._config.progress_interval_s
        while not job.future.done():
            elapsed_s = time.monotonic() - started
            position = self._searching.engine.position(job)
            state = mailbox.take()
            if state is not None:
                last = convert.progress(
                    state, tree.news(state.tree), search_id=search_id, elapsed_s=elapsed_s, round_goal=rounds
                )
                repeat_at = time.monotonic() + _REPEAT_S
                yield last
                await _pause(job, interval_s)
            elif last is not None and time.monotonic() >= repeat_at:
                repeat_at += _REPEAT_S
                last.elapsed.CopyFrom(duration_of(elapsed_s))
                last.ClearField("nodes")
                yield last
            elif position and position != told:
                told = position
                yield convert.queued(position, search_id=search_id, elapsed_s=elapsed_s)
            elif last is None and not position:  # it begins this very moment
                last = convert.begun(search_id=search_id, elapsed_s=elapsed_s)
                repeat_at = time.monotonic() + _REPEAT_S
                yield last
            else:
                await mailbox.wait(_LOOK_S)
        state = mailbox.take()
        if state is not None:
            elapsed_s = time.monotonic() - started
            yield convert.progress(
                state, tree.news(state.tree), search_id=search_id, elapsed_s=elapsed_s, round_goal=rounds
            )

    def _budget_s(self, request: search_service_pb2.SearchRequest, context: Context) -> float:
        """Seconds that the answer may take: the least of the request's limit, the server's, and the call's deadline."""
        wanted_s = convert.time_limit_s(request)
        budget_s = min(
            self._config.default_time_limit_s if wanted_s is None else wanted_s, self._config.max_time_limit_s
        )
        remaining_s = context.time_remaining()
        if remaining_s is not None and math.isfinite(remaining_s):
            budget_s = min(budget_s, remaining_s - self._config.deadline_margin_s)
        if budget_s <= 0:
            raise DeadlineError("DEADLINE_EXCEEDED", "the deadline leaves no time for a search")
        return budget_s

    async def StopSearch(  # noqa: N802
        self, request: search_service_pb2.StopSearchRequest, context: Context
    ) -> search_service_pb2.StopSearchResponse:
        """Asks a search to end with the best so far."""
        job = self._searches.get(request.search_id)
        if job is None:
            raise NotFoundError(
                "SEARCH_NOT_FOUND",
                "search_id: must be the id of a running or waiting search",
                {"field": "search_id"},
            )
        self._searching.engine.withdraw(job)
        return search_service_pb2.StopSearchResponse()

    async def Score(  # noqa: N802
        self, request: search_service_pb2.ScoreRequest, context: Context
    ) -> search_service_pb2.ScoreResponse:
        """Judges a file."""
        with self._judging.admission.admit():
            backend = self._backend()
            midi = convert.midi_bytes(request.midi, self._config.max_midi_bytes)
            weights = convert.weights(request.reward_weights)
            breakdown = await _outcome(self._judging.engine, lambda job: backend.score(midi, request.caption, weights))
            return search_service_pb2.ScoreResponse(
                reward=convert.reward(breakdown), reward_version=backend.reward_version
            )

    async def Render(  # noqa: N802
        self, request: search_service_pb2.RenderRequest, context: Context
    ) -> AsyncGenerator[search_service_pb2.RenderResponse, None]:
        """Plays a file."""
        with self._sounding.admission.admit():
            backend = self._backend()
            midi = convert.midi_bytes(request.midi, self._config.max_midi_bytes)
            options = convert.render_options(request)
            rendering = await _outcome(self._sounding.engine, lambda job: backend.render(midi, **options))
        # Sending may be as slow as the reader; the place in the queue is free again by then.
        yield search_service_pb2.RenderResponse(
            format=search_service_pb2.RenderFormat(
                rate_hz=rendering.rate_hz,
                channel_count=rendering.channels,
                sample_count=rendering.samples,
                byte_count=len(rendering.wav),
            )
        )
        for start in range(0, len(rendering.wav), CHUNK_BYTES):
            yield search_service_pb2.RenderResponse(chunk=rendering.wav[start : start + CHUNK_BYTES])

    async def ListModels(  # noqa: N802
        self, request: search_service_pb2.ListModelsRequest, context: Context
    ) -> search_service_pb2.ListModelsResponse:
        """Lists the models."""
        with self._sounding.admission.admit():
            backend = self._backend()
        model = search_service_pb2.Model(
            name=backend.model,
            version=backend.model_version,
            default=True,
            strategies=sorted(strategy.name for strategy in backend.strategies),
            strategy_details=[convert.strategy(strategy) for strategy in backend.strategies],
        )
        return search_service_pb2.ListModelsResponse(
            models=[model],
            reward_version=backend.reward_version,
            mutator=backend.mutator,
            parallel_search_count=self._config.parallel_searches,
        )


def _until(search: SearchRequest, deadline: float) -> SearchRequest:
    """The same search with the time that the queue has left of its budget."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise DeadlineError("DEADLINE_EXCEEDED", "the time limit passed while the search waited in the queue")
    return replace(search, deadline_s=left_s)


async def _pause(job: Job[Any], seconds: float) -> None:
    """Waits, but not beyond the end of the job by more than a hundredth of a second."""
    end = time.monotonic() + seconds
    while not job.future.done() and (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, 0.01))


async def _outcome(engine: Engine, work: Callable[[Job[T]], T]) -> T:
    """Runs ``work`` on ``engine``; a cancelled call withdraws it."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    job = engine.submit(work)
    job.future.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))
    try:
        await done.wait()
    finally:
        engine.withdraw(job)
    return job.future.result()
