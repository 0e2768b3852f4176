"""Where the time of a search goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from motet.search.budget import Clock


class Phase(Enum):
    """What the thread of a search does at a moment."""

    DECODING = "decoding"
    WAITING = "waiting"
    TREE = "tree"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Seconds of a search by what they were spent on; scoring runs beside decoding, so the parts overlap.

    Args:
        decoding_s: sampling tokens, copying rows, reading their notes.
        scoring_s: judging, on a thread of its own.
        waiting_s: nothing to decode until scores are there.
        tree_s: in the tree and the strategy.
        elapsed_s: the whole search.
    """

    decoding_s: float
    scoring_s: float
    waiting_s: float
    tree_s: float
    elapsed_s: float

    @property
    def tree_share(self) -> float:
        """``tree_s`` as a share of the whole, 0 to 1."""
        return self.tree_s / self.elapsed_s if self.elapsed_s > 0 else 0.0


class Stopwatch:
    """Adds up, for each phase, the seconds in which it was the innermost one; two readings of the clock a phase.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spent = dict.fromkeys(Phase, 0.0)
        self._phase = Phase.OTHER
        self._start = self._since = clock()

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Counts the time inside for ``phase``."""
        before = self._switch(phase)
        try:
            yield
        finally:
            self._switch(before)

    def _switch(self, phase: Phase) -> Phase:
        now, before = self._clock(), self._phase
        self._spent[before] += now - self._since
        self._since, self._phase = now, phase
        return before

    def profile(self, scoring_s: float) -> Profile:
        """What was spent until now."""
        self._switch(self._phase)
        return Profile(
            decoding_s=self._spent[Phase.DECODING],
            scoring_s=scoring_s,
            waiting_s=self._spent[Phase.WAITING],
            tree_s=self._spent[Phase.TREE],
            elapsed_s=self._since - self._start,
        )
