"""A stage for rehearsals: numbers that behave within a caption as a pilot has measured.

A piece of ``K`` chunks is a sum of steps. After chunk ``k`` the prefix has settled a share ``t_k`` of the variance of
the final reward (``panel.intraclass``); the look tells that, scaled, plus an error, and the errors of one piece go
together from look to look as measured. Copies share what is settled and what was misheard, and differ from there on.
All of that is Gaussian; the final rewards then get the distribution of those that were heard, for what is nearly
perfect does not become better by the same steps. Mutated captions are left out, and so are differences in spread
between captions: gains are told too high, but in the right order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from motet.search.pilot.panel import TOTAL, Floats, Panel, centred, intraclass, spread
from motet.search.tuning import Tuning

LEVEL: Final = 0.5
"""Mean final reward on the stage; only differences count."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Behaviour:
    """How looks and final rewards vary within a caption; made by ``of``.

    Args:
        settled: [K] share of the variance of the final score that is settled after each look, ascending to 1.
        steps: [K] spread of what each look settles beyond the one before.
        scale: [K] what a look tells for each unit that is settled.
        error: [K, K] lower triangle: errors of the looks are this times independent normal numbers.
        spreads: [K - 1] of what looks tell, in reward.
        finals: [n] final rewards less the mean of their caption, ascending.
        most: what a final reward can be above the mean of its caption.
    """

    settled: Floats
    steps: Floats
    scale: Floats
    error: Floats
    spreads: Floats
    finals: Floats
    most: float

    @classmethod
    def of(cls, panel: Panel, tuning: Tuning) -> Behaviour:
        """From what was heard, as ``tuning`` values it."""
        final = panel.final(TOTAL)
        looks = len(panel.shares)
        values = [*(valued(panel, tuning, look) for look in range(looks - 1)), final]  # [K][C, S]
        samples = final.shape[1]
        # Deviations from the mean of a few are smaller than those from the true one.
        finals = np.sort(centred(final).ravel()) * np.sqrt(samples / (samples - 1))
        scores = np.stack([_scores(centred(rows).ravel()) for rows in values])  # [K, C * S]
        covariance: Floats = np.array(np.corrcoef(scores), ndmin=2)
        told = covariance[:, -1]
        branched = sorted(panel.branches)
        shares = [_settled(panel.branches[share][TOTAL], finals) for share in branched]
        measured = np.interp(panel.shares, [0.0, *branched, 1.0], [0.0, *shares, 1.0])
        # What a look tells of the end must have been settled by then.
        settled = np.minimum(np.maximum.accumulate(np.maximum(measured, told**2)), 1.0)
        settled[-1] = 1.0
        scale = told / np.maximum(settled, 1e-12)
        residual = covariance - np.outer(scale, scale) * np.minimum.outer(settled, settled)
        residual[-1, :] = residual[:, -1] = 0.0  # the end is heard as it is
        eigenvalues, vectors = np.linalg.eigh((residual + residual.T) / 2)
        root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
        # Any root will do; the triangular one makes an error a matter of the looks so far.
        _, upper = np.linalg.qr(root.T)
        return cls(
            settled=settled,
            steps=np.sqrt(np.diff(settled, prepend=0.0)),
            scale=scale,
            error=upper.T,
            spreads=np.array([spread(rows) for rows in values[:-1]]),
            finals=finals,
            most=1.0 - float(final.mean()),
        )

    @property
    def looks(self) -> int:
        """K."""
        return len(self.settled)

    def play(self, numbers: Floats) -> Floats:
        """[B, K] what is told after each look, the final reward last, for independent normal numbers [B, 2, K]."""
        quality = np.cumsum(self.steps * numbers[:, 0], axis=1)
        told = self.scale * quality + numbers[:, 1] @ self.error.T
        told[:, :-1] *= self.spreads
        told[:, -1] = self._reward(told[:, -1])
        return np.asarray(LEVEL + told)

    def _reward(self, score: Floats) -> Floats:
        """The final reward of a normal score, above the mean.

        As the finals that were heard, beyond the best of them as steeply as their upper tenth rises, but never more
        than there is to win.
        """
        places = _normal(len(self.finals))
        tenth = int(0.9 * len(places))
        slope = (self.finals[-1] - self.finals[tenth]) / max(places[-1] - places[tenth], 1e-12)
        beyond = slope * np.maximum(score - places[-1], 0.0)
        return np.asarray(np.minimum(np.interp(score, places, self.finals) + beyond, self.most))


def _normal(count: int) -> Floats:
    """[count] ascending normal numbers that split the distribution evenly."""
    return np.asarray(ndtri((np.arange(count) + 0.5) / count))


