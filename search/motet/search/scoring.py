"""Judging on another thread, while the thread of the search goes on decoding."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from motet.music.caption import Caption
from motet.music.score import Score
from motet.rewards.composite import Breakdown, Weights
from motet.search.budget import Clock
from motet.search.contract import Reward

JUDGED_TOGETHER = 4
"""Pieces handed to the reward at once: enough to share its work, few enough to be told of soon."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A row's notes and what the reward says of them."""

    row: int
    score: Score
    breakdown: Breakdown


class Scoring:
    """The queue of one search before the judging threads that all searches share.

    One group is judged at a time: whatever arrives meanwhile waits, and makes up the next one. All methods belong to
    the thread of the search.

    Args:
        executor: the judging threads.
        reward: judges; what it raises, ``take`` raises.
        caption: that everything is judged against.
        weights: of the reward terms.
        clock: seconds, monotonic.
    """

    def __init__(self, executor: Executor, reward: Reward, caption: Caption, weights: Weights, clock: Clock) -> None:
        self._executor = executor
        self._reward = reward
        self._caption = caption
        self._weights = weights
        self._clock = clock
        self._waiting: list[tuple[int, Score, bool]] = []
        self._group: Future[list[Heard]] | None = None
        self.seconds = 0.0
        """Time spent in the reward."""

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting or being judged."""
        return self._group is None and not self._waiting

    def put(self, row: int, score: Score, *, complete: bool) -> None:
        """Hands in a row's notes; ``complete`` says that the row has ended."""
        self._waiting.append((row, score, complete))
        self._begin()

    def take(self) -> list[Heard]:
        """What has been judged since it was last asked; at once, and empty most of the time."""
        if self._group is None or not self._group.done():
            return []
        heard, self._group = self._group.result(), None
        self._begin()
        return heard

    def wait(self, seconds: float) -> None:
        """Returns when there is something to take, or after so many seconds."""
        if self._group is not None:
            wait([self._group], seconds)

    def abandon(self) -> None:
        """Forgets what is waiting; a group that is being judged ends on its own, and nobody hears of it."""
        self._waiting.clear()
        if self._group is not None:
            self._group.cancel()
            self._group = None

    def _begin(self) -> None:
        """Starts the next group, lowest rows first, all as complete as the first."""
        if self._group is not None or not self._waiting:
            return
        self._waiting.sort(key=lambda one: one[0])
        complete = self._waiting[0][2]
        group = [one for one in self._waiting if one[2] == complete][:JUDGED_TOGETHER]
        rows = [row for row, _, _ in group]
        self._waiting = [one for one in self._waiting if one[0] not in rows]
        self._group = self._executor.submit(self._judge, rows, [score for _, score, _ in group], complete)

    def _judge(self, rows: Sequence[int], scores: Sequence[Score], complete: bool) -> list[Heard]:
        start = self._clock()
        breakdowns = self._reward.score(scores, self._caption, self._weights, complete=complete)
        self.seconds += self._clock() - start
        return [Heard(*one) for one in zip(rows, scores, breakdowns, strict=True)]
