"""Statistics of preferences: agreement, rank correlation and calibration, with intervals from draws of whole songs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import kendalltau, spearmanr

from motet.training.share import Share

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

DRAWS: Final = 10_000
BINS: Final = 10
"""Of equal width in the confidence, from one half to one."""

_EQUAL: Final = 1e-9  # margins below it are the same number but for rounding
_STEEPEST: Final = 30.0  # slope for margins of unit size, which perfectly separated answers would let grow for ever
_BLOCK: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with the bounds of its 95 % interval; ``n`` cases."""

    value: float
    low: float
    high: float
    n: int


def agreement(margin: Floats, preference: Floats) -> Floats:
    """How far each margin agrees with each preference, 0 to 1; a tie on either side is one half.

    Args:
        margin: [N] score of the first less score of the second.
        preference: [N] 1 for the first, 0 for the second, one half for neither.
    """
    side = np.where(np.abs(margin) <= _EQUAL, 0.5, (margin > 0).astype(np.float64))
    return side * preference + (1 - side) * (1 - preference)


def rank_correlations(values: Floats, levels: Floats) -> tuple[float, float] | None:
    """Spearman's rho and Kendall's tau-b of values [N] with levels [N]; None where all levels are equal.

    Values that are all equal rank nothing: 0.
    """
    if np.ptp(levels) <= _EQUAL:
        return None
    if np.ptp(values) <= _EQUAL:
        return 0.0, 0.0
    rounded = np.round(values, 9)
    return float(spearmanr(rounded, levels).statistic), float(kendalltau(rounded, levels).statistic)


def draws(clusters: int, seed: int, count: int = DRAWS) -> NDArray[np.int64]:
    """How often each cluster is taken in each of ``count`` bootstrap draws: [count, clusters]."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), count)


def mean(values: Floats, cluster: Places, taken: NDArray[np.int64]) -> Estimate:
    """The mean of values [N] of one or more to a cluster, with the percentile interval over ``draws``.

    Args:
        values: [N], N >= 1.
        cluster: [N] of each, below the number of clusters.
        taken: from ``draws``.
    """
    clusters = taken.shape[1]
    sums = np.bincount(cluster, values, clusters)
    counts = np.bincount(cluster, minlength=clusters).astype(np.float64)
    total = taken @ counts
    low, high = np.quantile((taken @ sums)[total > 0] / total[total > 0], (0.025, 0.975))
    return Estimate(value=float(values.mean()), low=float(low), high=float(high), n=len(values))


def accuracy(agreed: Floats, cluster: Places, taken: NDArray[np.int64]) -> Estimate:
    """As ``mean`` for agreement in 0..1; where every song is all right or all wrong, Wilson's interval for the songs.

    There the bootstrap has nothing to draw from, and would be certain after a handful of songs.
    """
    found = mean(agreed, cluster, taken)
    if found.value not in (0.0, 1.0):
        return found
    songs = len(np.unique(cluster))
    low, high = Share(hits=songs * int(found.value), n=songs).interval
    return replace(found, low=low, high=high)


def slope(margin: Floats, preference: Floats) -> float:
    """The b >= 0 under which sigma(b * margin) is the likeliest probability of the preferences.

    0 where the margins say nothing, or the contrary; at most 30 over the root mean square of the margins.
    """
    size = float(np.sqrt(np.mean(margin**2))) if len(margin) else 0.0
    if size <= _EQUAL:
        return 0.0
    unit = margin / size

    def loss(b: float) -> float:
        return float(np.mean(np.logaddexp(0, -b * unit) * preference + np.logaddexp(0, b * unit) * (1 - preference)))

    found = minimize_scalar(loss, bounds=(0.0, _STEEPEST), method="bounded", options={"xatol": 1e-4})
    best = float(found.x) if loss(float(found.x)) < loss(0.0) else 0.0
    return best / size


def probabilities(margin: Floats, preference: Floats, cluster: Places) -> Floats:
    """P(first is preferred) = sigma(b * margin): [N]; b is fitted on the other half of the clusters, for each half."""
    half = cluster % 2 == 0
    found = np.full(len(margin), 0.5)
    for part in (half, ~half):
        other = ~part if (~part).any() else part
        found[part] = expit(slope(margin[other], preference[other]) * margin[part])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How confidence compares with agreement.

    Args:
        error: expected calibration error: mean over the cases of |confidence - agreement| of their bin.
        confidence, share: [BINS] mean confidence and mean agreement of each bin, NaN where it is empty.
        counts: [BINS].
    """

    error: Estimate
    confidence: Floats
    share: Floats
    counts: NDArray[np.int64]


def reliability(probability: Floats, preference: Floats, cluster: Places, taken: NDArray[np.int64]) -> Reliability:
    """Compares P(first is preferred) [N] with preferences [N] by bins of the confidence in the likelier side.

    Few cases make the error look larger than it is; compare it with that of "random" on the same pairs.
    """
    confidence = np.maximum(probability, 1 - probability)
    agreed = agreement(probability - 0.5, preference)
    bins = np.minimum(((confidence - 0.5) * 2 * BINS).astype(np.intp), BINS - 1)
    clusters = taken.shape[1]
    place = cluster * BINS + bins
    gap = np.bincount(place, confidence - agreed, clusters * BINS).reshape(clusters, BINS)
    cases = np.bincount(cluster, minlength=clusters).astype(np.float64)
    errors = np.concatenate(
        [
            np.abs(part @ gap).sum(axis=1) / np.maximum(part @ cases, 1)
            for part in np.array_split(taken, -(-len(taken) // _BLOCK))
        ]
    )
    low, high = np.quantile(errors, (0.025, 0.975))
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, column, BINS) / counts for column in (confidence, agreed)]
    value = float(np.abs(gap.sum(axis=0)).sum() / len(confidence))
    return Reliability(
        error=Estimate(value=value, low=float(low), high=float(high), n=len(confidence)),
        confidence=means[0],
        share=means[1],
        counts=counts,
    )


def indexed(names: Sequence[str]) -> Places:
    """The same small number for the same name, from 0 in the order of the names: [N]."""
    return np.unique(np.array(names), return_inverse=True)[1].astype(np.intp)
