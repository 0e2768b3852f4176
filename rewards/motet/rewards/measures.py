"""Harmonic measures of a stretch of music: plain numbers, not yet judged. Drums never count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music.chord import QUALITIES, TEMPLATES
from motet.music.key import Key
from motet.music.score import Score
from motet.rewards import kernels
from motet.rewards.analysis import KEY_PROFILES, LONG_BARS, Analysis, analyse
from motet.rewards.grammar import Grammar, events

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "key": ("in_key", "key_strength", "pitch_class_entropy"),
    "chords": ("chord_tones", "chord_fit", "chord_changes", "distinct_chords", "progression", "function"),
    "sonority": ("roughness", "agreement", "sonority"),
    "voices": ("voice_leading", "bass"),
    "melody": ("melodic_motion", "steps", "recurrence", "melody", "contour"),
    "rhythm": ("onsets_per_bar", "rhythm", "gap_entropy", "accent", "on_beat", "duration_spread"),
    "form": ("distinct_bars", "repeated_bars", "note_echo", "rhythm_echo", "density_spread"),
    "texture": ("notes_per_bar", "polyphony", "empty_beats", "long_notes", "top_pitch_share", "pitch_spread"),
}
"""The measures that are judged, by what they are about."""

MEASURES: Final = tuple(name for names in GROUPS.values() for name in names)

_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
_MINOR_SCALE = (0, 2, 3, 5, 7, 8, 10, 11)  # natural minor and the leading tone
_SCALES = np.array(
    [np.isin((np.arange(12) - tonic) % 12, scale) for scale in (_MAJOR_SCALE, _MINOR_SCALE) for tonic in range(12)]
)
_ROUGHNESS = np.array([0.0, 1.0, 0.6, 0.1, 0.05, 0.15, 0.5, 0.0, 0.15, 0.1, 0.4, 0.9])  # by interval class
_EITHER_WAY = (_ROUGHNESS + _ROUGHNESS[-np.arange(12) % 12]) / 2
_TRIADS = np.array([[(root + step) % 12 for step in chord[:3]] for chord in QUALITIES.values() for root in range(12)])
_LEAP_CAP = 24
_GAP_CAP = 48


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What was measured.

    Args:
        bars: length in bars, >= 1.
        values: the numbers of ``MEASURES`` and "key_fit", see ``measure``; None where one does not apply.
        key: the key that holds for most of the stretch.
        by_bar: name -> one finite number for each bar, the higher the better: "in_key", "chord_tones" and "consonance"
            (what roughness leaves of 1) of the bar alone, 0 where nothing sounds; "key_strength", the correlation with
            its local key.
    """

    bars: int
    values: dict[str, float | None]
    key: Key
    by_bar: dict[str, NDArray[np.float64]]


def measure(score: Score, *, asked: Key | None = None, grammar: Grammar | None = None) -> Measures | None:
    """Measures the notes of ``score`` that are not drums; None when there are none.

    Key: in_key, the share of sounding time in the local key (Krumhansl-Schmuckler over four bars about each bar,
    Viterbi); key_strength, mean correlation with it; pitch_class_entropy in bits (0 to 3.58); key_fit of ``asked``, or
    of the key found when None, see ``key_fit``. Chords: chord_tones, the share of time at the start of each half-bar
    that belongs to its chord; chord_fit, mean cosine of half-bars with their chords; chord_changes for each half-bar;
    distinct_chords over the root of the half-bars. Sonority: roughness of simultaneous notes; agreement, one less
    roughness over that of the same pitch classes brought together by chance. Voices: voice_leading in semitones a voice
    and change. Melody: melodic_motion, mean leap of the top notes of each line in semitones; steps, the share of moves
    by one or two semitones in the line that has most; recurrence, the share of four-note motifs (intervals and rhythm)
    heard again. Rhythm: onsets_per_bar; gap_entropy of the times between the top notes of lines, in bits; accent, by
    how many octaves longer they are on the beat; on_beat, the share of them there; duration_spread in octaves. Form:
    distinct_bars over all bars; repeated_bars, the share equal to the bar before; note_echo and rhythm_echo, mean
    likeness of each bar to its likest other bar (Jaccard index); density_spread, deviation of notes a bar over their
    mean. Texture: notes_per_bar; polyphony, mean notes at once while any sounds; empty_beats, the share of quarters
    without sound; long_notes, the share longer than four bars; top_pitch_share, the share of the commonest pitch;
    pitch_spread in semitones. And the mean log-probability of each kind of event of ``motet.rewards.grammar``, by name.

    Every number is exactly the same after transposition, for another tempo or order of tracks, and without the drums.

    Args:
        asked: the key that was asked for.
        grammar: None: the shipped one.
    """
    found = analyse(score)
    if found is None:
        return None
    grammar = grammar or Grammar.default()
    main = int(np.bincount(found.keys, minlength=24).argmax())
    wanted = main if asked is None else (asked.tonic - found.origin) % 12 + (12 if asked.mode == "minor" else 0)
    values = _key(found, wanted) | _chords(found) | _sonority(found) | _melody(found) | _form(found) | _texture(found)
    values |= {kind: grammar.likelihood(kind, each) for kind, each in events(found).items()}
    return Measures(
        bars=found.count,
        values=values,
        key=Key((main + found.origin) % 12, "major" if main < 12 else "minor"),
        by_bar=_by_bar(found),
    )


