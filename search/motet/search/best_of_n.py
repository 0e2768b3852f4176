"""Best of N: independent samples, judged once, when they have ended."""

from __future__ import annotations

from motet.search.exploration import Exploration
from motet.search.request import SearchRequest
from motet.search.sample import decode


class BestOfN:
    """Decodes all candidates for the original caption and judges each; the best one ranks first."""

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """``request.candidates`` rows, all of the original caption."""
        return [0] * request.candidates

    def explore(self, exploration: Exploration) -> None:
        """Decodes to the end, then judges once."""
        if decode(exploration):
            exploration.judge()
