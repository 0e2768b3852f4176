"""What a listener makes of a stretch of music before judging it: its lines, local keys, chords and sonorities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music.chord import TEMPLATES, half_bars
from motet.music.key import MAJOR_PROFILE, MINOR_PROFILE
from motet.music.score import DRUMS, Score
from motet.rewards import kernels

KEY_PROFILES: Final[NDArray[np.float64]] = np.array(
    [np.roll(profile, tonic) for profile in (MAJOR_PROFILE, MINOR_PROFILE) for tonic in range(12)]
)
"""[24, 12] Krumhansl and Kessler's ratings by ``Key.index``."""

LONG_BARS: Final = 4
"""A note counts as sounding for so many bars at most."""

_KEY_BARS = 4  # a local key is heard over so many bars
_KEY_SWITCH = 0.25  # correlation that a change of key must earn
_CHORD_SWITCH = 0.15  # cosine that a change of chord must earn


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """The pitched notes of a score, B bars and S half-bars that sound; times in ticks.

    Pitch classes, keys and roots are counted from the lowest of the first notes: a transposed piece has literally the
    same ones, so that even rounding and ties come out the same.

    Args:
        ppq: ticks in a quarter.
        origin: the pitch class that counts as 0.
        bars: [B + 1] bar lines.
        onset, duration, end, pitch, pitch_class, line, bar: [N] by onset, then pitch; ``end`` after 4 bars at most;
            ``line`` numbers the programs of each track, whatever the order of the tracks.
        bar_profiles: [B, 12] ticks that each pitch class sounds.
        correlations: [B, 24] of the bars about each bar with each key.
        keys: [B] the local keys (Krumhansl-Schmuckler, Viterbi).
        slots, strong: [S, 12] ticks of each pitch class in each half-bar that sounds, and in its first quarter.
        chord_fit: [S] cosine of each half-bar with its chord.
        chords: [S] row of ``motet.music.chord.TEMPLATES`` (Viterbi).
        slot_bar: [S] the bar of each half-bar.
        sonorities: [B, 2, 12, 12], see ``motet.rewards.kernels.sonorities``.
    """

    ppq: int
    origin: int
    bars: NDArray[np.int64]
    onset: NDArray[np.int64]
    duration: NDArray[np.int64]
    end: NDArray[np.int64]
    pitch: NDArray[np.int64]
    pitch_class: NDArray[np.int64]
    line: NDArray[np.int64]
    bar: NDArray[np.int64]
    bar_profiles: NDArray[np.float64]
    correlations: NDArray[np.float64]
    keys: NDArray[np.int64]
    slots: NDArray[np.float64]
    strong: NDArray[np.float64]
    chord_fit: NDArray[np.float64]
    chords: NDArray[np.int64]
    slot_bar: NDArray[np.int64]
    sonorities: NDArray[np.float64]

    @property
    def count(self) -> int:
        """B."""
        return len(self.bars) - 1

    @property
    def grid(self) -> int:
        """Ticks to which places are rounded: a twelfth of a quarter."""
        return max(1, self.ppq // 12)

    @property
    def degree(self) -> NDArray[np.int64]:
        """[N] semitones of each note above the tonic of its local key."""
        return np.asarray((self.pitch_class - self.keys[self.bar]) % 12)

    @property
    def minor(self) -> NDArray[np.int64]:
        """[N] 1 where the local key is minor, else 0."""
        return np.asarray(self.keys[self.bar] // 12)

    def cells(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Times in steps of ``grid``."""
        return np.asarray((ticks + self.grid // 2) // self.grid)


def analyse(score: Score) -> Analysis | None:
    """Analyses the notes of ``score`` that are not drums; None when there are none."""
    notes = score.select(score.program != DRUMS)
    if not len(notes):
        return None
    bars = notes.bar_ticks()
    order = np.lexsort((notes.program, notes.duration, notes.pitch, notes.onset))
    onset, duration, pitch = notes.onset[order], notes.duration[order], notes.pitch[order].astype(np.int64)
    end = onset + np.minimum(duration, LONG_BARS * np.diff(bars).max())
    origin = int(pitch[0]) % 12
    pitch_class = (pitch - origin) % 12
    bar = np.searchsorted(bars, onset, side="right") - 1
    bar_profiles = kernels.slot_profiles(onset, end, pitch_class, bars)
    correlations = kernels.correlations(_around(bar_profiles), KEY_PROFILES)
    keys = kernels.steadiest_path(correlations, _KEY_SWITCH)
    edges = half_bars(notes)
    slots = kernels.slot_profiles(onset, end, pitch_class, edges)
    filled = slots.sum(axis=1) > 0
    # The first quarter of each slot, cut out of the slots by edges of its own: even slots are strong.
    heads = np.stack([edges[:-1], edges[:-1] + np.minimum(notes.ppq, np.diff(edges))], axis=1).ravel()
    strong = kernels.slot_profiles(onset, end, pitch_class, np.append(heads, edges[-1]))[0::2]
    fits = kernels.cosines(slots[filled], TEMPLATES)
    chords = kernels.steadiest_path(fits, _CHORD_SWITCH)
    key = keys[bar]
    return Analysis(
        ppq=score.ppq,
        origin=origin,
        bars=bars,
        onset=onset,
        duration=duration,
        end=end,
        pitch=pitch,
        pitch_class=pitch_class,
        line=_lines(notes)[order],
        bar=bar,
        bar_profiles=bar_profiles,
        correlations=correlations,
        keys=keys,
        slots=slots[filled],
        strong=strong[filled],
        chord_fit=fits[np.arange(len(chords)), chords],
        chords=chords,
        slot_bar=(np.searchsorted(bars, edges[:-1], side="right") - 1)[filled],
        sonorities=kernels.sonorities(onset, end, pitch, (pitch_class - key) % 12, key // 12, bar, len(bars) - 1),
    )


def _around(bar_profiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Profiles [B, 12] of the four bars about each bar."""
    count = len(bar_profiles)
    running = np.concatenate([np.zeros((1, 12)), np.cumsum(bar_profiles, axis=0)])
    low = np.clip(np.arange(count) - 1, 0, max(count - _KEY_BARS, 0))
    return np.asarray(running[np.minimum(low + _KEY_BARS, count)] - running[low])


def _lines(notes: Score) -> NDArray[np.int64]:
    """A number per note for its line, a program on a track, numbered whatever the order of the tracks."""
    names = notes.track.astype(np.int64) * 128 + notes.program
    _, first, line = np.unique(names, return_index=True, return_inverse=True)
    origin = int(notes.pitch[notes.onset == notes.onset[0]].min())
    rank = np.lexsort((notes.pitch[first] - origin, notes.onset[first], notes.program[first]))
    renamed = np.empty(len(first), np.int64)
    renamed[rank] = np.arange(len(first))
    return renamed[line]
