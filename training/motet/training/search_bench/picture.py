"""The picture of the bench: what every arm adds to one plain sample, for the reward and for the judge, by its cost.

Needs the ``plot`` extra (matplotlib); importing this module without it raises ModuleNotFoundError.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from motet.search.spec import DEFAULT
from motet.training.search_bench.arm import COIN
from motet.training.search_bench.comparison import JUDGE, REWARD, ascending
from motet.training.search_bench.report import SearchReport

_INK, _SOFT, _GRID = "#22272e", "#6b7480", "#eceff3"
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#7f3fbf", "#8c564b")
"""Told apart with any kind of colour vision (after Okabe and Ito); arms are named beside their lines as well."""
_MARKS: Final = "osD^vPX*"
_PLAIN: Final = "#9aa3ae"
_MEASURES: Final = {REWARD: "reward", JUDGE: "judge"}
_COSTS: Final = {"cost": "tokens a search", "seconds": "seconds a search"}
_LINE_HEIGHT: Final = 0.052  # of a label, as a share of the axis


class _Point(NamedTuple):
    cost: float
    gain: float
    low: float
    high: float


def draw(report: SearchReport, folder: Path) -> Path:
    """Writes ``search.png`` into ``folder``, which is made if needed, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "search.png"
    arms = list(dict.fromkeys(arm for arm, _ in report.shares))
    arms.sort(key=lambda arm: (arm == COIN, arm != DEFAULT, ":" in arm))
    coloured = [arm for arm in arms if arm != COIN]
    styles = {arm: (_COLOURS[i % len(_COLOURS)], _MARKS[i % len(_MARKS)]) for i, arm in enumerate(coloured)}
    styles[COIN] = (_PLAIN, "x")
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 9, "axes.edgecolor": _SOFT, "text.color": _INK}):
        figure = Figure(figsize=(11, 8.2), facecolor="white", layout="constrained")
        panels = figure.subplots(2, 2, sharey="row")
        for row, (measure, title) in enumerate(_MEASURES.items()):
            for column, (cost, axis) in enumerate(_COSTS.items()):
                panel: Axes = panels[row, column]
                lines = {arm: _points(report, arm, measure, cost) for arm in arms}
                _panel(panel, {arm: points for arm, points in lines.items() if points}, styles)
                panel.set_xlabel(f"{axis}, logarithmic", color=_SOFT)
                if column == 0:
                    panel.set_title(f"{title}: gain over one plain sample", loc="left", fontsize=11, fontweight="bold")
        captions = len({row.case.caption for row in report.rows})
        figure.text(
            0.995,
            0.002,
            f"{captions} held-out captions; bands: 95 % intervals, paired by caption. The search never sees the judge.",
            ha="right",
            va="bottom",
            color=_SOFT,
            fontsize=8,
        )
        figure.get_layout_engine().set(rect=(0, 0.025, 1, 0.975))  # type: ignore[union-attr, call-arg]
        figure.savefig(path, dpi=130)
    return path


def _points(report: SearchReport, arm: str, measure: str, cost: str) -> list[_Point]:
    points = []
    for group in ascending(report.groups, arm):
        gain, mean = report.over_plain.get((arm, group.candidates, measure)), group.mean(cost)
        if gain is not None and mean is not None and mean > 0:
            points.append(_Point(mean, gain.estimate.value, gain.estimate.low, gain.estimate.high))
    return sorted(points)


def _panel(panel: Axes, lines: dict[str, list[_Point]], styles: dict[str, tuple[str, str]]) -> None:
    panel.set_xscale("log", base=2)
    panel.axhline(0, color=_SOFT, linewidth=0.8, linestyle=":")
    for arm, points in lines.items():
        colour, mark = styles[arm]
        cost, gain, low, high = np.array(points).T
        front = 3 if arm == DEFAULT else 2
        panel.plot(cost, gain, f"{mark}-", color=colour, linewidth=1.6, markersize=5, zorder=front)
        if len(points) > 1:
            panel.fill_between(cost, low, high, color=colour, alpha=0.13, linewidth=0)
        else:
            panel.vlines(cost, low, high, color=colour, linewidth=1, alpha=0.6)
    if lines:
        _name(panel, lines, styles)
    panel.xaxis.set_major_locator(LogLocator(base=2))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}" if value < 1000 else f"{value:,.0f}"))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(colors=_SOFT, length=2, labelleft=True)
    panel.grid(axis="y", color=_GRID)
    panel.set_axisbelow(True)


def _name(panel: Axes, lines: dict[str, list[_Point]], styles: dict[str, tuple[str, str]]) -> None:
    """Names arms in a column on the right, at the height of their last points or as near as there is room."""
    every = [point for points in lines.values() for point in points]
    lowest, highest = min(0.0, *(point.low for point in every)), max(0.0, *(point.high for point in every))
    room = (highest - lowest) or 1.0
    panel.set_ylim(lowest - 0.04 * room, highest + 0.04 * room)
    left, right = min(point.cost for point in every), max(point.cost for point in every)
    span = max(right / left, 1.2)
    panel.set_xlim(left / span**0.06, right * span**0.56)
    label = right * span**0.09
    names = sorted(lines, key=lambda arm: lines[arm][-1].gain)
    heights = _apart([lines[arm][-1].gain for arm in names], _LINE_HEIGHT * room * 1.08, lowest, highest)
    for arm, height in zip(names, heights, strict=True):
        end, colour = lines[arm][-1], styles[arm][0]
        panel.annotate(
            arm,
            xy=(end.cost, end.gain),
            xytext=(label, height),
            va="center",
            fontsize=8,
            fontweight="bold" if arm == DEFAULT else "normal",
            color=colour,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "alpha": 0.5, "shrinkA": 0, "shrinkB": 4},
        )


def _apart(heights: Sequence[float], least: float, lowest: float, highest: float) -> list[float]:
    """Ascending heights moved so that neighbours are ``least`` apart, as near as may be to where they were."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + least) if placed else max(height, lowest))
    over = placed[-1] - highest
    if over > 0:  # push down from the top, as far as they touch
        ceiling = highest
        for place in reversed(range(len(placed))):
            placed[place] = min(placed[place], ceiling)
            ceiling = placed[place] - least
    return placed
