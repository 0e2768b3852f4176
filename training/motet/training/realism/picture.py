"""Pictures of a comparison: how every trait, and every division of the notes, is distributed in human and model music.

Needs the ``plot`` extra (matplotlib); importing this module without it raises ModuleNotFoundError.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from motet.music.instrument import FAMILIES
from motet.training.realism import trait
from motet.training.realism.material import Material
from motet.training.realism.report import MODEL, OTHER, RealismReport

_INK, _SOFT, _HUMAN, _MODEL, _FAR = "#22272e", "#6b7480", "#c9ced6", "#0072b2", "#c0392b"
_COLUMNS: Final = 5
_BINS: Final = 20
_FAR_FROM: Final = 2.0  # times the floor
_LOOKS: Final[tuple[dict[str, Any], ...]] = ({"fill": True, "color": _HUMAN}, {"color": _MODEL, "linewidth": 1.4})
_DEGREES: Final = ("1", "♭2", "2", "♭3", "3", "4", "♯4", "5", "♭6", "6", "♭7", "7")
_UNITS: Final = {
    "interval": "semitones",
    "place in the beat": "beats",
    "place in the bar": "quarter",
    "duration": "quarters",
    "velocity": "MIDI velocity",
}
_LENGTHS: Final = ("1/16", "1/8", "1/4", "1/2", "1", "2", "4", "8", "16")
_TICKS: Final[dict[str, dict[int, str]]] = {
    "degree": dict(enumerate(_DEGREES)),
    "pitch": {4 * octave + 4: f"C{octave}" for octave in range(9)},
    "interval": {place: f"{place - 12:+d}" if place != 12 else "0" for place in range(0, 25, 2)},
    "place in the beat": {place: f"{place}/12" for place in range(12)},
    "place in the bar": {place: str(place // 4 + 1) for place in range(0, 32, 4)},
    "duration": dict(zip(range(0, 17, 2), _LENGTHS, strict=True)),
    "velocity": {place: f"{16 * place + 15}" for place in range(8)},
    "instrument": dict(enumerate((*FAMILIES, "drums"))),
}


def draw(material: Material, report: RealismReport, folder: Path) -> tuple[Path, Path]:
    """Writes ``traits.png`` and ``notes.png`` into ``folder``, which is made if needed, and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "traits.png", folder / "notes.png"
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 8, "axes.edgecolor": _SOFT, "text.color": _INK}):
        _traits(material, report).savefig(paths[0], dpi=130)
        _notes(material, report).savefig(paths[1], dpi=130)
    return paths


def _traits(material: Material, report: RealismReport) -> Figure:
    human, model = (trait.vectors(side.excerpts) for side in (material.human, material.model))
    figure, axes = _panels(
        len(trait.TRAITS),
        f"Traits of {report.captions} excerpts",
        "distance from human (of other songs), red beyond twice that",
    )
    for place, (name, unit) in enumerate(trait.TRAITS.items()):
        panel, row = axes[place], report.traits[name]
        columns = [side[~np.isnan(side[:, place]), place] for side in (human, model)]
        edges = _edges(np.concatenate(columns), whole=unit in ("notes", "programs"))
        for column, look in zip(columns, _LOOKS, strict=True):
            if len(column):
                heights = np.histogram(np.clip(column, edges[0], edges[-1]), edges)[0] / len(column)
                panel.stairs(heights, edges, **look)
        distance, floor = row.distances[MODEL], row.distances[OTHER]
        _title(panel, name, f"{distance:.2f} ({floor:.2f})", far=distance > _FAR_FROM * floor)
        panel.set_xlabel(unit, color=_SOFT, fontsize=7, labelpad=1)
        panel.set_xlim(edges[0], edges[-1])
    return figure


def _notes(material: Material, report: RealismReport) -> Figure:
    human, model = (trait.pooled(side.excerpts) for side in (material.human, material.model))
    figure, axes = _panels(
        len(trait.SHARES),
        "Notes, every excerpt alike",
        "overlap in percent (of other songs), red where twice as much is missing",
        2,
    )
    for panel, name in zip(axes, trait.SHARES, strict=True):
        sounding = np.flatnonzero(human[name] + model[name])
        low, high = (int(sounding[0]), int(sounding[-1]) + 1) if len(sounding) else (0, trait.SHARES[name])
        for shares, look in zip((human[name], model[name]), _LOOKS, strict=True):
            panel.stairs(shares[low:high], np.arange(low, high + 1) - 0.5, **look)
        shared, floor = report.overlaps[name][MODEL], report.overlaps[name][OTHER]
        far = 1 - shared > _FAR_FROM * (1 - floor)
        _title(panel, name, f"{100 * shared:.0f} ({100 * floor:.0f})", far=far)
        panel.set_xlabel(_UNITS.get(name, ""), color=_SOFT, fontsize=7, labelpad=1)
        panel.set_xlim(low - 0.5, high - 0.5)
        ticks = {place: label for place, label in _TICKS[name].items() if low <= place < high}
        panel.set_xticks(list(ticks), list(ticks.values()), rotation=90 if name == "instrument" else 0)
    return figure


def _panels(count: int, title: str, legend: str, columns: int = _COLUMNS) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels under a title and the key to their colours and numbers."""
    rows = -(-count // columns)
    width, height = 13.0, 0.9 + 1.75 * rows * (1 if columns == _COLUMNS else 1.25)
    engine = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - 0.6 / height), w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(width, height), facecolor="white", layout=engine)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in axes:
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.set_yticks([])
        panel.tick_params(colors=_SOFT, length=2, labelsize=7)
    for panel in axes[count:]:
        panel.set_visible(False)
    figure.text(0.008, 1 - 0.12 / height, title, fontsize=13, fontweight="bold", ha="left", va="top")
    figure.legend(
        handles=[
            Patch(color=_HUMAN, label="human"),
            Line2D([], [], color=_MODEL, linewidth=1.6, label="model"),
            Line2D([], [], linestyle="none", label=f"number: {legend}"),
        ],
        loc="upper right",
        ncols=3,
        frameon=False,
        fontsize=9,
    )
    return figure, axes[:count]


def _title(panel: Axes, name: str, number: str, *, far: bool) -> None:
    panel.set_title(name, loc="left", fontsize=8.5)
    panel.set_title(number, loc="right", fontsize=8, color=_FAR if far else _SOFT)


def _edges(values: NDArray[np.float64], *, whole: bool) -> NDArray[np.float64]:
    """Edges of bins that hold all but the outermost hundredth; around the whole numbers for what is counted."""
    low, high = np.quantile(values, (0.005, 0.995)) if len(values) else (0.0, 1.0)
    if whole:
        step = max(1, round((high - low) / _BINS))
        return np.asarray(np.arange(np.floor(low), np.ceil(high) + step + 0.5, step) - 0.5)
    return np.linspace(low, high if high > low else low + 1, _BINS + 1)
