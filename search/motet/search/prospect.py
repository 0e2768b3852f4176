"""What another round of a search can be expected to bring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from scipy.special import gammaln, stdtr

FEWEST = 3
"""Rounds before anything can be said: with fewer, the expectation below is infinite."""


def expected_gain(bests: Sequence[float]) -> float:
    """By how much a further round can be expected to raise the best reward, 0 to what is left to 1.

    Rounds are independent and alike, so the best of the next one is drawn like those before. With a normal model and
    no prior knowledge of its mean and variance, it has a Student distribution: n-1 degrees of freedom, location the
    mean m of the n bests, scale t = s * sqrt(1 + 1/n). The expectation of what exceeds the maximum b of the bests is

        (m - b) F(z) + t (v + z^2) / (v - 1) f(z),    v = n - 1,  z = (m - b) / t,

    with F and f the distribution and density of Student's t with v degrees of freedom. Small n are taken care of by
    the heavy tails; below three rounds the expectation is infinite, and all that is left to 1 is returned.

    Args:
        bests: the best final reward of each round so far, in [0, 1].

    Source: expected improvement, Jones, Schonlau and Welch 1998, "Efficient global optimization of expensive black-box
    functions", eq. 15, for a Student predictive distribution (Gelman et al., "Bayesian Data Analysis", section 3.2).
    """
    if len(bests) < FEWEST:
        return 1.0 - max(bests, default=0.0)
    best, mean, freedom = max(bests), fmean(bests), len(bests) - 1
    scale = stdev(bests) * math.sqrt(1 + 1 / len(bests))
    if scale == 0:
        return 0.0
    z = (mean - best) / scale
    tail = (freedom + z * z) / (freedom - 1) * _density(z, freedom)
    gain = (mean - best) * float(stdtr(freedom, z)) + scale * tail
    return min(max(gain, 0.0), 1.0 - best)


def _density(z: float, freedom: int) -> float:
    """Of Student's t."""
    log_scale = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - math.log(freedom * math.pi) / 2
    return math.exp(log_scale - (freedom + 1) / 2 * math.log1p(z * z / freedom))
