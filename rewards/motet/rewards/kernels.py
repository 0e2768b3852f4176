"""Compiled loops of the harmonic measures; each is also plain Python through ``.py_func``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

_Function = TypeVar("_Function", bound=Callable[..., object])

_MAX_PARTNERS = 48
"""Notes that each note is compared with: bounds the work on absurdly dense scores."""


def _compiled(function: _Function) -> _Function:
    return cast(_Function, numba.njit(cache=True)(function))


@_compiled
def slot_profiles(
    onset: NDArray[np.int64], end: NDArray[np.int64], pitch_class: NDArray[np.int64], edges: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Ticks that each pitch class sounds in each slot.

    Args:
        onset, end: [N] ticks; a note sounds in [onset, end).
        pitch_class: [N] 0..11.
        edges: [S + 1] ascending ticks; slot s is [edges[s], edges[s + 1]).

    Returns [S, 12] ticks, >= 0.
    """
    slots = len(edges) - 1
    profile = np.zeros((slots, 12))
    for note in range(len(onset)):
        slot = max(np.searchsorted(edges, onset[note], side="right") - 1, 0)
        while slot < slots and edges[slot] < end[note]:
            overlap = min(end[note], edges[slot + 1]) - max(onset[note], edges[slot])
            if overlap > 0:
                profile[slot, pitch_class[note]] += overlap
            slot += 1
    return profile


