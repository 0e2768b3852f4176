import json
import math
from pathlib import Path

import numpy as np
import pytest

from motet.music.error import InternalError
from motet.search.tree import NO_ARM, NO_PARENT, NO_ROW, ROOT, Tree
from tests.fakes import hash_uniform

GOLDEN = Path(__file__).parents[1] / "golden" / "tree.json"
TERMS = ("text", "harmony")


def add(tree: Tree, parent: int, *, row: int = 0, finished: bool = False) -> int:
    return tree.add(
        parent=parent,
        arm=row % 2,
        row=row,
        stream=row + 10,
        bars=2 * (int(tree.depth[parent]) + 1),
        tokens=20 * (int(tree.depth[parent]) + 1),
        log_probability=-1.5 * (int(tree.depth[parent]) + 1),
        finished=finished,
    )


def hashed_tree(nodes: int, capacity: int | None = None) -> Tree:
    """A tree whose shape and rewards are hashes of the node numbers."""
    tree = Tree.empty(capacity or nodes, TERMS)
    while tree.size < nodes:
        node = add(tree, int(hash_uniform("parent", tree.size) * tree.size), row=tree.size % 4)
        if hash_uniform("scored", node) < 0.8:
            terms = {name: round(hash_uniform(name, node), 6) for name in TERMS}
            tree.record([node], [sum(terms.values()) / 2], [terms])
    return tree


def test_a_new_tree_is_a_root() -> None:
    tree = Tree.empty(4, TERMS)
    assert (tree.size, tree.capacity) == (1, 4)
    assert (tree.parent[ROOT], tree.arm[ROOT], tree.row[ROOT]) == (NO_PARENT, NO_ARM, NO_ROW)
    assert math.isnan(tree.reward_total[ROOT])


def test_nodes_are_numbered_in_the_order_of_creation() -> None:
    tree = Tree.empty(4, TERMS)
    first = add(tree, ROOT)
    second = add(tree, first, finished=True)
    assert (first, second) == (1, 2)
    assert tree.depth[: tree.size].tolist() == [0, 1, 2]
    assert tree.lineage(second) == (0, 1, 2)
    assert tree.finished[: tree.size].tolist() == [False, False, True]


def test_rewards_reach_the_root() -> None:
    tree = Tree.empty(4, TERMS)
    first, second = add(tree, ROOT), add(tree, ROOT, row=1)
    tree.record([first, second], [0.25, 0.75], [{"text": 0.1, "harmony": 0.4}, {"text": 0.75}])
    snapshot = tree.snapshot()
    assert snapshot.visits.tolist() == [2, 1, 1]
    assert snapshot.value_sum.tolist() == [1.0, 0.25, 0.75]
    assert snapshot.value_square_sum.tolist() == [0.625, 0.0625, 0.5625]
    assert snapshot.value_best.tolist() == [0.75, 0.25, 0.75]
    assert snapshot.reward_terms[first].tolist() == [0.1, 0.4]
    assert math.isnan(snapshot.reward_terms[second, 1])


def test_a_reward_that_is_not_finite_is_an_error() -> None:
    tree = Tree.empty(2, TERMS)
    node = add(tree, ROOT)
    with pytest.raises(InternalError, match="nan"):
        tree.record([node], [float("nan")], [{}])


def test_a_child_needs_a_parent_and_a_tree_its_root() -> None:
    tree = Tree.empty(2, TERMS)
    for stranger in (1, 7, NO_PARENT):
        with pytest.raises(InternalError, match="not among"):
            tree.add(parent=stranger, arm=0, row=0, stream=0, bars=2, tokens=1, log_probability=0.0, finished=False)
    with pytest.raises(InternalError, match="root"):
        Tree.empty(0, TERMS)


@pytest.mark.parametrize("capacity", [1, 7, 39])
def test_a_tree_grows_when_room_runs_out(capacity: int) -> None:
    grown, roomy = hashed_tree(40, capacity), hashed_tree(40)
    assert grown.capacity < 80
    assert json.dumps(grown.snapshot().to_json()) == json.dumps(roomy.snapshot().to_json())


def test_a_snapshot_is_a_copy_of_the_used_part_and_read_only() -> None:
    tree = Tree.empty(8, TERMS)
    node = add(tree, ROOT)
    snapshot = tree.snapshot()
    add(tree, node)
    tree.record([node], [0.5], [{}])
    assert len(snapshot) == 2
    assert math.isnan(snapshot.reward_total[node])
    with pytest.raises(ValueError, match="read-only"):
        snapshot.parent[0] = 3


def test_lineage_scores_favour_later_looks() -> None:
    tree = Tree.empty(4, TERMS)
    first = add(tree, ROOT)
    second = add(tree, first)
    tree.record([first, second], [0.0, 1.0], [{}, {}])
    np.testing.assert_allclose(tree.lineage_scores([first, second], 2.0), [0.0, 16 / 20])


def test_golden_tree() -> None:
    snapshot = hashed_tree(40).snapshot()
    expected = json.loads(GOLDEN.read_text())
    actual = json.loads(json.dumps(snapshot.to_json()))
    assert actual.keys() == expected.keys()
    for name, column in expected.items():
        if name == "term_names":
            assert actual[name] == column
        else:
            np.testing.assert_allclose(np.array(actual[name], float), np.array(column, float), rtol=1e-12)
