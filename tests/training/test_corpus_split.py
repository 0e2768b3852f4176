from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.training.corpus import split
from motet.training.corpus.manifest import Piece


def piece(number: int, *, group: str | None = None, artist: str = "", title: str = "") -> Piece:
    name = f"piece-{number:04}"
    return Piece(
        id=name,
        path=f"{name}.mid",
        source="mutopia",
        licence="CC0-1.0",
        group=group if group is not None else name,
        artist=artist,
        title=title,
    )


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 3)), min_size=1, max_size=60))
def test_near_copies_and_equal_songs_never_straddle(rows: list[tuple[int, int, int]]) -> None:
    pieces = [
        piece(number, group=f"cluster {cluster}", artist=f"artist {artist}", title=f"title {title}")
        for number, (cluster, title, artist) in enumerate(rows)
    ]
    assigned = split.assign(pieces, split.song_groups(pieces))
    for left in pieces:
        for right in pieces:
            if left.group == right.group or (left.artist, left.title) == (right.artist, right.title):
                assert assigned[left.id] == assigned[right.id]


def test_groups_join_through_chains() -> None:
    groups = split.song_groups(
        [
            piece(1, group="a", artist="Bach", title="Air"),
            piece(2, group="b", artist="BACH", title="  air! "),
            piece(3, group="b"),
            piece(4, group="c"),
        ]
    )
    assert groups["piece-0001"] == groups["piece-0002"] == groups["piece-0003"] == "piece-0001"
    assert groups["piece-0004"] == "piece-0004"


def test_unknown_artists_and_titles_join_nothing() -> None:
    groups = split.song_groups([piece(1, title="Waltz"), piece(2, title="Waltz"), piece(3, artist="Anon")])
    assert len(set(groups.values())) == 3


def test_copies_share_a_group_with_all_that_theirs_do() -> None:
    pieces = [piece(number, group="a" if number < 2 else None) for number in range(6)]
    groups = split.song_groups(pieces, [("piece-0001", "piece-0004"), ("piece-0004", "piece-0005")])
    assert {name for name, group in groups.items() if group == "piece-0000"} == {
        "piece-0000", "piece-0001", "piece-0004", "piece-0005"
    }  # fmt: skip
    assert groups["piece-0002"] == "piece-0002"


def test_shares_are_94_3_3_and_order_does_not_matter() -> None:
    pieces = [piece(number) for number in range(5000)]
    groups = split.song_groups(pieces)
    assigned = split.assign(pieces, groups)
    assert assigned == split.assign(pieces[::-1], groups)
    assert all(assigned[one.id] == split.of_group(one.id) for one in pieces)
    counts = Counter(assigned.values())
    assert abs(counts["train"] / 5000 - 0.94) < 0.02
    assert abs(counts["valid"] / 5000 - 0.03) < 0.01
    assert abs(counts["test"] / 5000 - 0.03) < 0.01


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_a_small_collection_still_has_all_splits(count: int) -> None:
    pieces = [piece(number) for number in range(count)]
    assigned = split.assign(pieces, split.song_groups(pieces))
    counts = Counter(assigned.values())
    assert counts["train"] >= 1
    assert len(counts) == min(count, 3)


def test_what_the_collection_holds_out_is_tested_on_with_its_whole_group() -> None:
    pieces = [replace(piece(number, group=str(number // 2)), held_out=number == 7) for number in range(40)]
    assigned = split.assign(pieces, split.song_groups(pieces))
    assert assigned["piece-0006"] == assigned["piece-0007"] == "test"
