"""What a search strategy is.

A strategy is a class with a few attributes and two methods. It is registered by an entry point of the group
``motet.strategies`` (name -> ``"module:Class"``), here or in any other installed package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

from motet.search.exploration import Exploration
from motet.search.request import SearchRequest
from motet.search.spec import DEFAULT, GROUP, Spec, names

__all__ = ["DEFAULT", "GROUP", "Strategy", "load", "names"]


@runtime_checkable
class Strategy(Protocol):
    """Decides how many rows are decoded, when they are looked at and which of them go on.

    It must be a pure function of the exploration that it is given: no clock, and no randomness but its ``uniforms``.
    It is made with its settings, or with nothing: ``__init__(config: Config | None = None)``.
    """

    keeps_plain: bool
    """Whether row 0 is the plain sample: of arm 0, never replaced in the first round."""

    settings: ClassVar[type[Any]]
    """A frozen dataclass of numbers and bools, each with a default, that refuses what they may not be."""

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """Arm of each row to decode: 0 is the original caption, 1 to ``mutants`` the mutated ones."""
        ...

    def explore(self, exploration: Exploration) -> None:
        """Grows and selects rows until all have ended, or until the exploration says that it must stop."""
        ...


def load(spec: str, defaults: Mapping[str, float] | None = None) -> Strategy:
    """A strategy by its spec, ``NAME`` or ``NAME:KEY=NUMBER,...``; settings that it leaves open are ``defaults``.

    Raises NotFoundError for an unknown name, listing the ones that exist, and InvalidInputError for a bad setting.
    """
    strategy: Strategy = Spec.parse(spec).make(defaults)
    return strategy
