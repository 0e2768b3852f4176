"""The control vocabulary: musical attributes as memory tokens that the decoder can attend to.

A sentence encoder places "C major at 120 bpm" and "C minor at 60 bpm" close together. What the caption parser reads
with certainty therefore goes into the memory a second time, one embedded control token per attribute (MuseCoco,
arXiv 2306.00110, does so with prefix tokens). No order is implied; absent attributes have no token.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motet.music.attributes import Attributes
from motet.music.genre import GENRES
from motet.music.key import Key
from motet.music.mood import MOODS
from motet.music.tempo import TEMPO_WORDS

_MAX_BARS = 64


def vocabulary(tempos_bpm: Sequence[float], meters: Sequence[str]) -> list[str]:
    """Names of all control tokens for a tokenizer with these tempi and meters, in a stable order."""
    return [
        "null",  # stands in when nothing at all is known, so that attention has somewhere to go
        *(f"tempo={bpm:g}" for bpm in tempos_bpm),
        *(f"tempo_word={word}" for word in sorted(TEMPO_WORDS)),
        *(f"key={Key.from_index(index)}" for index in range(24)),
        *(f"meter={meter}" for meter in meters),
        "drums=yes",
        "drums=no",
        *(f"instrument={program}" for program in range(128)),
        *(f"genre={name}" for name in sorted(GENRES)),
        *(f"mood={name}" for name in sorted(MOODS)),
        *(f"bars={bars}" for bars in range(1, _MAX_BARS + 1)),
    ]


class ControlVocabulary:
    """Maps attributes to ids of the control tokens that a checkpoint was trained with.

    Args:
        names: ``MotetConfig.controls``.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._ids = {name: index for index, name in enumerate(names)}
        self._tempos = np.array([float(name.partition("=")[2]) for name in names if name.startswith("tempo=")])

    def ids(self, attributes: Attributes) -> list[int]:
        """Control ids of every attribute that the vocabulary knows; never empty ("null" is the last resort)."""
        names: list[str] = []
        if attributes.tempo_bpm is not None and len(self._tempos):
            nearest = self._tempos[int(np.argmin(np.abs(self._tempos - attributes.tempo_bpm)))]
            names.append(f"tempo={nearest:g}")
        elif attributes.tempo_word is not None:
            names.append(f"tempo_word={attributes.tempo_word}")
        if attributes.key is not None:
            names.append(f"key={attributes.key}")
        if attributes.meter is not None:
            names.append(f"meter={attributes.meter.in_quarters}")
        if attributes.drums is not None:
            names.append(f"drums={'yes' if attributes.drums else 'no'}")
        names += [f"instrument={program}" for program in attributes.instruments]
        names += [f"genre={genre}" for genre in attributes.genres]
        names += [f"mood={mood}" for mood in attributes.moods]
        if attributes.bars is not None:
            names.append(f"bars={min(attributes.bars, _MAX_BARS)}")
        return [self._ids[name] for name in names if name in self._ids] or [self._ids["null"]]
