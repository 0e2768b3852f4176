"""Small pieces made by rule: plain tonal music, and the degenerate things that a reward must see through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motet.music import midi
from motet.music.score import DRUMS, Score

PPQ = 480
DIATONIC = [pitch for pitch in range(48, 85) if pitch % 12 in (0, 2, 4, 5, 7, 9, 11)]

Note = tuple[float, float, int]
Maker = Callable[..., Score]


def score_of(notes: Sequence[Note], program: int = 0, track: int = 0) -> Score:
    """Notes as (onset, length, pitch), times in quarters."""
    rows = np.array(notes, float).reshape(-1, 3)
    count = len(rows)
    onset = np.rint(rows[:, 0] * PPQ).astype(int)
    duration = np.maximum(np.rint(rows[:, 1] * PPQ), 1).astype(int)
    return Score(
        ppq=PPQ,
        onset=onset.astype(np.int32),
        duration=duration.astype(np.int32),
        pitch=rows[:, 2].astype(np.int16),
        velocity=np.full(count, 90, np.int16),
        program=np.full(count, program, np.int16),
        track=np.full(count, track, np.int16),
    )


def together(*scores: Score) -> Score:
    """All notes of the scores at once, on tracks of their own."""
    return Score(
        ppq=PPQ,
        onset=np.concatenate([score.onset for score in scores]),
        duration=np.concatenate([score.duration for score in scores]),
        pitch=np.concatenate([score.pitch for score in scores]),
        velocity=np.concatenate([score.velocity for score in scores]),
        program=np.concatenate([score.program for score in scores]),
        track=np.concatenate([np.full(len(score), k, np.int16) for k, score in enumerate(scores)]),
    )


def song(bars: int = 8, seed: int = 0) -> Score:
    """A tonal piece: four chords, a bass, and a melody that mostly moves by step and takes up its motifs again."""
    rng = np.random.default_rng(seed)
    tonic = int(rng.integers(0, 12))
    roots = ([0, 9, 5, 7], [0, 5, 2, 7], [9, 5, 0, 7], [0, 7, 9, 5])[int(rng.integers(0, 4))]
    scale = [0, 2, 4, 5, 7, 9, 11]
    chords: list[Note] = []
    bass: list[Note] = []
    melody: list[Note] = []
    motifs = [[int(step) for step in rng.integers(-2, 3, 6)] for _ in range(2)]
    lengths = [[1, 0.5, 0.5, 1, 0.5, 0.5], [0.5, 0.5, 1, 1, 0.5, 0.5]]
    for bar in range(bars):
        root = roots[bar % 4] if bar % 8 != 7 else 0
        degree = scale.index(root)
        tones = [scale[(degree + step) % 7] for step in (0, 2, 4)]
        chords += [(bar * 4, 4, 60 + (tonic + tone) % 12) for tone in tones]
        bass += [(bar * 4, 2, 36 + (tonic + root) % 12), (bar * 4 + 2, 2, 36 + (tonic + tones[2]) % 12)]
        place, at = degree + 7 * 6, bar * 4.0
        motif = (bar // 2) % 2 if bar % 8 != 7 else 0  # another ending
        for step, length in zip(motifs[motif], lengths[motif], strict=True):
            octave, index = divmod(place, 7)
            melody.append((at, length, 12 * octave + scale[index] + tonic % 6))
            place, at = place + step, at + length
    shift = tonic % 6 - tonic
    chords = [
        (on, length, pitch + shift if pitch + shift >= 55 else pitch + shift + 12) for on, length, pitch in chords
    ]
    bass = [(on, length, pitch + shift if pitch + shift >= 30 else pitch + shift + 12) for on, length, pitch in bass]
    return together(score_of(melody, 73), score_of(chords, 0), score_of(bass, 33))


def drums(bars: int = 8) -> Score:
    """A plain rock beat."""
    return score_of([(beat / 2, 0.25, (36, 42, 38, 42)[beat % 4]) for beat in range(bars * 8)], DRUMS)


def windows() -> list[Score]:
    """Eight bars each of real music, see windows/README."""
    return [midi.read(path) for path in sorted((Path(__file__).parent / "windows").glob("*.mid"))]


def _diatonic(low: int, high: int) -> list[int]:
    return [pitch for pitch in range(low, high) if pitch % 12 in (0, 2, 4, 5, 7, 9, 11)]


def _drawn(pick: Callable[[np.random.Generator], Sequence[int] | NDArray[np.integer]], step: float = 0.5) -> Maker:
    """Even notes or chords, each drawn anew."""

    def make(bars: int, seed: int = 0) -> Score:
        rng = np.random.default_rng([bars, seed])
        places = np.arange(0, bars * 4, step)
        return score_of([(at, step, int(pitch)) for at in places for pitch in pick(rng)])

    return make


def _melody(bars: int, rng: np.random.Generator, pitches: Sequence[int], program: int = 0) -> Score:
    """Pitches drawn at random in a rhythm drawn at random."""
    notes, at = [], 0.0
    while at < bars * 4:
        length = min(float(rng.choice([0.25, 0.5, 0.5, 1, 1, 1.5, 2])), bars * 4 - at)
        notes.append((at, length, int(rng.choice(pitches))))
        at += length
    return score_of(notes, program)


def _free(bars: int, seed: int = 0) -> Score:
    return _melody(bars, np.random.default_rng([bars, seed]), DIATONIC)


def _three_voices(bars: int, seed: int = 0) -> Score:
    rng = np.random.default_rng([bars, seed])
    ranges = ((67, 86, 73), (55, 72, 0), (36, 55, 33))
    return together(*[_melody(bars, rng, _diatonic(low, high), program) for low, high, program in ranges])


def _walk(bars: int, seed: int = 0) -> Score:
    rng = np.random.default_rng([bars, seed])
    place = np.clip(10 + np.cumsum(rng.choice([-1, 1], bars * 8)), 0, len(DIATONIC) - 1)
    return score_of([(at / 2, 0.5, DIATONIC[each]) for at, each in enumerate(place)])


def _over_triad(bars: int, seed: int = 0) -> Score:
    melody = _melody(bars, np.random.default_rng([bars, seed]), _diatonic(60, 84), 73)
    return together(melody, score_of([(bar * 4, 4, pitch) for bar in range(bars) for pitch in (48, 52, 55)]))


def _sprinkled(bars: int, seed: int = 0) -> Score:
    rng = np.random.default_rng([bars, seed])
    return score_of(
        [(rng.uniform(0, bars * 4 - 1), rng.uniform(0.1, 2), int(rng.choice(DIATONIC))) for _ in range(bars * 10)]
    )


def _triads(rng: np.random.Generator) -> list[int]:
    place = int(rng.integers(0, 7))
    return [_diatonic(60, 86)[place + step] for step in (0, 2, 4)]


def _looped(bars: int, seed: int = 0) -> Score:
    one = song(1, seed)
    return replace(
        one,
        onset=np.concatenate([one.onset + 4 * PPQ * bar for bar in range(bars)]),
        duration=np.tile(one.duration, bars),
        pitch=np.tile(one.pitch, bars),
        velocity=np.tile(one.velocity, bars),
        program=np.tile(one.program, bars),
        track=np.tile(one.track, bars),
    )


def _thinned(bars: int, seed: int = 0) -> Score:
    """One note of each bar of a song."""
    rng, whole = np.random.default_rng([bars, seed]), song(bars, seed)
    bar = whole.onset // (4 * PPQ)
    kept = [int(rng.choice(np.flatnonzero(bar == each))) for each in range(bars)]
    return whole.select(np.isin(np.arange(len(whole)), kept))


def _off_key(semitones: int) -> Maker:
    """A song with its melody in another key."""

    def make(bars: int, seed: int = 0) -> Score:
        whole = song(bars, seed)
        return replace(whole, pitch=whole.pitch + np.where(whole.track == 0, semitones, 0))

    return make


def _shuffled(bars: int, seed: int = 0) -> Score:
    """A song with the pitches of each track in another order."""
    rng, whole = np.random.default_rng([bars, seed]), song(bars, seed)
    pitch = whole.pitch.copy()
    for track in range(3):
        notes = np.flatnonzero(whole.track == track)
        pitch[notes] = pitch[rng.permutation(notes)]
    return replace(whole, pitch=pitch)


def _smeared(bars: int, seed: int = 0) -> Score:
    """A song with two semitones above each note."""
    whole = song(bars, seed)
    return together(whole, *[replace(whole, pitch=whole.pitch + up) for up in (1, 2)])


def _first_bar_only(bars: int, seed: int = 0) -> Score:
    return together(song(1, seed), score_of([(bars * 4 - 1, 1, 60)]))


def _cycle(cell: Sequence[int], step: float = 0.5) -> Maker:
    """A cell of even notes over and over."""
    return lambda bars, seed=0: score_of(
        [(at, step, cell[place % len(cell)]) for place, at in enumerate(np.arange(0, bars * 4, step))]
    )


def _up_and_down(pitches: Sequence[int]) -> list[int]:
    return [*pitches, *pitches[-2:0:-1]]


def _held(melody: Maker, pitches: Sequence[int]) -> Maker:
    """A melody over notes held for a bar."""
    return lambda bars, seed=0: together(
        melody(bars, seed), score_of([(bar * 4, 4, pitch) for bar in range(bars) for pitch in pitches], 48)
    )


# Each takes bars and a seed. The first dozen are those of which published rewards think well.
DEGENERATE: dict[str, Maker] = {
    "silence": lambda bars, seed=0: Score.empty(),
    "single note": lambda bars, seed=0: score_of([(0, 4, 60), (bars * 4 - 4, 4, 60)]),
    "repeated note": _cycle([60], 1),
    "two-note alternation": _cycle([60, 67]),
    "one pitch class in octaves": _cycle([36, 48, 60, 72], 1),
    "triad repeated": lambda bars, seed=0: score_of(
        [(at, 1, pitch) for at in range(bars * 4) for pitch in (60, 64, 67)]
    ),
    "looped scale": _cycle([60, 62, 64, 65, 67, 69, 71, 72]),
    "repeated clusters": lambda bars, seed=0: score_of([(at, 1, 60 + k) for at in range(bars * 4) for k in range(6)]),
    "moving clusters": _drawn(lambda rng: rng.integers(48, 72) + np.arange(6)),
    "random diatonic": _drawn(lambda rng: rng.choice(DIATONIC, 1)),
    "random chromatic": _drawn(lambda rng: rng.integers(48, 85, 1)),
    "random chromatic chords": _drawn(lambda rng: rng.choice(np.arange(48, 85), 3, replace=False)),
    "random pentatonic": _drawn(lambda rng: rng.choice([p for p in range(48, 85) if p % 12 in (0, 2, 4, 7, 9)], 1)),
    "random whole tones": _drawn(lambda rng: rng.choice(np.arange(48, 85, 2), 1)),
    "random diatonic walk": _walk,
    "random diatonic in free rhythm": _free,
    "random diatonic in three voices": _three_voices,
    "random diatonic in three voices, in step": _drawn(
        lambda rng: [int(rng.choice(_diatonic(low, low + 17))) for low in (36, 52, 67)]
    ),
    "random diatonic chords": _drawn(lambda rng: rng.choice(_diatonic(48, 80), 4, replace=False), 1),
    "random diatonic triads": _drawn(_triads, 1),
    "dense random diatonic": _drawn(lambda rng: rng.choice(DIATONIC, 10, replace=False)),
    "random melody over a triad": _over_triad,
    "sprinkled notes": _sprinkled,
    "chromatic scale": _cycle(_up_and_down(range(48, 73))),
    "scale over a pedal": _held(_cycle(_up_and_down(_diatonic(60, 85))), [48]),
    "arpeggio of one triad": _cycle(_up_and_down([48, 52, 55, 60, 64, 67, 72, 76, 79])),
    "Alberti bass of one triad": _cycle([48, 55, 52, 55]),
    "trill over a triad": _held(_cycle([72, 74], 0.25), [48, 52, 55]),
    "held triad": lambda bars, seed=0: score_of([(0, bars * 4, pitch) for pitch in (48, 52, 55)]),
    "tonic and dominant": _cycle([60, 67], 2),
    "two chords alternating": lambda bars, seed=0: score_of(
        [(at, 1, pitch) for at in range(bars * 4) for pitch in ((60, 64, 67), (59, 62, 67))[at % 2]]
    ),
    "one bar of a song looped": _looped,
    "one bar of a song, then silence": _first_bar_only,
    "one note a bar of a song": _thinned,
    "song, melody a tritone off": _off_key(6),
    "song, melody a semitone off": _off_key(1),
    "song, pitches shuffled": _shuffled,
    "song, notes smeared": _smeared,
}


def attempts(name: str, bars: int, count: int = 5) -> Iterator[Score]:
    """A degenerate piece again and again, where chance has a part in it; once where not."""
    first = DEGENERATE[name](bars, 0)
    yield first
    second = DEGENERATE[name](bars, 1)
    if not np.array_equal(first.pitch, second.pitch) or not np.array_equal(first.onset, second.onset):
        yield second
        yield from (DEGENERATE[name](bars, seed) for seed in range(2, count))
