"""Musical keys: names, and finding the key of a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from motet.music.error import InvalidInputError

Mode = Literal["major", "minor"]

MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A major or minor key.

    Args:
        tonic: pitch class of the tonic, 0 (C) to 11 (B).
        mode: "major" or "minor".
    """

    tonic: int
    mode: Mode

    def __post_init__(self) -> None:
        if not 0 <= self.tonic <= 11:
            raise InvalidInputError.of("key.tonic", "must be from 0 to 11", self.tonic)
        if self.mode not in ("major", "minor"):
            raise InvalidInputError.of("key.mode", 'must be "major" or "minor"', self.mode)

    @property
    def index(self) -> int:
        """0..23: majors C..B, then minors C..B."""
        return self.tonic + (12 if self.mode == "minor" else 0)

    @classmethod
    def from_index(cls, index: int) -> Key:
        """The inverse of ``index``."""
        return cls(index % 12, "major" if index < 12 else "minor")

    @property
    def relative(self) -> Key:
        """The relative minor of a major key, and the other way round."""
        if self.mode == "major":
            return Key((self.tonic + 9) % 12, "minor")
        return Key((self.tonic + 3) % 12, "major")

    def __str__(self) -> str:
        names = MAJOR_NAMES if self.mode == "major" else MINOR_NAMES
        return f"{names[self.tonic]} {self.mode}"
