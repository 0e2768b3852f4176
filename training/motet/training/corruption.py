"""Corruptions: ways in which music can be spoiled a little or a lot, and stay a valid score of the same length.

Each takes a severity from 0 (nothing happens) to 1. With one seed, what a lower severity spoils a higher one spoils
too. Velocities, tempi and meters stay; times stay on the tokenizer's grid, pitches in its range.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.model.tokenizer import HIGHEST_PITCH, LOWEST_PITCH, STEPS_PER_QUARTER
from motet.music import key
from motet.music.error import InvalidInputError
from motet.music.score import DRUMS, Score

_MAJOR: Final = (0, 2, 4, 5, 7, 9, 11)
_MINOR: Final = (0, 2, 3, 5, 7, 8, 10)
_WRONG_INTERVALS: Final = (-6, -3, -1, 1, 2, 6)
_ODD_STEPS: Final = (2, 4, 5, 7, 8, 10, 11)  # twelfths of a quarter that are no eighth and no sixteenth
_OCTAVE: Final = 12
_FEWEST: Final = 2


@dataclass(frozen=True, eq=False)
class _Work:
    """A score on its way: its bars, a generator, and music of another piece."""

    score: Score
    severity: float
    rng: np.random.Generator
    other: Score | None

    @property
    def edges(self) -> NDArray[np.int64]:
        return self.score.bar_ticks()

    @property
    def bars(self) -> int:
        return len(self.edges) - 1

    @property
    def bar(self) -> NDArray[np.int64]:
        """The bar of each note: [N]."""
        return np.searchsorted(self.edges, self.score.onset, side="right") - 1

    @property
    def pitched(self) -> NDArray[np.bool_]:
        return np.asarray(self.score.program != DRUMS)

    @property
    def step(self) -> int:
        """Ticks of the grid."""
        return max(1, self.score.ppq // STEPS_PER_QUARTER)

    def notes(self, share: float) -> NDArray[np.bool_]:
        """Each note with p = ``share`` times the severity: [N]."""
        return self.rng.random(len(self.score)) < share * self.severity

    def some_bars(self, least: int = 1) -> NDArray[np.intp]:
        """The severity's share of the bars, and not fewer than ``least``, in random order."""
        order = self.rng.permutation(self.bars)
        return order[: max(least, round(self.severity * self.bars))]

    def stretch(self) -> NDArray[np.bool_]:
        """Which notes are in a run of bars, from a random one on and round, as long as the severity says: [N]."""
        first = int(self.rng.integers(self.bars))
        return np.asarray((self.bar - first) % self.bars < max(1, round(self.severity * self.bars)))

    def voice(self) -> NDArray[np.bool_]:
        """The notes of one pitched track, or of a lone one the upper half: [N]."""
        tracks = np.unique(self.score.track[self.pitched])
        chosen = self.rng.choice(tracks)
        if len(tracks) > 1:
            return np.asarray(self.score.track == chosen)
        return self.pitched & (self.score.pitch > np.median(self.score.pitch[self.pitched]))


_Spoil = Callable[[_Work], Score]


def corrupt(score: Score, kind: str, severity: float, rng: np.random.Generator, *, other: Score | None = None) -> Score:
    """The score spoiled in one way; the score itself at severity 0, or where there is nothing to spoil in this way.

    Args:
        score: at least two bars and a few notes, or little happens.
        kind: of ``CORRUPTIONS``.
        severity: 0 to 1.
        rng: the only source of chance.
        other: another piece; "spliced bars" takes its bars from there, and does nothing without.

    Raises InvalidInputError for an unknown kind and a severity outside its range.
    """
    if kind not in CORRUPTIONS:
        raise InvalidInputError.of("corruption.kind", f"must be one of {', '.join(CORRUPTIONS)}", kind)
    if not 0 <= severity <= 1:
        raise InvalidInputError.of("corruption.severity", "must be from 0 to 1", severity)
    work = _Work(score, severity, rng, other)
    needed = work.pitched if kind not in DRUMS_TOO else np.ones(len(score), np.bool_)
    if severity == 0 or needed.sum() < _FEWEST:
        return score
    return settled(CORRUPTIONS[kind](work), int(work.edges[-1]))


