"""What a caption states, as numbers: the part of its meaning that sentence embeddings blur, such as keys and tempos."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music.attributes import Attributes
from motet.music.genre import GENRES
from motet.music.instrument import FAMILIES
from motet.music.meter import Meter
from motet.music.mood import MOODS
from motet.music.tempo import TEMPO_WORDS

_METERS: Final = ("2/2", "2/4", "3/4", "4/4", "5/4", "6/4", "3/8", "6/8", "9/8", "12/8")
_TEMPOS: Final = np.linspace(math.log2(30), math.log2(300), 24)  # centres, 0.14 octaves apart
_TEMPO_WIDTH: Final = 0.12
_WORDS: Final = {"genres": tuple(GENRES), "moods": tuple(MOODS)}

_SIZES: Final = {
    "tempo": len(_TEMPOS),
    "key": 12 + 2 + 24,
    "meter": len(_METERS) + 3,
    "drums": 1,
    "instruments": 128 + len(FAMILIES),
    "genres": len(GENRES),
    "moods": len(MOODS),
}


def _groups() -> dict[str, slice]:
    groups, start = {}, 0
    for name, size in _SIZES.items():
        groups[name] = slice(start, start + 1 + size)  # the first says whether it is stated
        start += 1 + size
    return groups


GROUPS: Final[dict[str, slice]] = _groups()
"""Attribute -> its places in a vector: first 1 where the caption states it, then what it states."""

WIDTH: Final = 1 * len(_SIZES) + sum(_SIZES.values())
"""Length of a vector."""


def vector(attributes: Attributes) -> NDArray[np.float32]:
    """What ``attributes`` state, float32 [WIDTH] of 0 to 1; all 0 where an attribute is not stated.

    A tempo is a bump over the logarithm of its quarters a minute, a tempo word one over its whole range; a key its
    tonic, its mode and both together; a meter its name, and whether it is compound, in threes or in twos.
    """
    out = np.zeros(WIDTH, np.float32)
    for name, values in (
        ("tempo", _tempo(attributes)),
        ("key", None if attributes.key is None else _key(attributes.key.tonic, attributes.key.index)),
        ("meter", None if attributes.meter is None else _meter(attributes.meter)),
        ("drums", None if attributes.drums is None else np.array([attributes.drums], np.float32)),
        ("instruments", _instruments(attributes.instruments) if attributes.instruments else None),
        ("genres", _words(attributes.genres, _WORDS["genres"]) if attributes.genres else None),
        ("moods", _words(attributes.moods, _WORDS["moods"]) if attributes.moods else None),
    ):
        if values is not None:
            part = GROUPS[name]
            out[part.start] = 1
            out[part.start + 1 : part.stop] = values
    return out


def only(names: Collection[str]) -> NDArray[np.float32]:
    """1 at the places of the named attributes, else 0: float32 [WIDTH]. Raises KeyError for an unknown name."""
    out = np.zeros(WIDTH, np.float32)
    for name in names:
        out[GROUPS[name]] = 1
    return out


def _tempo(attributes: Attributes) -> NDArray[np.float32] | None:
    if attributes.tempo_bpm is not None:
        low = high = math.log2(attributes.tempo_bpm)
    elif attributes.tempo_word is not None:
        low, high = np.log2(TEMPO_WORDS[attributes.tempo_word])
    else:
        return None
    away = np.abs(_TEMPOS - np.clip(_TEMPOS, low, high))
    bumps: NDArray[np.float32] = np.exp(-0.5 * (away / _TEMPO_WIDTH) ** 2).astype(np.float32)
    return bumps


def _key(tonic: int, index: int) -> NDArray[np.float32]:
    out = np.zeros(_SIZES["key"], np.float32)
    out[[tonic, 12 + index // 12, 14 + index]] = 1
    return out


def _meter(meter: Meter) -> NDArray[np.float32]:
    compound = meter.numerator > 3 and meter.numerator % 3 == 0
    names = [float(str(meter) == name) for name in _METERS]
    return np.array([*names, compound, meter.numerator % 3 == 0, meter.numerator % 2 == 0], np.float32)


def _instruments(programs: tuple[int, ...]) -> NDArray[np.float32]:
    out = np.zeros(_SIZES["instruments"], np.float32)
    for program in programs:
        out[[program, 128 + program // 8]] = 1
    return out


def _words(said: tuple[str, ...], vocabulary: tuple[str, ...]) -> NDArray[np.float32]:
    return np.array([word in said for word in vocabulary], np.float32)
