"""The captions that pieces of one search are sampled for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from motet.music.caption import Caption
from motet.search.contract import Mutate
from motet.search.plan import Plan

if TYPE_CHECKING:  # PyTorch takes seconds to import, and a server has to answer before
    from motet.model.decoder import Prompt

ORIGINAL = 0
"""The arm of the caption as the person wrote it."""


class Arms:
    """The original caption, and its mutants in the order in which they were added; the list only grows.

    Args:
        plan: of the search: what every piece is asked for beside its words.
        mutate: draws mutants that may stand in for the original.
        seed: of the search; fixes every draw.
    """

    def __init__(self, plan: Plan, mutate: Mutate, seed: int) -> None:
        self._plan = plan
        self._mutate = mutate
        self._seed = seed
        self._draws = 0
        original = plan.request.parsed()
        self._texts = [original.text]
        self._stated = [original.attributes]
        self._prompts: dict[int, Prompt] = {}

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def texts(self) -> tuple[str, ...]:
        """The captions by arm."""
        return tuple(self._texts)

    def draw(self, count: int) -> list[Caption]:
        """Up to ``count`` mutants that are not among the arms yet; each call draws others, fewer when there are none.

        Only ``add`` makes them arms.
        """
        seed = self._seed
        if self._draws:
            seed = int(np.random.SeedSequence([self._seed, self._draws]).generate_state(1, np.uint64)[0] >> 1)
        self._draws += 1
        known = set(self._texts)
        wanted = count + len(known) - 1 if count else 0
        found = self._mutate(self._plan.request.parsed(), wanted, seed=seed, settled=self._plan.settled)
        return [mutant for mutant in found if mutant.text not in known][:count]

    def add(self, mutants: Sequence[Caption]) -> list[int]:
        """Makes arms of mutants; returns their numbers."""
        first = len(self._texts)
        self._texts += [mutant.text for mutant in mutants]
        self._stated += [mutant.attributes for mutant in mutants]
        return list(range(first, len(self._texts)))

    def prompt(self, arm: int) -> Prompt:
        """What a row of this arm is conditioned on: its words, and what they and the request ask for."""
        from motet.model.decoder import Prompt

        if arm not in self._prompts:
            self._prompts[arm] = Prompt(self._texts[arm], self._plan.controls(self._stated[arm]))
        return self._prompts[arm]
