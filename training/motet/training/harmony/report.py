"""What the harmonic reward can tell apart on held-out songs, and what each part of it is good for."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, wilcoxon

from motet.music.score import Score
from motet.rewards.harmony import HarmonyReward, Opinion, form
from motet.rewards.harmony_table import HarmonyTable
from motet.rewards.measures import GROUPS, MEASURES, measure
from motet.training.harmony.decoy import CORRUPTIONS, DECOYS, nudged
from motet.training.harmony.table import spoil

SHARES: Final = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Of notes moved by a semitone."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One more share of wrong notes.

    Args:
        share: of notes moved by a semitone, up or down.
        mean: reward.
        p: of the one-sided Wilcoxon signed-rank test that it is lower than at the share before; 1 for the first.
    """

    share: float
    mean: float
    p: float


@dataclass(frozen=True, kw_only=True)
class HarmonyReport:
    """Figures over windows of held-out songs.

    Args:
        windows: windows.
        quartiles: of the reward of human windows.
        steps: the reward as more notes are wrong.
        separated: kind of corruption or decoy -> how often a human window beats one (ties half).
        ablation: part left out -> the same over all corruptions, and over all decoys.
        thinness: rank correlation of reward and notes a bar among human windows.
    """

    windows: int
    quartiles: tuple[float, float, float]
    steps: tuple[Step, ...]
    separated: dict[str, float]
    ablation: dict[str, tuple[float, float]]
    thinness: float

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)

    def table(self) -> str:
        """The figures as Markdown."""
        lines = [f"{self.windows} windows; quartiles " + ", ".join(f"{each:.2f}" for each in self.quartiles)]
        lines += [
            f"rank correlation with notes a bar {self.thinness:+.2f}",
            "",
            "| wrong notes | reward | p |",
            "|-|-|-|",
        ]
        lines += [f"| {step.share:.0%} | {step.mean:.3f} | {step.p:.1g} |" for step in self.steps]
        lines += ["", "| told from | how often |", "|-|-|"]
        lines += [f"| {name} | {value:.3f} |" for name, value in self.separated.items()]
        lines += ["", "| without | corruptions | decoys |", "|-|-|-|"]
        lines += [f"| {name} | {one:.3f} | {two:.3f} |" for name, (one, two) in self.ablation.items()]
        return "\n".join(lines)


def examine(windows: Sequence[Score], reward: HarmonyReward, *, seed: int) -> HarmonyReport:
    """Judges windows of pitched notes, and what ``motet.training.harmony.decoy`` makes of them."""
    rng = np.random.default_rng(seed)
    human = [reward.judge(window) for window in windows]
    steps, before = [], np.array([one.value for one in human])
    for share in SHARES:
        values = np.array([reward(nudged(share)(window, rng)) for window in windows]) if share else before
        p = float(wilcoxon(before, values, alternative="greater").pvalue) if share else 1.0
        steps.append(Step(share=share, mean=float(values.mean()), p=p))
        before = values
    corrupted, decoys = spoil(windows, CORRUPTIONS, rng), spoil(windows, DECOYS, rng)
    values = np.array([one.value for one in human])
    rivals = [(name, reward(score)) for name, score in (*corrupted, *decoys)]
    separated = {
        name: beats(values, [value for kind, value in rivals if kind == name]) for name in (*CORRUPTIONS, *DECOYS)
    }
    table = reward.table
    variants = {"nothing": table, "all but the gate": _without(table, MEASURES)}
    variants |= {name: _without(table, names) for name, names in GROUPS.items()}
    measured = [
        [found for score in scores if (found := measure(score, grammar=reward.grammar)) is not None]
        for scores in (windows, [score for _, score in corrupted], [score for _, score in decoys])
    ]
    ablation = {}
    for name, variant in variants.items():
        ours, *theirs = [[_log_odds(form(variant, found)) for found in each] for each in measured]
        ablation[name] = (beats(ours, theirs[0]), beats(ours, theirs[1]))
    ours, *theirs = [[form(table, found).evidence for found in each] for each in measured]
    ablation["gate"] = (beats(ours, theirs[0]), beats(ours, theirs[1]))
    density = [one.measures["notes_per_bar"] for one in human]
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return HarmonyReport(
        windows=len(windows),
        quartiles=(low, middle, high),
        steps=tuple(steps),
        separated=separated,
        ablation=ablation,
        thinness=float(np.corrcoef(rankdata(density), rankdata(values))[0, 1]),
    )


def _without(table: HarmonyTable, names: Collection[str]) -> HarmonyTable:
    """The table with no evidence from these measures."""
    keep = np.array([name not in names for name in MEASURES])
    return replace(table, rise=table.rise * keep, bend=table.bend * keep)


def _log_odds(opinion: Opinion) -> float:
    return opinion.evidence / 2 + math.log(opinion.gate)


def beats(ours: Sequence[float] | NDArray[np.float64], theirs: Sequence[float]) -> float:
    """How often one of ours is greater than one of theirs, ties half (area under the ROC curve); NaN for none."""
    if not len(ours) or not len(theirs):
        return float("nan")
    ranks = rankdata(np.concatenate([ours, theirs]))
    return float((ranks[: len(ours)].sum() - len(ours) * (len(ours) + 1) / 2) / (len(ours) * len(theirs)))
