"""The search tree as a picture: what each beginning was worth, and which of them led on."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from motet.client.result import Candidate, SearchResult, TreeNode

INK, SOFT, GRID = "#22272e", "#6b7480", "#dfe3e8"
_ARM_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#7b3294", "#56b4e9", "#8c564b", "#5f6b76")
_LEGEND_WORDINGS = 8


def draw_tree(axes: Axes, result: SearchResult) -> None:
    """Draws the tree, with the paths of the best piece and of the plain sample, and a legend of the wordings."""
    nodes = {node.index: node for node in result.nodes}
    judged = {index: node for index, node in nodes.items() if node.reward is not None}
    axes.set_title("Search tree: reward of the piece so far against its length", loc="left", fontsize=10, color=SOFT)
    axes.set_xlabel("bars", color=SOFT)
    axes.set_ylabel("reward", color=SOFT)
    axes.tick_params(colors=SOFT, length=2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    if not judged:
        axes.text(0.5, 0.5, "no node was judged", transform=axes.transAxes, ha="center", va="center", color=SOFT)
        return
    places = _places(judged)
    root = _draw_root(axes, result, places)
    edges: dict[bool, tuple[list[Any], list[Any]]] = {True: ([], []), False: ([], [])}
    for index, node in judged.items():
        parent = _judged_ancestor(node, nodes)
        if parent is not None:
            segments, colours = edges[node.alive]
            segments.append([places[parent.index], places[index]])
            colours.append(_arm_colour(node))
    for alive, (segments, colours) in edges.items():
        axes.add_collection(
            LineCollection(
                segments, colors=colours, linewidths=1.3 if alive else 0.9, alpha=0.75 if alive else 0.3, zorder=2
            )
        )
    for alive in (False, True):
        points = [node for node in judged.values() if node.alive is alive]
        axes.scatter(
            [places[node.index][0] for node in points],
            [places[node.index][1] for node in points],
            s=26 if alive else 15,
            c=[_arm_colour(node) for node in points],
            alpha=0.95 if alive else 0.45,
            linewidths=0,
            zorder=3,
        )
    places.update(root)
    if result.plain_sample is not None:
        _mark_path(axes, result.plain_sample, places, colour=SOFT, width=1.6, marker="D", size=52, dashed=True)
    _mark_path(axes, result.best, places, colour=INK, width=2.8, marker="*", size=210, dashed=False)
    axes.set_xlim(-0.3, max(x for x, _ in places.values()) + 0.6)
    axes.margins(y=0.08)
    axes.autoscale_view(scalex=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _tree_legend(axes, result, judged)


def _places(judged: dict[int, TreeNode]) -> dict[int, tuple[float, float]]:
    """Where each node is drawn; nodes of one length are spread a little by arm, so that they don't hide each other."""
    arms = sorted({node.arm for node in judged.values()})
    middle = (len(arms) - 1) / 2
    return {
        index: (node.bars + 0.07 * (arms.index(node.arm) - middle), node.reward or 0.0)
        for index, node in judged.items()
    }


def _draw_root(
    axes: Axes, result: SearchResult, places: dict[int, tuple[float, float]]
) -> dict[int, tuple[float, float]]:
    """Draws the root, which has no reward, amid its children, and thin lines to them; returns its place."""
    roots = [node for node in result.nodes if node.parent < 0 and node.index not in places]
    drawn: dict[int, tuple[float, float]] = {}
    for root in roots:
        ends = [places[node.index] for node in result.nodes if node.parent == root.index and node.index in places]
        if ends:
            drawn[root.index] = (float(root.bars), float(np.mean([y for _, y in ends])))
            segments = [[drawn[root.index], end] for end in ends]
            axes.add_collection(LineCollection(segments, colors=SOFT, linewidths=0.7, alpha=0.35, zorder=1))
            axes.scatter(*drawn[root.index], s=20, color=SOFT, zorder=3)
    return drawn


def _judged_ancestor(node: TreeNode, nodes: dict[int, TreeNode]) -> TreeNode | None:
    parent = nodes.get(node.parent)
    while parent is not None and parent.reward is None:
        parent = nodes.get(parent.parent)
    return parent


def _mark_path(
    axes: Axes,
    candidate: Candidate,
    places: dict[int, tuple[float, float]],
    *,
    colour: str,
    width: float,
    marker: str,
    size: float,
    dashed: bool,
) -> None:
    path = [places[index] for index in candidate.lineage if index in places]
    if not path:
        return
    style = (0, (4, 2)) if dashed else "solid"
    axes.plot(
        *zip(*path, strict=True), color=colour, linewidth=width, linestyle=style, zorder=4, solid_capstyle="round"
    )
    axes.scatter(*path[-1], marker=marker, s=size, color=colour, edgecolors="white", linewidths=1.0, zorder=5)


def _arm_colour(node: TreeNode) -> str:
    return SOFT if node.arm < 0 else _ARM_COLOURS[node.arm % len(_ARM_COLOURS)]


def _tree_legend(axes: Axes, result: SearchResult, judged: dict[int, TreeNode]) -> None:
    used = sorted({node.arm for node in judged.values() if node.arm >= 0})
    handles = [
        Line2D(
            [], [], color=INK, marker="*", markersize=12, linewidth=2.4, label=f"best: {result.best.reward.total:.3f}"
        ),
    ]
    if result.plain_sample is not None:
        label = f"first plain sample: {result.plain_sample.reward.total:.3f}"
        style: Any = (0, (4, 2))
        handles.append(
            Line2D([], [], color=SOFT, marker="D", markersize=6, linewidth=1.4, linestyle=style, label=label)
        )
    # With many wordings, those of the paths that are drawn thick come first, and the rest is counted.
    ranked = sorted(used, key=lambda arm: (arm not in (0, result.best.arm), arm))
    for arm in sorted(ranked[:_LEGEND_WORDINGS]):
        text = "caption as sent" if arm == 0 else result.arms[arm] if arm < len(result.arms) else f"arm {arm}"
        label = lines(text, 33, 5 if len(used) <= 4 else 3 if len(used) <= 6 else 2)
        handles.append(
            Line2D([], [], color=_ARM_COLOURS[arm % len(_ARM_COLOURS)], marker="o", linewidth=1.4, label=label)
        )
    if len(used) > _LEGEND_WORDINGS:
        handles.append(Line2D([], [], linestyle="", label=f"and {len(used) - _LEGEND_WORDINGS} more wordings"))
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.005, 1.0),
        frameon=False,
        fontsize=8.5,
        title="paths and wordings",
        alignment="left",
        borderaxespad=0,
        labelspacing=0.7,
    )


def lines(text: str, width: int, count: int) -> str:
    """``text`` wrapped to at most ``count`` lines; what does not fit ends in an ellipsis."""
    lines = textwrap.wrap(text, width) or [""]
    return "\n".join(lines if len(lines) <= count else [*lines[: count - 1], f"{lines[count - 1][: width - 1]}…"])
