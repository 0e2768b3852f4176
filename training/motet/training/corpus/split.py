"""Which pieces are trained on and which are held out, so that no song is on both sides."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
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


def song_groups(pieces: Iterable[Piece], copies: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Piece id -> name of its song group.

    Two pieces share a group when a chain of equal ``group`` values, of equal (artist, title), or of pairs of ids in
    ``copies`` joins them; the name is the smallest piece id of the group.
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
    for left, right in copies:
        parent[root(f"id:{left}")] = root(f"id:{right}")
    names: dict[str, str] = {}
    for piece_id in sorted(ids):
        names.setdefault(root(f"id:{piece_id}"), piece_id)
    return {piece_id: names[root(f"id:{piece_id}")] for piece_id in ids}


def of_group(name: str) -> Split:
    """The split of a song group: 94 % train, 3 % valid, 3 % test, by a hash of its name alone."""
    share = _share(name)
    if share < _VALID_SHARE:
        return "valid"
    return "test" if share < _VALID_SHARE + _TEST_SHARE else "train"


def _share(name: str) -> float:
    digest = hashlib.sha256(f"{_SALT}\n{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def assign(pieces: Sequence[Piece], groups: Mapping[str, str]) -> dict[str, Split]:
    """Piece id -> split; the same for the same collection, whatever the seed.

    Args:
        pieces: all that are of use. A group with a piece that the collection holds out is tested on.
        groups: song groups, of these pieces and perhaps of others. A collection too small for every split to get a
            group by chance gives the split without one the group whose hash is the smallest.
    """
    names = {groups[piece.id] for piece in pieces}
    held_out = {groups[piece.id] for piece in pieces if piece.held_out}
    splits: dict[str, Split] = {
        name: "test" if name in held_out else of_group(name) for name in sorted(names, key=_share)
    }
    wanted: Split
    for wanted in SPLITS[1:]:
        training = [name for name, of in splits.items() if of == "train"]
        if wanted not in splits.values() and len(training) > 1:
            splits[training[0]] = wanted
    return {piece.id: splits[groups[piece.id]] for piece in pieces}
