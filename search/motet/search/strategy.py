"""What a search strategy is, and how strategies are found.

A strategy is a class with a name and one method. It is registered by an entry point of the group
``motet.strategies`` (name -> ``"module:Class"``), here or in any other installed package.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from motet.music.error import NotFoundError

if TYPE_CHECKING:
    from motet.search.exploration import Exploration
    from motet.search.request import SearchRequest

GROUP = "motet.strategies"
DEFAULT = "population"


@runtime_checkable
class Strategy(Protocol):
    """Decides how many rows are decoded, when they are judged and which of them go on.

    It must be a pure function of the exploration that it is given: no clock, no randomness of its own.
    """

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """Arm of each row to decode: 0 is the original caption, 1 to ``mutants`` the mutated ones.

        Row 0 is the plain sample and must have arm 0.
        """
        ...

    def explore(self, exploration: Exploration) -> None:
        """Decodes and judges until every row has ended, or until the exploration says that it must stop."""
        ...


def _registered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> tuple[str, ...]:
    """Names of all installed strategies, sorted."""
    return tuple(sorted(_registered()))


def find(name: str) -> EntryPoint:
    """The registration of a strategy; NotFoundError lists the names that exist."""
    registered = _registered()
    if name not in registered:
        known = ", ".join(sorted(registered)) or "none is installed"
        message = f"strategy: must be one of {known} (received {name!r})"
        raise NotFoundError("STRATEGY_NOT_FOUND", message, {"field": "strategy", "received": str(name), "known": known})
    return registered[name]


def load(name: str) -> Strategy:
    """A strategy by its name, with its default settings; NotFoundError lists the names that exist."""
    strategy: Strategy = find(name).load()()
    return strategy
