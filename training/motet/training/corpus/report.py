"""What a build made: counts by split and source, and the sources with their licences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from motet.training.corpus import shard, split
from motet.training.corpus.manifest import Piece


def report(
    listed: int,
    usable: int,
    records: Mapping[split.Split, Sequence[shard.Record]],
    refused: Counter[str],
    seconds: float,
) -> dict[str, Any]:
    """Counts of a build, ready for JSON.

    Args:
        listed: pieces in the manifest.
        usable: pieces that passed the rules on the manifest's line.
        records: training examples by split.
        refused: reason -> number of pieces or windows left out.
        seconds: how long the build took.
    """
    splits: dict[str, Any] = {}
    for name, rows in records.items():
        tokens: Counter[str] = Counter()
        windows: Counter[str] = Counter()
        for row in rows:
            tokens[row.meta.source] += len(row.tokens)
            windows[row.meta.source] += 1
        total = tokens.total()
        splits[name] = {
            "windows": len(rows),
            "tokens": total,
            "pieces": len({row.meta.piece for row in rows}),
            "mean_bars": round(float(np.mean([row.meta.bars for row in rows])), 2) if rows else 0.0,
            "sources": {
                source: {"windows": windows[source], "tokens": count, "share": round(count / total, 4)}
                for source, count in tokens.most_common()
            },
            "stated": {
                name: round(sum(getattr(row.attributes, name) not in (None, ()) for row in rows) / len(rows), 3)
                for name in ("tempo_bpm", "key", "meter", "instruments", "drums", "genres", "moods", "bars")
                if rows
            },
        }
    return {
        "pieces_listed": listed,
        "pieces_usable": usable,
        "splits": splits,
        "refused": dict(refused.most_common()),
        "seconds": round(seconds, 1),
    }


def sources(records: Mapping[split.Split, Sequence[shard.Record]], pieces: Mapping[str, Piece]) -> list[dict[str, Any]]:
    """A row for each source and licence that the training split holds, for the model card."""
    windows: Counter[tuple[str, str]] = Counter()
    ids: dict[tuple[str, str], set[str]] = {}
    for record in records["train"]:
        key = (record.meta.source, record.meta.licence)
        windows[key] += 1
        ids.setdefault(key, set()).add(record.meta.piece)
    return [
        {
            "source": source,
            "licence": licence,
            "repository": pieces[min(ids[source, licence])].repository,
            "pieces": len(ids[source, licence]),
            "windows": count,
        }
        for (source, licence), count in sorted(windows.items())
    ]
