"""What the harmonic reward learns to tell from human music: windows of it gone wrong, and things that are not music."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music import key
from motet.music.score import Score

Decoy = Callable[[Score, np.random.Generator], Score]
"""Makes a decoy of a window of pitched notes; it may come out empty, or as the window itself."""

_CLASSES = np.arange(128) % 12
_MAJOR = np.isin(np.arange(12), (0, 2, 4, 5, 7, 9, 11))
_MINOR = np.isin(np.arange(12), (0, 2, 3, 5, 7, 8, 10))
_RANGE = (40, 88)
_LENGTHS = (0.25, 0.5, 0.5, 1, 1, 1.5, 2)  # of quarters


def nudged(share: float) -> Decoy:
    """A share of the notes a semitone higher or lower."""

    def make(score: Score, rng: np.random.Generator) -> Score:
        hit = rng.random(len(score)) < share
        moved = score.pitch + np.where(hit, rng.choice([-1, 1], len(score)), 0)
        return replace(score, pitch=np.clip(moved, 0, 127))

    return make


def shuffled(score: Score, rng: np.random.Generator) -> Score:
    """The pitches of each line in another order."""
    pitch = score.pitch.copy()
    for notes in _lines(score):
        pitch[notes] = pitch[rng.permutation(notes)]
    return replace(score, pitch=pitch)


def apart(score: Score, rng: np.random.Generator) -> Score:
    """Each line transposed by an interval of its own; pitches shuffled where there is one line."""
    lines = _lines(score)
    if len(lines) == 1:
        return shuffled(score, rng)
    pitch = score.pitch.astype(np.int64)
    for notes in lines:
        pitch[notes] += rng.integers(-5, 7)
    return replace(score, pitch=np.clip(pitch, 0, 127))


def displaced(score: Score, rng: np.random.Generator) -> Score:
    """Each line turned round in time by some quarters of its own; pitches shuffled where there is one line."""
    lines = _lines(score)
    if len(lines) == 1:
        return shuffled(score, rng)
    end, onset = int(score.bar_ticks()[-1]), score.onset.copy()
    for notes in lines:
        onset[notes] += score.ppq * rng.integers(0, max(end // score.ppq, 1))
    return replace(score, onset=onset % end).between(0, end)


def redrawn(score: Score, rng: np.random.Generator) -> Score:
    """The pitches of one line, or of all, drawn from the scale within the range of the line."""
    pitch, lines = score.pitch.copy(), _lines(score)
    chosen = [lines[int(rng.integers(len(lines)))]] if rng.random() < 0.5 else lines
    scale = _scale(score)[_CLASSES]
    for notes in chosen:
        low, high = int(pitch[notes].min()), int(pitch[notes].max())
        inside = np.flatnonzero(scale[low : high + 1])
        if len(inside):
            pitch[notes] = low + rng.choice(inside, len(notes))
    return replace(score, pitch=pitch)


def wandering(score: Score, rng: np.random.Generator) -> Score:
    """Each line, or one of them, a random walk on the scale from its first note."""
    pitch, lines = score.pitch.copy(), _lines(score)
    steps = np.flatnonzero(_scale(score)[_CLASSES])
    for notes in [lines[int(rng.integers(len(lines)))]] if rng.random() < 0.5 else lines:
        walk = np.searchsorted(steps, pitch[notes[0]]) + np.cumsum(rng.choice([-2, -1, -1, 0, 1, 1, 2], len(notes)))
        pitch[notes] = steps[np.clip(walk, 8, len(steps) - 9)]
    return replace(score, pitch=pitch)


def drawn(score: Score, rng: np.random.Generator) -> Score:
    """One to three voices drawn from a scale, in even notes or in a rhythm drawn as well."""
    pitches = _pitches(score, rng)
    low = rng.integers(0, len(pitches) * 2 // 3)
    span = max(2, len(pitches) // 2)

    def draw(count: int) -> NDArray[np.intp]:
        return pitches[np.minimum(rng.integers(low, low + span, count), len(pitches) - 1)]

    voices = int(rng.integers(1, 4))
    if rng.random() < 0.5:
        onset, step = _pulse(score, rng)
        return _voices(
            score, onset, step, np.array([draw(len(onset)) for _ in range(voices)]), one_line=bool(rng.random() < 0.5)
        )
    return _freely(score, rng, [draw] * voices)


def walking(score: Score, rng: np.random.Generator) -> Score:
    """One or two voices that walk on a scale at random, in even notes or in a rhythm drawn at random."""
    pitches = _pitches(score, rng)
    steps = [-1, 1] if rng.random() < 0.6 else [-2, -1, 1, 2]

    def walk(count: int) -> NDArray[np.intp]:
        start = rng.integers(len(pitches) // 4, len(pitches) * 3 // 4)
        return pitches[np.clip(start + np.cumsum(rng.choice(steps, count)), 0, len(pitches) - 1)]

    voices = int(rng.integers(1, 3))
    if rng.random() < 0.7:
        onset, step = _pulse(score, rng)
        return _voices(
            score, onset, step, np.array([walk(len(onset)) for _ in range(voices)]), one_line=bool(rng.random() < 0.5)
        )
    return _freely(score, rng, [walk] * voices)


def stacked(score: Score, rng: np.random.Generator) -> Score:
    """Stacks of two to four thirds of a scale on roots drawn at random, evenly."""
    pitches, (onset, step) = _pitches(score, rng), _pulse(score, rng)
    low = rng.integers(0, len(pitches) // 2)
    root = low + rng.integers(0, 1 + len(pitches) // 3, len(onset))
    place = root + 2 * np.arange(int(rng.choice([2, 3, 3, 3, 4])))[:, None]
    return _voices(score, onset, step, pitches[np.minimum(place, len(pitches) - 1)], one_line=bool(rng.random() < 0.8))


def patterned(score: Score, rng: np.random.Generator) -> Score:
    """A cell of 1 to 16 even notes over and over: a run, an arpeggio, a trill, chords; maybe over held notes."""
    scale = np.flatnonzero(_some_scale(score, rng)[_CLASSES])
    scale = scale[(scale >= 48) & (scale < 84)]
    length, start = int(rng.integers(1, 9)), int(rng.integers(0, len(scale) // 2))
    stride = int(rng.choice([1, 1, 2, 2, 3]))
    rise = np.minimum(start + stride * np.arange(length), len(scale) - 1)
    cell = np.concatenate([rise, rise[-2:0:-1]]) if rng.random() < 0.5 else rise
    if rng.random() < 0.3:
        cell = rng.integers(start, len(scale), length)
    onset, step = _pulse(score, rng)
    row = cell[np.arange(len(onset)) % len(cell)]
    chord = np.arange(int(rng.choice([1, 1, 1, 2, 3])))[:, None] * 2
    made = _voices(score, onset, step, scale[np.clip(row + chord, 0, len(scale) - 1)], one_line=True)
    if rng.random() < 0.4:
        bars = score.bar_ticks()
        held = np.repeat(scale[: int(rng.choice([1, 3, 5])) : 2, None] - 12, len(bars) - 1, axis=1)
        drone = _voices(score, bars[:-1], int(np.diff(bars).min()), held, one_line=True)
        made = made.plus(replace(drone, track=drone.track + 1))
    return made


def arpeggiated(score: Score, rng: np.random.Generator) -> Score:
    """One chord, its notes over some octaves one after another, evenly: up, up and down, or in an order of its own."""
    scale = np.flatnonzero(_scale(score))
    tones = np.roll(scale, -int(rng.integers(len(scale))))[: int(rng.choice([5, 5, 7])) : 2]
    pitches = np.flatnonzero(np.isin(_CLASSES, tones))
    low = int(np.searchsorted(pitches, rng.integers(36, 66)))
    rise = pitches[low : low + int(rng.integers(3, 11))]
    cells = [rise, np.concatenate([rise, rise[-2:0:-1]]), rng.choice(rise, int(rng.integers(3, 9)))]
    cell = cells[int(rng.integers(3))]
    onset, step = _pulse(score, rng)
    return _voices(score, onset, step, cell[np.arange(len(onset)) % len(cell)][None], one_line=True)


def looped(score: Score, rng: np.random.Generator) -> Score:
    """One of the bars, or of the half-bars, over and over."""
    bars = score.bar_ticks()
    place = int(rng.integers(0, len(bars) - 1))
    length = int(bars[place + 1] - bars[place]) // (2 if rng.random() < 0.3 else 1)
    cell = score.between(int(bars[place]), int(bars[place]) + max(length, 1))
    times = max(1, int(bars[-1]) // max(length, 1))
    return replace(
        cell,
        onset=np.concatenate([cell.onset + length * time for time in range(times)]),
        duration=np.tile(cell.duration, times),
        pitch=np.tile(cell.pitch, times),
        velocity=np.tile(cell.velocity, times),
        program=np.tile(cell.program, times),
        track=np.tile(cell.track, times),
    )


def frozen(score: Score, rng: np.random.Generator) -> Score:
    """All notes moved to the nearest of one pitch class, a fifth, or a triad."""
    root = int(rng.choice(np.flatnonzero(_scale(score))))
    chord = [(0,), (0, 7), (0, 4, 7), (0, 3, 7)][int(rng.integers(0, 4))]
    tones = np.flatnonzero(np.isin((_CLASSES - root) % 12, chord))
    return replace(score, pitch=tones[np.abs(tones - score.pitch[:, None].astype(np.int64)).argmin(axis=1)])


def thinned(score: Score, rng: np.random.Generator) -> Score:
    """One or two notes a bar, or a small share of all."""
    if rng.random() < 0.5:
        return score.select(rng.random(len(score)) < rng.uniform(0.1, 0.5))
    bar = np.searchsorted(score.bar_ticks(), score.onset, side="right")
    order = rng.permutation(len(score))
    rank = np.zeros(len(score), np.int64)
    for each in np.unique(bar):
        inside = order[bar[order] == each]
        rank[inside] = np.arange(len(inside))
    return score.select(rank < rng.integers(1, 3))


def piled(score: Score, rng: np.random.Generator) -> Score:
    """Every note with one to three more, each a semitone or two above the last."""
    copies, step = int(rng.integers(2, 5)), int(rng.choice([1, 1, 2]))
    made = score
    for copy in range(1, copies):
        made = made.plus(replace(score, pitch=np.minimum(score.pitch + step * copy, 127)))
    return made


def scattered(score: Score, rng: np.random.Generator) -> Score:
    """The same notes at times drawn at random."""
    end = int(score.bar_ticks()[-1])
    return replace(score, onset=rng.integers(0, end, len(score))).between(0, end)


def broken_off(score: Score, rng: np.random.Generator) -> Score:
    """Hardly a note after the first quarter or half of the bars."""
    bars = score.bar_ticks()
    cut = bars[max(1, int((len(bars) - 1) * rng.choice([0.25, 0.5])))]
    keep = score.onset < cut
    keep[-1] = True
    return score.select(keep)


CORRUPTIONS: Final[Mapping[str, Decoy]] = MappingProxyType(
    {
        "nudged 5 %": nudged(0.05),
        "nudged 10 %": nudged(0.1),
        "nudged 20 %": nudged(0.2),
        "nudged 40 %": nudged(0.4),
        "shuffled": shuffled,
        "apart": apart,
        "displaced": displaced,
    }
)
"""Human music with something wrong in it."""

DECOYS: Final[Mapping[str, Decoy]] = MappingProxyType(
    {
        "redrawn": redrawn,
        "wandering": wandering,
        "drawn": drawn,
        "walking": walking,
        "stacked": stacked,
        "patterned": patterned,
        "arpeggiated": arpeggiated,
        "looped": looped,
        "frozen": frozen,
        "thinned": thinned,
        "piled": piled,
        "scattered": scattered,
        "broken off": broken_off,
    }
)
"""Degenerate music that keeps something of a human window: its notes, its rhythm, or its length alone."""


def _lines(score: Score) -> list[NDArray[np.intp]]:
    names = score.track.astype(np.int64) * 128 + score.program
    return [np.flatnonzero(names == name) for name in np.unique(names)]


def _scale(score: Score) -> NDArray[np.bool_]:
    """[12] whether each pitch class is in the key of the window."""
    found = key.find(score)
    tonic, minor = (0, False) if found is None else (found.tonic, found.mode == "minor")
    return np.roll(_MINOR if minor else _MAJOR, tonic)


def _some_scale(score: Score, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The key of the window, half of the time; else a pentatonic, whole-tone or chromatic scale."""
    other = [np.isin(np.arange(12), (0, 2, 4, 7, 9)), np.arange(12) % 2 == 0, np.ones(12, bool)]
    return _scale(score) if rng.random() < 0.6 else np.roll(other[int(rng.integers(0, 3))], int(rng.integers(0, 12)))


