"""Attributes as arrays, to tell which captions of a batch are true of which windows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from motet.music.attributes import Attributes
from motet.music.genre import GENRES
from motet.music.mood import MOODS
from motet.music.tempo import TEMPO_WORDS

_LIKE_TEMPO = math.log2(1.06)
_GENRES = {name: place for place, name in enumerate(GENRES)}
_MOODS = {name: place for place, name in enumerate(MOODS)}


class Facts:
    """The attributes of N captions, or of N windows.

    Args:
        attributes: [N]; None or empty means "not stated" in a caption, and "unknown" of a window.
    """

    def __init__(self, attributes: Sequence[Attributes]) -> None:
        self.bpm = np.array([one.tempo_bpm or np.nan for one in attributes])
        ranges = [TEMPO_WORDS[one.tempo_word] if one.tempo_word else (np.nan, np.nan) for one in attributes]
        self.low, self.high = np.array(ranges, np.float64).reshape(-1, 2).T
        self.key = np.array([-1 if one.key is None else one.key.index for one in attributes])
        self.meter = np.array(["" if one.meter is None else str(one.meter) for one in attributes])
        self.drums = np.array([-1 if one.drums is None else int(one.drums) for one in attributes])
        self.names = np.zeros((len(attributes), 128 + len(_GENRES) + len(_MOODS)), np.float32)
        for row, one in enumerate(attributes):
            self.names[row, list(one.instruments)] = 1
            self.names[row, [128 + _GENRES[name] for name in one.genres]] = 1
            self.names[row, [128 + len(_GENRES) + _MOODS[name] for name in one.moods]] = 1

    def true_of(self, windows: Facts, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether caption ``columns[j]`` of self says nothing that is false of window ``rows[i]``: [I, J].

        A caption that states nothing is true of every window.
        """
        bpm = windows.bpm[rows][:, None]
        with np.errstate(invalid="ignore"):
            far = np.abs(np.log2(bpm / self.bpm[columns][None])) > _LIKE_TEMPO
            outside = (bpm < self.low[columns][None]) | (bpm > self.high[columns][None])
        true = ~(far | (outside & np.isnan(self.bpm[columns])[None]))
        for name, unstated in (("key", -1), ("meter", ""), ("drums", -1)):
            stated = getattr(self, name)[columns][None]
            true &= (stated == unstated) | (stated == getattr(windows, name)[rows][:, None])
        missing = (1 - windows.names[rows]) @ self.names[columns].T
        return np.asarray(true & (missing < 0.5))
