"""Contests with cheats: human windows against music without any, in the key, tempo, meter and voice asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from motet.music.score import DRUMS, Score
from motet.training.reward_bench.contest import Contest, Entry, Vote
from motet.training.reward_bench.material import Piece

TASK: Final = "degenerate pieces"
WINDOWS: Final = 24
"""Windows that cheats are made for, at most: each cheat is rendered anew for each."""

_STEPS: Final = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_MIDDLE: Final = 60
_OCTAVE: Final = 12

Note = tuple[float, float, int]
"""Onset and length in quarters, and pitch."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What a cheat fills.

    Args:
        quarters: length.
        ladder: pitches of the scale, two octaves from the tonic up.
        rng: of random cheats.
    """

    quarters: int
    ladder: tuple[int, ...]
    rng: np.random.Generator

    def eighths(self, pitch: Callable[[int], int]) -> list[Note]:
        """A note on every eighth, of a pitch that depends on its place."""
        return [(place / 2, 0.5, pitch(place)) for place in range(2 * self.quarters)]

    def quarter_chords(self, pitches: Sequence[int]) -> list[Note]:
        """The same pitches on every quarter."""
        return [(float(beat), 1.0, pitch) for beat in range(self.quarters) for pitch in pitches]


CHEATS: Final[Mapping[str, Callable[[Frame], list[Note]]]] = {
    "silence": lambda frame: [],
    "held note": lambda frame: [(0.0, float(frame.quarters), frame.ladder[0])],
    "repeated note": lambda frame: frame.quarter_chords(frame.ladder[:1]),
    "two notes in turn": lambda frame: frame.eighths(lambda place: frame.ladder[4 * (place % 2)]),
    "octaves": lambda frame: frame.eighths(lambda place: frame.ladder[0] + _OCTAVE * (place % 3 - 1)),
    "repeated triad": lambda frame: frame.quarter_chords([frame.ladder[step] for step in (0, 2, 4)]),
    "looped scale": lambda frame: frame.eighths(lambda place: frame.ladder[place % 8]),
    "arpeggio": lambda frame: frame.eighths(lambda place: frame.ladder[(0, 2, 4, 2)[place % 4]]),
    "random notes of the scale": lambda frame: frame.eighths(lambda place: int(frame.rng.choice(frame.ladder))),
    "random notes": lambda frame: frame.eighths(lambda place: int(frame.rng.integers(48, 84))),
    "clusters": lambda frame: frame.quarter_chords([frame.ladder[0] + step for step in range(6)]),
}
"""Every cheat by name."""


def cheat(piece: Piece, name: str, seed: int) -> Score:
    """A cheat in the tempo and meter of a window, as long, in its key (else C major), by its most frequent player."""
    score = piece.score
    key = piece.known.key
    tonic, steps = (0, _STEPS["major"]) if key is None else (key.tonic, _STEPS[key.mode])
    ladder = tuple(_MIDDLE - _OCTAVE * (tonic > 6) + tonic + octave + step for octave in (0, _OCTAVE) for step in steps)
    frame = Frame(
        quarters=max(1, int(score.bar_ticks()[-1]) // score.ppq), ladder=ladder, rng=np.random.default_rng(seed)
    )
    notes = np.array(CHEATS[name](frame), np.float64).reshape(-1, 3)
    pitched = score.program[score.program != DRUMS]
    program = int(np.bincount(pitched).argmax()) if len(pitched) else 0
    return replace(
        score,
        onset=np.rint(notes[:, 0] * score.ppq).astype(np.int64),
        duration=np.maximum(np.rint(notes[:, 1] * score.ppq), 1).astype(np.int64),
        pitch=notes[:, 2].astype(np.int16),
        velocity=np.full(len(notes), 90, np.int16),
        program=np.full(len(notes), program, np.int16),
        track=np.zeros(len(notes), np.int16),
    )


def contests(music: Sequence[Piece], seed: int) -> list[Contest]:
    """The first ``WINDOWS`` windows, each against every cheat."""
    return [
        Contest(
            column="musicality",
            task=TASK,
            kind=name,
            song=piece.song,
            entries=(Entry(piece.score, piece.caption), Entry(cheat(piece, name, seed), piece.caption)),
            levels=(1.0, 0.0),
            votes=(Vote(0, 1, 1.0),),
        )
        for piece in music[:WINDOWS]
        for name in CHEATS
    ]
