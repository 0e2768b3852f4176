"""The catalogue of a corpus: which pieces it was cut from, which song each is a version of, and their split."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from motet.training.corpus.manifest import Piece
from motet.training.corpus.split import Split

FILE: Final = "pieces.jsonl.xz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One piece.

    Args:
        id, source, licence: as listed.
        song: name of its song group.
        split: where its windows are.
        digest: of its notes, see ``Fingerprint``.
    """

    id: str
    source: str
    licence: str
    song: str
    split: Split
    digest: str


def write(
    corpus: Path,
    pieces: Sequence[Piece],
    groups: Mapping[str, str],
    splits: Mapping[str, Split],
    digests: Mapping[str, str],
) -> None:
    """Writes the catalogue into a corpus folder."""
    with lzma.open(corpus / FILE, "wt", encoding="utf-8") as lines:
        for piece in pieces:
            row = {
                "id": piece.id,
                "source": piece.source,
                "licence": piece.licence,
                "song": groups[piece.id],
                "split": splits[piece.id],
                "digest": digests[piece.id],
            }
            lines.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n")


def read(corpus: Path) -> list[Entry]:
    """The catalogue of a corpus folder; empty when it has none."""
    path = corpus / FILE
    if not path.is_file():
        return []
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return [Entry(**json.loads(line)) for line in lines]
