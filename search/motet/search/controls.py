"""What is asked for beside the caption, and wins over it."""

from __future__ import annotations

from dataclasses import dataclass

from motet.model.header import DRUM_PLAYER, PLAYERS, players_of
from motet.model.seed import Seed
from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.meter import Meter

MAX_INSTRUMENTS = 16
"""As many as a MIDI file has channels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchControls:
    """Hard constraints of a search; what is left open is up to the caption, then to the model.

    Args:
        tempo_bpm: quarter notes a minute, 10 to 400; a seed has its own.
        key: tonic and mode.
        key_lock: every pitched note that is written stays in the scale of the key, whoever names it.
        meter: time signature; a seed has its own.
        instruments: players who must come in, in place of those that the caption names: General MIDI programs, drums
            ``motet.model.header.DRUM_PLAYER``; at most 16, no duplicates.
        only_instruments: nobody else comes in; holds for ``instruments``, else for those that the caption names.
        drums: whether drums must come in, or must not; None leaves it open.
        seed: music to continue or to fill.

    Raises InvalidInputError that names the field, also where two of them contradict each other.
    """

    tempo_bpm: float | None = None
    key: Key | None = None
    key_lock: bool = False
    meter: Meter | None = None
    instruments: tuple[int, ...] = ()
    only_instruments: bool = False
    drums: bool | None = None
    seed: Seed | None = None

    def __post_init__(self) -> None:
        if self.tempo_bpm is not None and not 10 <= self.tempo_bpm <= 400:
            raise InvalidInputError.of("tempo_bpm", "must be from 10 to 400", self.tempo_bpm)
        if any(not 0 <= player < PLAYERS for player in self.instruments):
            raise InvalidInputError.of("instruments", f"must be from 0 to {DRUM_PLAYER}", self.instruments)
        if len(set(self.instruments)) < len(self.instruments):
            raise InvalidInputError.of("instruments", "must not repeat", self.instruments)
        if len(self.instruments) > MAX_INSTRUMENTS:
            raise InvalidInputError.of("instruments", f"must be at most {MAX_INSTRUMENTS}", len(self.instruments))
        if self.drums is False and DRUM_PLAYER in self.instruments:
            raise InvalidInputError.of("drums", "must not be off where instruments name drums", self.drums)
        if self.seed is not None:
            self._check_seed(self.seed)

    def _check_seed(self, seed: Seed) -> None:
        if self.tempo_bpm is not None:
            raise InvalidInputError.of("tempo_bpm", "must be absent beside a seed, whose tempo holds", self.tempo_bpm)
        if self.meter is not None and self.meter != seed.score.meters[0]:
            rule = f"must be absent beside a seed, or its {seed.score.meters[0]}"
            raise InvalidInputError.of("meter", rule, str(self.meter))
        if DRUM_PLAYER in seed.players and self.drums is False:
            raise InvalidInputError.of("drums", "must not be off where drums are written anew", self.drums)
        if seed.players and self.instruments:
            strangers = set(self.instruments) - set(seed.players) - set(players_of(seed.kept))
            if strangers:
                rule = "must be among those who are written anew or kept"
                raise InvalidInputError.of("instruments", rule, sorted(strangers))
            if self.only_instruments and not set(seed.players) <= set(self.instruments):
                rule = f"must be among the only instruments, {sorted(self.instruments)}"
                raise InvalidInputError.of("seed.players", rule, seed.players)

    @property
    def programs(self) -> tuple[int, ...]:
        """The instruments without drums."""
        return tuple(player for player in self.instruments if player != DRUM_PLAYER)

    @property
    def drums_asked(self) -> bool | None:
        """Whether drums are asked for or ruled out by any of the fields; None when they leave it open."""
        if self.drums is not None:
            return self.drums
        if DRUM_PLAYER in self.instruments:
            return True
        return False if self.only_instruments and self.instruments else None
