"""The picture of a bench: accuracy with intervals of every reward in every task, and reliability curves.

Needs the ``plot`` extra (matplotlib); importing this module without it raises ModuleNotFoundError.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motet.training.reward_bench.audience import TASK as LISTENERS
from motet.training.reward_bench.bench import CEILING, LENGTH, RANDOM, TOTAL
from motet.training.reward_bench.contest import COLUMNS, Column
from motet.training.reward_bench.corruption_contest import TASK as CORRUPTIONS
from motet.training.reward_bench.outcome import Outcome
from motet.training.reward_bench.report import BenchReport
from motet.training.reward_bench.swap_contest import TASK as SWAPS

_INK, _SOFT, _BAND = "#22272e", "#6b7480", "#eceff3"
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b", "#7f3fbf")
_PLAIN: Final = {RANDOM: "#a9b1bc", LENGTH: "#7a838f", CEILING: "#22272e", TOTAL: "#c0392b"}
_CURVES: Final[dict[Column, str]] = {"alignment": SWAPS, "musicality": CORRUPTIONS}
_FEWEST: Final = 20  # cases in a bin of a reliability curve that is drawn


def draw(report: BenchReport, folder: Path) -> Path:
    """Writes ``rewards.png`` into ``folder``, which is made if needed, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = [column for column in COLUMNS if column in report.outcomes]
    names = list(dict.fromkeys(name for tasks in report.outcomes.values() for row in tasks.values() for name in row))
    own = [name for name in names if name not in _PLAIN]
    colours = {**{name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(own)}, **_PLAIN}
    most = max(sum(len(row) + 1.4 for row in report.outcomes[column].values()) for column in columns)
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 8, "axes.edgecolor": _SOFT, "text.color": _INK}):
        figure = Figure(figsize=(12, 1.2 + 0.19 * most + 3.6), facecolor="white", layout="constrained")
        axes = figure.subplots(2, len(columns), squeeze=False, height_ratios=[0.19 * most, 3.2])
        for place, column in enumerate(columns):
            _accuracies(axes[0, place], column, report.outcomes[column], colours)
            _reliability(axes[1, place], column, report.outcomes[column], colours)
        title = f"Rewards on {report.pieces} human windows of {report.songs} songs, seed {report.seed}"
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
        figure.savefig(folder / "rewards.png", dpi=130)
    return folder / "rewards.png"


def _accuracies(panel: Axes, column: Column, tasks: object, colours: dict[str, str]) -> None:
    place, ticks, labels = 0.0, [], []
    rows: dict[str, dict[str, Outcome]] = dict(tasks)  # type: ignore[call-overload]
    for task, rewards in rows.items():
        first = next(iter(rewards.values())).accuracy.n
        panel.text(0.0, place, f"{task}, {first:,} pairs", fontsize=8.5, fontweight="bold", va="center")
        place += 1
        for name, one in rewards.items():
            found = one.accuracy
            panel.plot([found.low, found.high], [place, place], color=colours[name], linewidth=2, alpha=0.55)
            panel.plot(found.value, place, "o", color=colours[name], markersize=4.5)
            panel.text(1.02, place, f"{found.value:.3f}", color=_SOFT, va="center", fontsize=7)
            ticks.append(place)
            labels.append(name)
            place += 1
        place += 0.4
    panel.axvline(0.5, color=_SOFT, linewidth=0.8, linestyle=":")
    panel.set_yticks(ticks, labels)
    panel.set_ylim(place - 0.4, -0.8)
    panel.set_xlim(0, 1)
    panel.set_xlabel("accuracy, ties one half, with 95 % interval over songs", color=_SOFT)
    panel.set_title(column, loc="left", fontsize=11, fontweight="bold")
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(colors=_SOFT, length=0)
    panel.grid(axis="x", color=_BAND)
    panel.set_axisbelow(True)


def _reliability(panel: Axes, column: Column, tasks: object, colours: dict[str, str]) -> None:
    rows: dict[str, dict[str, Outcome]] = dict(tasks)  # type: ignore[call-overload]
    task = _CURVES[column] if _CURVES[column] in rows else LISTENERS if LISTENERS in rows else next(iter(rows))
    panel.plot([0.5, 1], [0.5, 1], color=_SOFT, linewidth=0.8, linestyle=":")
    for name, one in rows[task].items():
        curve = one.reliability
        drawn = curve.counts >= _FEWEST
        if drawn.any() and name not in (RANDOM, CEILING):
            label = f"{name} ({curve.error.value:.3f})"
            panel.plot(
                curve.confidence[drawn], curve.share[drawn], "o-", color=colours[name], label=label, markersize=3.5
            )
    panel.set_xlabel("confidence: sigma(scaled margin)", color=_SOFT)
    panel.set_ylabel("share of agreement", color=_SOFT)
    panel.set_title(f"reliability, {task} (calibration error)", loc="left", fontsize=9)
    panel.set_xlim(0.5, 1.005)
    panel.set_ylim(0, 1.02)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(colors=_SOFT, length=2)
    panel.legend(frameon=False, fontsize=7, loc="lower right", ncols=2)