def change(score: Score, other: Score) -> float:
    """How much of two scores differs, 0 to 1: one less the share of notes that both have, by time, length and pitch."""
    mine, theirs = (
        Counter(zip(one.onset.tolist(), one.duration.tolist(), one.pitch.tolist(), one.program.tolist(), strict=True))
        for one in (score, other)
    )
    most = max(mine.total(), theirs.total())
    return 1 - (mine & theirs).total() / most if most else 0.0


def settled(score: Score, end: int) -> Score:
    """The score without what no player can do: no note twice at once, none over the same one, none past the end.

    What is spoiled and what it is compared with should both go through here, so that only the music tells them apart.

    Args:
        score: any.
        end: tick; notes that begin there or later are left out, others end there at the latest.
    """
    score = score.select(score.onset < end)
    key_of = score.track.astype(np.int64) * 128 + score.pitch
    order = np.lexsort((-score.duration, score.onset, key_of))  # of equal notes, the longest first
    key_of, onset = key_of[order], score.onset[order]
    new = np.ones(len(score), np.bool_)
    new[1:] = (key_of[1:] != key_of[:-1]) | (onset[1:] != onset[:-1])
    order, key_of, onset = order[new], key_of[new], onset[new]
    limit = np.full(len(order), end, np.int64)
    again = key_of[1:] == key_of[:-1]
    limit[:-1][again] = onset[1:][again]
    duration = score.duration.copy()
    duration[order] = np.minimum(duration[order], limit - onset)
    keep = np.zeros(len(score), np.bool_)
    keep[order] = True
    return replace(score, duration=duration).select(keep)


def _moved(work: _Work, semitones: NDArray[np.int64]) -> Score:
    """Pitches moved; what would leave the range is moved the other way, and stays where that leaves it too."""
    pitch = work.score.pitch.astype(np.int64)
    moved = pitch
    for target in (pitch - semitones, pitch + semitones):
        moved = np.where((target >= LOWEST_PITCH) & (target <= HIGHEST_PITCH), target, moved)
    return replace(work.score, pitch=np.where(work.pitched, moved, pitch))


def _wrong_notes(work: _Work) -> Score:
    sign = work.rng.choice((-1, 1), len(work.score))
    return _moved(work, np.where(work.notes(0.4), sign, 0))


def _octave_leaps(work: _Work) -> Score:
    jump = work.rng.choice((-2, -1, 1, 2), len(work.score)) * _OCTAVE
    return _moved(work, np.where(work.notes(0.5), jump, 0))


def _transposed_voice(work: _Work) -> Score:
    interval = int(work.rng.choice(_WRONG_INTERVALS))
    return _moved(work, np.where(work.voice() & work.stretch(), interval, 0))


def _wandering_key(work: _Work) -> Score:
    chosen = work.some_bars()
    moves = np.zeros(work.bars, np.int64)
    moves[chosen] = work.rng.choice((-5, -4, -3, -2, -1, 1, 2, 3, 4, 6), work.bars)[: len(chosen)]
    return _moved(work, moves[work.bar])


def _diatonic_noise(work: _Work) -> Score:
    """Notes become others of the key, up to an octave away."""
    score, found = work.score, key.find(work.score)
    if found is None:
        return score
    scale = {(found.tonic + step) % _OCTAVE for step in (_MAJOR if found.mode == "major" else _MINOR)}
    ladder = np.array([pitch for pitch in range(LOWEST_PITCH, HIGHEST_PITCH + 1) if pitch % _OCTAVE in scale])
    rung = np.searchsorted(ladder, score.pitch) + work.rng.integers(-7, 8, len(score))
    pitch = ladder[np.clip(rung, 0, len(ladder) - 1)]
    return replace(score, pitch=np.where(work.notes(0.9) & work.pitched, pitch, score.pitch))


def _stuck_pitch(work: _Work) -> Score:
    """Each player forgets all but his commonest pitch."""
    score = work.score
    pitch = score.pitch.copy()
    hit = work.notes(0.9) & work.pitched
    for track in np.unique(score.track[work.pitched]):
        of_track = score.track == track
        pitch[hit & of_track] = np.bincount(score.pitch[of_track & work.pitched]).argmax()
    return replace(score, pitch=pitch)


