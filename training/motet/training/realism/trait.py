"""Traits: what an excerpt is like, as plain numbers and as shares of its notes.

After Yang and Lerch, "On the evaluation of generative models in music" (Neural Computing and Applications 32, 2020),
with repetition, groove and texture added. Tempo, key and meter are left out: they are what captions ask for, and
``motet eval control`` measures them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music import key
from motet.music.instrument import FAMILIES
from motet.music.score import DRUMS
from motet.rewards import measures
from motet.training.realism.excerpt import GRID, Excerpt
from motet.training.realism.tune import Tunes

TRAITS: Final = {
    "mean pitch": "MIDI pitch",
    "pitch range": "semitones",
    "pitch-class entropy": "bits",
    "mean interval": "semitones",
    "repeated notes": "share",
    "steps": "share",
    "notes a bar": "notes",
    "empty bars": "share",
    "onsets on the beat": "share",
    "onsets between eighths": "share",
    "mean duration": "quarters",
    "spread of durations": "octaves",
    "groove consistency": "share",
    "mean polyphony": "notes",
    "greatest polyphony": "notes",
    "players": "programs",
    "drum strokes": "share",
    "notes in the local key": "share of time",
    "notes of the chord": "share of time",
    "changes of chord": "share of half-bars",
    "roughness": "0 to 1",
    "leading of voices": "semitones",
    "bars with a known rhythm": "share",
    "bars heard before": "share",
    "likeness 1 bar on": "share",
    "likeness 2 bars on": "share",
    "likeness 4 bars on": "share",
    "motifs heard again": "share",
    "mean velocity": "MIDI velocity",
    "spread of velocities": "MIDI velocity",
}
"""Every trait and its unit; see ``measure``."""

SHARES: Final = {
    "degree": 12,
    "pitch": 43,
    "interval": 25,
    "place in the beat": 12,
    "place in the bar": 32,
    "duration": 17,
    "velocity": 8,
    "instrument": len(FAMILIES) + 1,
}
"""Every division of an excerpt's notes and its number of parts; see ``shares``."""

_HARMONY: Final = {
    "notes in the local key": "in_key",
    "notes of the chord": "chord_tones",
    "changes of chord": "chord_changes",
    "roughness": "roughness",
    "leading of voices": "voice_leading",
    "motifs heard again": "recurrence",
}
_OCTAVE: Final = 12


