"""Shards: the tokens of all windows of a split in one array, and a line of labels for each."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.key import Key
from motet.music.meter import Meter

_TOKENS = "tokens.xz"
_PLAIN_TOKENS = "tokens.npy"  # of corpora that were written before tokens were packed
_OFFSETS = "offsets.npy"
_WINDOWS = "windows.jsonl.xz"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedCaption:
    """A caption and the attributes that its words state.

    Args:
        text: the caption.
        stated: what it says, all of it true of the window.
    """

    text: str
    stated: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Where a window comes from.

    Args:
        piece, source, licence: as in the manifest.
        start_bar: bar of the piece, from 0.
        bars: length.
        transposed: semitones.
        stretched: factor on the tempo.
        ends_piece: whether the piece ends with it.
        infill: whether a part of it is given and the rest is to be written.
    """

    piece: str
    source: str
    licence: str
    start_bar: int
    bars: int
    transposed: int
    ends_piece: bool
    infill: bool = False
    stretched: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One training example.

    Args:
        tokens: ids without begin and end, each below 65,536.
        meta: origin.
        attributes: all that is known of the window.
        captions: several wordings.
    """

    tokens: NDArray[np.uint16]
    meta: Meta
    attributes: Attributes
    captions: tuple[StatedCaption, ...]


def attributes_to_json(attributes: Attributes) -> dict[str, Any]:
    """A small JSON object without the attributes that are not stated; keys as 0..23 (``Key.index``)."""
    row: dict[str, Any] = {}
    if attributes.tempo_bpm is not None:
        row["tempo_bpm"] = round(attributes.tempo_bpm, 3)
    if attributes.tempo_word is not None:
        row["tempo_word"] = attributes.tempo_word
    if attributes.key is not None:
        row["key"] = attributes.key.index
    if attributes.meter is not None:
        row["meter"] = str(attributes.meter)
    if attributes.drums is not None:
        row["drums"] = attributes.drums
    if attributes.density is not None:
        row["density"] = attributes.density
    for name in ("instruments", "genres", "moods"):
        if getattr(attributes, name):
            row[name] = list(getattr(attributes, name))
    if attributes.bars is not None:
        row["bars"] = attributes.bars
    if attributes.duration_s is not None:
        row["duration_s"] = round(attributes.duration_s, 3)
    return row


def attributes_from_json(row: dict[str, Any]) -> Attributes:
    """The inverse of ``attributes_to_json``."""
    return Attributes(
        tempo_bpm=row.get("tempo_bpm"),
        tempo_word=row.get("tempo_word"),
        key=Key.from_index(row["key"]) if "key" in row else None,
        meter=Meter.parse(row["meter"]) if "meter" in row else None,
        instruments=tuple(row.get("instruments", ())),
        drums=row.get("drums"),
        density=row.get("density"),
        genres=tuple(row.get("genres", ())),
        moods=tuple(row.get("moods", ())),
        bars=row.get("bars"),
        duration_s=row.get("duration_s"),
    )


def _line(record: Record) -> str:
    meta = record.meta
    row = {
        "piece": meta.piece,
        "source": meta.source,
        "licence": meta.licence,
        "start_bar": meta.start_bar,
        "bars": meta.bars,
        "transposed": meta.transposed,
        "ends_piece": meta.ends_piece,
        "infill": meta.infill,
        "stretched": round(meta.stretched, 3),
        "attributes": attributes_to_json(record.attributes),
        "captions": [[caption.text, attributes_to_json(caption.stated)] for caption in record.captions],
    }
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False)


def write(folder: Path, split: str, records: Iterable[Record]) -> int:
    """Writes ``folder/split/`` (tokens.xz, offsets.npy, windows.jsonl.xz) and returns the number of windows.

    Raises InvalidInputError for a token id that does not fit 16 bits.
    """
    target = folder / split
    target.mkdir(parents=True, exist_ok=True)
    pieces: list[NDArray[np.uint16]] = []
    offsets = [0]
    with lzma.open(target / _WINDOWS, "wt", encoding="utf-8", preset=1) as lines:
        for record in records:
            if record.tokens.dtype != np.uint16:
                raise InvalidInputError.of("record.tokens", "must be uint16", str(record.tokens.dtype))
            pieces.append(record.tokens)
            offsets.append(offsets[-1] + len(record.tokens))
            lines.write(_line(record) + "\n")
    tokens = np.concatenate(pieces) if pieces else np.zeros(0, np.uint16)
    (target / _TOKENS).write_bytes(lzma.compress(tokens.astype("<u2").tobytes()))
    (target / _PLAIN_TOKENS).unlink(missing_ok=True)
    np.save(target / _OFFSETS, np.array(offsets, np.int64), allow_pickle=False)
    return len(pieces)


class Shard:
    """The windows of one split, in memory: 2 bytes a token and about 1 kB of labels a window.

    Open one with ``Shard.open``.
    """

    def __init__(self, tokens: NDArray[np.uint16], offsets: NDArray[np.int64], lines: bytes) -> None:
        self._tokens = tokens
        self._offsets = offsets
        self._lines = lines
        ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
        self._bounds = np.concatenate([np.zeros(1, np.int64), ends.astype(np.int64)])
        if len(self._bounds) != len(offsets) or (len(offsets) and offsets[-1] != len(tokens)):
            raise InvalidInputError.of(
                "shard", "needs as many labels as windows, and all tokens", (len(self._bounds) - 1, len(offsets) - 1)
            )

    @classmethod
    def open(cls, folder: Path, split: str) -> Shard:
        """Opens ``folder/split/``; NotFoundError names the missing file, InvalidInputError a damaged one."""
        source = folder / split
        plain = (source / _PLAIN_TOKENS).is_file()
        for name in (_PLAIN_TOKENS if plain else _TOKENS, _OFFSETS, _WINDOWS):
            if not (source / name).is_file():
                raise NotFoundError("SHARD_NOT_FOUND", f"shard: no file {source / name}", {"path": str(source / name)})
        with lzma.open(source / _WINDOWS, "rb") as stream:
            lines = stream.read()
        try:
            tokens = (
                np.load(source / _PLAIN_TOKENS, mmap_mode="r", allow_pickle=False)
                if plain
                else np.frombuffer(lzma.decompress((source / _TOKENS).read_bytes()), "<u2")
            )
        except (lzma.LZMAError, ValueError) as error:
            raise InvalidInputError.of(
                "shard", f"must hold tokens that can be unpacked ({error})", str(source)
            ) from error
        return cls(
            tokens,
            np.load(source / _OFFSETS, allow_pickle=False),
            lines,
        )

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def _row(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self):
            raise InvalidInputError.of("window", f"must be from 0 to {len(self) - 1}", index)
        row: dict[str, Any] = json.loads(self._lines[self._bounds[index] : self._bounds[index + 1]])
        return row

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of every window: [windows]."""
        return np.diff(self._offsets)

    def tokens(self, index: int) -> NDArray[np.uint16]:
        """Ids of a window, without begin and end: [T]."""
        if not 0 <= index < len(self):
            raise InvalidInputError.of("window", f"must be from 0 to {len(self) - 1}", index)
        return self._tokens[self._offsets[index] : self._offsets[index + 1]]

    def captions(self, index: int) -> tuple[StatedCaption, ...]:
        """The wordings of a window."""
        pairs = self._row(index)["captions"]
        return tuple(StatedCaption(text=text, stated=attributes_from_json(stated)) for text, stated in pairs)

    def attributes(self, index: int) -> Attributes:
        """All that is known of a window."""
        return attributes_from_json(self._row(index)["attributes"])

    def meta(self, index: int) -> Meta:
        """Where a window comes from."""
        row = self._row(index)
        return Meta(
            piece=row["piece"],
            source=row["source"],
            licence=row["licence"],
            start_bar=row["start_bar"],
            bars=row["bars"],
            transposed=row["transposed"],
            ends_piece=row["ends_piece"],
            infill=row["infill"],
            stretched=row.get("stretched", 1.0),
        )
