"""Harmonic measures of a stretch of music: plain numbers, not yet judged. Drums never count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.music.chord import QUALITIES, TEMPLATES, half_bars
from motet.music.key import MAJOR_PROFILE, MINOR_PROFILE, Key
from motet.music.score import Score
from motet.rewards import kernels

MEASURES = (
    "notes_per_bar",
    "empty_beats",
    "pitch_class_entropy",
    "top_pitch_share",
    "distinct_bars",
    "repeated_bars",
    "long_notes",
    "polyphony",
    "in_key",
    "key_fit",
    "chord_tones",
    "chord_changes",
    "roughness",
    "voice_leading",
    "melodic_motion",
    "steps",
    "recurrence",
)

_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
_MINOR_SCALE = (0, 2, 3, 5, 7, 8, 10, 11)  # natural minor and the leading tone
_INTERVAL_ROUGHNESS = np.array([0.0, 1.0, 0.6, 0.1, 0.05, 0.15, 0.5, 0.0, 0.15, 0.1, 0.4, 0.9])
_KEY_SWITCH = 0.25  # correlation that a change of key must earn
_CHORD_SWITCH = 0.15  # cosine that a change of chord must earn
_LEAP_CAP = 24
_LONG_BARS = 4

KEY_PROFILES: NDArray[np.float64] = np.array(
    [np.roll(MAJOR_PROFILE, tonic) for tonic in range(12)] + [np.roll(MINOR_PROFILE, tonic) for tonic in range(12)]
)
_SCALES = np.array(
    [np.isin((np.arange(12) - tonic) % 12, scale) for scale in (_MAJOR_SCALE, _MINOR_SCALE) for tonic in range(12)]
)
_TRIADS = np.array([[(root + step) % 12 for step in chord[:3]] for chord in QUALITIES.values() for root in range(12)])


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What was measured: ``values`` by the names of ``MEASURES``; None where a measure does not apply.

    Args:
        bars: length in bars, >= 1.
        values: what each is, ``measure`` says.
        key: the key that holds for most of the stretch.
    """

    bars: int
    values: dict[str, float | None]
    key: Key


