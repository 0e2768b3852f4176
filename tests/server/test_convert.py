from __future__ import annotations

from motet.search.tree import ROOT, Tree
from motet.server.convert import ToldTree


def grow(tree: Tree, parent: int) -> int:
    return tree.add(parent=parent, arm=0, row=0, stream=0, bars=2, tokens=20, log_probability=-1.5, finished=False)


def test_a_reader_is_told_only_what_it_does_not_know() -> None:
    tree, told = Tree.empty(8, ("text",)), ToldTree()
    first, second = grow(tree, ROOT), grow(tree, ROOT)
    assert [node.index for node in told.news(tree.snapshot())] == [ROOT, first, second]
    assert told.news(tree.snapshot()) == []  # an unscored node is the same as before

    tree.record([second], [0.0], [{}])
    tree.alive[first] = False
    third = grow(tree, second)
    lost, judged, new = told.news(tree.snapshot())
    assert (lost.index, lost.alive, lost.HasField("reward")) == (first, False, False)
    assert (judged.index, judged.alive, judged.HasField("reward"), judged.reward) == (second, True, True, 0.0)
    assert (new.index, new.parent_index, new.arm_index, new.bar_count, new.alive) == (third, second, 0, 2, True)


def test_what_happened_between_two_messages_is_told_once() -> None:
    tree, told = Tree.empty(8, ("text",)), ToldTree()
    told.news(tree.snapshot())
    node = grow(tree, ROOT)
    tree.snapshot()  # a look that was never sent
    tree.record([node], [0.5], [{}])
    assert [(news.index, news.reward) for news in told.news(tree.snapshot())] == [(node, 0.5)]