def _dealt(work: _Work, column: NDArray[np.int64], hit: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Values of a column dealt out anew among the chosen notes of each track."""
    order = work.rng.random(len(column))
    dealt = column.copy()
    for track in np.unique(work.score.track):
        chosen = np.flatnonzero(hit & (work.score.track == track))
        dealt[chosen] = column[chosen[np.argsort(order[chosen])]]
    return dealt


def _shuffled_pitches(work: _Work) -> Score:
    pitch = _dealt(work, work.score.pitch.astype(np.int64), work.notes(1.0) & work.pitched)
    return replace(work.score, pitch=pitch.astype(np.int16))


def _scrambled_lengths(work: _Work) -> Score:
    return replace(work.score, duration=_dealt(work, work.score.duration, work.notes(1.0) & work.pitched))


def _held_notes(work: _Work) -> Score:
    """Notes ring on into those that follow."""
    longer = work.score.duration * work.rng.integers(3, 9, len(work.score))
    return replace(work.score, duration=np.where(work.notes(0.7) & work.pitched, longer, work.score.duration))


def _jittered_onsets(work: _Work) -> Score:
    score = work.score
    shift = work.rng.choice((-3, -2, -1, 1, 2, 3), len(score)) * work.step
    late = score.onset + np.where(work.notes(0.6), np.where(score.onset + shift < 0, -shift, shift), 0)
    return replace(score, onset=late)


def _late_voice(work: _Work) -> Score:
    delay = int(work.rng.choice(_ODD_STEPS)) * work.step
    return replace(work.score, onset=work.score.onset + delay * (work.voice() & work.stretch()))


def _by_bars(work: _Work, source: NDArray[np.intp]) -> Score:
    """Bar ``k`` of the result holds the notes of bar ``source[k]`` that fit into it."""
    score, edges, bar = work.score, work.edges, work.bar
    picked = [np.flatnonzero(bar == one) for one in source]
    index = np.concatenate([np.zeros(0, np.intp), *picked])
    target = np.repeat(np.arange(work.bars), [len(one) for one in picked])
    place = score.onset[index] - edges[bar[index]]
    fits = place < np.diff(edges)[target]
    index, target, place = index[fits], target[fits], place[fits]
    return replace(
        score,
        onset=edges[target] + place,
        duration=score.duration[index],
        pitch=score.pitch[index],
        velocity=score.velocity[index],
        program=score.program[index],
        track=score.track[index],
    )


def _shuffled_bars(work: _Work) -> Score:
    chosen = work.some_bars(least=2)
    source = np.arange(work.bars)
    source[chosen] = np.roll(chosen, 1)  # a cycle in random order: none stays
    return _by_bars(work, source)


def _looped_bar(work: _Work) -> Score:
    source = np.arange(work.bars)
    source[work.some_bars()] = work.rng.choice(np.unique(work.bar))
    return _by_bars(work, source)


def _reversed_bars(work: _Work) -> Score:
    """Bars are played backwards."""
    edges, bar, score = work.edges, work.bar, work.score
    hit = np.isin(bar, work.some_bars())
    end = np.minimum(score.onset + score.duration, edges[bar + 1])
    back = edges[bar] + edges[bar + 1] - end
    back -= (back - edges[bar]) % work.step
    return replace(score, onset=np.where(hit, back, score.onset))


def _spliced_bars(work: _Work) -> Score:
    """Bars of another piece, played by the same players: those of the other by their rank in pitch."""
    score, other = work.score, work.other
    if other is None or not np.any(other.program != DRUMS):
        return score
    donor = _Work(other, 1.0, work.rng, None)
    chosen = work.some_bars()
    taken = work.rng.permutation(np.arange(max(work.bars, donor.bars)) % donor.bars)
    mine, theirs = (_by_register(one) for one in (work, donor))
    parts = [score.select(~np.isin(work.bar, chosen))]
    for target, source in zip(chosen, taken, strict=False):
        length = int(work.edges[target + 1] - work.edges[target])
        bar = other.select(donor.bar == source)
        place = (bar.onset - donor.edges[source]) * score.ppq // other.ppq
        place -= place % work.step
        track = np.array([_counterpart(int(one), mine, theirs) for one in bar.track], np.int64)
        kept = (place < length) & (track >= 0)
        parts.append(
            replace(
                score,
                onset=work.edges[target] + place[kept],
                duration=np.maximum(bar.duration[kept] * score.ppq // other.ppq, work.step),
                pitch=np.clip(bar.pitch[kept], LOWEST_PITCH, HIGHEST_PITCH),
                velocity=bar.velocity[kept],
                program=np.array([mine[1].get(int(one), 0) for one in track[kept]], np.int16),
                track=track[kept],
            )
        )
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.plus(part)
    return whole


def _by_register(work: _Work) -> tuple[list[int], dict[int, int]]:
    """The pitched tracks from the highest down, and the program of every track."""
    score = work.score
    programs = dict(zip(score.track.tolist(), score.program.tolist(), strict=True))
    pitched = [track for track, program in programs.items() if program != DRUMS]
    return sorted(pitched, key=lambda track: (-float(score.pitch[score.track == track].mean()), track)), programs


def _counterpart(track: int, mine: tuple[list[int], dict[int, int]], theirs: tuple[list[int], dict[int, int]]) -> int:
    if theirs[1][track] == DRUMS:
        return next((one for one, program in mine[1].items() if program == DRUMS), -1)
    return mine[0][theirs[0].index(track) * len(mine[0]) // len(theirs[0])] if mine[0] else -1


def _dropped_notes(work: _Work) -> Score:
    drop = work.notes(0.7)
    drop[int(work.rng.integers(len(drop)))] = False  # something is left
    return work.score.select(~drop)


def _clusters(work: _Work) -> Score:
    """Notes are struck together with their neighbours."""
    beside = work.rng.choice((-2, -1, 1, 2), len(work.score))
    struck = _moved(work, beside).select(work.notes(0.5) & work.pitched)
    return work.score.plus(struck)


def _random_notes(work: _Work) -> Score:
    """Notes of any pitch in the range of a track, anywhere."""
    score = work.score
    model = score.select(work.pitched)
    pick = work.rng.integers(len(model), size=len(model))
    low, high = (
        np.array([edge(model.pitch[model.track == track]) for track in model.track[pick]]) for edge in (np.min, np.max)
    )
    extra = replace(
        model,
        onset=work.rng.integers(0, max(1, int(work.edges[-1]) // work.step), len(pick)) * work.step,
        duration=model.duration[pick],
        pitch=np.clip(low - 2 + work.rng.integers(0, high - low + 5), LOWEST_PITCH, HIGHEST_PITCH),
        velocity=model.velocity[pick],
        program=model.program[pick],
        track=model.track[pick],
    )
    return score.plus(extra.select(work.rng.permutation(len(pick)) < 0.6 * work.severity * len(pick)))


def _traded_parts(work: _Work) -> Score:
    """Notes change players, pitch and time kept."""
    score = work.score
    pitched = np.flatnonzero(work.pitched)
    tracks, first = np.unique(score.track[pitched], return_index=True)
    if len(tracks) < _FEWEST:
        return score
    programs = score.program[pitched][first]
    pick = work.rng.integers(len(tracks), size=len(score))
    hit = work.notes(0.8) & work.pitched
    return replace(
        score,
        track=np.where(hit, tracks[pick], score.track),
        program=np.where(hit, programs[pick], score.program),
    )


CORRUPTIONS: Final[dict[str, _Spoil]] = {
    "wrong notes": _wrong_notes,
    "transposed voice": _transposed_voice,
    "shuffled pitches": _shuffled_pitches,
    "diatonic noise": _diatonic_noise,
    "octave leaps": _octave_leaps,
    "wandering key": _wandering_key,
    "stuck pitch": _stuck_pitch,
    "clusters": _clusters,
    "random notes": _random_notes,
    "dropped notes": _dropped_notes,
    "jittered onsets": _jittered_onsets,
    "late voice": _late_voice,
    "scrambled lengths": _scrambled_lengths,
    "held notes": _held_notes,
    "shuffled bars": _shuffled_bars,
    "spliced bars": _spliced_bars,
    "looped bar": _looped_bar,
    "reversed bars": _reversed_bars,
    "traded parts": _traded_parts,
}
"""Every corruption by name; apply one with ``corrupt``."""

DRUMS_TOO: Final = frozenset(
    ["dropped notes", "jittered onsets", "shuffled bars", "looped bar", "reversed bars", "spliced bars"]
)
"""Corruptions that spoil the drums as well."""