def key_fit(correlation: NDArray[np.float64], key: int) -> float:
    """How well a profile fits one of 24 keys, 0 to 1, from its correlations [24] with all (progphys/text2midi_grpo).

    3/4 of the correlation and 1/4 of its lead on the best other key, both moved to 0..1.
    """
    others = np.delete(correlation, key)
    raw = 0.75 * (correlation[key] + 1) / 2 + 0.25 * (correlation[key] - others.max() + 1) / 2
    return float(np.clip(raw, 0.0, 1.0))


def pitch_class_entropy(profile: NDArray[np.float64]) -> float:
    """Entropy in bits of pitch-class weights [12] that are not all 0."""
    return _entropy(profile)


def scale_consistency(profile: NDArray[np.float64]) -> float:
    """The largest share of pitch-class weights [12] in one of the 24 major and natural minor scales (MusPy)."""
    natural = np.isin((np.arange(12) - np.arange(12)[:, None]) % 12, _MAJOR_SCALE)  # a minor scale is a major one
    return float((natural @ profile).max() / profile.sum())


def _entropy(weights: NDArray[np.float64] | NDArray[np.int64]) -> float:
    share = weights[weights > 0] / weights.sum()
    return float(-(share * np.log2(share)).sum()) + 0.0


def _key(found: Analysis, wanted: int) -> dict[str, float | None]:
    profile = found.bar_profiles.sum(axis=0)
    whole = kernels.correlations(profile[None], KEY_PROFILES)[0]
    return {
        "in_key": float(found.bar_profiles[_SCALES[found.keys]].sum()) / float(profile.sum()),
        "key_strength": float(found.correlations[np.arange(found.count), found.keys].mean()),
        "pitch_class_entropy": pitch_class_entropy(profile),
        "key_fit": key_fit(whole, wanted),
    }


def _chords(found: Analysis) -> dict[str, float | None]:
    chords, total = found.chords, float(found.strong.sum())
    changes = np.flatnonzero(np.diff(chords))
    moved = kernels.voice_leading(_TRIADS[chords[changes]], _TRIADS[chords[changes + 1]])
    return {
        "chord_tones": float((found.strong * TEMPLATES[chords]).sum()) / total if total > 0 else 0.0,
        "chord_fit": float(found.chord_fit.mean()),
        "chord_changes": len(changes) / max(len(chords) - 1, 1),
        "distinct_chords": len(np.unique(chords)) / len(chords) ** 0.5,
        "voice_leading": float(moved.sum() / (3 * len(moved))) if len(moved) else None,
    }


def _sonority(found: Analysis) -> dict[str, float | None]:
    heard = found.sonorities.sum(axis=(0, 1, 2))
    if not heard.any():
        return {"roughness": None, "agreement": None}
    heard /= heard.sum()
    profile = found.bar_profiles.sum(axis=0)
    profile = profile / profile.sum()
    chance = sum(float(profile @ np.roll(profile, step)) * float(_EITHER_WAY[step]) for step in range(12))
    return {
        "roughness": float(heard @ _ROUGHNESS),
        "agreement": 1 - float(heard @ _EITHER_WAY) / chance if chance > 0 else None,
    }


