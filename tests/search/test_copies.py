from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.score import Score
from motet.search.copies import NEAR_COPY, overlap, without_near_copies
from tests.fakes import fake_score
from tests.tiny import random_score

LOUDER = random_score(3)


def bars(*pitches: int) -> Score:
    """A bar of four notes of each pitch."""
    return fake_score([token for pitch in pitches for token in (0, *[pitch - 35] * 4)])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40))
def test_overlap_is_a_likeness(first: int, second: int) -> None:
    one, other = random_score(first), random_score(second)
    assert overlap(one, one) == 1
    assert 0 <= overlap(one, other) == overlap(other, one) <= 1


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (replace(LOUDER, velocity=LOUDER.velocity // 2), 1.0),
        (replace(LOUDER, duration=LOUDER.duration * 2), 1.0),
        (replace(LOUDER, ppq=48, onset=LOUDER.onset * 2, duration=LOUDER.duration * 2), 1.0),
        (replace(LOUDER, pitch=LOUDER.pitch + 1), None),
        (LOUDER.select(np.zeros(len(LOUDER), bool)), 0.0),
    ],
)
def test_a_note_is_its_place_pitch_and_instrument(other: Score, expected: float | None) -> None:
    found = overlap(LOUDER, other)
    assert found == expected if expected is not None else found < 1


def test_notes_count_as_often_as_they_occur() -> None:
    assert overlap(bars(60, 60, 62, 64), bars(60, 60, 65, 67)) == 0.5
    doubled = bars(60).plus(bars(60))
    assert len(doubled) == 8
    assert overlap(doubled, bars(60)) == pytest.approx(2 / 3)
    empty = bars()
    assert overlap(empty, empty) == 1


def test_the_better_one_stays_and_only_what_stays_removes() -> None:
    first = bars(60, 61, 62, 63, 64, 65, 66, 67)
    near = bars(60, 61, 62, 63, 64, 65, 70, 71)  # 6 of 8 bars of the first
    further = bars(60, 61, 62, 63, 72, 73, 70, 71)  # 4 of the first, 6 of the near one
    pieces = [first, near, further, bars(*range(80, 72, -1)), first]
    assert overlap(first, near) == overlap(near, further) == 0.75 >= NEAR_COPY > overlap(first, further) == 0.5
    kept, removed = without_near_copies(pieces, lambda piece: piece, 8)
    assert [piece is one for piece, one in zip(kept, (first, further, pieces[3]), strict=True)] == [True] * 3
    assert removed == 2
    assert without_near_copies(pieces, lambda piece: piece, 1) == ([first], 1)
    assert without_near_copies(pieces, lambda piece: piece, 8, threshold=1.0)[1] == 1