@_compiled
def correlations(profiles: NDArray[np.float64], keys: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson correlation of each profile [W, 12] with each key profile [K, 12]: [W, K] in -1..1.

    A constant profile, silence above all, correlates 0 with everything.
    """
    out = np.zeros((len(profiles), len(keys)))
    for window in range(len(profiles)):
        mean = profiles[window].sum() / 12.0
        spread = 0.0
        for pc in range(12):
            spread += (profiles[window, pc] - mean) ** 2
        if spread <= 1e-12 * max(mean * mean, 1e-300):
            continue
        for key in range(len(keys)):
            key_mean = keys[key].sum() / 12.0
            cross = 0.0
            key_spread = 0.0
            for pc in range(12):
                cross += (profiles[window, pc] - mean) * (keys[key, pc] - key_mean)
                key_spread += (keys[key, pc] - key_mean) ** 2
            out[window, key] = cross / np.sqrt(spread * key_spread)
    return out


@_compiled
def cosines(profiles: NDArray[np.float64], templates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine of each profile [S, 12] with each chord template [C, 12]: [S, C] in 0..1; silence gives 0."""
    out = np.zeros((len(profiles), len(templates)))
    for slot in range(len(profiles)):
        norm = 0.0
        for pc in range(12):
            norm += profiles[slot, pc] ** 2
        if norm <= 0.0:
            continue
        for chord in range(len(templates)):
            cross = 0.0
            size = 0.0
            for pc in range(12):
                cross += profiles[slot, pc] * templates[chord, pc]
                size += templates[chord, pc] ** 2
            out[slot, chord] = cross / np.sqrt(norm * size)
    return out


@_compiled
def steadiest_path(emission: NDArray[np.float64], penalty: float) -> NDArray[np.int64]:
    """Viterbi: the state per step that maximises summed emissions less ``penalty`` for each change of state.

    Args:
        emission: [W, K] score of each state at each step.
        penalty: >= 0, in units of emission.

    Returns [W] states; on ties the earlier step's state is kept, then the lowest state wins.
    """
    steps, states = emission.shape
    path = np.zeros(steps, np.int64)
    if steps == 0:
        return path
    back = np.zeros((steps, states), np.int64)
    total = emission[0].copy()
    for step in range(1, steps):
        best = int(np.argmax(total))
        best_total = total[best]
        for state in range(states):
            if total[state] >= best_total - penalty:
                back[step, state] = state
                total[state] = total[state] + emission[step, state]
            else:
                back[step, state] = best
                total[state] = best_total - penalty + emission[step, state]
    path[steps - 1] = int(np.argmax(total))
    for step in range(steps - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path


@_compiled
def sonorities(
    onset: NDArray[np.int64],
    end: NDArray[np.int64],
    pitch: NDArray[np.int64],
    degree: NDArray[np.int64],
    minor: NDArray[np.int64],
    bar: NDArray[np.int64],
    bars: int,
) -> NDArray[np.float64]:
    """Ticks for which each interval sounds over each degree of the local key, by the bar in which it begins.

    Args:
        onset, end: [N] ticks, sorted by onset.
        pitch: [N] MIDI pitch.
        degree: [N] semitones of each note above the tonic of its local key, 0..11.
        minor: [N] 1 where that key is minor, else 0.
        bar: [N] the bar of each onset, below ``bars``.
        bars: B.

    Returns [B, 2, 12, 12] ticks: mode and degree of the lower note, interval modulo the octave. Unisons are left out.
    """
    ticks = np.zeros((bars, 2, 12, 12))
    for first in range(len(onset)):
        for second in range(first + 1, min(first + 1 + _MAX_PARTNERS, len(onset))):
            if onset[second] >= end[first]:
                break
            if pitch[first] == pitch[second]:
                continue
            lower = first if pitch[first] < pitch[second] else second
            interval = abs(pitch[first] - pitch[second]) % 12
            overlap = min(end[first], end[second]) - onset[second]
            ticks[bar[second], minor[lower], degree[lower], interval] += overlap
    return ticks


@_compiled
def outer_voice(
    onset: NDArray[np.int64], end: NDArray[np.int64], pitch: NDArray[np.int64], line: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Marks the notes of each line that nothing higher in the line covers; negate the pitches for the bass.

    Args:
        onset, end, pitch, line: [N] sorted by (line, onset, pitch).

    Returns [N], at most one note for each onset of a line.
    """
    heard = np.zeros(len(onset), np.bool_)
    top = -1
    for note in range(len(onset)):
        last = note + 1 == len(onset) or line[note + 1] != line[note] or onset[note + 1] != onset[note]
        if not last:
            continue
        covered = top >= 0 and line[top] == line[note] and end[top] > onset[note] and pitch[top] > pitch[note]
        if not covered:
            heard[note] = True
            top = note
    return heard


@_compiled
def echoes(sounds: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """For each bar, how much its most similar other bar has in common with it (Jaccard index).

    Args:
        sounds: [N] what begins where in the bar, ascending and without doubles within each bar.
        starts: [B + 1] where each bar begins in ``sounds``.

    Returns [B] 0..1; -1 for a bar without a sound.
    """
    bars = len(starts) - 1
    best = np.zeros(bars)
    for one in range(bars):
        if starts[one] == starts[one + 1]:
            best[one] = -1.0
        for other in range(one):
            here, there, shared = starts[one], starts[other], 0
            while here < starts[one + 1] and there < starts[other + 1]:
                if sounds[here] == sounds[there]:
                    shared += 1
                    here += 1
                    there += 1
                elif sounds[here] < sounds[there]:
                    here += 1
                else:
                    there += 1
            union = starts[one + 1] - starts[one] + starts[other + 1] - starts[other] - shared
            if shared > 0:
                best[one] = max(best[one], shared / union)
                best[other] = max(best[other], shared / union)
    return best


@_compiled
def voice_leading(before: NDArray[np.int64], after: NDArray[np.int64]) -> NDArray[np.int64]:
    """Semitones that three voices move, at the least, from one triad to another.

    Args:
        before, after: [M, 3] pitch classes.

    Returns [M] sums over the three voices of the best assignment, each voice moving by 0 to 6.
    """
    orders = np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])
    moved = np.zeros(len(before), np.int64)
    for change in range(len(moved)):
        best = 99
        for order in range(6):
            total = 0
            for voice in range(3):
                distance = abs(before[change, voice] - after[change, orders[order, voice]]) % 12
                total += min(distance, 12 - distance)
            best = min(best, total)
        moved[change] = best
    return moved


@_compiled
def bar_hashes(
    onset: NDArray[np.int64],
    duration: NDArray[np.int64],
    pitch: NDArray[np.int64],
    line: NDArray[np.int64],
    bars: NDArray[np.int64],
    grid: int,
) -> NDArray[np.uint64]:
    """A number per bar that is equal for bars with the same notes in the same places, whatever their order.

    Args:
        onset, duration: [N] ticks.
        pitch, line: [N] what distinguishes two notes beside their place.
        bars: [B + 1] ticks of bar lines.
        grid: ticks to which places and lengths are rounded, >= 1.

    Returns [B] hashes; a bar without notes has hash 0.
    """
    hashes = np.zeros(len(bars) - 1, np.uint64)
    for note in range(len(onset)):
        bar = np.searchsorted(bars, onset[note], side="right") - 1
        if bar < 0 or bar >= len(hashes):
            continue
        place = (onset[note] - bars[bar] + grid // 2) // grid
        length = (duration[note] + grid // 2) // grid
        value = np.uint64(((place * 4096 + length) * 128 + pitch[note]) * 4096 + line[note] + 1)
        value ^= value >> np.uint64(30)
        value *= np.uint64(0xBF58476D1CE4E5B9)
        value ^= value >> np.uint64(27)
        value *= np.uint64(0x94D049BB133111EB)
        value ^= value >> np.uint64(31)
        hashes[bar] += value | np.uint64(1)
    return hashes
