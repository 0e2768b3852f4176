"""Groups: the rows of one arm at one budget, and paired differences between groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.training.reward_bench.statistic import DRAWS, Estimate, draws
from motet.training.search_bench.row import Row

Floats = NDArray[np.float64]
Column = Mapping[str, float]
"""A number for each caption, the mean over its seeds."""

FEWEST: Final = 2
"""Captions below which nothing is compared."""

TOLERANCE: Final = 0.05
"""By how much less a baseline may have sampled than an arm of "equal tokens": pieces of one length differ by more."""


@dataclass(frozen=True)
class Group:
    """All rows of one arm at one budget.

    Args:
        arm: label.
        candidates: budget.
        rows: at least one.
    """

    arm: str
    candidates: int
    rows: tuple[Row, ...]

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """Every number of the rows by name, then by caption: seeds are averaged first."""
        found: dict[str, dict[str, list[float]]] = {}
        for row in self.rows:
            for name, value in row.numbers.items():
                found.setdefault(name, {}).setdefault(row.case.caption, []).append(value)
        return {name: {key: float(np.mean(each)) for key, each in column.items()} for name, column in found.items()}

    @cached_property
    def captions(self) -> frozenset[str]:
        """Captions that were searched for."""
        return frozenset(row.case.caption for row in self.rows)

    def mean(self, name: str, captions: Iterable[str] | None = None) -> float | None:
        """The mean of a number over captions (None: all that have it); None where none has."""
        column = self.columns.get(name, {})
        values = [column[caption] for caption in (column if captions is None else captions) if caption in column]
        return float(np.mean(values)) if values else None


def grouped(rows: Iterable[Row]) -> list[Group]:
    """The groups of rows, in the order of their first ones; of two rows of one search the later counts."""
    newest = {row.case: row for row in rows}
    found: dict[tuple[str, int], list[Row]] = {}
    for row in newest.values():
        found.setdefault((row.case.arm, row.case.candidates), []).append(row)
    return [Group(arm, candidates, tuple(group)) for (arm, candidates), group in found.items()]


@lru_cache(maxsize=32)
def taken(captions: int, seed: int = 0) -> NDArray[np.int64]:
    """How often each caption is drawn in each of 10,000 draws: [draws, captions]."""
    return draws(captions, seed)


def common(groups: Sequence[Group], name: str) -> list[str]:
    """Captions of which all groups have a number, sorted."""
    shared = [set(group.columns.get(name, {})) for group in groups]
    return sorted(set.intersection(*shared))


def values(group: Group, name: str, captions: Sequence[str]) -> Floats:
    """[captions] a number of each."""
    return np.array([group.columns[name][caption] for caption in captions], np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much more of something an arm has than a baseline, paired by caption.

    Args:
        estimate: of the mean difference, with the bootstrap's 95 % interval over captions.
        wins: share of the captions on which the arm has more; equal counts one half.
        p: two-sided, of the bootstrap.
    """

    estimate: Estimate
    wins: float
    p: float


def difference(arm: Group, baseline: Group, name: str) -> Difference | None:
    """The paired difference of a number; None with fewer than two captions in common."""
    captions = common((arm, baseline), name)
    if len(captions) < FEWEST:
        return None
    found = values(arm, name, captions) - values(baseline, name, captions)
    means = taken(len(captions)) @ found / len(captions)
    low, high = np.quantile(means, (0.025, 0.975))
    tail = min(int(np.sum(means <= 0)), int(np.sum(means >= 0)))
    return Difference(
        estimate=Estimate(value=float(found.mean()), low=float(low), high=float(high), n=len(captions)),
        wins=float(np.mean(np.where(np.abs(found) < 1e-12, 0.5, found > 0))),
        p=min(1.0, 2 * (tail + 1) / (DRAWS + 1)),
    )


def ratio(arm: Group, baseline: Group, name: str) -> Estimate | None:
    """Mean of the arm over mean of the baseline on the captions in common, with the bootstrap's 95 % interval."""
    captions = common((arm, baseline), name)
    if len(captions) < FEWEST:
        return None
    above, below = values(arm, name, captions), values(baseline, name, captions)
    if not below.mean() > 0:
        return None
    drawn = taken(len(captions))
    low, high = np.quantile(drawn @ above / np.maximum(drawn @ below, 1e-12), (0.025, 0.975))
    return Estimate(value=float(above.mean() / below.mean()), low=float(low), high=float(high), n=len(captions))


def as_costly(arm: Group, baselines: Sequence[Group], cost: str) -> Group | None:
    """The cheapest of a baseline's budgets that costs at least what the arm costs; None when all are cheaper.

    Args:
        arm: what is compared.
        baselines: groups of one baseline.
        cost: "cost" for tokens, of which a twentieth less is as good as equal, or "seconds", where nothing less is.
    """
    slack = TOLERANCE if cost == "cost" else 0.0
    fitting: list[tuple[float, Group]] = []
    for baseline in baselines:
        captions = common((arm, baseline), cost)
        ours, theirs = arm.mean(cost, captions), baseline.mean(cost, captions)
        if ours is not None and theirs is not None and theirs >= (1 - slack) * ours:
            fitting.append((theirs, baseline))
    return min(fitting, key=lambda pair: pair[0])[1] if fitting else None
