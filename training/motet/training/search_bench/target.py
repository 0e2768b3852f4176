"""Targets: what the search is meant to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from motet.rewards.gain import HEALTHY
from motet.search.request import DEFAULT_CANDIDATES
from motet.search.spec import DEFAULT
from motet.training.reward_bench.statistic import Estimate, mean
from motet.training.search_bench import comparison
from motet.training.search_bench.arm import RESULTS, SAMPLE
from motet.training.search_bench.comparison import RIVALS, Comparison, ascending
from motet.training.search_bench.group import FEWEST, Group, difference, ratio, taken, values

TEXT_GAIN: Final = 0.294
"""What InferAlign (arXiv 2605.05434) claims to add to text-audio consistency."""

BUDGETS: Final = 2
"""At how many budgets a comparison must hold."""

DIVERSITY: Final = 0.9
DIVERSE: Final = "islands"
CAPTIONS: Final = 100
CONTROL: Final = {
    "tempo bin ± 1 (TBT)": 0.97,
    "key (CK)": 0.90,
    "key or relative (CKD)": 0.95,
    "instrument families, F1": 0.85,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One of them.

    Args:
        name: what is measured, and where.
        wanted: in words.
        found: in words.
        met: None where it has not been measured.
    """

    name: str
    wanted: str
    found: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """In words."""
        return {True: "met", False: "not met", None: "not measured"}[self.met]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {"name": self.name, "wanted": self.wanted, "found": self.found, "met": self.met}


def targets(groups: Sequence[Group], family: Sequence[Comparison]) -> list[Target]:
    """All targets, measured or not."""
    plain = next((group for group in groups if group.arm == SAMPLE), None)
    arms = ascending(groups, DEFAULT)
    return [
        _captions(arms),
        *(one for arm in arms for one in _over_plain(arm, plain)),
        *(_rival(family, rival, cost, words) for rival in RIVALS for cost, words in _COSTS.items()),
        *(_share(arm, plain) for arm in arms),
        _trend(groups),
        _diversity(groups),
        *(_control(_usual(arms), name, least) for name, least in CONTROL.items()),
    ]


_COSTS: Final = {"cost": "equal tokens", "seconds": "equal wall time"}


def _usual(arms: Sequence[Group]) -> Group | None:
    """The default budget, or the nearest that there is."""
    return min(arms, key=lambda arm: abs(arm.candidates - DEFAULT_CANDIDATES), default=None)


def _captions(arms: Sequence[Group]) -> Target:
    many = min((len(arm.captions) for arm in arms), default=0)
    return Target(name="held-out captions", wanted=f">= {CAPTIONS}", found=str(many), met=many >= CAPTIONS)


def _measured(
    name: str, wanted: str, estimate: Estimate | None, write: Callable[[float], str], met: Callable[[Estimate], bool]
) -> Target:
    if estimate is None:
        return Target(name=name, wanted=wanted, found="–", met=None)
    found = f"{write(estimate.value)} ({write(estimate.low)} to {write(estimate.high)}), n = {estimate.n}"
    return Target(name=name, wanted=wanted, found=found, met=met(estimate))


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _change(value: float) -> str:
    return f"{100 * (value - 1):+.1f} %"


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _over_plain(arm: Group, plain: Group | None) -> list[Target]:
    text = None if plain is None else ratio(arm, plain, "reward.text")
    harmony = None if plain is None else difference(arm, plain, "reward.harmony")
    return [
        _measured(
            f"text consistency of {arm.arm} at {arm.candidates} over {SAMPLE}",
            f">= {_change(1 + TEXT_GAIN)}",
            text,
            _change,
            lambda one: one.value >= 1 + TEXT_GAIN,
        ),
        _measured(
            f"harmony of {arm.arm} at {arm.candidates} over {SAMPLE}",
            ">= 0",
            None if harmony is None else harmony.estimate,
            _signed,
            lambda one: one.value >= 0,
        ),
    ]


def _rival(family: Sequence[Comparison], rival: str, cost: str, words: str) -> Target:
    made = [one for one in family if one.baseline == rival and one.cost == cost and one.difference is not None]
    better = [str(one.candidates) for one in made if one.better]
    gains = ", ".join(f"{one.difference.estimate.value:+.3f} at {one.candidates}" for one in made if one.difference)
    return Target(
        name=f"judge of {DEFAULT} over {rival}, {words}",
        wanted=f"95 % CI above 0 at >= {BUDGETS} budgets",
        found=f"at {len(better)} of {len(made)} ({gains})" if made else "–",
        met=len(better) >= BUDGETS if made else None,
    )


def _share(arm: Group, plain: Group | None) -> Target:
    found = None if plain is None else comparison.share(arm, plain)
    name, wanted = f"judge share of {arm.arm} at {arm.candidates}", f">= {HEALTHY}"
    if found is None:
        return Target(name=name, wanted=wanted, found="–", met=None)
    return Target(name=name, wanted=wanted, found=found.line(), met=found.healthy)


def _trend(groups: Sequence[Group]) -> Target:
    return _measured(
        "judge share at the largest budget less that at the smallest",
        "interval not below 0",
        comparison.trend(groups),
        _signed,
        lambda one: one.high >= 0,
    )


def _diversity(groups: Sequence[Group]) -> Target:
    """Of the first pieces of islands, over that of as many plain samples: what ``best_of_n`` at 4 returns."""
    baseline = [group for group in groups if group.arm == "best_of_n" and group.candidates == RESULTS]
    arms = [group for group in groups if group.arm == DIVERSE and group.candidates > RESULTS]
    arm = _usual(arms)
    return _measured(
        f"diversity of {DIVERSE}{'' if arm is None else f' at {arm.candidates}'} over {RESULTS} plain samples",
        f">= {_percent(DIVERSITY)}",
        ratio(arm, baseline[0], "diversity") if arm is not None and baseline else None,
        _percent,
        lambda one: one.value >= DIVERSITY,
    )


def _control(arm: Group | None, name: str, least: float) -> Target:
    column = {} if arm is None else arm.columns.get(f"control.{name}", {})
    estimate = None
    if arm is not None and len(column) >= FEWEST:
        captions = sorted(column)
        found = values(arm, f"control.{name}", captions)
        estimate = mean(found, np.arange(len(captions)), taken(len(captions)))
    where = DEFAULT if arm is None else f"{arm.arm} at {arm.candidates}"
    return _measured(f"{name}, {where}", f">= {_percent(least)}", estimate, _percent, lambda one: one.value >= least)
