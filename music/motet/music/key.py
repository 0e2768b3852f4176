"""Musical keys: names, and finding the key of a score."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.music.score import DRUMS, Score

Mode = Literal["major", "minor"]

MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")

_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS: Final = {"": 0, "#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
# "M" is major where "m" is minor, so only the longer words may be of any case.
_NAME: Final = re.compile(
    r"(?P<step>[A-Ga-g])(?P<sign>[#♯b♭]|(?i:[ -]?sharp|[ -]?flat))?[ -]*(?P<mode>m|M|(?i:maj|min)(?i:or)?)?"
)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A major or minor key.

    Args:
        tonic: pitch class of the tonic, 0 (C) to 11 (B).
        mode: "major" or "minor".
    """

    tonic: int
    mode: Mode

    @classmethod
    def parse(cls, text: str) -> Key:
        """Reads ``"C# minor"``, ``"Bb major"``, ``"Dm"``, ``"e flat maj"`` or ``"G"``; InvalidInputError otherwise."""
        match = _NAME.fullmatch(text.strip())
        if match is None:
            raise InvalidInputError.of("key", 'must look like "C# minor" or "Bb major"', text)
        tonic = _STEPS[match["step"].upper()] + _SIGNS[(match["sign"] or "").lower().strip(" -")]
        mode = match["mode"] or ""
        return cls(tonic % 12, "minor" if mode == "m" or mode.lower().startswith("min") else "major")

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


MAJOR_PROFILE: Final = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR_PROFILE: Final = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""Krumhansl and Kessler's probe-tone ratings, tonic first."""
_FLAT: Final = 1e-6


def pitch_class_profile(score: Score) -> NDArray[np.float64]:
    """Share of the sounding time of each pitch class: [12], C first, sums to 1; zeros when no pitched note sounds.

    Drums are left out; time is counted in ticks.
    """
    pitched = score.program != DRUMS
    weights = score.duration[pitched].astype(np.float64)
    profile = np.bincount(score.pitch[pitched] % 12, weights=weights, minlength=12).astype(np.float64)
    total = float(profile.sum())
    return profile / total if total > 0 else profile


def correlations(profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson correlation of a pitch class profile [12] with each of the 24 key profiles, by ``Key.index``: [24].

    The probe-tone profiles of Krumhansl and Kessler (Psychological Review 89, 1982, 334-368), used as in Krumhansl,
    Cognitive Foundations of Musical Pitch (1990), chapter 4. Zeros when the profile is flat.
    """
    keys = np.array([np.roll(weights, tonic) for weights in (MAJOR_PROFILE, MINOR_PROFILE) for tonic in range(12)])
    keys = keys - keys.mean(axis=1, keepdims=True)
    centred = profile - profile.mean()
    spread = float(np.linalg.norm(centred))
    if spread <= _FLAT * max(float(np.abs(profile).max()), 1.0):
        return np.zeros(24)
    return np.asarray(keys @ centred / (np.linalg.norm(keys, axis=1) * spread), np.float64)


def find(score: Score) -> Key | None:
    """The key whose profile fits the score best (Krumhansl-Schmuckler), by sounding time, drums left out.

    None when no pitched note sounds, or when all twelve pitch classes sound equally long. Of two keys that fit
    equally well, the one with the lower ``Key.index``.
    """
    fit = correlations(pitch_class_profile(score))
    return Key.from_index(int(np.argmax(np.round(fit, 12)))) if np.any(fit) else None
