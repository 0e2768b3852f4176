"""One plain sample: what the model gives without a search."""

from __future__ import annotations

from dataclasses import dataclass

from motet.search.exploration import Exploration
from motet.search.request import SearchRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleConfig:
    """There is nothing to set."""


class Sample:
    """Decodes one row for the original caption and judges it."""

    keeps_plain = True
    settings = SampleConfig

    def __init__(self, config: SampleConfig | None = None) -> None:
        """Needs no settings."""

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """One row, the original caption."""
        return [0]

    def explore(self, exploration: Exploration) -> None:
        """Decodes to the end, then judges once."""
        exploration.grow(exploration.bars)