def _pitches(score: Score, rng: np.random.Generator) -> NDArray[np.intp]:
    """Some octaves of a scale, ascending."""
    pitches = np.flatnonzero(_some_scale(score, rng)[_CLASSES])
    return pitches[(pitches >= _RANGE[0]) & (pitches < _RANGE[1])]


def _pulse(score: Score, rng: np.random.Generator) -> tuple[NDArray[np.int64], int]:
    """Onsets of even notes throughout the window, and their distance."""
    step = max(1, round(score.ppq * float(rng.choice([0.25, 0.5, 0.5, 0.5, 1, 2]))))
    return np.arange(0, int(score.bar_ticks()[-1]), step), step


def _freely(score: Score, rng: np.random.Generator, voices: Sequence[Callable[[int], NDArray[np.intp]]]) -> Score:
    """Voices in rhythms drawn at random, from how each makes so many pitches."""
    end = int(score.bar_ticks()[-1])
    made = score.select(np.zeros(len(score), bool))
    for track, voice in enumerate(voices):
        length = np.maximum(1, np.rint(score.ppq * rng.choice(_LENGTHS, 1 + 4 * end // score.ppq)).astype(np.int64))
        onset = np.concatenate([[0], np.cumsum(length)])
        count = int(np.searchsorted(onset, end))
        part = _voices(score, onset[:count], 1, voice(count)[None], one_line=True)
        made = made.plus(
            replace(part, duration=np.minimum(length[:count], end - onset[:count]), track=part.track + track)
        )
    return made


def _voices(score: Score, onset: NDArray[np.int64], step: int, pitch: NDArray[np.int64], *, one_line: bool) -> Score:
    """Even notes with the pitches [voices, notes]; tempo and meter as in the window."""
    voices, count = pitch.shape
    track = np.zeros(voices * count, np.int16) if one_line else np.repeat(np.arange(voices, dtype=np.int16), count)
    return replace(
        score,
        onset=np.tile(onset, voices),
        duration=np.full(voices * count, step),
        pitch=pitch.ravel().astype(np.int16),
        velocity=np.full(voices * count, 80, np.int16),
        program=np.zeros(voices * count, np.int16),
        track=track,
        track_names=(),
    )