def measure(score: Score, *, asked: Key | None = None) -> Measures | None:
    """Measures the notes of ``score`` that are not drums; None when there are none.

    notes_per_bar; empty_beats, the share of quarters without sound; pitch_class_entropy in bits (0 to 3.58);
    top_pitch_share, the share of the commonest pitch; distinct_bars over all bars; repeated_bars, the share equal to
    the bar before; long_notes, the share longer than four bars; polyphony, mean notes at once while any sounds;
    in_key, the share of sounding time in the local key (Krumhansl-Schmuckler over four bars about each bar, Viterbi);
    key_fit of ``asked``, or of the key found when None: 3/4 of the correlation and 1/4 of its lead on the best other
    key, both moved to 0..1; chord_tones, the share of time at the start of each half-bar that belongs to its chord;
    chord_changes for each half-bar; roughness of simultaneous notes; voice_leading in semitones a voice and change;
    melodic_motion, mean leap of the top notes of each line in semitones; steps, the share of moves by one or two
    semitones in the line that has most; recurrence, the share of four-note motifs (intervals and rhythm) heard again.

    Every number is exactly the same after transposition, for another tempo or order of tracks, and without the drums.
    """
    notes = score.select(score.program >= 0)
    if not len(notes):
        return None
    bars = notes.bar_ticks()
    order = np.lexsort((notes.program, notes.duration, notes.pitch, notes.onset))
    onset, duration = notes.onset[order], notes.duration[order]
    pitch = notes.pitch[order].astype(np.int64)
    end = onset + np.minimum(duration, _LONG_BARS * np.diff(bars).max())
    # Counted from the lowest of the first notes, a transposed piece has literally the same pitch classes,
    # so that even rounding and ties come out the same.
    origin = int(pitch[0])
    pitch_class = (pitch - origin) % 12
    line = _lines(notes)[order]
    count = len(bars) - 1
    bar_profiles = kernels.slot_profiles(onset, end, pitch_class, bars)
    profile = bar_profiles.sum(axis=0)
    path, correlation = _local_keys(bar_profiles)
    in_scale = float(bar_profiles[_SCALES[path]].sum())
    main = int(np.bincount(path, minlength=24).argmax())
    wanted = main if asked is None else (asked.tonic - origin) % 12 + (12 if asked.mode == "minor" else 0)
    chord_tones, chord_changes, moved = _chords(notes, onset, end, pitch_class)
    rough = kernels.roughness(onset, end, pitch, _INTERVAL_ROUGHNESS)
    motion, steps, recurrence = _melody(onset, pitch, line, count, max(1, score.ppq // 12))
    hashes = kernels.bar_hashes(onset, duration, pitch - pitch.min(), line, bars, max(1, score.ppq // 12))
    sounding, silent = _sounding(onset, end, int(bars[-1]), score.ppq)
    values: dict[str, float | None] = {
        "notes_per_bar": len(pitch) / count,
        "empty_beats": silent,
        "pitch_class_entropy": _entropy(profile),
        "top_pitch_share": float(np.bincount(pitch).max() / len(pitch)),
        "distinct_bars": len(np.unique(hashes)) / count,
        "repeated_bars": float(np.mean(hashes[1:] == hashes[:-1])) if count > 1 else 0.0,
        "long_notes": float(np.mean(duration > _LONG_BARS * np.diff(bars).max())),
        "polyphony": float((end - onset).sum() / sounding),
        "in_key": in_scale / float(profile.sum()),
        "key_fit": key_fit(correlation, wanted),
        "chord_tones": chord_tones,
        "chord_changes": chord_changes,
        "roughness": rough if rough >= 0 else None,
        "voice_leading": float(moved.sum() / (3 * len(moved))) if len(moved) else None,
        "melodic_motion": motion,
        "steps": steps,
        "recurrence": recurrence,
    }
    return Measures(bars=count, values=values, key=Key((main + origin) % 12, "major" if main < 12 else "minor"))


def key_fit(correlation: NDArray[np.float64], key: int) -> float:
    """How well a profile fits one of 24 keys, 0 to 1, from its correlations [24] with all (progphys/text2midi_grpo)."""
    others = np.delete(correlation, key)
    raw = 0.75 * (correlation[key] + 1) / 2 + 0.25 * (correlation[key] - others.max() + 1) / 2
    return float(np.clip(raw, 0.0, 1.0))


def _lines(notes: Score) -> NDArray[np.int64]:
    """A number per note for its line, a program on a track, numbered whatever the order of the tracks."""
    names = notes.track.astype(np.int64) * 128 + notes.program
    _, first, line = np.unique(names, return_index=True, return_inverse=True)
    origin = int(notes.pitch[notes.onset == notes.onset[0]].min())
    rank = np.lexsort((notes.pitch[first] - origin, notes.onset[first], notes.program[first]))
    renamed = np.empty(len(first), np.int64)
    renamed[rank] = np.arange(len(first))
    return renamed[line]


def _local_keys(bar_profiles: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The key [B] of each bar, 0..23, and the whole stretch's correlation [24] with each key."""
    count = len(bar_profiles)
    running = np.concatenate([np.zeros((1, 12)), np.cumsum(bar_profiles, axis=0)])
    low = np.clip(np.arange(count) - 1, 0, max(count - 4, 0))
    windows = running[np.minimum(low + 4, count)] - running[low]
    path = kernels.steadiest_path(kernels.correlations(windows, KEY_PROFILES), _KEY_SWITCH)
    return path, kernels.correlations(bar_profiles.sum(axis=0, keepdims=True), KEY_PROFILES)[0]


def _chords(
    notes: Score,
    onset: NDArray[np.int64],
    end: NDArray[np.int64],
    pitch_class: NDArray[np.int64],
) -> tuple[float, float, NDArray[np.int64]]:
    """Share of strong time on chord tones, chord changes per slot, semitones moved at each change."""
    edges = half_bars(notes)
    slots = kernels.slot_profiles(onset, end, pitch_class, edges)
    filled = slots.sum(axis=1) > 0
    chords = kernels.steadiest_path(kernels.cosines(slots[filled], TEMPLATES), _CHORD_SWITCH)
    # The first quarter of each slot, cut out of the slots by edges of its own: even slots are strong.
    lengths = np.minimum(notes.ppq, np.diff(edges))
    strong_edges = np.stack([edges[:-1], edges[:-1] + lengths], axis=1).ravel()
    strong = kernels.slot_profiles(onset, end, pitch_class, np.append(strong_edges, edges[-1]))[0::2][filled]
    total = float(strong.sum())
    ratio = float((strong * TEMPLATES[chords]).sum()) / total if total > 0 else 0.0
    changes = np.flatnonzero(chords[1:] != chords[:-1])
    moved = kernels.voice_leading(_TRIADS[chords[changes]], _TRIADS[chords[changes + 1]])
    return ratio, len(changes) / max(len(chords) - 1, 1), moved


def _melody(
    onset: NDArray[np.int64], pitch: NDArray[np.int64], line: NDArray[np.int64], bars: int, grid: int
) -> tuple[float | None, float | None, float | None]:
    """Mean leap, steps and recurrence (see ``measure``) of the top notes of each line; None where there are none."""
    order = np.lexsort((pitch, onset, line))
    onset, pitch, line = onset[order], pitch[order], line[order]
    top = np.append((line[1:] != line[:-1]) | (onset[1:] != onset[:-1]), True)
    onset, pitch, line = onset[top], pitch[top], line[top]
    same = line[1:] == line[:-1]
    move, gap = np.diff(pitch), np.clip((np.diff(onset) + grid // 2) // grid, 0, 1023)
    leap = np.abs(move)
    motion = float(np.minimum(leap[same], _LEAP_CAP).sum() / same.sum()) if same.any() else None
    moved = same & (leap > 0)
    moves = np.bincount(line[1:][moved], minlength=1)
    small = np.bincount(line[1:][moved & (leap <= 2)], minlength=len(moves))
    enough = moves >= max(2, bars / 2)
    steps = float((small[enough] / moves[enough]).max()) if enough.any() else None
    whole = np.flatnonzero(line[3:] == line[:-3]) if len(line) > 3 else np.zeros(0, np.int64)
    if not len(whole):
        return motion, steps, None
    motif = np.zeros(len(whole), np.int64)
    for place in range(3):
        motif = (motif * 256 + move[whole + place] + 128) * 1024 + gap[whole + place]
    _, times = np.unique(motif, return_counts=True)
    return motion, steps, float(times[times > 1].sum() / len(whole))


def _sounding(onset: NDArray[np.int64], end: NDArray[np.int64], stop: int, ppq: int) -> tuple[int, float]:
    """Ticks in which anything sounds, and the share of quarters up to ``stop`` in which nothing does."""
    reach = np.maximum.accumulate(end)
    starts = np.flatnonzero(np.concatenate(([True], onset[1:] > reach[:-1])))
    begins, ends = onset[starts], reach[np.append(starts[1:] - 1, len(reach) - 1)]
    quarters = max(1, -(-stop // ppq))
    change = np.zeros(quarters + 1, np.int64)
    np.add.at(change, np.minimum(begins // ppq, quarters), 1)
    np.add.at(change, np.minimum(-(-ends // ppq), quarters), -1)
    return int((ends - begins).sum()), float(np.mean(np.cumsum(change[:-1]) <= 0))


def _entropy(weights: NDArray[np.float64]) -> float:
    share = weights[weights > 0] / weights.sum()
    return float(-(share * np.log2(share)).sum()) + 0.0