def _scores(values: Floats) -> Floats:
    """[n] normal scores: the normal number at the same rank; ties share their mean."""
    places = _normal(len(values))
    _, groups, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    sums = np.concatenate(([0.0], np.cumsum(places)))
    return np.asarray(((sums[ends] - sums[ends - counts]) / counts)[groups])


def _settled(finals: Floats, heard: Floats) -> float:
    """``intraclass`` of [C, P, M] final values by their normal scores among those heard, ascending."""
    deviations = finals - finals.mean((1, 2), keepdims=True)
    found = intraclass(np.interp(deviations, heard, _normal(len(heard)))).value
    return float(np.nan_to_num(found))


def valued(panel: Panel, tuning: Tuning, look: int) -> Floats:
    """[C, S] what a tuning makes of one look."""
    rows = {name: panel.terms[name][:, :, look].ravel() for name in panel.names}
    shape = panel.log_probability.shape[:2]
    share = np.full(shape[0] * shape[1], panel.shares[look])
    found = tuning.values(share, rows, panel.log_probability[:, :, look].ravel(), panel.weights)
    return found.reshape(shape)


class Stage:
    """Stands in for ``motet.search.exploration.Exploration``: numbers instead of music; a bar is a chunk.

    ``B`` rows, all of the original caption: mutants are not rehearsed.

    Args:
        behaviour: of the looks.
        rows: B at first.
        keeps_plain: whether row 0 is protected.
        seed: of all random numbers.
    """

    caption_count = 1
    tuning = None

    def __init__(self, behaviour: Behaviour, rows: int, *, keeps_plain: bool, seed: int) -> None:
        self._behaviour = behaviour
        self._generator = np.random.default_rng(seed)
        self._numbers = self._normal(rows)
        self._told = behaviour.play(self._numbers)
        self._done: NDArray[np.int64] = np.zeros(rows, np.int64)
        self._keeps_plain = keeps_plain
        self.bars = behaviour.looks
        self.best = -np.inf
        """The highest final reward so far."""
        self.written = 0
        """Chunks written by all rows together."""
        self.heard = 0
        """Looks."""

    def _normal(self, rows: int) -> Floats:
        return self._generator.standard_normal((rows, 2, self._behaviour.looks))

    @property
    def size(self) -> int:
        """B."""
        return len(self._done)

    @property
    def chunk_bars(self) -> int:
        """A quarter of the piece."""
        return max(1, self.bars // 4)

    @property
    def bars_done(self) -> int:
        """Chunks that every unfinished row has."""
        unfinished = self._done[~self.finished]
        return int(unfinished.min()) if len(unfinished) else self.bars

    @property
    def finished(self) -> NDArray[np.bool_]:
        """[B] whether each row has ended."""
        return self._done >= self.bars

    @property
    def arms(self) -> NDArray[np.int32]:
        """[B] all on the original."""
        return np.zeros(self.size, np.int32)

    @property
    def protected(self) -> NDArray[np.bool_]:
        """[B] rows that may not be replaced."""
        return np.asarray((np.arange(self.size) == 0) & self._keeps_plain)

    @property
    def log_probability_per_token(self) -> Floats:
        """[B] none is likelier than another."""
        return np.zeros(self.size)

    def mutants(self, count: int) -> list[int]:
        """There are none."""
        return []

    def uniforms(self, count: int) -> Floats:
        """[count] numbers in [0, 1)."""
        return self._generator.random(count)

    def values(self) -> Floats:
        """[B] what the latest look tells of the final reward."""
        looked = np.maximum(self._done - 1, 0)
        return np.where(self._done > 0, self._told[np.arange(self.size), looked], LEVEL)

    def grow(self, bars: int, rows: NDArray[np.bool_] | None = None) -> bool:
        """Rows write more chunks; it never stops early."""
        growing = ~self.finished if rows is None else rows & ~self.finished
        after = np.where(growing, np.minimum(self._done + bars, self.bars), self._done)
        self.written += int((after - self._done).sum())
        self.heard += int(growing.sum())
        self._done = after
        ended = growing & self.finished
        if ended.any():
            self.best = max(self.best, float(self._told[ended, -1].max()))
        return True

    def select(self, parents: Sequence[int] | NDArray[np.intp], arms: Sequence[int] | None = None) -> None:
        """The first row that goes on as a parent is that parent; others are copies that differ from now on."""
        chosen = np.asarray(parents, np.intp)
        first: dict[int, int] = {}
        copies = [row for row, parent in enumerate(chosen.tolist()) if first.setdefault(parent, row) != row]
        self._numbers, self._told, self._done = self._numbers[chosen], self._told[chosen], self._done[chosen]
        if copies:
            heard = np.arange(self._behaviour.looks) < self._done[copies, None, None]
            self._numbers[copies] = np.where(heard, self._numbers[copies], self._normal(len(copies)))
            self._told[copies] = self._behaviour.play(self._numbers[copies])
