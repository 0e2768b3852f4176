"""A grammar of music: how likely human music is to go on as this does, event by event, whatever its key and tempo."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.rewards import kernels
from motet.rewards.analysis import Analysis

KINDS: Final[Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]] = MappingProxyType(
    {
        "melody": ((2, 12), (25,)),
        "contour": ((25,), (25,)),
        "bass": ((2, 12), (12,)),
        "sonority": ((2,), (12, 12)),
        "progression": ((7,), (12, 7)),
        "function": ((2,), (12, 7)),
        "rhythm": ((11, 3), (11,)),
    }
)
"""What is given, and what follows, in each kind of event (``events`` says which)."""

_LEAP = 12  # wider intervals count as an octave
_GAP = {1: 0, 2: 0, 3: 1, 4: 2, 6: 3, 8: 4, 9: 4, 12: 5, 18: 6, 24: 7, 36: 8}  # twelfths of a quarter: class
_LONG_GAP, _OTHER_GAP, _LONGEST = 9, 10, 48
_GAPS = np.array([_GAP.get(gap, _OTHER_GAP) for gap in range(_LONGEST)] + [_LONG_GAP])
_GAPS[0] = 0
_PRIOR = 20.0  # events that a row of a table is worth before any is counted


@dataclass(frozen=True, slots=True)
class Events:
    """Events of one kind: the cell [E] of each in the flat table of its kind, and its weight [E]."""

    cell: NDArray[np.int64]
    weight: NDArray[np.float64]


def events(analysis: Analysis) -> dict[str, Events]:
    """The events of a stretch of music, by kind.

    melody: mode and degree of a note, and the interval to the next (-12 to 12), in the top voice of each line;
    contour: one such interval after another; bass: mode and degree of the lowest note, and the class of the interval to
    the next; sonority: mode, and the degree with the interval that sounds above it, by how long they do; progression:
    quality of a chord, and how far the root of the next lies with its quality; function: mode, and the degree of a root
    with the quality of its chord, for each half-bar; rhythm: class of the gap between two onsets of a voice, place of
    the second in its beat (on it, half-way, elsewhere), and class of the next gap. Repeated notes are no intervals.
    """
    order = np.lexsort((analysis.pitch, analysis.onset, analysis.line))
    line = analysis.line[order]
    top = order[kernels.outer_voice(analysis.onset[order], analysis.end[order], analysis.pitch[order], line)]
    order = np.lexsort((-analysis.pitch, analysis.onset))
    one = np.zeros(len(order), np.int64)
    low = order[kernels.outer_voice(analysis.onset[order], analysis.end[order], -analysis.pitch[order], one)]
    place = analysis.minor * 12 + analysis.degree

    same = np.diff(analysis.line[top]) == 0
    interval = np.diff(analysis.pitch[top])
    moved = same & (interval != 0)
    step = np.clip(interval, -_LEAP, _LEAP)[moved] + _LEAP
    follows = np.diff(analysis.line[top][1:][moved]) == 0
    fall = np.diff(analysis.pitch[low]) % 12
    chords, key = analysis.chords, analysis.keys[analysis.slot_bar]
    changes = np.flatnonzero(np.diff(chords))
    quality, root = np.divmod(chords, 12)
    sounds = analysis.sonorities.sum(axis=0).ravel()
    heard = np.flatnonzero(sounds)
    gap = _GAPS[np.clip(analysis.cells(np.diff(analysis.onset[top])), 0, _LONGEST)]
    beat = analysis.cells(analysis.onset[top]) % 12
    where = np.where(beat == 0, 0, np.where(beat == 6, 1, 2))
    both = same[1:] & same[:-1]
    return {
        "melody": _plain((place[top][:-1] * 25 + np.clip(interval, -_LEAP, _LEAP) + _LEAP)[moved]),
        "contour": _plain((step[:-1] * 25 + step[1:])[follows]),
        "bass": _plain((place[low][:-1] * 12 + fall)[fall != 0]),
        "sonority": Events(heard, sounds[heard] / analysis.ppq),
        "progression": _plain(
            (quality[changes] * 12 + (root[changes + 1] - root[changes]) % 12) * 7 + quality[changes + 1]
        ),
        "function": _plain((key // 12 * 12 + (root - key) % 12) * 7 + quality),
        "rhythm": _plain(((gap[:-1] * 3 + where[1:-1]) * 11 + gap[1:])[both]),
    }


def _plain(cell: NDArray[np.int64]) -> Events:
    return Events(cell, np.ones(len(cell)))


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """Log-probabilities in nats of what follows what.

    Args:
        tables: kind -> flat table: of each thing given, what may follow, as ``KINDS`` says.
    """

    tables: Mapping[str, NDArray[np.float64]]

    def __post_init__(self) -> None:
        for kind, (given, follows) in KINDS.items():
            table, shape = self.tables.get(kind, np.zeros(0)), (math.prod(given), math.prod(follows))
            if table.shape != (shape[0] * shape[1],) or not np.all(np.isfinite(table)) or table.max() > 0:
                rule = f"must be {shape[0] * shape[1]} log-probabilities"
                raise InvalidInputError.of(f"grammar.{kind}", rule, table.shape)

    @classmethod
    def fit(cls, pieces: Iterable[Mapping[str, Events]]) -> Grammar:
        """Counts the events of pieces; what is rare after the one thing is as likely as it is after all."""
        counts = {kind: np.zeros(math.prod(given + follows)) for kind, (given, follows) in KINDS.items()}
        for piece in pieces:
            for kind, found in piece.items():
                counts[kind] += np.bincount(found.cell, found.weight, minlength=len(counts[kind]))
        tables = {}
        for kind, (given, _) in KINDS.items():
            rows = counts[kind].reshape(math.prod(given), -1)
            overall = rows.sum(axis=0) + 1
            rows = rows + _PRIOR * overall / overall.sum()
            tables[kind] = np.log(rows / rows.sum(axis=1, keepdims=True)).ravel()
        return cls(tables=tables)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Grammar:
        """Reads kind -> table; raises InvalidInputError for anything else."""
        try:
            return cls(tables={kind: np.array(row, np.float64) for kind, row in document.items()})
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidInputError.of("grammar", "must hold a table of each kind", repr(error)) from error

    @classmethod
    @cache
    def default(cls) -> Grammar:
        """The grammar shipped with the package."""
        text = resources.files("motet.rewards").joinpath("tables/grammar.json").read_text("utf-8")
        return cls.from_json(json.loads(text)["tables"])

    def likelihood(self, kind: str, found: Events) -> float | None:
        """Mean log-probability in nats of events of a kind; None when there are none."""
        total = float(found.weight.sum())
        return float(self.tables[kind][found.cell] @ found.weight) / total if total > 0 else None
