"""The harmonic reward: does the music sound like music, judged against percentiles of human music of its length."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.score import Score
from motet.rewards.measures import MEASURES, Measures, measure

NEUTRAL = 0.5
"""The reward of music that has drums and nothing else: harmony has nothing to say about it."""

LEVELS = (0.0, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 1.0)
"""The quantiles that a table holds."""

_SEGMENT_BARS = 16
_RISING = ("in_key", "key_fit")
_WEIGHTS = MappingProxyType(
    {
        "in_key": 0.30,
        "key_fit": 0.15,
        "chord_tones": 0.20,
        "chord_changes": 0.10,
        "roughness": 0.10,
        "voice_leading": 0.05,
        "melodic_motion": 0.10,
    }
)
_FLOORS = ("notes_per_bar", "pitch_class_entropy", "distinct_bars")
_CEILINGS = MappingProxyType(  # measure: the value at which its gate is shut; 0: four times the 99th percentile
    {
        "notes_per_bar": 0.0,
        "empty_beats": 1.0,
        "pitch_class_entropy": math.log2(12),
        "top_pitch_share": 1.0,
        "repeated_bars": 1.0,
        "long_notes": 1.0,
        "polyphony": 0.0,
        "melodic_motion": 24.0,
    }
)
_MELODY = ("steps", "recurrence")
_AJAR = 0.25  # how far a gate is open at the first or the 99th percentile of human music


@dataclass(frozen=True, kw_only=True)
class HarmonyTable:
    """Quantiles of each measure in human music, by length.

    Args:
        bars: [L] ascending lengths in bars.
        quantiles: measure -> [L, len(LEVELS)] values, ascending along the second axis.
    """

    bars: tuple[int, ...]
    quantiles: Mapping[str, NDArray[np.float64]]

    def __post_init__(self) -> None:
        if not self.bars or list(self.bars) != sorted(set(self.bars)) or self.bars[0] < 1:
            raise InvalidInputError.of("harmony_table.bars", "must be ascending and at least 1", self.bars)
        missing = [name for name in MEASURES if name not in self.quantiles]
        if missing:
            raise InvalidInputError.of("harmony_table.quantiles", "must hold every measure", f"no {missing}")
        for name, rows in self.quantiles.items():
            if rows.shape != (len(self.bars), len(LEVELS)) or not np.all(np.isfinite(rows)):
                rule = f"must be finite, shape {(len(self.bars), len(LEVELS))}"
                raise InvalidInputError.of(f"harmony_table.quantiles.{name}", rule, rows.shape)
            if np.any(np.diff(rows, axis=1) < 0):
                raise InvalidInputError.of(f"harmony_table.quantiles.{name}", "must ascend", rows.tolist())

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> HarmonyTable:
        """Reads what ``motet calibrate harmony`` writes; raises InvalidInputError for anything else."""
        try:
            quantiles = {name: np.array(rows, np.float64) for name, rows in document["quantiles"].items()}
            levels, bars = tuple(document["levels"]), tuple(int(bar) for bar in document["bars"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInputError.of("harmony_table", "must hold bars, levels and quantiles", repr(error)) from error
        if levels != LEVELS:
            raise InvalidInputError.of("harmony_table.levels", f"must be {LEVELS}", levels)
        return cls(bars=bars, quantiles=quantiles)

    @classmethod
    @cache
    def default(cls) -> HarmonyTable:
        """The table shipped with the package."""
        text = resources.files("motet.rewards").joinpath("tables/harmony.json").read_text("utf-8")
        return cls.from_json(json.loads(text))

    def row(self, name: str, bars: int) -> NDArray[np.float64]:
        """Quantiles [len(LEVELS)] of a measure for music of ``bars`` bars, interpolated over the log of the length."""
        rows = self.quantiles[name]
        place = float(np.interp(math.log2(max(bars, 1)), np.log2(self.bars), np.arange(len(self.bars))))
        low = int(place)
        if place == low:
            return np.asarray(rows[low])
        return np.asarray(rows[low] + (place - low) * (rows[low + 1] - rows[low]))


@dataclass(frozen=True, kw_only=True)
class Harmony:
    """The judgement of one score; every number is in 0..1 except ``measures``.

    Args:
        value: the reward, ``gate * core`` averaged over segments of at most 16 bars; 0 for silence, 0.5 for drums only.
        gate: near 0 for degenerate music (a repeated note, a looped bar, clusters), 1 for ordinary music.
        core: weighted mean of ``terms``.
        gates: each gate by the measure that it looks at; "melody" looks at steps and recurrence.
        terms: each term of the core; a term that does not apply is left out.
        measures: the raw measures, see ``motet.rewards.measures.measure``.
        key: the key found; None when there is nothing with a pitch.
    """

    value: float
    gate: float
    core: float
    gates: Mapping[str, float]
    terms: Mapping[str, float]
    measures: Mapping[str, float]
    key: Key | None


class HarmonyReward:
    """Judges harmony by gates and a core of terms placed among the quantiles of human music (see ``Harmony``).

    The result is exactly the same after transposition, for another tempo or order of tracks, and without the drums.

    Args:
        table: quantiles of human music; None: the shipped table.
    """

    def __init__(self, table: HarmonyTable | None = None) -> None:
        self.table = table or HarmonyTable.default()

    def __call__(self, score: Score, key: Key | None = None) -> float:
        """The reward of ``score`` in 0..1, with the key that was asked for, if any."""
        return self.judge(score, key).value

    def judge(self, score: Score, key: Key | None = None) -> Harmony:
        """The reward with all that it was made of."""
        notes = score.select(score.program >= 0)
        if not len(notes):
            value = NEUTRAL if len(score) else 0.0
            return Harmony(value=value, gate=value, core=value, gates={}, terms={}, measures={}, key=None)
        bars = notes.bar_ticks()
        judged: list[tuple[int, Harmony]] = []
        for start, stop in _segments(len(bars) - 1):
            found = measure(notes.between(int(bars[start]), int(bars[stop])), asked=key)
            if found is not None:
                judged.append((stop - start, self._judge(found, asked=key is not None)))
        total = len(bars) - 1  # a segment without a note counts, with nothing
        return Harmony(
            value=sum(length * one.value for length, one in judged) / total,
            gate=sum(length * one.gate for length, one in judged) / total,
            core=sum(length * one.core for length, one in judged) / total,
            gates=_mean([(length, one.gates) for length, one in judged]),
            terms=_mean([(length, one.terms) for length, one in judged]),
            measures=_mean([(length, one.measures) for length, one in judged]),
            key=max(judged, key=lambda one: one[0])[1].key,
        )

    def _judge(self, found: Measures, *, asked: bool) -> Harmony:
        rows = {name: self.table.row(name, found.bars) for name in MEASURES}
        values = {name: value for name, value in found.values.items() if value is not None}
        gates: dict[str, float] = {}
        for name in _FLOORS:
            gates[name] = _floor(
                values[name], rows[name], *_least_distinct(found.bars) if name == "distinct_bars" else ()
            )
        for name, shut in _CEILINGS.items():
            if name in values:
                gates[name] = min(gates.get(name, 1.0), _ceiling(values[name], rows[name], shut))
        gates["melody"] = _melody([_quantile(values[name], rows[name])[1] for name in _MELODY if name in values])
        terms: dict[str, float] = {}
        weights = dict(_WEIGHTS)
        if not asked:
            weights["in_key"] += weights.pop("key_fit")
        for name in weights:
            if name in values:
                judge = _rising if name in _RISING else _band
                terms[name] = judge(values[name], rows[name])
        core = sum(weights[name] * term for name, term in terms.items()) / sum(weights[name] for name in terms)
        gate = math.prod(gates.values())
        return Harmony(
            value=gate * core, gate=gate, core=core, gates=gates, terms=terms, measures=values, key=found.key
        )


def _segments(bars: int) -> list[tuple[int, int]]:
    """Bars [start, stop) of each segment: sixteen each, a last one of less than four joined to the one before."""
    starts = list(range(0, bars, _SEGMENT_BARS))
    if len(starts) > 1 and bars - starts[-1] < 4:
        starts.pop()
    return list(zip(starts, [*starts[1:], bars], strict=True))


def _mean(parts: list[tuple[int, Mapping[str, float]]]) -> dict[str, float]:
    """Means by name, weighted by bars, over the parts that have the name."""
    sums: dict[str, tuple[float, int]] = {}
    for bars, values in parts:
        for name, value in values.items():
            total, weight = sums.get(name, (0.0, 0))
            sums[name] = (total + bars * value, weight + bars)
    return {name: total / weight for name, (total, weight) in sums.items()}


def _quantile(value: float, row: NDArray[np.float64]) -> tuple[float, float]:
    """The lowest and the highest quantile at which ``value`` stands; they differ where many pieces share a value."""
    left, right = int(np.searchsorted(row, value, "left")), int(np.searchsorted(row, value, "right"))
    if left < right:
        return LEVELS[left], LEVELS[right - 1]
    if left in (0, len(row)):
        return (0.0, 0.0) if left == 0 else (1.0, 1.0)
    share = (value - row[left - 1]) / (row[left] - row[left - 1])
    place = float(LEVELS[left - 1] + share * (LEVELS[left] - LEVELS[left - 1]))
    return place, place


def _rising(value: float, row: NDArray[np.float64]) -> float:
    """1 from the third quartile of human music upwards, falling to 0 at its minimum."""
    return min(1.0, _quantile(value, row)[1] / 0.75)


def _band(value: float, row: NDArray[np.float64]) -> float:
    """1 between the quartiles of human music, falling to 0 at its extremes."""
    low, high = _quantile(value, row)
    if low <= 0.75 and high >= 0.25:
        return 1.0
    return high / 0.25 if high < 0.25 else (1.0 - low) / 0.25


def _least_distinct(bars: int) -> tuple[float, float]:
    """Shares of distinct bars that are ajar and wide open at any rate: loops of two and of four bars.

    Popular music loops four bars as a matter of course, but the corpus of the table, classical and folk, seldom does.
    """
    return 2 / bars, 4 / bars


def _floor(
    value: float, row: NDArray[np.float64], ajar_at_most: float = math.inf, wide_at_most: float = math.inf
) -> float:
    """Open (1) from the 5th percentile upwards, ajar at the 1st, shut at 0."""
    ajar, wide = min(row[LEVELS.index(0.01)], ajar_at_most), min(row[LEVELS.index(0.05)], wide_at_most)
    if value >= wide:
        return 1.0
    if value < ajar:
        return float(_AJAR * value / ajar)
    return float(_AJAR + (1 - _AJAR) * (value - ajar) / (wide - ajar))


def _ceiling(value: float, row: NDArray[np.float64], shut: float) -> float:
    """Open (1) up to the 95th percentile, ajar at the 99th, shut at ``shut`` (0: four times the 99th)."""
    wide, ajar = row[LEVELS.index(0.95)], row[LEVELS.index(0.99)]
    if value <= wide:
        return 1.0
    if value <= ajar:
        return float(1 - (1 - _AJAR) * (value - wide) / (ajar - wide))
    shut = shut or 4 * ajar
    return float(_AJAR * max(0.0, shut - value) / (shut - ajar)) if shut > ajar else 0.0


def _melody(quantiles: list[float]) -> float:
    """Shut when lines neither move by step nor come back to a motif, as random notes do; one of the two is enough."""
    if not quantiles:
        return 1.0
    best = max(quantiles)
    ajar, wide = 0.1, 0.25
    if best < ajar:
        return _AJAR * best / ajar
    return min(1.0, _AJAR + (1 - _AJAR) * (best - ajar) / (wide - ajar))
