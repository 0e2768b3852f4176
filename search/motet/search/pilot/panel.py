"""What a pilot heard, as arrays, and how well partial rewards foretell final ones within a caption.

``C`` captions, ``S`` samples of each, ``K`` looks at each (the last is the end), ``P`` prefixes that go on in ``M``
ways. NaN stands where a term does not judge. A search compares pieces of one caption, so whatever sets captions apart
is taken out first; intervals come from drawing captions anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.rewards.composite import NOTHING_ASKED
from motet.search.pilot.measurement import Measurement

TOTAL: Final = "total"
"""The weighted mean of the terms."""

_DRAWS: Final = 2_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval over draws of captions."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """The arrays; made by ``of``.

    Args:
        shares: [K] of the piece at each look; the last is 1.
        terms: name -> [C, S, K] terms, and their weighted mean as ``TOTAL``.
        log_probability: [C, S, K] nats per token.
        branches: share of the prefix -> name -> [C, P, M] final terms, and ``TOTAL``.
        weights: of the terms.
    """

    shares: Floats
    terms: Mapping[str, Floats]
    log_probability: Floats
    branches: Mapping[float, Mapping[str, Floats]]
    weights: Mapping[str, float]

    @classmethod
    def of(cls, heard: Sequence[Measurement], weights: Mapping[str, float]) -> Panel:
        """Raises InvalidInputError for less than two captions, or when not all were heard alike."""
        if len(heard) < 2:
            raise InvalidInputError.of("captions", "must be at least 2", len(heard))
        first = heard[0]
        names = list(dict.fromkeys(name for one in heard for name in one.terms))
        log_probability = [np.array(one.log_probability, np.float64) for one in heard]
        if any((one.looks, one.bars) != (first.looks, first.bars) for one in heard):
            raise InvalidInputError.of("captions", "must all be heard at the same bars", first.looks)
        if any(one.sizes != first.sizes for one in heard):
            raise InvalidInputError.of("captions", "must all have as many samples", [one.sizes for one in heard])
        shape = log_probability[0].shape
        terms = {name: _stack([one.terms.get(name) for one in heard], shape) for name in names}
        terms[TOTAL] = _mean(terms, weights, (len(heard), *shape))
        if not spread(terms[TOTAL][:, :, -1]) > 0:
            rule = "must be of rewards that tell pieces of a caption apart"
            raise InvalidInputError.of("weights", rule, dict(weights))
        branches = {}
        for bars in first.branches:
            size = (first.sizes[1], first.sizes[2])
            finals = {name: _stack([one.branches[bars].get(name) for one in heard], size) for name in names}
            branches[int(bars) / first.bars] = finals | {TOTAL: _mean(finals, weights, (len(heard), *size))}
        return cls(
            shares=np.array(first.looks, np.float64) / first.bars,
            terms=terms,
            log_probability=np.stack(log_probability),
            branches=branches,
            weights=dict(weights),
        )

    @property
    def captions(self) -> int:
        """C."""
        return len(self.log_probability)

    @property
    def names(self) -> list[str]:
        """Of the terms, without ``TOTAL``."""
        return [name for name in self.terms if name != TOTAL]

    def final(self, name: str) -> Floats:
        """[C, S] final values of a term."""
        return np.asarray(self.terms[name][:, :, -1])

    def take(self, captions: NDArray[np.intp]) -> Panel:
        """The same of other captions, some perhaps twice."""
        return Panel(
            shares=self.shares,
            terms={name: rows[captions] for name, rows in self.terms.items()},
            log_probability=self.log_probability[captions],
            branches={
                share: {name: rows[captions] for name, rows in finals.items()}
                for share, finals in self.branches.items()
            },
            weights=self.weights,
        )


def _stack(rows: Sequence[object], shape: tuple[int, ...]) -> Floats:
    """[C, ...] with NaN for None, also for a caption that lacks the term altogether."""
    return np.stack([np.full(shape, np.nan) if one is None else np.array(one, np.float64) for one in rows])


def _mean(terms: Mapping[str, Floats], weights: Mapping[str, float], shape: tuple[int, ...]) -> Floats:
    sums, judged = np.zeros(shape), np.zeros(shape)
    for name, weight in weights.items():
        if name in terms:
            sums += weight * np.nan_to_num(terms[name])
            judged += weight * ~np.isnan(terms[name])
    return np.where(judged > 0, sums / np.where(judged > 0, judged, 1.0), NOTHING_ASKED)


def centred(rows: Floats) -> Floats:
    """[C, S] less the mean of each caption; 0 where a term does not judge."""
    there = ~np.isnan(rows)
    means = np.nan_to_num(rows).sum(1, keepdims=True) / np.maximum(there.sum(1, keepdims=True), 1)
    return np.where(there, np.nan_to_num(rows) - means, 0.0)


def spread(rows: Floats) -> float:
    """Standard deviation within captions of [C, S] values."""
    there = ~np.isnan(rows)
    freedom = np.maximum(there.sum(1) - 1, 0).sum()
    return float(np.sqrt((centred(rows) ** 2).sum() / max(freedom, 1)))


def correlation(partial: Floats, final: Floats) -> Estimate:
    """Of two [C, S] within captions; NaN where one does not vary."""
    both = np.isnan(partial) | np.isnan(final)
    x, y = centred(np.where(both, np.nan, partial)), centred(np.where(both, np.nan, final))
    sums = np.stack([(x * y).sum(1), (x * x).sum(1), (y * y).sum(1)], axis=1)  # [C, 3]

    def ratio(added: Floats) -> Floats:
        scale = np.sqrt(added[..., 1] * added[..., 2])
        return np.asarray(np.where(scale > 0, added[..., 0] / np.where(scale > 0, scale, 1.0), np.nan))

    return _bootstrap(sums, ratio)


def intraclass(final: Floats) -> Estimate:
    """Share of the variance of [C, P, M] final values within a caption that is settled by the prefix, 0 to 1.

    One-way random effects: (B - W) / (B + (M - 1) W) with mean squares between and within prefixes.
    """
    judged = ~np.isnan(final).any(axis=(1, 2))
    values = np.nan_to_num(final)
    prefixes, each = values.shape[1:]
    means = values.mean(2)
    between = each * ((means - means.mean(1, keepdims=True)) ** 2).sum(1) / (prefixes - 1)
    within = ((values - means[:, :, None]) ** 2).sum((1, 2)) / (prefixes * (each - 1))
    sums = np.stack([between * judged, within * judged], axis=1)  # [C, 2]

    def ratio(added: Floats) -> Floats:
        b, w = added[..., 0], added[..., 1]
        scale = b + (each - 1) * w
        return np.asarray(np.where(scale > 0, np.clip((b - w) / np.where(scale > 0, scale, 1.0), 0.0, 1.0), np.nan))

    return _bootstrap(sums, ratio)


def _bootstrap(sums: Floats, ratio: Callable[[Floats], Floats]) -> Estimate:
    """A function of sums over captions [C, n], with its interval over draws of captions."""
    captions = len(sums)
    drawn = np.random.default_rng(0).integers(0, captions, (_DRAWS, captions))
    counts = np.stack([(drawn == caption).sum(1) for caption in range(captions)], axis=1).astype(np.float64)
    ratios = ratio(counts @ sums)
    known = ratios[~np.isnan(ratios)]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (np.nan, np.nan)
    return Estimate(value=float(ratio(sums.sum(0))), low=float(low), high=float(high))
