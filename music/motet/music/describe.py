"""Describing a score: its attributes, and a sentence that says them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from motet.music import density, genre, instrument, key, mood, tempo
from motet.music.attributes import Attributes
from motet.music.length import MAX_BARS
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score


def describe(score: Score) -> Attributes:
    """The attributes of a score; those that need notes are left open when it has none.

    - tempo_bpm: median of the tempo map, weighted by seconds, held to 10 to 400; tempo_word: the plain word for it.
    - meter: the one in force for most quarter notes.
    - key: ``motet.music.key.find``.
    - instruments: programs by the sum of the seconds of their notes, longest first.
    - drums: whether any note is on the percussion channel.
    - density: the narrowest word for ``motet.music.density.onsets_per_second``.
    - moods: every mood of ``motet.music.mood.MOODS`` whose evidence (mode, tempo, density, register) the score gives.
    - bars: up to the end of the last note; left open beyond 1024.
    - duration_s: seconds to the end of the last note.
    - genres: always empty; notes alone do not tell.
    """
    if not len(score):
        return Attributes()
    bpm = float(min(max(median_bpm(score), tempo.MIN_BPM), tempo.MAX_BPM))
    found_key = key.find(score)
    bars = _bars(score)
    return Attributes(
        tempo_bpm=round(bpm, 2),
        tempo_word=tempo.word_of(bpm),
        key=found_key,
        meter=dominant_meter(score),
        instruments=_programs(score),
        drums=bool(np.any(score.program == DRUMS)),
        density=density.word_of(density.onsets_per_second(score)),
        moods=mood.infer(
            mode=None if found_key is None else found_key.mode,
            bpm=bpm,
            density=onset_density(score),
            pitch=_mean_pitch(score),
        ),
        bars=bars if bars <= MAX_BARS else None,
        duration_s=round(score.duration_s, 3),
    )


def onset_density(score: Score) -> float:
    """Distinct note onsets a second, from the first onset to the end of the last note; 0 for an empty score."""
    if not len(score):
        return 0.0
    ends = score.seconds(np.array([score.onset[0], score.end_tick]))
    span = float(ends[1] - ends[0])
    return len(np.unique(score.onset)) / span if span > 0 else 0.0


def sentence(attributes: Attributes) -> str:
    """One English sentence that says the attributes; ``caption.parse_attributes`` reads the same ones back.

    Except what it cannot tell apart: parsing adds the meter that a dance implies.
    """
    genres = _listed([genre.SPOKEN_NAMES[name] for name in attributes.genres])
    character = ", ".join(attributes.moods)
    head = " ".join(part for part in (character, genres, "piece") if part)
    parts = [f"{'An' if head[0] in 'aeiou' else 'A'} {head}"]
    if attributes.key is not None:
        parts.append(f"in {attributes.key}")
    players = [instrument.SPOKEN_NAMES[program] for program in attributes.instruments]
    if attributes.drums:
        players.append("drums")
    if players:
        parts.append(f"for {_listed(players)}")
    if attributes.drums is False:
        parts.append("without drums")
    text = " ".join(parts)
    if attributes.meter is not None:
        text += f", in {attributes.meter} time"
    word = attributes.tempo_word
    if word is not None:
        article = "an" if word[0] in "aeiou" else "a"
        text += f", at {article} {word} tempo"
        if attributes.tempo_bpm is not None:
            text += f" of {attributes.tempo_bpm:.6g} BPM"
    elif attributes.tempo_bpm is not None:
        text += f", at {attributes.tempo_bpm:.6g} BPM"
    if attributes.density is not None:
        text += f", of {attributes.density} {'density' if attributes.density == 'moderate' else 'texture'}"
    if attributes.bars is not None:
        text += f", {attributes.bars} bar{'s' if attributes.bars > 1 else ''} long"
    if attributes.duration_s is not None:
        text += f", lasting {attributes.duration_s:.10g} seconds"
    return text + "."


def record(attributes: Attributes) -> dict[str, object]:
    """The attributes as plain values for JSON: keys and meters as text, instruments as General MIDI names."""
    return {
        "tempo_bpm": attributes.tempo_bpm,
        "tempo_word": attributes.tempo_word,
        "key": None if attributes.key is None else str(attributes.key),
        "meter": None if attributes.meter is None else str(attributes.meter),
        "instruments": [instrument.PROGRAM_NAMES[program] for program in attributes.instruments],
        "programs": list(attributes.instruments),
        "drums": attributes.drums,
        "density": attributes.density,
        "genres": list(attributes.genres),
        "moods": list(attributes.moods),
        "bars": attributes.bars,
        "duration_s": attributes.duration_s,
    }


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _segments(changes: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    """Ticks for which each entry of a change list holds, up to ``end``."""
    return np.diff(np.append(np.minimum(changes, end), end))


def median_bpm(score: Score) -> float:
    """The tempo of most of a score, in quarter notes a minute: the median of its tempo map, weighted by seconds."""
    seconds = _segments(score.tempo_tick, score.end_tick) / score.tempo_bpm
    order = np.argsort(score.tempo_bpm, kind="stable")
    reached = np.cumsum(seconds[order])
    return float(score.tempo_bpm[order][int(np.searchsorted(reached, reached[-1] / 2))])


def dominant_meter(score: Score) -> Meter:
    """The meter in force for most quarter notes of a score."""
    totals: dict[Meter, int] = {}
    for meter, ticks in zip(score.meters, _segments(score.meter_tick, score.end_tick).tolist(), strict=True):
        totals[meter] = totals.get(meter, 0) + ticks
    return max(totals, key=lambda meter: totals[meter])


def _programs(score: Score) -> tuple[int, ...]:
    seconds = score.seconds(score.onset + score.duration) - score.seconds(score.onset)
    pitched = score.program != DRUMS
    totals = np.bincount(score.program[pitched], weights=seconds[pitched], minlength=128)
    used = np.flatnonzero(np.bincount(score.program[pitched], minlength=128))
    return tuple(sorted((int(program) for program in used), key=lambda program: (-totals[program], program)))


def _mean_pitch(score: Score) -> float:
    """Mean MIDI pitch of the pitched notes weighted by ticks; 60 when there are none."""
    pitched = score.program != DRUMS
    if not np.any(pitched):
        return 60.0
    return float(np.average(score.pitch[pitched], weights=score.duration[pitched]))


def _bars(score: Score) -> int:
    return len(score.bar_ticks()) - 1
