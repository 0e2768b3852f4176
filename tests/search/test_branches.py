from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.search.branches import NONE, ROOT, Branches
from tests.fakes import hash_uniform


@dataclass(eq=False)
class Node:
    """A node of the reference: objects, and everything counted anew from what happened below them."""

    index: int
    parent: Node | None = None
    ended: bool = False
    children: list[Node] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    asked: int = 0  # unanswered descents that end here
    through: int = 0  # unanswered descents that pass or end here

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values)

    def above(self) -> list[Node]:
        return [self, *(self.parent.above() if self.parent else [])]


class Reference:
    """PUCT with progressive widening and virtual loss as its description says, in the plainest Python."""

    def __init__(self, c: float, widening: float, power: float) -> None:
        self.nodes = [Node(0)]
        self.means: list[float] = []
        self.c, self.widening, self.power = c, widening, power

    def score(self, child: Node, parent_visits: int) -> float:
        least, largest = min(self.means), max(self.means)
        visits = len(child.values) + child.through
        scale = 1 / (largest - least) if largest > least else 0.0
        scaled_sum = (sum(child.values) - len(child.values) * least) * scale
        assert child.parent is not None
        # In the order of the compiled arithmetic: another one would round equal scores apart.
        return scaled_sum / visits + self.c * math.sqrt(parent_visits) / len(child.parent.children) / (1 + visits)

    def choose(self) -> int:
        node = self.nodes[0]
        while True:
            visits = len(node.values) + node.through
            node.through += 1
            may_have = max(1, math.ceil(self.widening * visits**self.power))
            open_ = [child for child in node.children if not child.ended]
            if len(node.children) + node.asked < may_have or not open_:
                node.asked += 1
                return node.index
            scores = [self.score(child, visits) for child in open_]
            node = open_[scores.index(max(scores))]

    def add(self, parent: int, value: float, ended: bool, asked: bool) -> None:
        above = self.nodes[parent]
        new = Node(len(self.nodes), above, ended)
        self.nodes.append(new)
        above.children.append(new)
        above.asked -= asked
        for node in new.above():
            node.values.append(value)
            node.through -= asked and node is not new
            self.means.append(node.mean)


@given(
    seed=st.integers(0, 10**6),
    parallel=st.integers(1, 5),
    c=st.sampled_from([0.0, 0.5, 1.25, 4.0]),
    widening=st.sampled_from([(1.5, 0.5), (1.0, 0.0), (3.0, 0.25)]),
    endings=st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(max_examples=30, deadline=None)
def test_trees_grow_as_the_plainest_python_would_grow_them(
    seed: int, parallel: int, c: float, widening: tuple[float, float], endings: float
) -> None:
    """Dyadic values, so that sums are exact whatever their order."""
    branches, reference = Branches.empty(1 + 12 * (parallel + 1)), Reference(c, *widening)
    for turn in range(12):
        chosen = branches.choose(parallel, exploration=c, widening=widening[0], widening_power=widening[1])
        assert chosen.tolist() == [reference.choose() for _ in range(parallel)]
        # Beside the answers comes a node that nobody asked for, as those of the plain sample do.
        parents = np.array([ROOT, *chosen], np.int64)
        values = np.array([round(hash_uniform(seed, turn, i) * 1024) / 1024 for i in range(len(parents))])
        ended = np.array([hash_uniform(seed, turn, i, "end") < endings for i in range(len(parents))])
        asked = np.arange(len(parents)) > 0
        nodes = branches.add(parents, values, ended, asked)
        assert nodes.tolist() == list(range(branches.size - len(parents), branches.size))
        for row in zip(parents.tolist(), values.tolist(), ended.tolist(), asked.tolist(), strict=True):
            reference.add(*row)
    assert branches.visits.tolist() == [len(node.values) for node in reference.nodes]
    assert branches.value_sum.tolist() == [sum(node.values) for node in reference.nodes]
    assert branches.children.tolist() == [len(node.children) for node in reference.nodes]
    assert not branches.virtual_loss.any()
    assert not branches.expected.any()


def grown(values: list[float], parents: list[int]) -> Branches:
    branches = Branches.empty(1 + len(values) + 8)
    for parent, value in zip(parents, values, strict=True):
        branches.add(np.array([parent]), np.array([value]), np.zeros(1, np.bool_), np.zeros(1, np.bool_))
    return branches


def choose(branches: Branches, count: int = 1, *, exploration: float = 0.0, widening: float = 1.0) -> list[int]:
    chosen = branches.choose(count, exploration=exploration, widening=widening, widening_power=0.0)
    return [int(node) for node in chosen]


def test_children_are_linked_newest_first() -> None:
    branches = grown([0.1, 0.2, 0.3], [ROOT, ROOT, 1])
    assert branches.parent[:4].tolist() == [NONE, 0, 0, 1]
    assert branches.first_child[:4].tolist() == [2, 3, NONE, NONE]
    assert branches.next_sibling[:4].tolist() == [NONE, NONE, 1, NONE]


def test_the_better_child_is_followed_and_ties_go_to_the_older() -> None:
    assert choose(grown([0.2, 0.9, 0.3], [ROOT] * 3)) == [2]
    assert choose(grown([0.5, 0.5, 0.5], [ROOT] * 3)) == [1]


def test_a_child_little_tried_is_followed_when_exploring() -> None:
    branches = grown([0.5, 0.5, 0.5, 0.5], [ROOT, ROOT, 1, 1])
    assert choose(branches, exploration=1.0) == [2]


def test_a_virtual_loss_sends_the_next_descent_elsewhere() -> None:
    assert choose(grown([0.2, 0.9, 0.8], [ROOT] * 3), 2, exploration=0.1) == [2, 3]


def test_what_has_ended_is_not_followed() -> None:
    branches = grown([0.2, 0.9], [ROOT, ROOT])
    branches.ended[2] = True
    assert choose(branches) == [1]
    branches.ended[1] = True
    assert choose(branches, 2) == [ROOT, ROOT]


@pytest.mark.parametrize(("widening", "expected"), [(1.0, [1]), (2.0, [ROOT, 1])])
def test_a_node_is_given_children_up_to_its_width(widening: float, expected: list[int]) -> None:
    assert choose(grown([0.2], [ROOT]), len(expected), widening=widening) == expected
