"""The picture of a pilot: what partial rewards tell, and what strategies make of it.

Needs the ``plot`` extra (matplotlib); importing this module without it raises ModuleNotFoundError.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from motet.search.pilot.panel import TOTAL
from motet.search.pilot.report import Report

NAME: Final = "pilot.png"

_INK, _SOFT = "#22272e", "#6b7480"
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def draw(report: Report, folder: Path) -> Path:
    """Writes ``pilot.png`` into ``folder``, which is made if needed, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 9, "axes.edgecolor": _SOFT, "text.color": _INK}):
        figure = Figure(figsize=(11, 4.8), facecolor="white", layout="constrained")
        told, won = figure.subplots(1, 2, width_ratios=[1, 1])
        _told(told, report)
        _won(won, report)
        title = f"Pilot of {report.model}: {report.captions} captions, {report.samples} pieces each"
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        figure.savefig(folder / NAME, dpi=130)
    return folder / NAME


def _told(panel: Axes, report: Report) -> None:
    shares = [*report.shares, 1.0]
    names = [*(name for name in report.told if name != TOTAL), TOTAL]
    for place, name in enumerate(names):
        colour, width = (_INK, 2.4) if name == TOTAL else (_COLOURS[place % len(_COLOURS)], 1.5)
        ones = report.told[name]
        panel.fill_between(
            shares,
            [*(one.low for one in ones), 1.0],
            [*(one.high for one in ones), 1.0],
            color=colour,
            alpha=0.1,
            linewidth=0,
        )
        panel.plot(
            shares,
            [*(one.value for one in ones), 1.0],
            color=colour,
            linewidth=width,
            marker="o",
            markersize=3.5,
            label=name,
        )
    settled = {share: ones[TOTAL] for share, ones in report.settled.items()}
    panel.errorbar(
        list(settled),
        [one.value for one in settled.values()],
        yerr=np.array([[one.value - one.low, one.high - one.value] for one in settled.values()]).T,
        fmt="D",
        color=_SOFT,
        markersize=5,
        capsize=3,
        linewidth=1,
        label="variance settled by the prefix",
    )
    panel.set_xlim(0, 1.02)
    panel.set_ylim(0, 1.02)
    panel.xaxis.set_major_formatter(PercentFormatter(1.0))
    panel.set_xlabel("share of the piece that was heard", color=_SOFT)
    panel.set_title("Correlation of partial and final reward within a caption", loc="left", fontsize=10)
    panel.grid(color="#eceff3")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, loc="lower right")


def _won(panel: Axes, report: Report) -> None:
    table = report.choice.table
    specs = [one.spec for one in next(iter(table.values()))]
    height = 0.8 / len(table)
    for place, (candidates, ones) in enumerate(table.items()):
        rows = np.arange(len(ones)) + (place - (len(table) - 1) / 2) * height
        panel.barh(
            rows,
            [one.gain for one in ones],
            height * 0.9,
            xerr=[2 * one.error for one in ones],
            color=_COLOURS[place % len(_COLOURS)],
            alpha=0.85,
            error_kw={"ecolor": _SOFT, "elinewidth": 1},
            label=f"{candidates} candidates",
        )
    panel.set_yticks(np.arange(len(specs)), [_label(spec) for spec in specs], fontsize=7)
    panel.invert_yaxis()
    panel.set_xlabel("gain over one plain sample, in reward", color=_SOFT)
    panel.set_title("Rehearsed at equal tokens", loc="left", fontsize=10)
    panel.grid(axis="x", color="#eceff3")
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.75, 1.0), ncols=len(table), fontsize=8)


def _label(spec: str) -> str:
    """The settings under the name, two a line."""
    name, _, settings = spec.partition(":")
    parts = settings.split(",") if settings else []
    return "\n".join([name, *(", ".join(parts[start : start + 2]) for start in range(0, len(parts), 2))])
