"""One plain sample: what the model gives without a search."""

from __future__ import annotations

from motet.search.exploration import Exploration
from motet.search.request import SearchRequest


def decode(exploration: Exploration) -> bool:
    """Decodes every row to its end, a few bars at a time so that progress can be told; False when it must stop."""
    while not exploration.finished.all():
        if not exploration.advance(exploration.chunk_bars):
            return False
    return True


class Sample:
    """Decodes one row for the original caption and judges it."""

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """One row, the original caption."""
        return [0]

    def explore(self, exploration: Exploration) -> None:
        """Decodes to the end, then judges once."""
        if decode(exploration):
            exploration.judge()
