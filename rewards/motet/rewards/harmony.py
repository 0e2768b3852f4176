"""The harmonic reward: does the music sound like music, judged against human music of its length."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from motet.music.key import Key
from motet.music.score import DRUMS, Score
from motet.rewards.grammar import Grammar
from motet.rewards.harmony_table import LEVELS, SATURATION, HarmonyTable
from motet.rewards.measures import GROUPS, Measures, measure

NEUTRAL = 0.5
"""The reward of music that has drums and nothing else: harmony has nothing to say about it."""

_SEGMENT_BARS = 16
_WRONG_KEY = 0.15
"""The share of the reward that a wrong key costs."""
_STRICTNESS = 0.35
"""How much of its logarithm the gate loses with each standard deviation of typicality below the average."""
_GROUP_OF = np.array([place for place, names in enumerate(GROUPS.values()) for _ in names])


@dataclass(frozen=True, kw_only=True)
class Harmony:
    """The judgement of one score; every number is in 0..1 except ``measures`` and ``bars``.

    All are means over segments of at most 16 bars. A share among windows means those of the same length.

    Args:
        value: the reward: the mean of ``corrupted`` and of ``human`` over 0.75, at most 1, less up to 15 % for a wrong
            key; 0 for silence, 0.5 for drums only.
        human: the percentile in human music, as a share: of the human windows that score lower.
        corrupted: the share of windows of human music with notes changed that score lower.
        gate: near 0 for music with measures unlike any human music, alone or together; 1 for ordinary music.
        core: how much speaks for human music: the share of human windows with less of it, over 0.75, at most 1.
        terms: by ``GROUPS``, the share of human windows for which these measures speak less; "key_fit": of those less
            clearly in their own key than this is in the asked key, over 0.75, at most 1.
        measures: the raw measures, see ``motet.rewards.measures.measure``.
        bars: name -> a number for each bar of the score, see ``motet.rewards.measures.Measures.by_bar``.
        key: the key found; None when there is nothing with a pitch.
    """

    value: float
    human: float
    corrupted: float
    gate: float
    core: float
    terms: Mapping[str, float] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    bars: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    key: Key | None = None


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What is made of one segment before it is placed among others.

    Args:
        groups: log-odds by ``GROUPS`` of being human.
        evidence: their sum and what is known before.
        typicality: see ``HarmonyTable.typicality``.
    """

    groups: dict[str, float]
    evidence: float
    typicality: float

    @property
    def gate(self) -> float:
        """1 for music at least as typical as the average, falling to 0."""
        return math.exp(_STRICTNESS * min(self.typicality, 0.0))

    def raw(self, enough: float) -> float:
        """The number that is placed among others: bounded log-odds by evidence and gate.

        Args:
            enough: evidence beyond which there is nothing to gain.
        """
        return min(self.evidence - enough, 0.0) + math.log(self.gate)


class HarmonyReward:
    """Judges harmony by what sets human music apart from music that went wrong (see ``Harmony``).

    The result is exactly the same after transposition, for another tempo or order of tracks, and without the drums.

    Args:
        table: None: the shipped table.
        grammar: None: the shipped one; it must be the one that the table was made with.
    """

    def __init__(self, table: HarmonyTable | None = None, grammar: Grammar | None = None) -> None:
        self.table = table or HarmonyTable.default()
        self.grammar = grammar or Grammar.default()

    def __call__(self, score: Score, key: Key | None = None) -> float:
        """The reward of ``score`` in 0..1, with the key that was asked for, if any."""
        return self.judge(score, key).value

    def judge(self, score: Score, key: Key | None = None) -> Harmony:
        """The reward with all that it was made of."""
        notes = score.select(score.program != DRUMS)
        if not len(notes):
            value = NEUTRAL if len(score) else 0.0
            return Harmony(value=value, human=value, corrupted=value, gate=value, core=value)
        lines, all_bars = notes.bar_ticks(), len(score.bar_ticks()) - 1
        judged: list[tuple[int, Harmony]] = []
        bars: dict[str, list[float]] = {}
        for start, stop in _segments(len(lines) - 1):
            found = measure(notes.between(int(lines[start]), int(lines[stop])), asked=key, grammar=self.grammar)
            if found is None:
                continue  # a segment without a note counts, with nothing
            judged.append((stop - start, self._judge(found, asked=key is not None)))
            for name, curve in found.by_bar.items():
                values = bars.setdefault(name, [0.0] * all_bars)
                values[start : start + len(curve)] = curve.tolist()
        total = len(lines) - 1

        def mean(name: str) -> float:
            return float(sum(length * getattr(one, name) for length, one in judged) / total)

        return Harmony(
            value=mean("value"),
            human=mean("human"),
            corrupted=mean("corrupted"),
            gate=mean("gate"),
            core=mean("core"),
            terms=_mean([(length, one.terms) for length, one in judged]),
            measures=_mean([(length, one.measures) for length, one in judged]),
            bars={name: tuple(values) for name, values in bars.items()},
            key=max(judged, key=lambda one: one[0])[1].key,
        )

    def _judge(self, found: Measures, *, asked: bool) -> Harmony:
        table, bars = self.table, found.bars
        opinion = form(table, found)
        raw = opinion.raw(enough(table, bars))
        human, corrupted = table.share("human", raw, bars), table.share("corrupted", raw, bars)
        terms = {name: table.share(name, value, bars) for name, value in opinion.groups.items()}
        value = (_saturated(human) + corrupted) / 2
        if asked:
            fit = found.values["key_fit"]
            terms["key_fit"] = _saturated(table.share("key_fit", 0.0 if fit is None else fit, bars))
            value *= 1 - _WRONG_KEY * (1 - terms["key_fit"])
        return Harmony(
            value=value,
            human=human,
            corrupted=corrupted,
            gate=opinion.gate,
            core=_saturated(table.share("evidence", opinion.evidence, bars)),
            terms=terms,
            measures={name: value for name, value in found.values.items() if value is not None},
            key=found.key,
        )


def form(table: HarmonyTable, found: Measures) -> Opinion:
    """The opinion of measures by a table; its references are not looked at."""
    scores = table.scores(found.values, found.bars)
    base, added = table.evidence(scores)
    groups = np.bincount(_GROUP_OF, added, minlength=len(GROUPS))
    return Opinion(
        groups=dict(zip(GROUPS, groups.tolist(), strict=True)),
        evidence=base + float(groups.sum()),
        typicality=table.typicality(scores),
    )


def enough(table: HarmonyTable, bars: int) -> float:
    """The evidence that a quarter of human music of so many bars exceeds."""
    return float(np.interp(SATURATION, LEVELS, table.row("evidence", bars)))


def _saturated(share: float) -> float:
    return min(1.0, share / SATURATION)


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
