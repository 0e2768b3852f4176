"""Distances between two collections of music: one number at a time, all of a vector at once, and parts of a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist
from scipy.stats import wasserstein_distance

BOOTSTRAPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def earth_movers(one: NDArray[np.float64], other: NDArray[np.float64], spread: float) -> float:
    """Wasserstein-1 distance of two samples of a number in units of ``spread``; NaN if one is empty.

    Where the spread is 0 no difference is 0 and every other 1.
    """
    if not len(one) or not len(other):
        return float("nan")
    distance = float(wasserstein_distance(one, other))
    return distance / spread if spread > 0 else float(distance > 0)


def overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Area that two divisions of a whole have in common, 0 to 1: one less their total variation distance."""
    return float(np.minimum(one, other).sum())


@dataclass(frozen=True)
class Yardstick:
    """A Gaussian kernel that is fixed by human music alone, so that every collection is measured by the same one.

    Args:
        mean, spread: [D] of each number over human music.
        width: the median distance of standardised human pairs (Gretton and others, JMLR 13, 2012, section 8).
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    width: float

    @classmethod
    def of(cls, human: NDArray[np.float64]) -> Yardstick:
        """The yardstick of human vectors [N, D], N >= 2; NaN where a number does not apply."""
        known = np.ma.masked_invalid(human)
        spread = known.std(axis=0).filled(0.0)
        unscaled = cls(known.mean(axis=0).filled(0.0), np.where(spread > 0, spread, 1.0), 1.0)
        return replace(unscaled, width=float(np.median(pdist(unscaled.standardised(human)))) or 1.0)

    def standardised(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Vectors [N, D] in human spreads from the human mean; a number that does not apply is at the mean."""
        return np.nan_to_num((vectors - self.mean) / self.spread)

    def kernel(self, one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        """The kernel's values for standardised vectors [N, D] and [M, D]: [N, M] in 0..1."""
        return np.asarray(np.exp(-cdist(one, other, "sqeuclidean") / (2 * self.width**2)), np.float64)

    def discrepancy(
        self,
        one: NDArray[np.float64],
        one_songs: Sequence[str],
        other: NDArray[np.float64],
        other_songs: Sequence[str],
        *,
        seed: int,
    ) -> Estimate:
        """Unbiased squared maximum mean discrepancy of two collections: about 0, even below, when they are alike.

        Equation 3 of Gretton and others (JMLR 13, 2012), with this difference: only pairs from different songs are
        compared, within the collections and across. So excerpts of one song, and a sample and the music that its
        caption was written from, may depend on each other without making the estimate wrong. The interval is from
        1,000 bootstrap draws of whole songs.

        Args:
            one, other: [N, D] and [M, D], NaN where a number does not apply.
            one_songs, other_songs: [N] and [M] names of what rows depend on; two or more in each.
            seed: of the bootstrap.
        """
        a, b = self.standardised(one), self.standardised(other)
        songs, index = np.unique([*one_songs, *other_songs], return_inverse=True)
        in_one, in_other = (np.eye(len(songs))[part] for part in np.split(index, [len(a)]))  # [N, songs], [M, songs]
        sums = [left.T @ self.kernel(x, y) @ right for left, x, y, right in (
            (in_one, a, a, in_one), (in_other, b, b, in_other), (in_one, a, b, in_other)
        )]  # fmt: skip
        counts = [np.outer(left.sum(axis=0), right.sum(axis=0)) for left, right in (
            (in_one, in_one), (in_other, in_other), (in_one, in_other)
        )]  # fmt: skip
        for matrix in (*sums, *counts):
            np.fill_diagonal(matrix, 0.0)

        def estimate(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            """The discrepancy [R] when song s is taken weights[r, s] times."""
            within, across, between = (
                ((weights @ total) * weights).sum(axis=1) / ((weights @ count) * weights).sum(axis=1)
                for total, count in zip(sums, counts, strict=True)
            )
            return np.asarray(within + across - 2 * between)

        rng = np.random.default_rng(seed)
        draws = rng.multinomial(len(songs), np.full(len(songs), 1 / len(songs)), BOOTSTRAPS).astype(np.float64)
        low, high = np.quantile(estimate(draws), (0.025, 0.975))
        return Estimate(float(estimate(np.ones((1, len(songs))))[0]), float(low), float(high))
