"""Contests of listeners: human music, the model's, and music that is damaged or out of place, for the same caption."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.music.attributes import Attributes
from motet.music.describe import describe
from motet.music.score import Score
from motet.music.tempo import TEMPO_WORDS
from motet.training.control import MEASURES
from motet.training.realism import trait
from motet.training.realism.excerpt import Excerpt
from motet.training.reward_bench.contest import Column, Contest, Entry
from motet.training.reward_bench.listener import LISTENERS, Listener, standardised
from motet.training.reward_bench.material import Piece, others

TASK: Final = "simulated listeners"

_FORM: Final = (
    "bars with a known rhythm",
    "bars heard before",
    "likeness 1 bar on",
    "likeness 2 bars on",
    "likeness 4 bars on",
    "groove consistency",
)
_NOTES: Final = (
    "mean pitch",
    "pitch range",
    "mean interval",
    "repeated notes",
    "notes a bar",
    "empty bars",
    "onsets on the beat",
    "onsets between eighths",
    "mean duration",
    "spread of durations",
    "mean polyphony",
    "greatest polyphony",
    "mean velocity",
    "spread of velocities",
)
"""Traits that the reward "harmony" does not look at, or looks at otherwise: not those of ``motet.rewards.measures``."""

_OUTLYING: Final = 4.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A piece that listeners hear for a caption.

    Args:
        place: of the caption, in the sequence of pieces.
        score: what sounds.
        bars: its length.
        known: what is true of it; for a sample its genres and moods are those it was asked for.
        facts: "human" and "intact", 0 to 1.
    """

    place: int
    score: Score
    bars: int
    known: Attributes
    facts: Mapping[str, float] = field(default_factory=dict)


def for_alignment(music: Sequence[Piece], samples: Sequence[Sequence[Score]], seed: int) -> list[Candidate]:
    """For each caption: its own window, its samples, and the window and first sample of another caption."""
    found = []
    for place, stranger in enumerate(others(len(music), seed)):
        for source in (place, stranger):
            piece, drawn = music[source], samples[source]
            found.append(Candidate(place=place, score=piece.score, bars=piece.bars, known=piece.known))
            for score in drawn if source == place else drawn[:1]:
                sounding = describe(score)
                known = Attributes(
                    **{name: getattr(sounding, name) for name in _HEARD},
                    genres=piece.stated.genres,
                    moods=piece.stated.moods,
                )
                found.append(Candidate(place=place, score=score, bars=piece.bars, known=known))
    return found


_HEARD: Final = ("tempo_bpm", "tempo_word", "key", "meter", "instruments", "drums")


def for_musicality(
    music: Sequence[Piece], samples: Sequence[Sequence[Score]], damaged: Sequence[Sequence[tuple[float, Score]]]
) -> list[Candidate]:
    """For each caption: its own window, damaged copies of it by their severity in 0..1, and its samples."""
    found = []
    for place, piece in enumerate(music):
        human = [(0.0, piece.score), *damaged[place]]
        for score, facts in (
            *((score, {"human": 1.0, "intact": 1 - severity}) for severity, score in human),
            *((score, {"human": 0.0, "intact": 1.0}) for score in samples[place]),
        ):
            found.append(Candidate(place=place, score=score, bars=piece.bars, known=piece.known, facts=facts))
    return found


def alignment_features(music: Sequence[Piece], candidates: Sequence[Candidate]) -> dict[str, NDArray[np.float64]]:
    """How far each candidate is what the words of its caption state: feature -> [N], NaN where they state nothing.

    From the labels of the corpus and the measures of ``motet eval control``, not from the formulas of the rewards.
    """
    asked = [music[one.place].stated for one in candidates]
    return {
        name: np.array([measure(words, one.known) for words, one in zip(asked, candidates, strict=True)], np.float64)
        for name, measure in _FEATURES.items()
    }


