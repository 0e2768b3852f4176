"""What a caption can ask of a score, and what a score can be said to be."""

from __future__ import annotations

from dataclasses import dataclass, field

from motet.music.density import DENSITY_WORDS
from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.meter import Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Musical attributes; ``None`` or an empty tuple means "not stated".

    Args:
        tempo_bpm: quarter notes a minute, 10 to 400.
        tempo_word: a canonical tempo word of ``motet.music.tempo.TEMPO_WORDS`` ("allegro", "slow" ...).
        key: tonic and mode.
        meter: time signature.
        instruments: General MIDI programs 0..127, most important first, no duplicates; drums are not among them.
        drums: whether there is a drum kit.
        density: a canonical word of ``motet.music.density.DENSITY_WORDS`` ("sparse", "dense" ...).
        genres: canonical names of ``motet.music.genre.GENRES``.
        moods: canonical names of ``motet.music.mood.MOODS``.
        bars: length in bars, 1 to 1024.
        duration_s: length in seconds.
        families: which of ``instruments`` a word for a whole family named ("guitar", "strings"), and the programs that
            the word means, each a pair of tuples. It makes no difference to equality: it says how a name was meant.
    """

    tempo_bpm: float | None = None
    tempo_word: str | None = None
    key: Key | None = None
    meter: Meter | None = None
    instruments: tuple[int, ...] = ()
    drums: bool | None = None
    density: str | None = None
    genres: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    bars: int | None = None
    duration_s: float | None = None
    families: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if self.tempo_bpm is not None and not 10 <= self.tempo_bpm <= 400:
            raise InvalidInputError.of("tempo_bpm", "must be from 10 to 400", self.tempo_bpm)
        if self.bars is not None and not 1 <= self.bars <= 1024:
            raise InvalidInputError.of("bars", "must be from 1 to 1024", self.bars)
        if self.density is not None and self.density not in DENSITY_WORDS:
            raise InvalidInputError.of("density", f"must be one of {', '.join(DENSITY_WORDS)}", self.density)
        if any(not 0 <= program <= 127 for program in self.instruments):
            raise InvalidInputError.of("instruments", "must be General MIDI programs 0 to 127", self.instruments)
        if len(set(self.instruments)) != len(self.instruments):
            raise InvalidInputError.of("instruments", "must not repeat", self.instruments)
