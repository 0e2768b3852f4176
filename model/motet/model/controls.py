"""Controls: what a row must do, whatever the model thinks likely, and how boldly its tokens are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from motet.model.header import DRUM_PLAYER, PLAYERS
from motet.model.seed import Seed
from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.tempo import TEMPO_WORDS

MAX_BARS = 1024
TEMPERATURE: Final = 0.9
TOP_P: Final = 0.85
GUIDANCE: Final = 1.0


def check_sampling(temperature: float, top_p: float, guidance: float) -> None:
    """Raises InvalidInputError that names what is outside the range given in ``Controls``."""
    if not 0 < temperature <= 2:
        raise InvalidInputError.of("temperature", "must be above 0 and at most 2", temperature)
    if not 0 < top_p <= 1:
        raise InvalidInputError.of("top_p", "must be above 0 and at most 1", top_p)
    if not 0 <= guidance <= 10:
        raise InvalidInputError.of("guidance", "must be from 0 to 10", guidance)


def players_asked(attributes: Attributes) -> tuple[int, ...]:
    """The instruments that attributes name, and drums where they are asked for."""
    return attributes.instruments + ((DRUM_PLAYER,) if attributes.drums else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """Hard constraints and sampling of one row; what is not constrained is left to the model and the words.

    Args:
        bars: length at which the row is finished, a seed's bars included, 1 to 1024.
        tempo_bpm: quarter notes a minute, 10 to 400; the nearest tempo of the vocabulary is written.
        tempo_word: a range of tempi, used where ``tempo_bpm`` is None.
        key: tonic and mode that the piece is written in.
        scale: whether every pitched note stays in the scale of the key, asked for or chosen by the model.
        meter: time signature; free where the vocabulary cannot write it.
        required: players who must come in, drums ``DRUM_PLAYER``.
        allowed: players who may come in; None for everybody.
        genres: canonical names; those that the vocabulary lacks are left to the words.
        seed: music to continue or to fill.
        temperature: divides the logits, above 0 and at most 2.
        top_p: smallest share of probability mass that is kept, above 0 and at most 1.
        guidance: weight of the words, 1 for the model's own; above it, logits move away from those without words
            (classifier-free guidance, arXiv 2306.17806), 0 to 10.

    Raises InvalidInputError that names the field.
    """

    bars: int = 8
    tempo_bpm: float | None = None
    tempo_word: str | None = None
    key: Key | None = None
    scale: bool = False
    meter: Meter | None = None
    required: tuple[int, ...] = ()
    allowed: tuple[int, ...] | None = None
    genres: tuple[str, ...] = ()
    seed: Seed | None = None
    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    guidance: float = GUIDANCE

    def __post_init__(self) -> None:
        if not 1 <= self.bars <= MAX_BARS:
            raise InvalidInputError.of("bars", f"must be from 1 to {MAX_BARS}", self.bars)
        if self.tempo_bpm is not None and not 10 <= self.tempo_bpm <= 400:
            raise InvalidInputError.of("tempo_bpm", "must be from 10 to 400", self.tempo_bpm)
        if self.tempo_word is not None and self.tempo_word not in TEMPO_WORDS:
            raise InvalidInputError.of("tempo_word", f"must be one of {', '.join(TEMPO_WORDS)}", self.tempo_word)
        for name in ("required", "allowed"):
            players = getattr(self, name) or ()
            if any(not 0 <= player < PLAYERS for player in players):
                raise InvalidInputError.of(name, f"must be players 0 to {DRUM_PLAYER}", players)
        if self.allowed is not None:
            if not self.allowed:
                raise InvalidInputError.of("allowed", "must leave somebody to play", self.allowed)
            if not set(self.required) <= set(self.allowed):
                raise InvalidInputError.of("required", f"must be among the allowed {self.allowed}", self.required)
        check_sampling(self.temperature, self.top_p, self.guidance)

    @classmethod
    def of(cls, attributes: Attributes, **others: object) -> Self:
        """What a caption's attributes ask for.

        A list of two or more instruments is the whole line-up, and so is a single one where drums are ruled out; drums
        join when they are asked for. A lone instrument otherwise leaves the rest of the band open.

        Args:
            attributes: as parsed.
            others: further fields; those given here win.
        """
        required = players_asked(attributes)
        allowed: tuple[int, ...] | None = None
        if len(attributes.instruments) > 1 or (attributes.instruments and attributes.drums is False):
            allowed = required
        elif attributes.drums is False:
            allowed = tuple(range(DRUM_PLAYER))
        fields: dict[str, object] = {
            "tempo_bpm": attributes.tempo_bpm,
            "tempo_word": attributes.tempo_word,
            "key": attributes.key,
            "meter": attributes.meter,
            "required": required,
            "allowed": allowed,
            "genres": attributes.genres,
        }
        if attributes.bars is not None:
            fields["bars"] = attributes.bars
        return cls(**fields | others)  # type: ignore[arg-type]
