"""The header of a sequence: key, genres and players, said before the first note.

What a caption asks for becomes a few tokens at the front, as in MuseCoco (arXiv 2306.00110): asked for, they are
forced; left open, the model samples them from the words. All pitches that follow are relative to the key's tonic, so
that a model learns one major and one minor key instead of twenty-four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from motet.music import key
from motet.music.key import Key
from motet.music.score import DRUMS, Score

DRUM_PLAYER: Final = 128
"""The drum kit among the players, after the 128 General MIDI programs."""
PLAYERS: Final = 129


def players_of(score: Score) -> tuple[int, ...]:
    """Who plays in a score, ascending: programs 0..127, drums ``DRUM_PLAYER``."""
    programs = np.unique(score.program).tolist()
    return tuple(sorted(DRUM_PLAYER if program == DRUMS else program for program in programs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a sequence says about itself before its first bar.

    Args:
        key: the tonic that pitches are relative to, and the mode.
        players: who plays at some point, ascending: programs 0..127, drums ``DRUM_PLAYER``.
        genres: canonical names, sorted.
    """

    key: Key
    players: tuple[int, ...]
    genres: tuple[str, ...] = ()

    @classmethod
    def of(cls, score: Score, known_key: Key | None = None, genres: tuple[str, ...] = ()) -> Header:
        """The header of a score; its key is found where it is not known, C major where nothing is pitched."""
        return cls(
            key=known_key or key.find(score) or Key(0, "major"),
            players=players_of(score),
            genres=tuple(sorted(genres)),
        )

    @property
    def semitones(self) -> int:
        """What brings the tonic to C, the shorter way: -6 to 5."""
        return -self.key.tonic if self.key.tonic <= 6 else 12 - self.key.tonic
