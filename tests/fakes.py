"""Fakes, not mocks: a hash-driven decoder, a counting reward, a clock that moves only when told.

They keep the public contracts of ``motet.model.decoder`` and ``motet.rewards.composite`` without weights or sound,
so that a whole search runs in milliseconds and is a pure function of its seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motet.music.score import DRUMS, Score
from motet.rewards.plan import BLOCK, Plan
from motet.rewards.render import Player, RenderConfig

if TYPE_CHECKING:
    from motet.rewards.composite import Breakdown

BAR_TOKEN = 0
NOTES_PER_BAR = 4
PPQ = 480
SCALE = frozenset({0, 2, 4, 5, 7, 9, 11})


def hash_uniform(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but ``parts``."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def fake_embed(captions: Sequence[str]) -> NDArray[np.float32]:
    """Unit-norm sentence embeddings [B, 384] drawn from a hash of each caption."""
    rows = []
    for caption in captions:
        digest = hashlib.blake2b(caption.encode(), digest_size=8).digest()
        row = np.random.default_rng(int.from_bytes(digest, "big")).standard_normal(384)
        rows.append(row / np.linalg.norm(row))
    return np.asarray(rows, np.float32).reshape(len(rows), 384)


@dataclass
class FakeClock:
    """Seconds that pass only through ``advance``; call it to read the time."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class _Row:
    """One fake sequence: its tokens, and the stream that its next tokens are drawn from."""

    caption: str
    program: int
    stream: int
    tokens: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    bars_done: int = 0
    finished: bool = False

    def copy(self, stream: int) -> _Row:
        return _Row(
            self.caption,
            self.program,
            stream,
            list(self.tokens),
            self.log_probability,
            self.bars_done,
            self.finished,
        )


class FakeBatch:
    """Rows of hash-drawn bars: a bar token and four quarter notes each. The contract of ``motet.search.contract.Rows``.

    One bar of every row is drawn before the next bar of any, and rows pause as soon as they are where they should be.
    """

    def __init__(self, decoder: FakeDecoder, rows: list[_Row], *, seed: int, bars: int, max_tokens: int | None) -> None:
        self._decoder = decoder
        self._rows = rows
        self._seed = seed
        self._bars = bars
        self._max_tokens = 10**9 if max_tokens is None else max_tokens
        self.decoded = 0
        self.prefilled = 0
        self.closed = False

    @property
    def size(self) -> int:
        return len(self._rows)

    @property
    def token_counts(self) -> NDArray[np.int64]:
        return np.array([len(row.tokens) for row in self._rows], np.int64)

    @property
    def bars_done(self) -> NDArray[np.int64]:
        return np.array([row.bars_done for row in self._rows], np.int64)

    @property
    def finished(self) -> NDArray[np.bool_]:
        return np.array([row.finished for row in self._rows], np.bool_)

    def advance(
        self,
        bars: int,
        cancelled: Callable[[], bool] = lambda: False,
        *,
        rows: NDArray[np.bool_] | None = None,
        on_pause: Callable[[list[int]], None] | None = None,
    ) -> int:
        if self.closed:
            raise ValueError("the batch is closed")
        if bars < 1:
            raise ValueError("bars must be at least 1")
        chosen = range(self.size) if rows is None else np.flatnonzero(rows).tolist()
        active = [row for row in chosen if not self._rows[row].finished]
        before = self.decoded
        for bar in range(1, bars + 1):
            for index in list(active):
                if cancelled():
                    return self.decoded - before
                row = self._rows[index]
                self._draw_bar(row)
                self._decoder.on_bar()
                if row.finished or bar == bars:
                    active.remove(index)
                    if on_pause is not None:
                        on_pause([index])
        return self.decoded - before

    def _draw_bar(self, row: _Row) -> None:
        previous = row.tokens[-1] if row.tokens else -1
        row.tokens.append(BAR_TOKEN)
        for _ in range(NOTES_PER_BAR):
            uniform = hash_uniform(self._seed, row.stream, len(row.tokens), previous, row.caption)
            previous = 1 + int(uniform * 48)
            row.tokens.append(previous)
            row.log_probability -= float(np.log(48))
        self.decoded += 1 + NOTES_PER_BAR
        row.bars_done += 1
        early = self._decoder.early_end_share
        ends_early = early > 0 and hash_uniform("end", self._seed, row.stream, row.bars_done, previous) < early
        row.finished = row.bars_done >= self._bars or len(row.tokens) + 5 > self._max_tokens or ends_early

    def select(
        self,
        parents: NDArray[np.intp],
        streams: NDArray[np.int64],
        prompts: Sequence[Any] | None = None,
    ) -> None:
        if not len(parents) == len(streams) > 0:
            raise ValueError("parents and streams must have the same length, at least 1")
        self._rows = [self._rows[int(p)].copy(int(s)) for p, s in zip(parents, streams, strict=True)]
        for row, prompt in zip(self._rows, prompts or [None] * self.size, strict=True):
            if prompt is not None:
                row.caption = prompt.caption
                self.prefilled += len(row.tokens)
        self._decoder.selections.append(([int(p) for p in parents], [int(s) for s in streams]))

    def score(self, row: int) -> Score:
        return fake_score(self._rows[row].tokens, program=self._rows[row].program)

    def tokens(self, row: int) -> NDArray[np.int32]:
        return np.array(self._rows[row].tokens, np.int32)

    def log_probability(self, row: int) -> float:
        return self._rows[row].log_probability

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._decoder.closed += 1


