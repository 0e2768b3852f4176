"""Comparisons: arms against baselines that cost as much, in tokens or in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from motet.music.error import InvalidInputError
from motet.rewards.gain import Gain, gain
from motet.search.spec import DEFAULT
from motet.training.reward_bench.statistic import Estimate
from motet.training.search_bench.arm import SAMPLE
from motet.training.search_bench.group import (
    FEWEST,
    Difference,
    Group,
    as_costly,
    common,
    difference,
    taken,
    values,
)

REWARD: Final = "reward.total"
JUDGE: Final = "judge.total"
RIVALS: Final = ("best_of_n", "inferalign_paper")
"""Baselines of the family of comparisons that was fixed before any was made: the default strategy against each, by the
judge, at equal tokens and at equal time, at every budget."""

_COSTS: Final = {"cost": "equal tokens", "seconds": "equal time"}
_READERS: Final = {REWARD: "the reward", JUDGE: "the judge"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One arm at one budget against a baseline.

    Args:
        arm, candidates: the arm.
        baseline: label.
        against: the baseline's budget; None where none of its budgets costs as much.
        cost: "cost" (tokens) or "seconds".
        measure: ``REWARD`` or ``JUDGE``.
        price: what the baseline cost over what the arm did.
        difference: None where there is nothing to compare.
        adjusted: p after Holm's correction over the family; None outside of it.
    """

    arm: str
    candidates: int
    baseline: str
    against: int | None
    cost: str
    measure: str
    price: float | None
    difference: Difference | None
    adjusted: float | None = None

    @property
    def better(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.difference is not None and self.difference.estimate.low > 0

    @property
    def worse(self) -> bool:
        """Whether the whole interval is below 0."""
        return self.difference is not None and self.difference.estimate.high < 0

    @property
    def verdict(self) -> str:
        """In a word or two."""
        return "better" if self.better else "worse" if self.worse else "no difference shown"

    def line(self) -> str:
        """In words."""
        head, cost = f"{self.arm} at {self.candidates}", _COSTS[self.cost]
        if self.difference is None or self.price is None:
            return f"{head}, {cost}: no budget of {self.baseline} that was measured costs as much"
        estimate, found = self.difference.estimate, self.difference
        verb = "beats" if self.better else "loses to" if self.worse else "is not told apart from"
        correction = "" if self.adjusted is None else f", Holm p {self.adjusted:.2g}"
        return (
            f"{head} {verb} {self.baseline} at {self.against} on {_READERS[self.measure]}, {cost}: "
            f"{estimate.value:+.4f} (95 % CI {estimate.low:+.4f} to {estimate.high:+.4f}, n = {estimate.n}, wins "
            f"{found.wins:.0%}, p {found.p:.2g}{correction}), which costs × {self.price:.2f}"
        )

    def cells(self) -> tuple[str, ...]:
        """As a row of a table: arm, baseline, cost, measure, difference, wins and verdict."""
        if self.difference is None or self.price is None:
            difference, wins = "–", "–"
        else:
            estimate, wins = self.difference.estimate, f"{self.difference.wins:.0%}"
            difference = f"{estimate.value:+.4f} ({estimate.low:+.4f} to {estimate.high:+.4f}), n = {estimate.n}"
        return (
            f"{self.arm} at {self.candidates}",
            f"{self.baseline} at {self.against}",
            _COSTS[self.cost] if self.price is None else f"{_COSTS[self.cost]}, × {self.price:.2f}",
            _READERS[self.measure],
            difference,
            wins,
            self.verdict,
        )

    def record(self) -> dict[str, Any]:
        """For JSON."""
        row = {name: getattr(self, name) for name in ("arm", "candidates", "baseline", "against", "cost", "measure")}
        if self.difference is not None:
            row |= {**_estimate(self.difference.estimate), "wins": self.difference.wins, "p": self.difference.p}
        return {**row, "price": self.price, "adjusted": self.adjusted, "better": self.better}


def compare(arm: Group, baseline: str, groups: Sequence[Group], cost: str, measure: str) -> Comparison:
    """An arm at one budget against the cheapest budget of a baseline that costs as much."""
    against = as_costly(arm, [group for group in groups if group.arm == baseline], cost)
    found = None if against is None else difference(arm, against, measure)
    price = None
    if against is not None and found is not None:
        captions = common((arm, against), cost)
        price = float(values(against, cost, captions).mean() / values(arm, cost, captions).mean())
    return Comparison(
        arm=arm.arm,
        candidates=arm.candidates,
        baseline=baseline,
        against=None if against is None else against.candidates,
        cost=cost,
        measure=measure,
        price=price,
        difference=found,
    )


def family(groups: Sequence[Group]) -> list[Comparison]:
    """The comparisons that were fixed beforehand, with Holm's correction."""
    made = [
        compare(arm, rival, groups, cost, JUDGE)
        for rival in RIVALS
        for cost in _COSTS
        for arm in ascending(groups, DEFAULT)
    ]
    adjusted = holm([None if one.difference is None else one.difference.p for one in made])
    return [replace(one, adjusted=p) for one, p in zip(made, adjusted, strict=True)]


def others(groups: Sequence[Group]) -> list[Comparison]:
    """All other arms against the rivals and the default strategy, by reward and judge; and the default by reward."""
    arms = [group for group in groups if group.arm != SAMPLE]
    return [
        compare(arm, baseline, groups, cost, measure)
        for baseline in (*RIVALS, DEFAULT)
        for measure in (REWARD, JUDGE)
        for cost in _COSTS
        for arm in arms
        if arm.arm != baseline and not (arm.arm == DEFAULT and measure == JUDGE)
    ]


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """p-values after Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979); None stays out of it."""
    places = sorted((place for place, p in enumerate(ps) if p is not None), key=lambda place: ps[place] or 0.0)
    found: list[float | None] = [None] * len(ps)
    highest = 0.0
    for rank, place in enumerate(places):
        highest = max(highest, min(1.0, (len(places) - rank) * (ps[place] or 0.0)))
        found[place] = highest
    return found


def share(arm: Group, plain: Group) -> Gain | None:
    """The judge's share of the arm's gain over plain samples; None where there is nothing to divide."""
    captions = common((arm, plain), JUDGE)
    if len(captions) < FEWEST:
        return None
    reward, reward_after, judge, judge_after = (
        values(group, name, captions) for name in (REWARD, JUDGE) for group in (plain, arm)
    )
    try:
        return gain(reward, reward_after, judge, judge_after, seed=0)
    except InvalidInputError:  # all samples are alike
        return None


def trend(groups: Sequence[Group]) -> Estimate | None:
    """By how much the judge's share of the default strategy is higher at its largest budget than at its smallest."""
    plain = [group for group in groups if group.arm == SAMPLE]
    arms = ascending(groups, DEFAULT)
    if not plain or len(arms) < 2:
        return None
    captions = common((plain[0], arms[0], arms[-1]), JUDGE)
    if len(captions) < FEWEST:
        return None
    drawn = taken(len(captions)) / len(captions)
    before = [values(plain[0], name, captions) for name in (REWARD, JUDGE)]
    scale = [max(float(column.std()), 1e-9) for column in before]
    shares, point = [], []
    for arm in (arms[-1], arms[0]):
        gains = [
            (values(arm, name, captions) - column) / by
            for name, column, by in zip((REWARD, JUDGE), before, scale, strict=True)
        ]
        rewards, judges = (drawn @ column for column in gains)
        shares.append(judges / np.where(np.abs(rewards) < 1e-9, np.nan, rewards))
        point.append(gains[1].mean() / gains[0].mean() if abs(gains[0].mean()) > 1e-9 else np.nan)
    moves = shares[0] - shares[1]
    if not np.isfinite(point[0] - point[1]) or np.isnan(moves).all():
        return None
    low, high = np.nanquantile(moves, (0.025, 0.975))
    return Estimate(value=float(point[0] - point[1]), low=float(low), high=float(high), n=len(captions))


def ascending(groups: Sequence[Group], arm: str) -> list[Group]:
    """The groups of an arm, the smallest budget first."""
    return sorted((group for group in groups if group.arm == arm), key=lambda group: group.candidates)


def _estimate(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}
