"""What is usual in music when a caption leaves it open: small tables for the mutators.

Judgement, not measurement: round figures in the spirit of what General MIDI files of each kind commonly hold.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from motet.music.attributes import Attributes
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DEFAULT_METER

FRAMES: Final = (
    ("Compose the following music: ", ""),
    ("Please write this piece: ", ""),
    ("A piece of music. ", ""),
    ("Create this song: ", ""),
)
"""Phrases before and after a caption that ask for nothing new."""

TEMPO_RANGES: Final = {
    "ambient": (60.0, 90.0),
    "ballad": (60.0, 90.0),
    "blues": (80.0, 120.0),
    "classical": (80.0, 130.0),
    "country": (100.0, 130.0),
    "dance": (118.0, 132.0),
    "electronic": (110.0, 132.0),
    "folk": (90.0, 130.0),
    "funk": (95.0, 118.0),
    "jazz": (100.0, 160.0),
    "latin": (95.0, 130.0),
    "metal": (120.0, 160.0),
    "pop": (90.0, 125.0),
    "punk": (150.0, 180.0),
    "reggae": (75.0, 95.0),
    "rock": (105.0, 140.0),
    "soundtrack": (75.0, 120.0),
    "swing": (120.0, 170.0),
    "jig": (105.0, 125.0),
    "reel": (100.0, 130.0),
    "waltz": (100.0, 160.0),
    "march": (100.0, 122.0),
    "polka": (110.0, 130.0),
    "lullaby": (55.0, 80.0),
}
_ANY_TEMPO: Final = (90.0, 130.0)

LINE_UPS: Final = {
    "blues": "electric guitar, piano, electric bass and drums",
    "classical": "a piano",
    "country": "acoustic guitar, violin, electric bass and drums",
    "folk": "acoustic guitar and violin",
    "funk": "clean electric guitar, electric bass and drums",
    "jazz": "piano, acoustic bass and drums",
    "latin": "acoustic guitar, piano, electric bass and drums",
    "pop": "piano, acoustic guitar, electric bass and drums",
    "reggae": "clean electric guitar, organ, electric bass and drums",
    "rock": "overdriven guitar, electric bass and drums",
    "soundtrack": "piano and string ensemble",
}

METERS: Final = {
    "waltz": Meter(3, 4),
    "minuet": Meter(3, 4),
    "mazurka": Meter(3, 4),
    "polonaise": Meter(3, 4),
    "jig": Meter(6, 8),
    "lullaby": Meter(6, 8),
    "polka": Meter(2, 4),
}

_MAJOR: Final = {"C": 22, "G": 19, "D": 16, "F": 14, "A": 9, "Bb": 8, "Eb": 6, "E": 6}
_MINOR: Final = {"A": 26, "E": 20, "D": 20, "G": 12, "C": 12, "B": 10}
_TONICS: Final = {"C": 0, "D": 2, "Eb": 3, "E": 4, "F": 5, "G": 7, "A": 9, "Bb": 10, "B": 11}
DARK_MOODS: Final = frozenset(("sad", "melancholic", "dark", "tense", "scary", "mysterious", "dramatic", "aggressive"))
_MINOR_ODDS: Final = {True: 0.8, False: 0.25}
"""Odds of a minor key for dark moods, and for all others."""


def tempo_range(asked: Attributes) -> tuple[float, float]:
    """Lowest and highest usual tempo in quarter notes a minute, for the first genre in the table."""
    return next((TEMPO_RANGES[genre] for genre in asked.genres if genre in TEMPO_RANGES), _ANY_TEMPO)


def key(asked: Attributes, random: np.random.Generator) -> Key:
    """A common key; minor more often than not for dark moods."""
    minor = random.random() < _MINOR_ODDS[bool(DARK_MOODS & set(asked.moods))]
    table = _MINOR if minor else _MAJOR
    weights = np.array(list(table.values()), np.float64)
    name = list(table)[int(random.choice(len(table), p=weights / weights.sum()))]
    return Key(_TONICS[name], "minor" if minor else "major")


def meter(asked: Attributes) -> Meter:
    """The meter of the dance that the caption names, else 4/4."""
    return next((METERS[genre] for genre in asked.genres if genre in METERS), DEFAULT_METER)


def instruments(asked: Attributes) -> str | None:
    """A usual line-up in words, for the first genre in the table; None when there is none."""
    return next((LINE_UPS[genre] for genre in asked.genres if genre in LINE_UPS), None)