def _tempo(asked: Attributes, known: Attributes) -> float | None:
    """1, less a tenth for each twentieth of an octave to the nearest tempo that was asked for."""
    if asked.tempo_bpm is not None:
        low, high = asked.tempo_bpm, asked.tempo_bpm
    elif asked.tempo_word is not None:
        low, high = TEMPO_WORDS[asked.tempo_word]
    else:
        return None
    if known.tempo_bpm is None:
        return 1.0 if asked.tempo_word == known.tempo_word else 0.0
    return 1 - min(1.0, 2 * abs(float(np.log2(known.tempo_bpm / np.clip(known.tempo_bpm, low, high)))))


def _key(asked: Attributes, known: Attributes) -> float | None:
    values = [MEASURES[name](asked, known) for name in ("key (CK)", "key or relative (CKD)")]
    return None if None in values else float(np.mean([value for value in values if value is not None]))


def _recall(name: str) -> Callable[[Attributes, Attributes], float | None]:
    def measure(asked: Attributes, known: Attributes) -> float | None:
        words = set(getattr(asked, name))
        return len(words & set(getattr(known, name))) / len(words) if words else None

    return measure


_FEATURES: Final[Mapping[str, Callable[[Attributes, Attributes], float | None]]] = {
    "tempo": _tempo,
    "key": _key,
    "meter": MEASURES["time signature"],
    "instruments": MEASURES["instruments, F1"],
    "families": MEASURES["instrument families, F1"],
    "drums": MEASURES["drums on/off"],
    "genres": _recall("genres"),
    "moods": _recall("moods"),
}


def musicality_features(candidates: Sequence[Candidate], human: Sequence[Piece]) -> dict[str, NDArray[np.float64]]:
    """How whole, human and ordinary each candidate is: feature -> [N].

    "ordinary notes" and "ordinary form" are how near traits of the notes, and of what is heard again, come to the
    medians of ``human``: the mean distance in half interquartile ranges, at most 4 for each trait, with its sign
    turned.
    """
    theirs = trait.vectors([Excerpt(one.score, one.bars) for one in human])
    ours = trait.vectors([Excerpt(one.score, one.bars) for one in candidates])
    found = {name: np.array([one.facts[name] for one in candidates], np.float64) for name in ("human", "intact")}
    places = {name: place for place, name in enumerate(trait.TRAITS)}
    for feature, names in (("ordinary notes", _NOTES), ("ordinary form", _FORM)):
        columns = [places[name] for name in names if not np.isnan(theirs[:, places[name]]).all()]
        low, middle, high = np.nanquantile(theirs[:, columns], (0.25, 0.5, 0.75), axis=0)
        spread = np.maximum((high - low) / 2, 1e-3)
        distance = np.minimum(np.abs(ours[:, columns] - middle) / spread, _OUTLYING)
        found[feature] = -np.ma.masked_invalid(distance).mean(axis=1).filled(_OUTLYING)
    return found


def contests(
    column: Column,
    music: Sequence[Piece],
    candidates: Sequence[Candidate],
    features: Mapping[str, NDArray[np.float64]],
    seed: int,
    *,
    listeners: Sequence[Listener] = LISTENERS,
    pairs: int = 3,
) -> list[Contest]:
    """What each listener of a column answers about ``pairs`` pairs of each caption; levels are their likings."""
    length = standardised(np.array([len(one.score) for one in candidates], np.float64))
    found = []
    for turn, listener in enumerate(one for one in listeners if one.column == column):
        liking = listener.liking(features)
        rng = np.random.default_rng([seed, turn])
        for place, piece in enumerate(music):
            rows = [row for row, one in enumerate(candidates) if one.place == place]
            every = list(combinations(range(len(rows)), 2))
            asked = [every[one] for one in rng.permutation(len(every))[:pairs]]
            votes = listener.ask(liking[rows], length[rows], asked, rng)
            found.append(
                Contest(
                    column=column,
                    task=TASK,
                    kind=listener.name,
                    song=piece.song,
                    entries=tuple(Entry(candidates[row].score, piece.caption) for row in rows),
                    levels=tuple(float(liking[row]) for row in rows),
                    votes=tuple(votes),
                )
            )
    return found
