"""A search as one picture: the piano roll of the best piece, what its bars are worth, and the tree that led to it.

Needs the ``plot`` extra (matplotlib, symusic); importing this module without it raises ModuleNotFoundError.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import symusic  # type: ignore[import-untyped]
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from motet.client.general_midi import PROGRAM_NAMES
from motet.client.picture_tree import GRID, INK, SOFT, draw_tree, lines
from motet.client.result import Reward, SearchResult

DRUMS = -1
_LANE = "#f5f7f9"
# Ten hues that stay apart, also for colour-blind eyes and in grey.
_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b"),
    *("#56b4e9", "#7b3294", "#8c564b", "#5f6b76", "#e377c2"),
)
_DRUM_LANES = (
    ("kick", {35, 36}),
    ("snare", {37, 38, 39, 40}),
    ("hi-hat", {42, 44, 46}),
    ("toms", {41, 43, 45, 47, 48, 50}),
    ("cymbals", {49, 51, 52, 53, 55, 57, 59}),
)
_OTHER_LANE = "other"
_LEGEND_ROWS = 16
_HEAT = mpl.colors.LinearSegmentedColormap.from_list("heat", ("#b5483c", "#dd8f5a", "#f1dcb4", "#e6ece8", "#d3e4dc"))
_POOR, _MOST_NUMBERS = 0.5, 32  # below this a bar's number is written out, in pieces of so many bars at most
_WIDTH = 13.0


@dataclass(frozen=True, slots=True)
class _Roll:
    """The notes of a file in quarters: ``columns`` are start, length, pitch, velocity, program ([N] each)."""

    start: NDArray[np.float64]
    length: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    program: NDArray[np.int64]
    bars: NDArray[np.float64]  # [bars + 1] starts of the bars, and the end
    beats_per_bar: int


def draw(result: SearchResult, caption: str, path: Path) -> None:
    """Writes the picture of a search to ``path``; the suffix (.png, .svg, .pdf) decides the format.

    Args:
        result: of the search.
        caption: that was searched for, the title.
        path: file to write.
    """
    roll = _read(result.best.midi)
    has_drums = bool(np.any(roll.program == DRUMS))
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 9, "axes.edgecolor": SOFT, "text.color": INK}):
        # Fixed places, in inches from the top: the legends at the right may be long, and must not squeeze the drawing.
        strip = _strip_rows(result.best.reward)
        rows = [(0.95, 4.2), (5.48, 1.4)] if has_drums else [(0.95, 4.6)]
        if strip:
            rows.append((sum(rows[-1]) + 0.75, 0.2 * len(strip)))
        rows.append((sum(rows[-1]) + 0.85, 3.6))
        height = sum(rows[-1]) + 0.85
        figure = Figure(figsize=(_WIDTH, height), facecolor="white")
        _title(figure, result, caption)
        axes = [
            figure.add_axes((0.8 / _WIDTH, 1 - (top + high) / height, 9.6 / _WIDTH, high / height))
            for top, high in rows
        ]
        _draw_roll(axes[0], roll, label_bars=not has_drums)
        if has_drums:
            axes[1].sharex(axes[0])
            _draw_drums(axes[1], roll)
        if strip:
            axes[-2].sharex(axes[0])
            _draw_strip(axes[-2], roll, strip)
        draw_tree(axes[-1], result)
        figure.savefig(path, dpi=130)


def _title(figure: Figure, result: SearchResult, caption: str) -> None:
    plain = result.plain_sample
    compared = "" if plain is None else f" (first plain sample {plain.reward.total:.3f})"
    wrapped = lines(caption, 112, 2)
    facts = (
        f"reward {result.best.reward.total:.3f}{compared}   ·   {result.strategy}, {len(result.nodes)} tree nodes, "
        f"{result.elapsed_s:.1f} s   ·   {result.model}@{result.model_version}, seed {result.seed}"
    )
    figure.text(0.012, 0.988, wrapped, fontsize=13, fontweight="bold", ha="left", va="top")
    figure.text(0.988, 0.008, facts, fontsize=8, color=SOFT, ha="right", va="bottom")


def _read(midi: bytes) -> _Roll:
    score = symusic.Score.from_midi(midi)
    quarter = float(score.ticks_per_quarter)
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in ("time", "duration", "pitch", "velocity", "program")}
    for track in score.tracks:
        notes = track.notes.numpy()
        for name in ("time", "duration", "pitch", "velocity"):
            columns[name].append(np.asarray(notes[name]))
        columns["program"].append(np.full(len(notes["time"]), DRUMS if track.is_drum else track.program))
    joined = {name: np.concatenate(parts) if parts else np.zeros(0, np.int64) for name, parts in columns.items()}
    start, length = joined["time"] / quarter, joined["duration"] / quarter
    # Up to the bar of the last onset: a note that rings on adds no bar.
    bars, beats = _bars(score, quarter, float(start.max(initial=0.0)) + 0.01)
    return _Roll(start, length, joined["pitch"], joined["velocity"], joined["program"], bars, beats)


def _bars(score: Any, quarter: float, end: float) -> tuple[NDArray[np.float64], int]:
    """Starts of the bars in quarters, up to the first one at or after ``end``, and the beats of the first bar."""
    changes = sorted(
        (change.time / quarter, int(change.numerator), int(change.denominator)) for change in score.time_signatures
    )
    if not changes or changes[0][0] > 0:
        changes.insert(0, (0.0, 4, 4))
    starts, position = [0.0], 0.0
    while position < end - 1e-6:
        _, numerator, denominator = [change for change in changes if change[0] <= position + 1e-6][-1]
        position += numerator * 4 / denominator
        starts.append(position)
    return np.array(starts), changes[0][1]


def _instruments(roll: _Roll) -> list[int]:
    """Programs without the drums, those with the most notes first."""
    programs, counts = np.unique(roll.program[roll.program != DRUMS], return_counts=True)
    return [int(program) for program in programs[np.argsort(-counts, kind="stable")]]


def _draw_roll(axes: Axes, roll: _Roll, *, label_bars: bool) -> None:
    pitched = roll.program != DRUMS
    if not pitched.any():
        axes.text(0.5, 0.5, "no pitched notes", transform=axes.transAxes, ha="center", va="center", color=SOFT)
    low, high = (int(roll.pitch[pitched].min()), int(roll.pitch[pitched].max())) if pitched.any() else (60, 72)
    low, high = low - 2, max(high + 2, low + 16)
    for pitch in range(low, high + 1):
        if pitch % 12 in {1, 3, 6, 8, 10}:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color=_LANE, zorder=0)
    handles = []
    instruments = _instruments(roll)
    for number, program in enumerate(instruments):
        colour = _shade(number)
        _boxes(axes, roll, roll.program == program, roll.pitch, colour, height=0.86)
        name = PROGRAM_NAMES[program] if 0 <= program < len(PROGRAM_NAMES) else f"program {program}"
        count = int((roll.program == program).sum())
        handles.append(Rectangle((0, 0), 1, 1, color=colour, label=f"{name} ({count})"))
    if len(handles) > _LEGEND_ROWS:
        rest = len(handles) - _LEGEND_ROWS + 1
        handles = [*handles[: _LEGEND_ROWS - 1], Rectangle((0, 0), 1, 1, color="none", label=f"and {rest} more")]
    axes.set_ylim(low - 0.5, high + 0.5)
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    for pitch in octaves:
        axes.axhline(pitch - 0.5, color=GRID, linewidth=0.8, zorder=0.5)
    axes.set_title("Piano roll", loc="left", fontsize=10, color=SOFT)
    if handles:
        axes.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(1.005, 1.0),
            frameon=False,
            fontsize=9,
            title="instruments (notes)",
            alignment="left",
            handlelength=1.1,
            handleheight=0.9,
            borderaxespad=0,
        )
    _bar_grid(axes, roll, label=label_bars)


def _shade(number: int) -> Any:
    """The colour of an instrument: ten hues, then the same ones lighter, then darker, and again."""
    rgb = np.array(mpl.colors.to_rgb(_COLOURS[number % len(_COLOURS)]))
    turn = number // len(_COLOURS) % 3
    return tuple(rgb if turn == 0 else 0.5 * rgb + 0.5 if turn == 1 else 0.55 * rgb)


def _draw_drums(axes: Axes, roll: _Roll) -> None:
    drums = roll.program == DRUMS
    lane_of = {pitch: lane for lane, (_, pitches) in enumerate(_DRUM_LANES) for pitch in pitches}
    lanes = np.array([lane_of.get(int(pitch), len(_DRUM_LANES)) for pitch in roll.pitch], np.float64)
    used = sorted({int(lane) for lane in lanes[drums]})
    row_of = {lane: row for row, lane in enumerate(used)}
    rows = np.array([row_of.get(int(lane), 0) for lane in lanes], np.float64)
    names = [*(name for name, _ in _DRUM_LANES), _OTHER_LANE]
    for row in range(0, len(used), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=_LANE, zorder=0)
    # A drum has no length: every stroke is a box of a sixteenth, so that they stay apart.
    strokes = _Roll(
        roll.start,
        np.full(len(roll.start), 0.2),
        roll.pitch,
        roll.velocity,
        roll.program,
        roll.bars,
        roll.beats_per_bar,
    )
    _boxes(axes, strokes, drums, rows, INK, height=0.62)
    axes.set_ylim(-0.5, max(len(used) - 0.5, 0.5))
    axes.set_yticks(range(len(used)), [names[lane] for lane in used])
    axes.set_title(f"Drums ({int(drums.sum())} strokes)", loc="left", fontsize=10, color=SOFT)
    _bar_grid(axes, roll, label=True)


def _strip_rows(reward: Reward) -> dict[str, tuple[float, ...]]:
    """What can be told of each bar, from 0 for bad to 1 for good."""
    return {name: values for name, values in reward.bars.items() if all(0 <= value <= 1 for value in values)}


def _draw_strip(axes: Axes, roll: _Roll, rows: dict[str, tuple[float, ...]]) -> None:
    shown = np.full((len(rows), len(roll.bars) - 1), np.nan)
    for row, values in enumerate(rows.values()):
        heard = values[: shown.shape[1]]
        shown[row, : len(heard)] = heard
    axes.pcolormesh(
        roll.bars, np.arange(len(rows) + 1), shown, cmap=_HEAT, vmin=0, vmax=1, edgecolors="white", linewidth=1.2
    )
    for row, column in np.argwhere(shown < _POOR).tolist():
        middle = (roll.bars[column] + roll.bars[column + 1]) / 2
        if shown.shape[1] <= _MOST_NUMBERS:  # numbers in more bars than that would run into one another
            number = f"{shown[row, column]:.2f}".removeprefix("0")
            axes.text(middle, row + 0.52, number, fontsize=6.5, color=INK, ha="center", va="center")
    axes.set_ylim(len(rows), 0)
    axes.set_title("Reward bar by bar; numbers where it is below a half", loc="left", fontsize=10, color=SOFT)
    _bar_grid(axes, roll, label=True)
    axes.set_yticks(np.arange(len(rows)) + 0.5, list(rows))
    axes.yaxis.tick_right()  # at the right there is room for long names
    axes.tick_params(axis="y", labelsize=8.5, labelcolor=INK)


def _boxes(
    axes: Axes, roll: _Roll, which: NDArray[np.bool_], rows: NDArray[Any], colour: Any, *, height: float
) -> None:
    """One box a note; louder is darker."""
    rgb = np.array(mpl.colors.to_rgb(colour))
    boxes, colours = [], []
    for index in np.flatnonzero(which):
        width = max(float(roll.length[index]) - 0.03, 0.06)
        boxes.append(Rectangle((float(roll.start[index]), float(rows[index]) - height / 2), width, height))
        colours.append((*rgb, 0.45 + 0.55 * float(roll.velocity[index]) / 127))
    edge = [(*(rgb * 0.6), 0.9)] * len(boxes)
    axes.add_collection(PatchCollection(boxes, facecolors=colours, edgecolors=edge, linewidths=0.4, zorder=2))


def _bar_grid(axes: Axes, roll: _Roll, *, label: bool) -> None:
    for start, end in zip(roll.bars[:-1], roll.bars[1:], strict=True):
        axes.axvline(start, color="#c3c9d1", linewidth=0.9, zorder=0.6)
        if len(roll.bars) <= 24:
            for beat in np.arange(1, roll.beats_per_bar) * (end - start) / roll.beats_per_bar:
                axes.axvline(start + beat, color=GRID, linewidth=0.5, zorder=0.4)
    axes.set_xlim(roll.bars[0], roll.bars[-1])
    step = max(1, -(-(len(roll.bars) - 1) // 24))
    shown = range(0, len(roll.bars) - 1, step)
    middles = [(roll.bars[index] + roll.bars[index + 1]) / 2 for index in shown]
    axes.set_xticks(middles, [str(index + 1) for index in shown])
    axes.tick_params(length=0, colors=SOFT, labelbottom=label)
    axes.spines[["top", "right"]].set_visible(False)
    if label:
        axes.set_xlabel("bar", color=SOFT)
