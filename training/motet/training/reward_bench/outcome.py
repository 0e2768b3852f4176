"""Outcomes: how well the numbers of one reward agree with the contests of one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.training.reward_bench.contest import Contest
from motet.training.reward_bench.scorebook import SILENT
from motet.training.reward_bench.statistic import (
    Estimate,
    Reliability,
    accuracy,
    agreement,
    draws,
    indexed,
    mean,
    probabilities,
    rank_correlations,
    reliability,
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Figures of one reward in one task.

    Args:
        accuracy: share of the votes that it agrees with, ties one half.
        spearman, kendall: mean correlation with the levels within a contest; None where no contest has two levels.
        reliability: of P(first is preferred), the sigmoid of the margin times a number fitted on other songs.
        control: accuracy with the music of other songs; None where that says nothing.
        kinds: accuracy by family, as "all near", and by kind.
        songs: number.
    """

    accuracy: Estimate
    spearman: Estimate | None
    kendall: Estimate | None
    reliability: Reliability
    control: Estimate | None
    kinds: Mapping[str, Estimate]
    songs: int

    def record(self) -> dict[str, Any]:
        """For JSON."""

        def plain(estimate: Estimate | None) -> dict[str, float] | None:
            if estimate is None:
                return None
            return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}

        curve = self.reliability
        return {
            "songs": self.songs,
            "accuracy": plain(self.accuracy),
            "spearman": plain(self.spearman),
            "kendall": plain(self.kendall),
            "calibration_error": plain(curve.error),
            "reliability": [
                {"confidence": confidence, "agreement": share, "n": int(count)}
                for confidence, share, count in zip(
                    curve.confidence.tolist(), curve.share.tolist(), curve.counts, strict=True
                )
                if count
            ],
            "accuracy_with_other_music": plain(self.control),
            "kinds": {name: plain(estimate) for name, estimate in self.kinds.items()},
        }


def outcome(
    contests: Sequence[Contest],
    values: Sequence[NDArray[np.float64]],
    controls: Sequence[NDArray[np.float64]],
    seed: int,
) -> Outcome | None:
    """The figures of one reward; None when the contests have no votes.

    Args:
        contests: of one task.
        values: for each contest, the numbers of its entries, NaN where the reward does not judge.
        controls: for each contest, those of its controls, empty where it has none.
        seed: of the bootstrap.
    """
    cluster = indexed([contest.song for contest in contests])
    votes = [
        (row, vote.first, vote.second, vote.preference)
        for row, contest in enumerate(contests)
        for vote in contest.votes
    ]
    if not votes:
        return None
    row, first, second = (np.array([vote[part] for vote in votes], np.intp) for part in range(3))
    preference = np.array([vote[3] for vote in votes])
    taken = draws(int(cluster.max()) + 1, seed)
    known = [np.where(np.isnan(one), SILENT, one) for one in values]
    margin = _margins(known, row, first, second)
    agreed = agreement(margin, preference)
    where = cluster[row]
    ranks = [rank_correlations(one, np.array(contest.levels)) for one, contest in zip(known, contests, strict=True)]
    ranked = np.array([place for place, one in enumerate(ranks) if one is not None], np.intp)
    spearman, kendall = (
        mean(np.array([one[part] for one in ranks if one is not None]), cluster[ranked], taken) if len(ranked) else None
        for part in range(2)
    )
    control = None
    controlled = np.array([len(controls[place]) > 0 for place in row])
    if controlled.any():
        swapped = [np.where(np.isnan(one), SILENT, one) for one in controls]
        gap = _margins(swapped, row[controlled], first[controlled], second[controlled])
        control = accuracy(agreement(gap, preference[controlled]), where[controlled], taken)
    return Outcome(
        accuracy=accuracy(agreed, where, taken),
        spearman=spearman,
        kendall=kendall,
        reliability=reliability(probabilities(margin, preference, where), preference, where, taken),
        control=control,
        kinds={
            name: accuracy(agreed[chosen], where[chosen], taken)
            for name, members in _kinds(contests).items()
            if (chosen := np.isin(row, members)).any()
        },
        songs=len(set(where.tolist())),
    )


def _kinds(contests: Sequence[Contest]) -> dict[str, list[int]]:
    """Families, then kinds, and the places of their contests."""
    found: dict[str, list[int]] = {f"all {contest.family}": [] for contest in contests if contest.family}
    found |= {contest.kind: [] for contest in contests}
    for place, contest in enumerate(contests):
        found[contest.kind].append(place)
        if contest.family:
            found[f"all {contest.family}"].append(place)
    return found


def _margins(
    values: Sequence[NDArray[np.float64]], row: NDArray[np.intp], first: NDArray[np.intp], second: NDArray[np.intp]
) -> NDArray[np.float64]:
    return np.array([values[at][a] - values[at][b] for at, a, b in zip(row, first, second, strict=True)])
