"""Simulated listeners: who like what their weights say, and answer as people do: with noise, habits and mistakes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.training.reward_bench.contest import Column, Vote

Rows = Mapping[str, NDArray[np.float64]]
"""Feature -> [N] a number for each candidate, NaN where it does not apply."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Somebody whose answers can be known beforehand but for chance.

    The liking of a candidate is the sum of its features, standardised over all candidates, times the weights. Perceived
    liking adds Gumbel noise of scale one, so that the chance of preferring the better one of two is the sigmoid of the
    difference in liking.

    Args:
        name: of the listener.
        column: what is asked.
        weights: feature -> weight.
        side_bias: added to what is heard first.
        length_bias: added for each standard deviation of length.
        tie_within: answers "tie" when perceived likings are nearer than this.
        bad_below: answers "both bad" when both perceived likings are below this.
        careless: share of the answers that are thrown with a coin, 0 to 1.
    """

    name: str
    column: Column
    weights: Mapping[str, float]
    side_bias: float = 0.2
    length_bias: float = 0.1
    tie_within: float = 0.3
    bad_below: float = -3.0
    careless: float = 0.05

    def __post_init__(self) -> None:
        if not self.weights or not all(math.isfinite(weight) for weight in self.weights.values()):
            raise InvalidInputError.of("listener.weights", "must be finite numbers, at least one", dict(self.weights))
        if not 0 <= self.careless <= 1:
            raise InvalidInputError.of("listener.careless", "must be from 0 to 1", self.careless)
        if not self.tie_within >= 0:
            raise InvalidInputError.of("listener.tie_within", "must be at least 0", self.tie_within)

    def liking(self, features: Rows) -> NDArray[np.float64]:
        """Without noise and habits: [N]. Raises InvalidInputError for a weight without a feature."""
        missing = sorted(set(self.weights) - set(features))
        if missing:
            raise InvalidInputError.of("listener.weights", f"must name features of {sorted(features)}", missing)
        terms = [weight * standardised(features[name]) for name, weight in self.weights.items()]
        return np.asarray(np.sum(terms, axis=0))

    def ask(
        self,
        liking: NDArray[np.float64],
        length: NDArray[np.float64],
        pairs: Sequence[tuple[int, int]],
        rng: np.random.Generator,
    ) -> list[Vote]:
        """Answers about pairs of candidates, in either order; those that are "both bad" are left out.

        Args:
            liking: [N] of all candidates.
            length: [N] their lengths, standardised.
            pairs: places of candidates.
            rng: of noise, order and carelessness.
        """
        votes = []
        for pair in pairs:
            first, second = (int(one) for one in rng.permutation(pair))
            heard = liking[[first, second]] + self.length_bias * length[[first, second]] + rng.gumbel(size=2)
            heard[0] += self.side_bias
            if rng.random() < self.careless:
                votes.append(Vote(first, second, float(rng.integers(2))))
            elif heard.max() >= self.bad_below:
                gap = float(heard[0] - heard[1])
                votes.append(Vote(first, second, 0.5 if abs(gap) < self.tie_within else float(gap > 0)))
        return votes


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values [N] in standard deviations from their mean; 0 where they do not apply or do not differ."""
    known = values[~np.isnan(values)]
    if not len(known) or known.std() == 0:
        return np.zeros(len(values))
    return np.asarray(np.nan_to_num((values - known.mean()) / known.std()))


LISTENERS: Final = (
    Listener(
        name="score reader",
        column="alignment",
        weights={"tempo": 0.8, "key": 0.8, "meter": 0.8, "instruments": 0.8, "drums": 0.8},
    ),
    Listener(
        name="band leader",
        column="alignment",
        weights={"instruments": 1.2, "families": 0.8, "drums": 1.0},
    ),
    Listener(
        name="disc jockey",
        column="alignment",
        weights={"genres": 1.2, "moods": 0.8, "tempo": 0.8},
    ),
    Listener(name="purist", column="musicality", weights={"intact": 1.5}),
    Listener(name="regular", column="musicality", weights={"ordinary notes": 1.0, "ordinary form": 0.7}),
    Listener(
        name="concert goer",
        column="musicality",
        weights={"human": 1.0, "intact": 0.8, "ordinary form": 0.4},
    ),
)
