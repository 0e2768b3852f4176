"""Which pieces are trained on and which are held out, so that no song is on both sides."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Literal

from motet.training.corpus.manifest import Piece

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

_VALID_SHARE = 0.03
_TEST_SHARE = 0.03
_SALT = "motet split 1"  # changing it moves pieces between the splits: every checkpoint would have seen its test set


def normalise(text: str) -> str:
    """Lower-case letters and digits of a title or a name, accents stripped, one space between words."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return " ".join(re.findall(r"[a-z0-9]+", plain))


def song_groups(pieces: Iterable[Piece]) -> dict[str, str]:
    """Piece id -> name of its song group.

    Two pieces share a group when a chain of equal ``group`` values or of equal (artist, title) joins them;
    the name is the smallest piece id of the group.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    ids: list[str] = []
    for piece in pieces:
        ids.append(piece.id)
        own = f"id:{piece.id}"
        keys = [f"group:{piece.group}"]
        artist, title = normalise(piece.artist), normalise(piece.title)
        if artist and title:
            keys.append(f"song:{artist}|{title}")
        for key in keys:
            parent[root(key)] = root(own)
    names: dict[str, str] = {}
    for piece_id in sorted(ids):
        names.setdefault(root(f"id:{piece_id}"), piece_id)
    return {piece_id: names[root(f"id:{piece_id}")] for piece_id in ids}


def of_group(name: str) -> Split:
    """The split of a song group: 94 % train, 3 % valid, 3 % test, by a hash of its name alone."""
    digest = hashlib.sha256(f"{_SALT}\n{name}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < _VALID_SHARE:
        return "valid"
    return "test" if share < _VALID_SHARE + _TEST_SHARE else "train"


def assign(pieces: Iterable[Piece]) -> Mapping[str, Split]:
    """Piece id -> split; the same for the same collection, whatever the seed."""
    return {piece_id: of_group(group) for piece_id, group in song_groups(pieces).items()}
