"""Nodes per CPU second of a PUCT search: our kernels against plain Python objects, numpy and mctx, in the same run.

The first four rows grow the same trees, node for node (it is checked): PUCT with progressive widening and virtual loss
as in `motet.search.kernels`, a trivial value (a hash of the path), one new node for each simulation.

- `python`: objects with lists of children; one tree after the other.
- `numpy`: arrays [batch, nodes], all trees in lockstep, as one would write it without a compiler.
- `kernels, called from Python`: `motet.search.branches`, two calls for each simulation, as a search makes them.
- `kernels, compiled loop`: the same kernels called by a compiled loop over simulations and trees.

The last two rows are to be compared with each other. They grow other trees, in which every node may have 16 children:

- `mctx`: DeepMind's library on the CPU, compiled by XLA, in lockstep; 16 actions with equal priors, no widening. Its
  formula is MuZero's, so its trees are not ours: same number of simulations and of nodes, another shape.
- `kernels, compiled loop, 16 children`: as above with a fixed width.

The mean depth of a node, which a simulation has to walk, is printed beside each row. CPU seconds are the least of
several rounds; compiling is not counted. One thread.

    python benchmarks/tree.py [--simulations 400] [--batches 1 16 256] [--rounds 3] [--mctx PYTHON] [--json]

mctx wants jax, whose numpy may be newer than numba allows: give it an environment of its own,
`python -m venv mctx && mctx/bin/pip install mctx`, and name it: `--mctx mctx/bin/python`.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from motet.search import kernels
from motet.search.branches import Branches

EXPLORATION, WIDENING, WIDENING_POWER = 1.25, 1.5, 0.5  # those of motet.search.puct
WIDTH = 16  # children of a node where mctx is compared
LEAST_S = 0.1  # CPU seconds of a measurement; short searches are repeated
MCTX = Path(__file__).with_name("tree_mctx.py")


def child_key(key: Any, index: Any) -> Any:
    """The hash of a path: that of its parent and the number of the child, from 0; integers below 2 ** 32."""
    return (key * 1664525 + (index + 1) * 22695477 + 1013904223) % 2**32


# --- plain Python ----------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Node:
    """One node of a tree of objects."""

    index: int
    key: int
    parent: Node | None
    children: list[Node] = field(default_factory=list)
    expected: int = 0
    visits: int = 0
    value_sum: float = 0.0
    virtual_loss: int = 0


def grow_python(key: int, simulations: int) -> list[int]:
    """Grows one tree of objects: the parent of each node."""
    root = Node(0, key, None)
    parents = [-1]
    least, largest = math.inf, -math.inf
    for index in range(1, simulations + 1):
        scale = 1.0 / (largest - least) if largest > least else 0.0
        node = root
        while True:
            seen = node.visits + node.virtual_loss
            node.virtual_loss += 1
            if len(node.children) + node.expected < max(1, math.ceil(WIDENING * seen**WIDENING_POWER)):
                break
            factor = EXPLORATION * math.sqrt(seen) / max(1, len(node.children))
            best, best_score = None, -math.inf
            for child in node.children:
                tried = child.visits + child.virtual_loss
                score = (child.value_sum - child.visits * least) * scale / max(1, tried) + factor / (1 + tried)
                if score > best_score:
                    best, best_score = child, score
            if best is None:
                break
            node = best
        node.expected += 1
        new = Node(index, child_key(node.key, len(node.children)), node)
        parents.append(node.index)
        node.children.append(new)
        node.expected -= 1
        value = new.key / 2**32
        above: Node | None = new
        while above is not None:
            above.visits += 1
            above.value_sum += value
            if above is not new:
                above.virtual_loss -= 1
            mean = above.value_sum / above.visits
            least, largest = min(least, mean), max(largest, mean)
            above = above.parent
    return parents


def by_python(batch: int, simulations: int) -> NDArray[np.int64]:
    """[batch, nodes] parents."""
    return np.array([grow_python(key, simulations) for key in range(1, batch + 1)])


# --- numpy -----------------------------------------------------------------------------------------------------------


def by_numpy(batch: int, simulations: int) -> NDArray[np.int64]:
    """[batch, nodes] parents; all trees descend, grow and back-propagate in lockstep."""
    nodes, widest = simulations + 1, max(1, math.ceil(WIDENING * simulations**WIDENING_POWER))
    trees = np.arange(batch)
    parents = np.full((batch, nodes), -1)
    child = np.zeros((batch, nodes, widest), np.int32)
    children = np.zeros((batch, nodes), np.int64)
    visits = np.zeros((batch, nodes), np.int64)
    virtual_loss = np.zeros((batch, nodes), np.int64)
    value_sum = np.zeros((batch, nodes))
    keys = np.zeros((batch, nodes), np.int64)
    keys[:, 0] = trees + 1
    least, largest = np.full(batch, np.inf), np.full(batch, -np.inf)
    slots = np.arange(widest)
    for index in range(1, nodes):
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = np.where(largest > least, 1.0 / (largest - least), 0.0)
        chosen = np.zeros(batch, np.int64)
        going = trees
        while len(going):
            node = chosen[going]
            seen = visits[going, node] + virtual_loss[going, node]
            virtual_loss[going, node] += 1
            count = children[going, node]
            full = count >= np.maximum(1, np.ceil(WIDENING * seen**WIDENING_POWER))
            going, node, seen, count = going[full], node[full], seen[full], count[full]
            below = child[going, node]
            at = going[:, None], below
            tried = visits[at] + virtual_loss[at]
            gained = value_sum[at] - visits[at] * least[going, None]
            factor = EXPLORATION * np.sqrt(seen) / np.maximum(1, count)
            score = gained * scale[going, None] / np.maximum(1, tried) + factor[:, None] / (1 + tried)
            best = np.where(slots < count[:, None], score, -np.inf).argmax(1)
            chosen[going] = below[np.arange(len(going)), best]
        last = children[trees, chosen]
        child[trees, chosen, last] = index
        children[trees, chosen] += 1
        parents[:, index] = chosen
        keys[:, index] = child_key(keys[trees, chosen], last)
        value = keys[:, index] / 2**32
        above, rising = np.full(batch, index), trees
        while len(rising):
            visits[rising, above] += 1
            value_sum[rising, above] += value[rising]
            if (above != index).all():
                virtual_loss[rising, above] -= 1
            mean = value_sum[rising, above] / visits[rising, above]
            least[rising] = np.minimum(least[rising], mean)
            largest[rising] = np.maximum(largest[rising], mean)
            above = parents[rising, above]
            rising, above = rising[above >= 0], above[above >= 0]
    return parents


# --- ours ------------------------------------------------------------------------------------------------------------


def by_kernels(batch: int, simulations: int) -> NDArray[np.int64]:
    """[batch, nodes] parents; the kernels are called from Python, as a search does."""
    parents = np.empty((batch, simulations + 1), np.int64)
    one, value = np.ones(1, np.bool_), np.empty(1)
    for tree in range(batch):
        branches = Branches.empty(simulations + 1)
        keys = [tree + 1]
        for _ in range(simulations):
            chosen = branches.choose(1, exploration=EXPLORATION, widening=WIDENING, widening_power=WIDENING_POWER)
            node = int(chosen[0])
            keys.append(child_key(keys[node], int(branches.children[node])))
            value[0] = keys[-1] / 2**32
            branches.add(chosen, value, ~one, one)
        parents[tree] = branches.parent
    return parents


compiled_child_key = numba.njit(child_key)


@numba.njit
def grow_compiled(parents: Any, simulations: Any, widening: Any, widening_power: Any) -> None:
    """Grows one tree for each row of ``parents`` [batch, nodes]."""
    nodes = simulations + 1
    asked, chosen, new, value = np.ones(1, np.bool_), np.empty(1, np.int64), np.empty(1, np.int64), np.empty(1)
    for tree in range(parents.shape[0]):
        parent = parents[tree]
        first_child, next_sibling = np.full(nodes, -1, np.int32), np.full(nodes, -1, np.int32)
        children, expected = np.zeros(nodes, np.int32), np.zeros(nodes, np.int32)
        ended, value_sum = np.zeros(nodes, np.bool_), np.zeros(nodes)
        visits, virtual_loss = np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
        bounds = np.array([np.inf, -np.inf])
        keys = np.empty(nodes, np.int64)
        keys[0] = tree + 1
        parent[0] = -1
        for index in range(1, nodes):
            kernels.puct_select(
                first_child,
                next_sibling,
                children,
                ended,
                visits,
                value_sum,
                virtual_loss,
                expected,
                bounds,
                EXPLORATION,
                widening,
                widening_power,
                chosen,
            )
            keys[index] = compiled_child_key(keys[chosen[0]], np.int64(children[chosen[0]]))
            new[0], value[0] = index, keys[index] / 2**32
            kernels.puct_attach(parent, first_child, next_sibling, children, new, chosen)
            kernels.puct_backpropagate(parent, visits, value_sum, virtual_loss, expected, bounds, new, value, asked)


def by_compiled_loop(batch: int, simulations: int) -> NDArray[np.int64]:
    """[batch, nodes] parents; the kernels are called by a compiled loop."""
    return _compiled_loop(batch, simulations, WIDENING, WIDENING_POWER)


def by_fixed_width(batch: int, simulations: int) -> NDArray[np.int64]:
    """The same where every node may have ``WIDTH`` children from the beginning."""
    return _compiled_loop(batch, simulations, float(WIDTH), 0.0)


def _compiled_loop(batch: int, simulations: int, widening: float, widening_power: float) -> NDArray[np.int64]:
    parents = np.empty((batch, simulations + 1), np.int32)
    grow_compiled(parents, simulations, widening, widening_power)
    return parents.astype(np.int64)


SAME_TREES: dict[str, Callable[[int, int], NDArray[np.int64]]] = {
    "python": by_python,
    "numpy": by_numpy,
    "kernels, called from Python": by_kernels,
    "kernels, compiled loop": by_compiled_loop,
}
WAYS = {**SAME_TREES, f"kernels, compiled loop, {WIDTH} children": by_fixed_width}


# --- the table -------------------------------------------------------------------------------------------------------


def mean_depth(parents: NDArray[np.int64]) -> float:
    """Of the nodes below the root."""
    depth = np.zeros(parents.shape)
    trees = np.arange(len(parents))
    for index in range(1, parents.shape[1]):
        depth[:, index] = depth[trees, parents[:, index]] + 1
    return float(depth[:, 1:].mean())


def measure(batch: int, simulations: int, rounds: int) -> dict[str, dict[str, float]]:
    """Nodes per CPU second and mean depth by way; SystemExit when trees differ that must not."""
    reference = by_compiled_loop(batch, simulations)
    for name, way in SAME_TREES.items():
        if not np.array_equal(way(min(batch, 2), simulations), reference[:2]):
            raise SystemExit(f"{name} grew other trees than the kernels")
    least = dict.fromkeys(WAYS, math.inf)
    for _ in range(rounds):
        for name, way in WAYS.items():
            least[name] = min(least[name], cpu_s(way, batch, simulations))
    return {
        name: {"nodes_per_s": batch * simulations / least[name], "depth": mean_depth(way(min(batch, 16), simulations))}
        for name, way in WAYS.items()
    }


def cpu_s(way: Callable[[int, int], NDArray[np.int64]], batch: int, simulations: int) -> float:
    """CPU seconds of one search of all trees, in the mean of as many as fit into ``LEAST_S``."""
    searches, start = 0, time.process_time()
    while time.process_time() - start < LEAST_S:
        way(batch, simulations)
        searches += 1
    return (time.process_time() - start) / searches


def measure_mctx(python: str, batches: list[int], simulations: int, rounds: int) -> dict[int, dict[str, float]]:
    """The same of mctx, by batch; empty, with a line on stderr, where that interpreter cannot run it."""
    numbers = [str(number) for number in (simulations, WIDTH, rounds, *batches)]
    try:
        done = subprocess.run([python, str(MCTX), *numbers], capture_output=True, text=True, check=False)
    except OSError as error:
        print(f"mctx is left out: {error}", file=sys.stderr)
        return {}
    if done.returncode:
        reason = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        print(f"mctx is left out ({reason}); see the head of {Path(__file__).name}", file=sys.stderr)
        return {}
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        row["batch"]: {"nodes_per_s": row["batch"] * simulations / min(row["cpu_s"]), "depth": row["depth"]}
        for row in rows
    }


def main() -> None:
    """Prints one table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=400, help="nodes of each tree below its root")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 256], help="trees at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mctx", default=sys.executable, metavar="PYTHON", help="an interpreter that has mctx")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {batch: measure(batch, arguments.simulations, arguments.rounds) for batch in arguments.batches}
    for batch, row in measure_mctx(arguments.mctx, arguments.batches, arguments.simulations, arguments.rounds).items():
        found[batch]["mctx"] = row
    if arguments.json:
        print(json.dumps({"simulations": arguments.simulations, "batches": found}, indent=2))
        return
    print(
        f"{arguments.simulations} simulations a tree; nodes per CPU second, and how many times those of plain Python\n"
    )
    print("| trees | way | nodes/s | x Python | mean depth |\n|---:|---|---:|---:|---:|")
    for batch, rows in found.items():
        for name, row in rows.items():
            ratio = row["nodes_per_s"] / rows["python"]["nodes_per_s"]
            print(f"| {batch} | {name} | {row['nodes_per_s']:,.0f} | {ratio:.1f} | {row['depth']:.1f} |")


if __name__ == "__main__":
    main()
