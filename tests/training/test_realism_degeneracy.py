from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motet.music.score import DRUMS, Score
from motet.training.realism.degeneracy import RULES, found
from motet.training.realism.excerpt import Excerpt

Note = tuple[float, int]  # quarters from the start, pitch


def excerpt(notes: list[Note], bars: int = 4, length: float = 0.5) -> Excerpt:
    size = len(notes)
    return Excerpt(
        Score(
            ppq=24,
            onset=np.array([round(24 * start) for start, _ in notes], np.int64),
            duration=np.full(size, round(24 * length)),
            pitch=np.array([pitch for _, pitch in notes], np.int16),
            velocity=np.full(size, 80, np.int16),
            program=np.zeros(size, np.int16),
            track=np.zeros(size, np.int16),
        ),
        bars,
    )


NORMAL: list[Note] = [(place / 2, 60 + (place * place * 5 + place) % 13) for place in range(32)]

BROKEN: dict[str, Excerpt] = {
    "fewer than": excerpt(NORMAL[::5]),
    "one pitch": excerpt([(start, 60 if place % 3 else pitch) for place, (start, pitch) in enumerate(NORMAL)]),
    "one chord": excerpt(
        NORMAL[:4] + [(start, pitch) for start in np.arange(2, 16, 1.0).tolist() for pitch in (60, 64, 67)]
    ),
    "no onset": excerpt(NORMAL[:8] + [(start + 16, pitch) for start, pitch in NORMAL[:8]], bars=5),
    "silent for": excerpt(NORMAL[:16]),
    "one bar throughout": excerpt([(start + 4 * bar, pitch) for bar in range(4) for start, pitch in NORMAL[:8]]),
    "over": excerpt(NORMAL + [(4.0, pitch) for pitch in range(40, 66)], length=2.0),
}


def named(start: str) -> str:
    (name,) = [name for name in RULES if name.startswith(start)]
    return name


def test_every_rule_has_an_example() -> None:
    assert {named(start) for start in BROKEN} == set(RULES)


@pytest.mark.parametrize("start", BROKEN)
def test_a_rule_finds_its_example(start: str) -> None:
    assert named(start) in found(BROKEN[start])


def test_rules_do_not_find_each_others_examples() -> None:
    for start, broken in BROKEN.items():
        assert found(broken) == {named(start)}


def test_a_normal_piece_breaks_none() -> None:
    assert found(excerpt(NORMAL)) == frozenset()
    assert found(excerpt(NORMAL[:8], bars=1)) == frozenset()


def test_drums_may_repeat_a_bar() -> None:
    loop = BROKEN["one bar throughout"]
    beat = replace(loop, score=replace(loop.score, program=np.full(len(loop.score), DRUMS, np.int16)))
    assert found(beat) == frozenset()


def test_silence_is_degenerate() -> None:
    assert found(Excerpt(Score.empty(), 4)) == {named("fewer than"), named("no onset"), named("silent for")}
