"""Best of N: independent samples, each judged once, when it has ended."""

from __future__ import annotations

from dataclasses import dataclass

from motet.search.exploration import Exploration
from motet.search.request import SearchRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOfNConfig:
    """There is nothing to set."""


class BestOfN:
    """Decodes all candidates for the original caption and judges each; the best one ranks first."""

    keeps_plain = True
    settings = BestOfNConfig

    def __init__(self, config: BestOfNConfig | None = None) -> None:
        """Needs no settings."""

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """``request.candidates`` rows, all of the original caption."""
        return [0] * request.candidates

    def explore(self, exploration: Exploration) -> None:
        """Decodes all to their ends; each is judged as it ends, while the others are decoded."""
        exploration.grow(exploration.bars)
