"""What a corpus commonly holds where a caption leaves it open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from motet.music.attributes import Attributes
from motet.training.corpus.shard import Meta, Shard

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_LEAST_PIECES: Final = 30
"""A genre or mood of fewer pieces has no row of its own."""
_PSEUDO_PIECES: Final = 20
"""Every share is drawn towards that of the whole corpus, as if so many average pieces had been seen beside."""
_LINE_UPS: Final = 6
_LEAST_LINE_UP: Final = 3
_MOST_PLAYERS: Final = 5
DRUM_PLAYER: Final = 128


def measure(corpus: Path) -> dict[str, Any]:
    """The table that ``motet.search.prior`` reads, from the training windows of a corpus.

    Every piece counts once, with its first window that is no infilling, in its own key and tempo. Rows, for all pieces
    and for each genre and mood of at least 30 pieces: pieces; tempo, in quarter notes a minute at ``QUANTILES``; minor,
    the share of minor keys; meters, with their shares; line_ups, up to six of at most five players (drums are 128) that
    three pieces or more have, with the number of pieces. keys: shares of the twelve tonics, C first, by mode.
    """
    shard = Shard.open(corpus, "train")
    pieces: dict[str, Attributes] = {}
    tonics = {"major": np.zeros(12), "minor": np.zeros(12)}
    for index in range(len(shard)):
        meta: Meta = shard.meta(index)
        if meta.infill or meta.piece in pieces:
            continue
        attributes = shard.attributes(index)
        pieces[meta.piece] = _untouched(attributes, meta)
        if attributes.key is not None:
            tonics[attributes.key.mode][(attributes.key.tonic - meta.transposed) % 12] += 1
    every = list(pieces.values())
    overall = _row(every, None)
    return {
        "format": 1,
        "quantiles": list(QUANTILES),
        "keys": {mode: _shares(counts) for mode, counts in tonics.items()},
        "all": overall,
        "genres": _rows(every, "genres", overall),
        "moods": _rows(every, "moods", overall),
    }


def _untouched(attributes: Attributes, meta: Meta) -> Attributes:
    """Attributes with the tempo that the piece had before augmentation."""
    if attributes.tempo_bpm is None:
        return attributes
    kept = {name: getattr(attributes, name) for name in ("key", "meter", "instruments", "drums", "genres", "moods")}
    return Attributes(tempo_bpm=min(max(attributes.tempo_bpm / meta.stretched, 10.0), 400.0), **kept)


def _rows(pieces: list[Attributes], name: str, overall: dict[str, Any]) -> dict[str, Any]:
    groups: dict[str, list[Attributes]] = {}
    for attributes in pieces:
        for value in getattr(attributes, name):
            groups.setdefault(value, []).append(attributes)
    return {value: _row(group, overall) for value, group in sorted(groups.items()) if len(group) >= _LEAST_PIECES}


def _row(pieces: list[Attributes], overall: dict[str, Any] | None) -> dict[str, Any]:
    keys = [one.key for one in pieces if one.key is not None]
    meters = Counter(str(one.meter) for one in pieces if one.meter is not None)
    bpm = [one.tempo_bpm for one in pieces if one.tempo_bpm is not None]
    line_ups = Counter(_players(one) for one in pieces)
    if overall is not None and len(bpm) < _LEAST_PIECES:
        tempo = overall["tempo"]
    else:
        tempo = np.quantile(bpm, QUANTILES).round().astype(int).tolist()
    total = meters.total() + _PSEUDO_PIECES * (overall is not None)
    if overall is None:
        minor = sum(key.mode == "minor" for key in keys) / max(len(keys), 1)
        shares = {meter: count / total for meter, count in meters.items()}
    else:
        seen = sum(key.mode == "minor" for key in keys)
        minor = (seen + _PSEUDO_PIECES * overall["minor"]) / (len(keys) + _PSEUDO_PIECES)
        shares = {
            meter: (meters[meter] + _PSEUDO_PIECES * overall["meters"].get(meter, 0.0)) / total
            for meter in {*meters, *overall["meters"]}
        }
    return {
        "pieces": len(pieces),
        "tempo": tempo,
        "minor": round(minor, 3),
        "meters": {meter: round(share, 3) for meter, share in _by_share(shares) if share >= 0.05},
        "line_ups": [
            [list(players), count]
            for players, count in line_ups.most_common()
            if count >= _LEAST_LINE_UP and 1 <= len(players) <= _MOST_PLAYERS and players != (DRUM_PLAYER,)
        ][:_LINE_UPS],
    }


def _players(attributes: Attributes) -> tuple[int, ...]:
    return (*sorted(attributes.instruments), *((DRUM_PLAYER,) if attributes.drums else ()))


def _by_share(shares: dict[str, float]) -> Iterable[tuple[str, float]]:
    return sorted(shares.items(), key=lambda item: (-item[1], item[0]))


def _shares(counts: np.ndarray[Any, Any]) -> list[float]:
    return [round(float(share), 3) for share in counts / max(counts.sum(), 1)]