def _melody(found: Analysis) -> dict[str, float | None]:
    """Of the top notes of each line."""
    order = np.lexsort((found.pitch, found.onset, found.line))
    onset, pitch, line = found.onset[order], found.pitch[order], found.line[order]
    top = np.append((line[1:] != line[:-1]) | (onset[1:] != onset[:-1]), True)
    onset, pitch, line = onset[top], pitch[top], line[top]
    same = line[1:] == line[:-1]
    move, gap = np.diff(pitch), found.cells(np.diff(onset))
    leap, on_beat = np.abs(move), found.cells(onset) % 12 == 0
    moved = same & (leap > 0)
    moves = np.bincount(line[1:][moved], minlength=1)
    small = np.bincount(line[1:][moved & (leap <= 2)], minlength=len(moves))
    enough = moves >= max(2, found.count / 2)
    gaps, strong = np.clip(gap[same], 1, _GAP_CAP), on_beat[:-1][same]
    accent = None
    if strong.any() and not strong.all():
        accent = float(np.log2(gaps[strong]).mean() - np.log2(gaps[~strong]).mean())
    return {
        "melodic_motion": float(np.minimum(leap[same], _LEAP_CAP).mean()) if same.any() else None,
        "steps": float((small[enough] / moves[enough]).max()) if enough.any() else None,
        "recurrence": _recurrence(move, np.clip(gap, 0, 1023), line),
        "gap_entropy": _entropy(np.bincount(gaps)) if len(gaps) > 1 else None,
        "accent": accent,
        "on_beat": float(on_beat.mean()),
    }


def _recurrence(move: NDArray[np.int64], gap: NDArray[np.int64], line: NDArray[np.int64]) -> float | None:
    whole = np.flatnonzero(line[3:] == line[:-3]) if len(line) > 3 else np.zeros(0, np.int64)
    if not len(whole):
        return None
    motif = np.zeros(len(whole), np.int64)
    for place in range(3):
        motif = (motif * 256 + move[whole + place] + 128) * 1024 + gap[whole + place]
    _, times = np.unique(motif, return_counts=True)
    return float(times[times > 1].sum() / len(whole))


def _form(found: Analysis) -> dict[str, float | None]:
    height = found.pitch - found.pitch.min()
    hashes = kernels.bar_hashes(found.onset, found.duration, height, found.line, found.bars, found.grid)
    several = found.count > 1
    place = found.cells(found.onset - found.bars[found.bar])
    notes = np.bincount(found.bar, minlength=found.count)
    return {
        "distinct_bars": len(np.unique(hashes)) / found.count,
        "repeated_bars": float(np.mean(hashes[1:] == hashes[:-1])) if several else 0.0,
        "note_echo": _echo(found, place * 128 + height) if several else None,
        "rhythm_echo": _echo(found, place) if several else None,
        "density_spread": float(notes.std() / notes.mean()) if several else None,
    }


def _echo(found: Analysis, sound: NDArray[np.int64]) -> float:
    unique = np.unique((found.bar << 32) + sound)
    starts = np.searchsorted(unique >> 32, np.arange(found.count + 1))
    best = kernels.echoes(unique & 0xFFFFFFFF, starts)
    return float(best[best >= 0].mean())


def _texture(found: Analysis) -> dict[str, float | None]:
    notes = len(found.pitch)
    reach = np.maximum.accumulate(found.end)
    starts = np.flatnonzero(np.concatenate(([True], found.onset[1:] > reach[:-1])))
    begins, ends = found.onset[starts], reach[np.append(starts[1:] - 1, notes - 1)]
    quarters = max(1, -(-int(found.bars[-1]) // found.ppq))
    change = np.zeros(quarters + 1, np.int64)
    np.add.at(change, np.minimum(begins // found.ppq, quarters), 1)
    np.add.at(change, np.minimum(-(-ends // found.ppq), quarters), -1)
    cells = np.maximum(found.duration / found.grid, 0.5)
    return {
        "notes_per_bar": notes / found.count,
        "onsets_per_bar": float(1 + np.count_nonzero(np.diff(found.onset))) / found.count,
        "polyphony": float((found.end - found.onset).sum() / (ends - begins).sum()),
        "empty_beats": float(np.mean(np.cumsum(change[:-1]) <= 0)),
        "long_notes": float(np.mean(found.duration > LONG_BARS * np.diff(found.bars).max())),
        "top_pitch_share": float(np.bincount(found.pitch).max() / notes),
        "pitch_spread": float((found.pitch - found.pitch[0]).std()),
        "duration_spread": float(np.log2(cells).std()),
    }


def _by_bar(found: Analysis) -> dict[str, NDArray[np.float64]]:
    profiles, sounds = found.bar_profiles, found.sonorities.sum(axis=(1, 2))
    strong = np.zeros((2, found.count))
    np.add.at(strong[0], found.slot_bar, (found.strong * TEMPLATES[found.chords]).sum(axis=1))
    np.add.at(strong[1], found.slot_bar, found.strong.sum(axis=1))
    return {
        "in_key": _share((profiles * _SCALES[found.keys]).sum(axis=1), profiles.sum(axis=1)),
        "key_strength": found.correlations[np.arange(found.count), found.keys],
        "chord_tones": _share(strong[0], strong[1]),
        "consonance": (profiles.sum(axis=1) > 0) - _share(sounds @ _ROUGHNESS, sounds.sum(axis=1)),
    }


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))
