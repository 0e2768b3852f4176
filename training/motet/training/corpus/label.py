"""The attributes that are true of a window."""

from __future__ import annotations

from typing import Final

import numpy as np

from motet.music import genre, key, mood, tempo
from motet.music.attributes import Attributes
from motet.music.describe import onset_density
from motet.music.key import Key
from motet.music.score import DRUMS, Score
from motet.training.corpus.manifest import Piece
from motet.training.corpus.window import Window, note_ticks_by_program

MAX_INSTRUMENTS: Final = 6

_CLASSICAL = frozenset(
    {"baroque", "renaissance", "romantic", "art song", "opera", "sonata", "etude", "prelude", "sacred", "orchestral"}
)
_AGAINST_DARK = frozenset({"happy", "calm"})
_UNSAID = frozenset({"modern", "children"})  # of the words in use here: too vague to ask for


def window_attributes(piece: Piece, window: Window) -> Attributes:
    """What is true of a window: sounding programs by note-seconds, its one tempo and meter, its key, its style.

    The tempo is left out when the file's tempo is a converter's default; the key, when neither the piece declares one
    that fits the notes nor the notes themselves are clear.
    """
    score = window.score
    bpm = float(score.tempo_bpm[0]) if piece.tempo_known else None
    found = key_of(piece, score, window.transposed)
    drums = bool((score.program == DRUMS).any())
    genres = genres_of(piece)
    return Attributes(
        tempo_bpm=bpm,
        tempo_word=tempo.word_of(bpm) if bpm is not None else None,
        key=found,
        meter=score.meters[0],
        instruments=tuple(note_ticks_by_program(score))[:MAX_INSTRUMENTS],
        drums=drums,
        genres=genres,
        moods=moods_of(piece, score, found),
        bars=window.bars,
    )


_CLEAR = 0.7  # in correlation
_CLEAR_MARGIN = 0.06


def key_of(piece: Piece, score: Score, transposed: int) -> Key | None:
    """The declared key, moved with the notes, unless another fits clearly better; else a clear key, or None."""
    correlations = key.correlations(key.pitch_class_profile(score))
    if not np.isfinite(correlations).all() or not correlations.any():
        return None
    order = np.argsort(correlations)[::-1]
    if piece.key is not None:
        declared = Key((piece.key.tonic + transposed) % 12, piece.key.mode)
        if correlations[declared.index] >= correlations[order[0]] - _CLEAR_MARGIN:
            return declared
    best, second = float(correlations[order[0]]), float(correlations[order[1]])
    return Key.from_index(int(order[0])) if best >= _CLEAR and best - second >= _CLEAR_MARGIN else None


def genres_of(piece: Piece) -> tuple[str, ...]:
    """Canonical genres of a piece, its source's order; of an era or form of classical music, "classical" as well."""
    found = list(dict.fromkeys(name for name in map(genre.canonical, piece.genres) if name is not None))
    if _CLASSICAL.intersection(found) and "classical" not in found:
        found.append("classical")
    return tuple(name for name in found if name not in _UNSAID)


def moods_of(piece: Piece, score: Score, found: Key | None) -> tuple[str, ...]:
    """Canonical moods: those that the source gives to the piece, then those that the music gives evidence for."""
    given = list(dict.fromkeys(name for name in map(mood.canonical, piece.moods) if name is not None))
    pitched = score.program != DRUMS
    if not pitched.any():
        return tuple(given)
    inferred = mood.infer(
        mode=found.mode if found is not None else None,
        bpm=float(score.tempo_bpm[0]),
        density=onset_density(score),
        pitch=float(np.average(score.pitch[pitched], weights=score.duration[pitched])),
    )
    against = _AGAINST_DARK if "dark" in given else frozenset[str]()
    return tuple(dict.fromkeys([*given, *(name for name in inferred if name not in against)]))
