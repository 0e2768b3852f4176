"""Calls that cannot be interrupted, and that a search must not have to wait for when it is over."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, wait
from typing import ParamSpec, TypeVar

from motet.search.budget import Budget, StopReason

P = ParamSpec("P")
R = TypeVar("R")

POLL_S = 0.01
"""How long a search that waits does not look whether its caller has gone."""


class InterruptedSearchError(Exception):
    """The search must stop in the middle of something; never leaves ``motet.search.run``."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Aside:
    """Makes calls on other threads, and leaves them to end alone when caller or time forbid to wait for them.

    Args:
        executor: its threads, shared by all searches.
        budget: of the search.
    """

    def __init__(self, executor: Executor, budget: Budget) -> None:
        self._executor = executor
        self._budget = budget

    def call(self, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """What the function returns or raises. Raises InterruptedSearchError when the search must stop before."""
        future = self._executor.submit(function, *arguments, **named)
        while not future.done():
            reason = self._budget.interrupted()
            if reason is not None:
                future.cancel()
                raise InterruptedSearchError(reason)
            wait([future], POLL_S)
        return future.result()
