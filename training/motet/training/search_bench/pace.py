"""The pace of a bench: how much is done, and how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from motet.training.search_bench.crew import Task
from motet.training.search_bench.row import Case


class Pace:
    """Counts cases as they are done; the time left is reckoned by pieces, since a search costs what its budget is.

    Args:
        tasks: to do.
        already: cases that an earlier run did.
        clock: seconds, monotonic.
    """

    def __init__(self, tasks: Sequence[Task], already: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._left = sum(case.candidates for case, _ in tasks)
        self._all = already + len(tasks)
        self._done = already
        self._pieces = 0
        self._clock = clock
        self._start = clock()

    def line(self, case: Case, outcome: str) -> str:
        """Counts a case, and says so in a line."""
        self._done += 1
        self._pieces += case.candidates
        self._left -= case.candidates
        minutes = (self._clock() - self._start) / self._pieces * self._left / 60
        head = f"[{self._done}/{self._all}, {minutes:.0f} min left]"
        return f"{head} {case.arm} at {case.candidates}: {outcome}; {case.caption[:60]}"
