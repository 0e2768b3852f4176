"""The judge's share of a gain: how much of what a reward says was won the judge sees as well.

A search or a training run that raises the reward and leaves the judge where it was has found a hole in the reward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError

HEALTHY: Final = 0.3
"""Below it, a gain counts as a hole in the reward that was found, not as a result."""
_DRAWS: Final = 10_000
_FLAT: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Gains in standard deviations of the base, and the judge's share of the reward's, with 95 % intervals.

    Args:
        reward, judge: mean gain over the spread of the base.
        share: judge / reward; None where the reward did not rise.
        low, high: bounds of the share over draws of prompts; None where the reward does not rise in 1 draw of 40.
        prompts: number of prompts.
    """

    reward: float
    judge: float
    share: float | None
    low: float | None
    high: float | None
    prompts: int

    @property
    def healthy(self) -> bool:
        """Whether the judge sees at least 0.3 of the reward's gain."""
        return self.share is not None and self.share >= HEALTHY

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {name: getattr(self, name) for name in self.__slots__} | {"healthy": self.healthy}

    def line(self) -> str:
        """In words."""
        gains = f"reward {self.reward:+.2f} SD, judge {self.judge:+.2f} SD over {self.prompts} prompts"
        if self.share is None:
            return f"{gains}: the reward did not rise"
        bounds = "" if self.low is None or self.high is None else f" (95 % interval {self.low:.2f} to {self.high:.2f})"
        finding = "" if self.healthy else f"; below {HEALTHY}: the reward is being gamed"
        return f"{gains}: judge share {self.share:.2f}{bounds}{finding}"


def gain(
    reward_before: NDArray[np.float64],
    reward_after: NDArray[np.float64],
    judge_before: NDArray[np.float64],
    judge_after: NDArray[np.float64],
    *,
    seed: int,
) -> Gain:
    """The gain from "before" (plain samples) to "after" (searched or trained), and the judge's share.

    Args:
        reward_before, reward_after, judge_before, judge_after: [P] by prompt, P >= 2; means over seeds, where there are
            several. "Before" must differ between prompts.
        seed: of the draws.

    Raises InvalidInputError for arrays of other shapes, numbers that are not finite, or no spread before.
    """
    rows = np.stack([_column(name, row) for name, row in zip(_NAMES, (
        reward_before, reward_after, judge_before, judge_after), strict=True)])  # fmt: skip
    if rows.shape[1] < 2 or rows[0].std() < _FLAT or rows[2].std() < _FLAT:
        raise InvalidInputError.of("gain", "needs two prompts or more whose values differ", rows[[0, 2]])
    reward, judge = _gains(rows)
    draws = np.random.default_rng(seed).integers(rows.shape[1], size=(_DRAWS, rows.shape[1]))
    rewards, judges = _gains(rows[:, draws])
    rises = rewards > _FLAT
    low = high = None
    if reward > _FLAT and np.mean(rises) > 0.975:
        low, high = (float(bound) for bound in np.quantile(judges[rises] / rewards[rises], (0.025, 0.975)))
    return Gain(
        reward=float(reward),
        judge=float(judge),
        share=float(judge / reward) if reward > _FLAT else None,
        low=low,
        high=high,
        prompts=rows.shape[1],
    )


_NAMES: Final = ("reward_before", "reward_after", "judge_before", "judge_after")


def _column(name: str, row: NDArray[np.float64]) -> NDArray[np.float64]:
    column = np.asarray(row, np.float64)
    if column.ndim != 1 or not np.all(np.isfinite(column)):
        raise InvalidInputError.of(f"gain.{name}", "must be a list of finite numbers", row)
    return column


def _gains(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean gains over the spread before: [4, ..., P] to [...] of the reward and of the judge."""
    spread = np.maximum(rows[::2].std(axis=-1), _FLAT)
    gains = (rows[1::2] - rows[::2]).mean(axis=-1) / spread
    return gains[0], gains[1]
