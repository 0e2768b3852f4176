"""Where human music stands, by length, and what sets it apart from music that went wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.rewards.measures import GROUPS, MEASURES

LEVELS: Final = (0.0, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.975, 0.99, 1.0)
"""The quantiles that a table holds."""

JUDGED: Final = (*MEASURES, "key_fit")
REFERENCES: Final = ("evidence", "human", "corrupted", *GROUPS)
"""Rows of what the reward itself gives: its evidence and its raw number for human windows, its raw number for corrupted
ones, and the evidence of each group of measures for human windows."""

SATURATION: Final = 0.75
"""The share of human music above which there is nothing more to gain."""

_END = 0.002  # the share of human music that is taken to lie beyond the outermost of the sample
_SCORES = np.array([NormalDist().inv_cdf(min(max(level, _END), 1 - _END)) for level in LEVELS])
_FARTHEST = 5.0
_LINEAR_CAP, _SQUARE_CAP = 3.5, 6.0
_RIDGE = 0.1


@dataclass(frozen=True, kw_only=True)
class HarmonyTable:
    """What ``HarmonyReward`` knows of human music.

    Args:
        bars: [L] ascending lengths in bars.
        quantiles: measure -> [L, len(LEVELS)] values in human music, ascending along the second axis.
        correlation: [J, J] of the normal scores of ``MEASURES`` in human music.
        base, rise, bend: [2], [2, J], [2, J] log-odds of a window being human and not a decoy: at first, for each unit
            of a normal score (to 3.5), and of its square (to 6); the second row for music without two notes at once.
        references: ``REFERENCES`` -> [L, len(LEVELS)], ascending along the second axis.
    """

    bars: tuple[int, ...]
    quantiles: Mapping[str, NDArray[np.float64]]
    correlation: NDArray[np.float64]
    base: NDArray[np.float64]
    rise: NDArray[np.float64]
    bend: NDArray[np.float64]
    references: Mapping[str, NDArray[np.float64]]
    _rows: dict[int, NDArray[np.float64]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.bars or list(self.bars) != sorted(set(self.bars)) or self.bars[0] < 1:
            raise InvalidInputError.of("harmony_table.bars", "must be ascending and at least 1", self.bars)
        for kind, names, rows in (
            ("quantiles", JUDGED, self.quantiles),
            ("references", REFERENCES, self.references),
        ):
            missing = [name for name in names if name not in rows]
            if missing:
                raise InvalidInputError.of(f"harmony_table.{kind}", "must hold all rows", f"no {missing}")
            for name, row in rows.items():
                if row.shape != (len(self.bars), len(LEVELS)) or not np.all(np.isfinite(row)):
                    rule = f"must be finite, shape {(len(self.bars), len(LEVELS))}"
                    raise InvalidInputError.of(f"harmony_table.{kind}.{name}", rule, row.shape)
                if np.any(np.diff(row, axis=1) < 0):
                    raise InvalidInputError.of(f"harmony_table.{kind}.{name}", "must ascend", row.tolist())
        count = len(MEASURES)
        for name, array, shape in (
            ("correlation", self.correlation, (count, count)),
            ("base", self.base, (2,)),
            ("rise", self.rise, (2, count)),
            ("bend", self.bend, (2, count)),
        ):
            if array.shape != shape or not np.all(np.isfinite(array)):
                raise InvalidInputError.of(f"harmony_table.{name}", f"must be finite, shape {shape}", array.shape)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> HarmonyTable:
        """Reads what ``motet calibrate harmony`` writes; raises InvalidInputError for anything else."""
        try:
            levels, bars = tuple(document["levels"]), tuple(int(bar) for bar in document["bars"])
            measures = tuple(document["measures"])
            quantiles, references = (
                {name: np.array(rows, np.float64) for name, rows in document[kind].items()}
                for kind in ("quantiles", "references")
            )
            correlation, base, rise, bend = (
                np.array(document[name], np.float64) for name in ("correlation", "base", "rise", "bend")
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            rule = "must hold bars, levels, measures, quantiles, references, correlation, base, rise and bend"
            raise InvalidInputError.of("harmony_table", rule, repr(error)) from error
        if levels != LEVELS:
            raise InvalidInputError.of("harmony_table.levels", f"must be {LEVELS}", levels)
        if measures != MEASURES:
            raise InvalidInputError.of("harmony_table.measures", f"must be {MEASURES}", measures)
        return cls(
            bars=bars,
            quantiles=quantiles,
            correlation=correlation,
            base=base,
            rise=rise,
            bend=bend,
            references=references,
        )

    @classmethod
    @cache
    def default(cls) -> HarmonyTable:
        """The table shipped with the package."""
        text = resources.files("motet.rewards").joinpath("tables/harmony.json").read_text("utf-8")
        return cls.from_json(json.loads(text))

    def row(self, name: str, bars: int) -> NDArray[np.float64]:
        """Quantiles [len(LEVELS)] of a measure or reference for ``bars`` bars, interpolated over the log of them."""
        return self._between(self.quantiles[name] if name in self.quantiles else self.references[name], bars)

    def share(self, name: str, value: float, bars: int) -> float:
        """The share of the windows of a measure or reference, of so many bars, that have less than ``value``.

        Where many share the value itself, half of them count as having less.
        """
        row, levels = self.row(name, bars), np.array(LEVELS)
        at_most, at_least = np.interp(value, row, levels), np.interp(-value, -row[::-1], 1 - levels[::-1])
        return float(at_most + 1 - at_least) / 2

    def scores(self, values: Mapping[str, float | None], bars: int) -> NDArray[np.float64]:
        """Normal scores [J] of ``MEASURES`` among human music of so many bars, -5 to 5; NaN where one does not apply.

        A value that many share stands in their middle; one beyond the outermost human window goes on in units of the
        distance between the outer tenths.
        """
        rows = self._rows.get(bars)
        if rows is None:
            rows = self._rows[bars] = np.array([self.row(name, bars) for name in MEASURES])
        value = np.array([np.nan if (each := values[name]) is None else each for name in MEASURES])
        place = np.arange(len(rows))
        left, right = (rows < value[:, None]).sum(axis=1), (rows <= value[:, None]).sum(axis=1)
        last = len(LEVELS) - 1
        high, low = np.clip(left, 1, last), np.clip(left, 1, last) - 1
        width = rows[place, high] - rows[place, low]
        part = np.divide(value - rows[place, low], width, out=np.zeros(len(rows)), where=width > 0)
        between = _SCORES[low] + np.clip(part, 0, 1) * (_SCORES[high] - _SCORES[low])
        tied = (_SCORES[np.minimum(left, last)] + _SCORES[np.clip(right - 1, 0, last)]) / 2
        score = np.where(right > left, tied, between)
        unit = np.maximum(rows[:, LEVELS.index(0.9)] - rows[:, LEVELS.index(0.1)], 1e-9)
        score -= np.where(left == 0, np.maximum(rows[:, 0] - value, 0), 0) / unit
        score += np.where(left > last, np.maximum(value - rows[:, last], 0), 0) / unit
        return np.where(np.isnan(value), np.nan, np.clip(score, -_FARTHEST, _FARTHEST))

    def evidence(self, scores: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Log-odds of being human before any measure, and those [J] that each adds, 0 where it does not apply."""
        rise, bend = features(scores)
        kind = int(alone(scores))
        return float(self.base[kind]), self.rise[kind] * rise + self.bend[kind] * bend

    def typicality(self, scores: NDArray[np.float64]) -> float:
        """How near the measures lie to human music taken together: about normal in human music, low for odd music.

        The Mahalanobis distance of the normal scores that apply, made normal as Wilson and Hilferty do (PNAS 17, 1931).
        """
        known = np.flatnonzero(~np.isnan(scores))
        if not len(known):
            return 0.0
        score, count = scores[known], len(known)
        inside = self.correlation[np.ix_(known, known)] + _RIDGE * np.eye(count)
        distance = float(score @ np.linalg.solve(inside, score)) / count
        return float(((1 - 2 / (9 * count)) - distance ** (1 / 3)) / math.sqrt(2 / (9 * count)))

    def _between(self, rows: NDArray[np.float64], bars: int) -> NDArray[np.float64]:
        place = float(np.interp(math.log2(max(bars, 1)), np.log2(self.bars), np.arange(len(self.bars))))
        low = int(place)
        if place == low:
            return np.asarray(rows[low])
        return np.asarray(rows[low] + (place - low) * (rows[low + 1] - rows[low]))


def alone(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether normal scores [..., J] are of music without two notes at once."""
    return np.asarray(np.isnan(scores[..., MEASURES.index("roughness")]))


def features(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What evidence is linear in: normal scores of any shape, and their squares less one, both bounded, 0 for NaN."""
    known = np.nan_to_num(scores)
    bend = np.minimum(known**2, _SQUARE_CAP) - 1
    return np.clip(known, -_LINEAR_CAP, _LINEAR_CAP), np.where(np.isnan(scores), 0.0, bend)
