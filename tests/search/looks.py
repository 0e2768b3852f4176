"""What a strategy saw and did in a search on fakes, and golden trees of such searches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from motet.music.attributes import Attributes
from motet.music.caption import Caption
from motet.search.exploration import Exploration
from motet.search.request import SearchRequest
from motet.search.result import SearchResult
from motet.search.run import Searcher
from tests.fakes import NOTES_PER_BAR, CountingReward, FakeDecoder

TOKENS_PER_BAR = 1 + NOTES_PER_BAR


@dataclass
class Look:
    """The rows before a strategy chose among them, and what it chose."""

    bars_done: int
    arms: list[int]
    finished: list[bool]
    values: NDArray[np.float64]
    rewards: NDArray[np.float64]
    log_probability_per_token: NDArray[np.float64]
    parents: list[int]
    arms_after: list[int] = field(default_factory=list)


@contextmanager
def watched() -> Iterator[list[Look]]:
    """Collects every ``Exploration.select`` of the searches that are run inside."""
    looks: list[Look] = []
    select = Exploration.select

    def told(self: Exploration, parents: Sequence[int], arms: Sequence[int] | None = None) -> None:
        rewards = self.tree.reward_total[self.nodes]
        look = Look(
            self.bars_done,
            self.arms.tolist(),
            self.finished.tolist(),
            self.values(),
            rewards,
            self.log_probability_per_token,
            [int(parent) for parent in parents],
        )
        select(self, parents, arms)
        look.arms_after = self.arms.tolist()
        looks.append(look)

    with patch.object(Exploration, "select", told):
        yield looks


def numbered(
    caption: Caption, count: int, *, seed: int, settled: Callable[[Attributes], Attributes]
) -> Sequence[Caption]:
    """Mutants of a caption that differ by a number, others for every seed."""
    return [Caption(f"{caption.text}, version {seed % 997}.{number}", caption.attributes) for number in range(count)]


def search(request: SearchRequest, *, early_end_share: float = 0.0) -> SearchResult:
    """A search on a fake decoder, a fake reward and fake mutants."""
    return Searcher(FakeDecoder(early_end_share=early_end_share), CountingReward(), mutate=numbered).run(request)


def check_golden(request: SearchRequest, name: str) -> None:
    """Compares the tree of a search with the stored one of that name; nothing is stored by a test."""
    expected = json.loads((Path(__file__).parents[1] / "golden" / f"{name}.json").read_text())
    actual = json.loads(json.dumps(search(request).tree.to_json()))
    assert actual.keys() == expected.keys()
    assert actual.pop("term_names") == expected.pop("term_names")
    for column, values in expected.items():
        np.testing.assert_allclose(np.array(actual[column], float), np.array(values, float), rtol=1e-9, err_msg=column)
