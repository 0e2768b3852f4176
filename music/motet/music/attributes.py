"""What a caption can ask of a score, and what a score can be said to be."""

from __future__ import annotations

from dataclasses import dataclass

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
        genres: canonical names of ``motet.music.genre.GENRES``.
        moods: canonical names of ``motet.music.mood.MOODS``.
        bars: length in bars, 1 to 1024.
        duration_s: length in seconds.
    """

    tempo_bpm: float | None = None
    tempo_word: str | None = None
    key: Key | None = None
    meter: Meter | None = None
    instruments: tuple[int, ...] = ()
    drums: bool | None = None
    genres: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    bars: int | None = None
    duration_s: float | None = None

    def __post_init__(self) -> None:
        if self.tempo_bpm is not None and not 10 <= self.tempo_bpm <= 400:
            raise InvalidInputError.of("tempo_bpm", "must be from 10 to 400", self.tempo_bpm)
        if self.bars is not None and not 1 <= self.bars <= 1024:
            raise InvalidInputError.of("bars", "must be from 1 to 1024", self.bars)
        if any(not 0 <= program <= 127 for program in self.instruments):
            raise InvalidInputError.of("instruments", "must be General MIDI programs 0 to 127", self.instruments)
        if len(set(self.instruments)) != len(self.instruments):
            raise InvalidInputError.of("instruments", "must not repeat", self.instruments)
