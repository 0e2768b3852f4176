"""What reading every file of a collection tells: counts, what is wrong with it, and what it is recognised by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from motet.music import midi
from motet.music.error import MotetError
from motet.music.score import DRUMS, Score
from motet.training.corpus import mix
from motet.training.corpus.fingerprint import SKETCH, fingerprint
from motet.training.corpus.manifest import Piece

_BATCH: Final = 100
_VERSION: Final = 1  # of what is measured: a cache of another version is not used
_SET_TEMPO: Final = b"\xff\x51\x03"
_INAUDIBLE: Final = 5
"""Velocity up to which a track that is nowhere louder counts as silent."""

J = TypeVar("J")
R = TypeVar("R")


class Run(Protocol):
    """Maps a function over jobs, in their order, in this process or in several."""

    def __call__(self, function: Callable[[J], R], jobs: Iterable[J], /) -> Iterable[R]:
        """The results, in the order of the jobs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Survey:
    """What one file holds.

    Args:
        content: digest of the file's bytes and of what they were taken for; "" when there is no file.
        refusal: why the file is of no use, or "".
        digest, sketch: see ``Fingerprint``.
        notes, tracks, bars: counts; silent tracks are left out.
        silent: tracks that were left out because they can hardly be heard.
        programs: General MIDI programs that play, ascending, without drums.
        has_drums: whether the percussion channel is used.
        has_tempo: whether the file sets a tempo.
    """

    content: str = ""
    refusal: str = ""
    digest: str = ""
    sketch: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    notes: int = 0
    tracks: int = 0
    bars: int = 0
    silent: int = 0
    programs: tuple[int, ...] = ()
    has_drums: bool = False
    has_tempo: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """A worker's job."""

    files: Path
    pieces: tuple[Piece, ...]


def survey(
    pieces: Sequence[Piece], files: Path, run: Run, cache: Path, told: Callable[[int], None]
) -> dict[str, Survey]:
    """Piece id -> what its file holds; files whose bytes the cache knows are not measured again.

    Args:
        pieces: whose files to read.
        files: folder that their paths are relative to.
        run: maps a function over batches, in this process or in several.
        cache: file that keeps the results; made, or made anew where it cannot be used.
        told: takes the number of files measured so far.
    """
    known = _load(cache)
    contents = {
        piece.id: _content(piece.source, path.read_bytes()) if (path := files / piece.path).is_file() else ""
        for piece in pieces
    }
    new = [piece for piece in pieces if contents[piece.id] and contents[piece.id] not in known]
    made = 0
    for results in run(measure, _batches(files, new)):
        known.update((result.content, result) for result in results)
        made += len(results)
        told(made)
    found = {piece.id: known.get(contents[piece.id], Survey(refusal="file missing")) for piece in pieces}
    if new:
        _save(cache, {result.content: result for result in found.values() if result.content})
    return found


def measure(batch: Batch) -> list[Survey]:
    """What the files of a batch hold."""
    return [_measured(batch.files, piece) for piece in batch.pieces]


def described(piece: Piece, found: Survey) -> Piece:
    """The piece with the counts that its listing lacks."""
    if piece.notes:
        return piece
    return replace(
        piece,
        notes=found.notes,
        tracks=found.tracks,
        bars=max(1, found.bars),
        programs=found.programs,
        has_drums=found.has_drums,
        tempo_known=piece.tempo_known and found.has_tempo,
    )


def read_piece(files: Path, piece: Piece) -> Score:
    """The score of a piece, without tracks that can hardly be heard or that are noise.

    The "Solo" of mma-synth plays random notes. Raises InvalidInputError or NotFoundError for a file that cannot be
    read.
    """
    return _audible(midi.read(files / piece.path), piece)[0]


def _audible(score: Score, piece: Piece) -> tuple[Score, int]:
    """The score without such tracks, and how many could hardly be heard."""
    loudest = np.zeros(int(score.track.max()) + 1 if len(score) else 0, np.int64)
    np.maximum.at(loudest, score.track, score.velocity)
    dropped = np.flatnonzero((loudest > 0) & (loudest <= _INAUDIBLE))
    noise = [
        index for index, name in enumerate(score.track_names) if piece.source == "mma-synth" and name.startswith("Solo")
    ]
    if not len(dropped) and not noise:
        return score, 0
    return score.select(~np.isin(score.track, [*dropped, *noise])), len(dropped)


def _measured(files: Path, piece: Piece) -> Survey:
    data = (files / piece.path).read_bytes()
    content = _content(piece.source, data)
    try:
        score, silent = _audible(midi.read(data), piece)
    except MotetError:
        return Survey(content=content, refusal="broken: no MIDI that can be read")
    found = fingerprint(score)
    return Survey(
        content=content,
        refusal=mix.refusal_of_score(score) or "",
        digest=found.digest,
        sketch=found.sketch,
        notes=len(score),
        tracks=len(np.unique(score.track)),
        bars=len(score.bar_ticks()) - 1,
        silent=silent,
        programs=tuple(int(program) for program in np.unique(score.program) if program != DRUMS),
        has_drums=bool((score.program == DRUMS).any()),
        has_tempo=_SET_TEMPO in data,
    )


def _content(source: str, data: bytes) -> str:
    # Tracks are left out by source, so that the same bytes of another source are something else.
    return hashlib.sha256(source.encode() + b"\0" + data).hexdigest()[:24]


def _batches(files: Path, pieces: Sequence[Piece]) -> Iterator[Batch]:
    for start in range(0, len(pieces), _BATCH):
        yield Batch(files, tuple(pieces[start : start + _BATCH]))


def _save(path: Path, results: Mapping[str, Survey]) -> None:
    sketches = [result.sketch for result in results.values()]
    rows = [{**asdict(replace(result, sketch=np.zeros(0, np.uint32))), "sketch": None} for result in results.values()]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        np.savez(
            stream,
            version=np.array([_VERSION, SKETCH]),
            rows=np.frombuffer(json.dumps(rows).encode(), np.uint8),
            sketches=np.concatenate([*sketches, np.zeros(0, np.uint32)]),
            lengths=np.array([len(sketch) for sketch in sketches], np.int64),
        )
    part.replace(path)


def _load(path: Path) -> dict[str, Survey]:
    """What a cache knows, by content; nothing when it is missing, damaged or of another version."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            if stored["version"].tolist() != [_VERSION, SKETCH]:
                return {}
            rows: list[dict[str, Any]] = json.loads(stored["rows"].tobytes())
            sketches = np.split(stored["sketches"], np.cumsum(stored["lengths"])[:-1]) if rows else []
    except (OSError, ValueError, KeyError, EOFError):
        return {}
    return {
        row["content"]: Survey(**{**row, "sketch": sketch, "programs": tuple(row["programs"])})
        for row, sketch in zip(rows, sketches, strict=True)
    }