class FakeDecoder:
    """The contract of ``motet.model.decoder.Decoder``; every token is a hash of (seed, stream, position, caption).

    Of seed music it only counts the bars.

    Args:
        early_end_share: chance that a row ends after any bar.
        clock: moved by ``seconds_per_bar`` for every bar of every row.
        seconds_per_bar: see ``clock``.
    """

    def __init__(
        self, *, early_end_share: float = 0.0, clock: FakeClock | None = None, seconds_per_bar: float = 0.0
    ) -> None:
        self.early_end_share = early_end_share
        self.clock = clock
        self.seconds_per_bar = seconds_per_bar
        self.bars_drawn = 0
        self.opened: list[dict[str, Any]] = []
        self.selections: list[tuple[list[int], list[int]]] = []
        self.closed = 0

    def on_bar(self) -> None:
        self.bars_drawn += 1
        if self.clock is not None:
            self.clock.advance(self.seconds_per_bar)

    def open(
        self,
        prompts: Sequence[Any],
        *,
        seed: int,
        max_tokens: int | None = None,
        streams: NDArray[np.int64] | None = None,
    ) -> FakeBatch:
        """Opens ``len(prompts)`` rows; row ``i`` starts with stream ``streams[i]``, or ``i``."""
        bars = prompts[0].controls.bars
        self.opened.append({"prompts": list(prompts), "seed": seed, "bars": bars, "max_tokens": max_tokens})
        before = 0
        music = prompts[0].controls.seed
        if music is not None and music.continues:
            before = music.length_bars
        elif music is not None:
            bars = (music.bars or (1, bars))[1]
        rows = []
        for stream, prompt in zip(range(len(prompts)) if streams is None else streams.tolist(), prompts, strict=True):
            player = prompt.controls.required[0] if prompt.controls.required else 0
            program = DRUMS if player == 128 else int(player)
            rows.append(_Row(prompt.caption, program, stream, bars_done=before))
        return FakeBatch(self, rows, seed=seed, bars=bars, max_tokens=max_tokens)


def fake_score(tokens: Sequence[int], *, program: int = 0) -> Score:
    """The score that fake tokens stand for: four quarter notes a bar, pitches 36 to 83."""
    onsets: list[int] = []
    pitches: list[int] = []
    bar, beat = -1, 0
    for token in tokens:
        if token == BAR_TOKEN:
            bar, beat = bar + 1, 0
            continue
        onsets.append((bar * NOTES_PER_BAR + beat) * PPQ)
        pitches.append(35 + token)
        beat += 1
    count = len(onsets)
    track = np.zeros(count, np.int16)
    return Score(
        PPQ,
        np.array(onsets, np.int64),
        np.full(count, PPQ, np.int64),
        np.array(pitches, np.int16),
        np.full(count, 80, np.int16),
        np.full(count, program, np.int16),
        track,
    )


class CountingReward:
    """The contract of ``motet.rewards.composite.Composite``, judged by arithmetic instead of sound.

    ``harmony`` is the share of white keys (it accrues bar by bar, so partial scores predict final ones), ``text`` a
    hash of the notes, ``adherence`` how near the mean pitch is to 60.

    Args:
        fail_on_call: raise ``error`` at this call of ``score`` (1 = the first).
        error: what to raise then.
        clock: moved by ``seconds_per_score`` for every score judged.
        seconds_per_score: see ``clock``.
    """

    def __init__(
        self,
        *,
        fail_on_call: int | None = None,
        error: Exception | None = None,
        clock: FakeClock | None = None,
        seconds_per_score: float = 0.0,
    ) -> None:
        self.fail_on_call = fail_on_call
        self.error = error or RuntimeError("the reward broke")
        self.clock = clock
        self.seconds_per_score = seconds_per_score
        self.calls = 0
        self.scored = 0
        self.captions: list[str] = []
        self.asked: list[Any] = []
        self.completes: list[bool] = []

    def score(self, scores: Sequence[Score], caption: Any, weights: Any, *, complete: bool) -> list[Breakdown]:
        from motet.rewards.composite import Breakdown

        self.calls += 1
        if self.calls == self.fail_on_call:
            raise self.error
        self.scored += len(scores)
        self.captions.append(caption.text)
        self.asked.append(caption.attributes)
        self.completes.append(complete)
        if self.clock is not None:
            self.clock.advance(self.seconds_per_score * len(scores))
        result = []
        for score in scores:
            pitches = [int(p) for p in score.pitch]
            count = max(len(pitches), 1)
            terms = {
                "text": hash_uniform("text", caption.text, pitches),
                "harmony": sum(p % 12 in SCALE for p in pitches) / count,
                "adherence": 1.0 / (1.0 + abs(sum(pitches) / count - 60) / 12),
            }
            total = sum(weights.get(name, 0.0) * value for name, value in terms.items()) / sum(weights.values())
            in_bars = np.histogram(score.onset, score.bar_ticks())[0].astype(float).tolist()
            details, bars = {"notes": float(len(pitches))}, {"harmony.notes": tuple(in_bars)}
            result.append(Breakdown(total=total, terms=terms, details=details, bars=bars))
        return result


class Inline(Executor):
    """Does what it is asked for at once, on the thread that asks."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future


class SilentPlayer(Player):
    """Plays every plan at its length, without a sound."""

    synthesizer = "silence"

    def __init__(self, config: RenderConfig) -> None:
        self.config = config

    def play(self, plan: Plan) -> NDArray[np.float32]:
        return np.zeros((plan.blocks * BLOCK, 2), np.float32)

    def close(self) -> None:
        """There is nothing to free."""
