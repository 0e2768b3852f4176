"""What the judge reads off a score: rows of plain numbers, no sound, no velocities, no names of tracks.

Every score is brought to one form first (a grid of twelfths of a quarter, plain lengths, no note twice), so that only
the music tells scores apart, however they were written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from motet.music import key
from motet.music.score import Score
from motet.rewards.judge_notes import LENGTHS, STEPS, Floats, Ints, Notes, Sounding, cut, edge_notes, notes_of

MOST_BARS: Final = 16
"""Bars that are read together; longer scores are read in parts."""

_OCTAVE: Final = 12
_GAPS: Final = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 18, 19, 24, 25, 36, 48, 49, 96])
_LAGS: Final = (1, 2, 4, 8)
_SLOTS: Final = 16  # parts of a bar
_MAJOR: Final = (1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1)
_MINOR: Final = (1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1)  # with either seventh
_PROFILES: Final = np.array(
    [np.roll(row, tonic) for row in (key.MAJOR_PROFILE, key.MINOR_PROFILE) for tonic in range(_OCTAVE)]
)
_CENTRED: Final = _PROFILES - _PROFILES.mean(axis=1, keepdims=True)
_KEYS: Final = _CENTRED / np.linalg.norm(_CENTRED, axis=1, keepdims=True)
_TRIADS: Final = np.array(
    [np.roll(np.isin(np.arange(_OCTAVE), tones), root) for tones in ((0, 4, 7), (0, 3, 7)) for root in range(_OCTAVE)]
).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Reading:
    """What is read off up to ``MOST_BARS`` bars.

    Args:
        manner: [MANNER] how the music goes; the same in every key, tempo and choice of instruments.
        bars: how many were read.
        content: [CONTENT] what captions speak of: tempo, key, meter, players, register.
    """

    manner: NDArray[np.float32]
    bars: int
    content: NDArray[np.float32]


def read(score: Score) -> list[Reading]:
    """One reading for every 16 bars, of equal parts; none of a score without notes."""
    if not len(score):
        return []
    starts = score.bar_ticks()
    # A last note that rings on adds no bars, and silence at the end is none of the music.
    bars = int(np.searchsorted(starts, score.onset[-1], side="right"))
    if bars <= MOST_BARS:
        return [_reading(score, bars)]
    parts = -(-bars // MOST_BARS)
    cuts = [round(bars * part / parts) for part in range(parts + 1)]
    pieces = [(score.between(int(starts[low]), int(starts[high])), high - low) for low, high in pairwise(cuts)]
    return [_reading(piece, length) for piece, length in pieces if len(piece)]


def _reading(score: Score, bars: int) -> Reading:
    notes = notes_of(score, bars)
    pitched = notes.only(notes.pitched)
    drums = notes.only(~notes.pitched)
    sound = Sounding.of(pitched)
    minor, tonic = divmod(int(np.argmax(np.round(_key_fits(sound.total), 9))), _OCTAVE)
    relative = np.roll(sound.classes, -tonic, axis=1)  # [spans, 12] tonic first
    table = _bars(notes, pitched, drums, sound, relative, bool(minor))
    manner = np.concatenate(
        [
            _harmony(pitched, sound, relative, tonic, bool(minor)),
            _melody(pitched),
            _rhythm(notes, pitched, drums),
            _form(notes, table),
        ]
    )
    return Reading(
        manner=manner.astype(np.float32),
        bars=bars,
        content=_content(score, notes, pitched, drums, sound).astype(np.float32),
    )


def _key_fits(classes: Floats) -> Floats:
    """Correlation with the 24 key profiles, by ``Key.index``; zeros where nothing sounds."""
    centred = classes - classes.mean()
    spread = float(np.linalg.norm(centred))
    return np.asarray(_KEYS @ centred / spread) if spread > 1e-9 else np.zeros(24)


def _shares(values: Ints, size: int, weights: Floats | None = None) -> Floats:
    """How values 0 .. size - 1 divide: [size], sums to 1; zeros when there are none."""
    count = np.bincount(np.clip(values, 0, size - 1), weights=weights, minlength=size).astype(np.float64)
    total = float(count.sum())
    return count / total if total > 0 else count


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def _entropy(shares: Floats) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log2(some)).sum())


def _tunes(notes: Notes) -> tuple[Ints, Ints, NDArray[np.bool_], NDArray[np.bool_]]:
    """Of the top notes of each player: moves in semitones and in steps, whether over a bar line, and rests between."""
    order = np.lexsort((-notes.pitch, notes.time, notes.player))
    player, time = notes.player[order], notes.time[order]
    top = np.append(True, (np.diff(player) != 0) | (np.diff(time) != 0))[: len(order)]
    chosen = order[top]
    same = np.diff(notes.player[chosen]) == 0
    move, gap = np.diff(notes.pitch[chosen])[same], np.diff(notes.time[chosen])[same]
    crosses = (np.diff(notes.bar[chosen]) != 0)[same]
    rests = ((notes.time + notes.length)[chosen][:-1] < notes.time[chosen][1:])[same]
    return move, gap, crosses, rests


def _harmony(pitched: Notes, sound: Sounding, relative: Floats, tonic: int, minor: bool) -> Floats:
    """Pitch classes from the tonic, what sounds together, chords by half bars, notes out of the scale."""
    classes = np.roll(sound.total, -tonic)
    degree = (pitched.pitch - tonic) % _OCTAVE
    scale = np.array(_MINOR if minor else _MAJOR, np.float64)
    bass = edge_notes(pitched, top=False)
    roots = (bass.pitch - tonic) % _OCTAVE
    fit = np.sort(_key_fits(classes))[::-1]
    sounds = sound.sounding
    together = _apart(sounds, range(1, 16), sound.span)
    held = (relative > 0).astype(np.float64)
    matrix = held.T @ (held * sound.span)
    pairs = np.array([float(np.trace(np.roll(matrix, shift, axis=1))) for shift in range(1, 7)])
    voices = sounds.sum(axis=1)
    time = max(float((voices * sound.span[:, 0]).sum()), 1.0)
    # The same by notes as they are struck, against all that sounds then.
    struck = np.zeros(_OCTAVE)
    if len(pitched.time):
        at = held[np.searchsorted(sound.starts, pitched.time)]
        for shift in range(_OCTAVE):
            struck[shift] = float(at[np.arange(len(degree)), (degree + shift) % _OCTAVE].mean())
    halves = _chords(sound.between(relative, cut(pitched.edges, 4)[::2]))
    quarters = _chords(sound.between(relative, cut(pitched.edges, 4)))
    outside = scale[degree] == 0 if len(degree) else np.zeros(0, np.bool_)
    strong = (pitched.time - pitched.edges[pitched.bar]) % STEPS == 0
    unison = float(((sound.pitches > 1) * sound.span).sum()) / time
    return np.concatenate(
        [
            classes,
            _shares(degree, _OCTAVE),
            _shares(roots, _OCTAVE, bass.length.astype(np.float64)),
            _shares(np.diff(bass.pitch) % _OCTAVE, _OCTAVE),
            [float(minor), fit[0], fit[0] - fit[1], _entropy(classes), _entropy(_shares(degree, _OCTAVE)), unison],
            together / time,
            pairs / time,
            struck[1:],
            _shares(voices.astype(np.int64), 9, sound.span[:, 0]),
            halves,
            quarters,
            [_mean(outside), _mean(outside & strong), _mean(outside & ~strong)],
        ]
    )


def _apart(sounds: Floats, gaps: Iterable[int], span: Floats) -> Floats:
    """For how long, summed over pairs, pitches so many semitones apart sound together."""
    weighted = sounds * span
    matrix = weighted.T @ sounds
    return np.array([float(np.trace(matrix, gap)) for gap in gaps])


def _chords(groups: Floats) -> Floats:
    """How well triads fit groups of pitch classes [G, 12], and how their roots move; not of silent groups."""
    groups = groups[groups.sum(axis=1) > 0]
    if not len(groups):
        return np.zeros(8 + _OCTAVE)
    shares = groups / groups.sum(axis=1, keepdims=True)
    fit = shares @ _TRIADS.T
    best = fit.argmax(axis=1)
    tones = fit.max(axis=1)
    changes = np.diff(best) != 0
    likeness = _cosine(shares[1:], shares[:-1])
    ends = [float(np.min(tones)), _mean(likeness), float(np.min(likeness)) if len(likeness) else 0.0]
    counts = [float(tones.mean()), float(tones.std()), *ends, _mean(changes), _mean(best >= _OCTAVE)]
    return np.concatenate([counts, [_mean((shares > 0.02).sum(axis=1)) / 6], _shares(np.diff(best % 12) % 12, 12)])


def _cosine(one: Floats, other: Floats) -> Floats:
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / np.maximum(norms, 1e-9))


def _melody(pitched: Notes) -> Floats:
    """Intervals of players, of the highest line and of the bass, by size and direction, within bars and over lines."""
    move, gap, crosses, rests = _tunes(pitched)
    top, bass = edge_notes(pitched, top=True), edge_notes(pitched, top=False)
    lines = [np.diff(top.pitch), np.diff(bass.pitch)]
    size = np.minimum(np.abs(move), 24)
    turns = np.sign(move[1:]) * np.sign(move[:-1]) < 0
    leap = np.abs(move[:-1]) > 5
    resolved = leap & (np.abs(move[1:]) <= 2) & turns
    pairs = np.clip(move[:-1], -3, 3) * 7 + np.clip(move[1:], -3, 3) + 24
    apart = _mean(top.pitch) - _mean(bass.pitch)
    return np.concatenate(
        [
            _shares(np.clip(move, -13, 13) + 13, 27),
            *(_shares(np.clip(line, -13, 13) + 13, 27) for line in lines),
            _shares(pairs, 49),
            _shares(np.searchsorted(_GAPS, gap, side="right"), len(_GAPS) + 1),
            [_mean(size) / 12, _mean(size[crosses]) / 12, _mean(size[~crosses]) / 12, _mean(size > 12), _mean(rests)],
            [_mean(turns), _mean(resolved), _mean(leap), _mean(size[gap <= 3]) / 12, apart / 24],
            [float(np.std(pitched.pitch)) / 12 if len(pitched.pitch) else 0.0, _mean((size == 0) & (gap <= 6))],
        ]
    )


def _rhythm(notes: Notes, pitched: Notes, drums: Notes) -> Floats:
    """Places in the beat and in the bar, lengths and how they fill the time to the next note, density."""
    parts = []
    for some in (pitched, drums):
        place = some.time - some.edges[some.bar]
        slot = place * _SLOTS // np.diff(some.edges)[some.bar]
        parts += [_shares(place % STEPS, STEPS), _shares(slot, _SLOTS)]
    lengths = np.searchsorted(LENGTHS, pitched.length, side="right") - 1
    order = np.lexsort((pitched.time, pitched.player))
    player, time, length = pitched.player[order], pitched.time[order], pitched.length[order]
    starts, first = np.unique(player * (1 << 32) + time, return_index=True)
    wait = np.diff(starts)
    filled = length[first][:-1] / np.maximum(wait, 1)
    filled = filled[(wait > 0) & (wait < 1 << 31)]
    onsets = np.unique(notes.time)
    size = np.bincount(notes.bar, minlength=len(notes.edges) - 1) / np.maximum(np.diff(notes.edges), 1) * STEPS
    _, chord = np.unique(pitched.player * (1 << 32) + pitched.time, return_counts=True)
    return np.concatenate(
        [
            *parts,
            _shares(lengths, len(LENGTHS)),
            _shares(np.digitize(filled, (0.3, 0.6, 0.9, 0.99, 1.01, 1.5, 3.0)), 8),
            _shares(np.searchsorted(_GAPS, np.diff(onsets), side="right"), len(_GAPS) + 1),
            _shares(chord, 7),
            [_mean(size) / 4, float(size.std()) / 4, _mean(size == 0), len(drums.time) / len(notes.time)],
            [len(np.unique(pitched.player)) / 4, _mean(np.isin(pitched.length, (1, 2)))],
        ]
    )


def _bars(notes: Notes, pitched: Notes, drums: Notes, sound: Sounding, relative: Floats, minor: bool) -> Floats:
    """One row a bar: [bars, columns]."""
    bars = len(notes.edges) - 1
    steps = np.diff(notes.edges)
    classes = sound.between(relative, notes.edges)
    sum_classes = classes.sum(axis=1, keepdims=True)
    shares = classes / np.maximum(sum_classes, 1e-9)
    whole = classes.sum(axis=0, keepdims=True)
    scale = np.array(_MINOR if minor else _MAJOR, np.float64)
    columns: list[Floats] = [shares, (shares * scale).sum(axis=1)[:, None], (shares @ _TRIADS.T).max(axis=1)[:, None]]
    columns.append(_cosine(classes, np.repeat(whole, bars, axis=0))[:, None])
    bass = edge_notes(pitched, top=False)
    centre = float(np.median(pitched.pitch)) if len(pitched.pitch) else 0.0
    for some in (pitched, drums):
        slot = (some.time - notes.edges[some.bar]) * _SLOTS // steps[some.bar]
        profile = np.zeros((bars, _SLOTS))
        np.add.at(profile, (some.bar, slot), 1)
        columns.append(np.log1p(profile))
    top = edge_notes(pitched, top=True)
    for line in (top, bass):
        count = np.maximum(np.bincount(line.bar, minlength=bars), 1)
        height = np.bincount(line.bar, weights=line.pitch - centre, minlength=bars) / count / 12
        moves = np.abs(np.diff(line.pitch))
        inside = np.diff(line.bar) == 0
        far = np.bincount(line.bar[1:][inside], weights=np.minimum(moves[inside], 24), minlength=bars) / count / 12
        enters = np.bincount(line.bar[1:][~inside], weights=np.minimum(moves[~inside], 24), minlength=bars) / 12
        columns += [height[:, None], far[:, None], enters[:, None]]
    sounds = sound.sounding
    close = np.stack([(sounds[:, gap:] * sounds[:, :-gap]).sum(axis=1) for gap in (1, 2, 6, 11, 13)], axis=1)
    weight = np.maximum(sound.between(sounds.sum(axis=1, keepdims=True), notes.edges), 1e-9)
    columns += [sound.between(close, notes.edges) / weight, weight / steps[:, None] / 4]
    off = (notes.time - notes.edges[notes.bar]) % (STEPS // 2) != 0
    count = np.bincount(notes.bar, minlength=bars)
    columns.append((np.bincount(notes.bar, weights=off, minlength=bars) / np.maximum(count, 1))[:, None])
    columns.append((count / steps * STEPS / 4)[:, None])
    columns += _likeness(notes, shares)
    return np.concatenate(columns, axis=1)


def _likeness(notes: Notes, shares: Floats) -> list[Floats]:
    """How each bar resembles those 1, 2, 4 and 8 before: by notes, by rhythm, by pitch classes; and the best of all."""
    bars = len(notes.edges) - 1
    place = notes.time - notes.edges[notes.bar]
    rhythm = (notes.player + 1) * 2048 + place
    grids = []
    for codes in (rhythm * 128 + notes.pitch, rhythm):
        _, column = np.unique(codes, return_inverse=True)
        grid = np.zeros((bars, int(column.max()) + 1 if len(column) else 1))
        grid[notes.bar, column] = 1
        both = grid @ grid.T
        size = grid.sum(axis=1)
        either = size[:, None] + size[None] - both
        grids.append(np.where(either > 0, both / np.maximum(either, 1), 0.0))
    norm = np.linalg.norm(shares, axis=1)
    grids.append(shares @ shares.T / np.maximum(norm[:, None] * norm[None], 1e-9))
    columns = []
    for grid in grids:
        for lag in _LAGS:
            row = np.zeros(bars)
            if lag < bars:
                row[lag:] = np.diagonal(grid, -lag)
            columns.append(row[:, None])
        earlier = np.where(np.tri(bars, k=-1, dtype=np.bool_), grid, 0.0)
        columns.append(earlier.max(axis=1)[:, None])
    return columns


def _form(notes: Notes, table: Floats) -> Floats:
    """How bars go together: mean, spread and lowest of what is read off each."""
    few = table[:, -15:]
    return np.concatenate(
        [table[:, 12:15].std(axis=0), table[:, 12:15].min(axis=0), few.mean(axis=0), few.std(axis=0), few.max(axis=0)]
    )


def _content(score: Score, notes: Notes, pitched: Notes, drums: Notes, sound: Sounding) -> Floats:
    """Tempo, pitch classes as they sound, meter, players, drum keys, register; not the length."""
    spans = np.diff(np.append(score.tempo_tick, max(score.end_tick, int(score.tempo_tick[-1]) + 1)))
    bpm = float(np.exp(np.average(np.log(score.tempo_bpm), weights=spans)))
    tempo = np.exp(-0.5 * ((np.log2(np.clip(bpm, 20, 400)) - np.linspace(4.5, 8.5, 33)) / 0.1) ** 2)
    classes = sound.total
    bass = edge_notes(pitched, top=False)
    last = bass.pitch[-1:] % _OCTAVE
    meter = score.meters[0].in_quarters
    counts = np.bincount(np.clip(pitched.player, 0, 127), minlength=128).astype(np.float64)
    onsets = len(np.unique(notes.time)) / max(1.0, notes.edges[-1] / STEPS)
    return np.concatenate(
        [
            [np.log2(bpm / 120)],
            tempo,
            classes,
            _key_fits(classes),
            _shares(bass.pitch % _OCTAVE, _OCTAVE, bass.length.astype(np.float64)),
            _shares(last, _OCTAVE),
            np.eye(13)[min(meter.numerator, 12)],
            [float(meter.denominator == 8), float(meter.denominator == 4), float(len(score.meters) > 1)],
            counts > 0,
            np.sqrt(counts / max(float(counts.sum()), 1.0)),
            counts.reshape(16, 8).sum(axis=1) > 0,
            [float(len(drums.time) > 0), float(len(pitched.time) > 0), (counts > 0).sum() / 4],
            np.sqrt(_shares(drums.pitch - 27, 64)),
            [(_mean(pitched.pitch) - 60) / 12, float(np.std(pitched.pitch)) / 12 if len(pitched.pitch) else 0.0],
            _shares(pitched.pitch // 6, 22),
            [onsets / 4, onsets * bpm / 480],
        ]
    ).astype(np.float64)


def _sizes() -> tuple[int, int]:
    at, small = np.zeros(1, np.int64), np.ones(1, np.int16)
    note = Score(1, at, at + 4, small, small, small, small)
    reading = read(note)[0]
    return len(reading.manner), len(reading.content)


MANNER, CONTENT = _sizes()
"""Numbers in each part of a reading."""