def measure(excerpt: Excerpt) -> dict[str, float]:
    """The traits of an excerpt, by the names of ``TRAITS``; NaN where one does not apply.

    Of pitched notes: mean pitch; pitch range, highest less lowest; entropy of their pitch classes (0 to 3.58); mean
    duration and the standard deviation of its binary logarithm; mean notes at once while any sounds, and most notes at
    once. Of the top voices: mean interval without its direction; the share of intervals that are 0, and that are a step
    of one or two semitones. Of all notes: notes a bar; share of bars without an onset; share of onsets on a beat of the
    meter, and that fall between its halves; programs, and the share of drum strokes; mean velocity and its standard
    deviation. Of harmony, and motifs heard again: ``motet.rewards.measures``. Of bars: share of those that sound whose
    rhythm, and whose notes, an earlier bar had already; mean likeness of the notes of bars 1, 2 and 4 apart (Jaccard
    index); groove consistency, the share of places at which neighbours agree on having an onset (Wu and Yang, "The Jazz
    Transformer on the front line", ISMIR 2020).
    """
    score, pitched = excerpt.score, excerpt.pitched
    found = dict.fromkeys(TRAITS, math.nan)
    bars = np.bincount(excerpt.bar, minlength=excerpt.bars)
    found["notes a bar"] = len(score) / excerpt.bars
    found["empty bars"] = float(np.mean(bars == 0))
    found["players"] = float(len(np.unique(score.program)))
    if len(score):
        found["drum strokes"] = float(np.mean(~pitched))
        found["mean velocity"] = float(score.velocity.mean())
        found["spread of velocities"] = float(score.velocity.std())
        beat = 4 * GRID // score.meters[0].denominator
        found["onsets on the beat"] = float(np.mean(excerpt.place % beat == 0))
        found["onsets between eighths"] = float(np.mean(excerpt.place % (beat // 2) != 0))
        found |= _repetition(excerpt)
    if pitched.any():
        found |= _pitched(excerpt)
    harmony = measures.measure(score)
    if harmony is not None:
        for name, key_of_measure in _HARMONY.items():
            value = harmony.values[key_of_measure]
            found[name] = math.nan if value is None else value
    return found


def _pitched(excerpt: Excerpt) -> dict[str, float]:
    score = excerpt.score.select(excerpt.pitched)
    classes = np.bincount(score.pitch % _OCTAVE, minlength=_OCTAVE) / len(score)
    octaves = np.log2(score.duration / score.ppq)
    found = {
        "mean pitch": float(score.pitch.mean()),
        "pitch range": float(score.pitch.max() - score.pitch.min()),
        "pitch-class entropy": float(-(classes[classes > 0] * np.log2(classes[classes > 0])).sum()) + 0.0,
        "mean duration": float(score.duration.mean()) / score.ppq,
        "spread of durations": float(octaves.std()),
    }
    interval = np.abs(_intervals(excerpt))
    if len(interval):
        found["mean interval"] = float(np.minimum(interval, 2 * _OCTAVE).mean())
        found["repeated notes"] = float(np.mean(interval == 0))
        found["steps"] = float(np.mean((interval == 1) | (interval == 2)))
    ticks = np.concatenate([score.onset, score.onset + score.duration])
    change = np.repeat([1, -1], len(score))
    order = np.lexsort((change, ticks))  # ends before starts
    sounding = np.cumsum(change[order])
    length = np.diff(ticks[order])
    found["mean polyphony"] = float((sounding[:-1] * length).sum() / length[sounding[:-1] > 0].sum())
    found["greatest polyphony"] = float(sounding.max())
    return found


def _repetition(excerpt: Excerpt) -> dict[str, float]:
    score = excerpt.score
    rhythm = (score.program.astype(np.int64) + 1) * 2**10 + excerpt.place
    notes = rhythm * 128 + score.pitch
    rhythms, contents, places = (_by_bar(excerpt, codes) for codes in (rhythm, notes, excerpt.place))
    found = {
        "bars with a known rhythm": _known(rhythms),
        "bars heard before": _known(contents),
    }
    for lag, name in ((1, "likeness 1 bar on"), (2, "likeness 2 bars on"), (4, "likeness 4 bars on")):
        pairs = [pair for pair in zip(contents, contents[lag:], strict=False) if pair[0] or pair[1]]
        if pairs:
            found[name] = float(np.mean([len(one & other) / len(one | other) for one, other in pairs]))
    if excerpt.bars > 1:
        size = 12 * np.diff(excerpt.edges).max() / score.ppq
        found["groove consistency"] = 1 - float(np.mean([len(one ^ other) / size for one, other in pairwise(places)]))
    return found


def _by_bar(excerpt: Excerpt, codes: NDArray[np.int64]) -> list[frozenset[int]]:
    order = np.argsort(excerpt.bar, kind="stable")
    ends = np.searchsorted(excerpt.bar[order], np.arange(1, excerpt.bars))
    return [frozenset(part.tolist()) for part in np.split(codes[order], ends)]


def _known(bars: Sequence[frozenset[int]]) -> float:
    """Share of the bars that are not empty that equal an earlier one."""
    sounding = [bar for bar in bars if bar]
    return 1 - len(set(sounding)) / len(sounding)


def _intervals(excerpt: Excerpt) -> NDArray[np.int64]:
    tunes = Tunes.of_scores([excerpt.score])
    return np.diff(tunes.pitch)[~tunes.starts[1:]]


def vectors(excerpts: Sequence[Excerpt]) -> NDArray[np.float64]:
    """The traits of excerpts as rows, in the order of ``TRAITS``: [excerpts, traits], NaN where one does not apply."""
    return np.array([list(measure(excerpt).values()) for excerpt in excerpts]).reshape(-1, len(TRAITS))


def shares(excerpt: Excerpt) -> dict[str, NDArray[np.float64] | None]:
    """How an excerpt's notes divide, by the names of ``SHARES``; None where there is nothing to divide.

    degree: pitch classes counted from the tonic of the key that is found. pitch: in steps of three semitones. interval:
    between notes of the top voices, beyond an octave as an octave. place in the beat: twelfths of it. place in the bar:
    sixteenths from its start. duration: in half octaves about a quarter. velocity: eight steps. instrument: the
    families of General MIDI, and drums. Degree, pitch, interval and duration leave out drums.
    """
    score, pitched = excerpt.score, excerpt.pitched
    heard = key.find(score)
    beat = 4 * GRID // score.meters[0].denominator
    octaves = np.log2(score.duration[pitched] / score.ppq)
    parts = {
        "degree": (score.pitch[pitched] - heard.tonic) % _OCTAVE if heard is not None else np.zeros(0, np.int64),
        "pitch": score.pitch[pitched] // 3,
        "interval": np.clip(_intervals(excerpt), -_OCTAVE, _OCTAVE) + _OCTAVE,
        "place in the beat": excerpt.place % beat * 12 // beat,
        "place in the bar": np.minimum(excerpt.place * 4 // GRID, SHARES["place in the bar"] - 1),
        "duration": np.clip(np.rint(2 * octaves), -8, 8).astype(np.int64) + 8,
        "velocity": score.velocity // 16,
        "instrument": np.where(score.program == DRUMS, 128, score.program) // 8,
    }
    return {
        name: np.bincount(part, minlength=SHARES[name]) / len(part) if len(part) else None
        for name, part in parts.items()
    }


def pooled(excerpts: Sequence[Excerpt]) -> dict[str, NDArray[np.float64]]:
    """The mean division over excerpts, each with the same weight however many notes it has; zeros if none has any."""
    each = [shares(excerpt) for excerpt in excerpts]
    found: dict[str, NDArray[np.float64]] = {}
    for name, size in SHARES.items():
        rows = [row for row in (divided[name] for divided in each) if row is not None]
        found[name] = np.mean(rows, axis=0) if rows else np.zeros(size)
    return found
