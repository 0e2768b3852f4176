from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.key import Key
from motet.music.score import Score
from motet.rewards import spiral
from tests.rewards.pieces import drums, score_of, song, together
from tests.tiny import random_score


def by_hand(score: Score) -> Key:
    """The nearest key, cell by cell, in the order in which the released code looks: no arrays, no shared constants."""

    def point(fifths: int) -> list[float]:
        angle = math.pi / 2 * fifths
        return [math.sin(angle), math.cos(angle), 0.4 * fifths]

    def mix(*parts: tuple[float, list[float]]) -> list[float]:
        return [sum(weight * place[axis] for weight, place in parts) for axis in range(3)]

    def triad(root: int, third: int) -> list[float]:
        return mix((0.536, point(root)), (0.274, point(root + 1)), (0.19, point(root + third)))

    c_major = mix((0.536, triad(0, 4)), (0.274, triad(1, 4)), (0.19, triad(-1, 4)))
    dominant = mix((0.75, triad(4, 4)), (0.25, triad(4, -3)))
    subdominant = mix((0.75, triad(2, -3)), (0.25, triad(2, 4)))
    a_minor = mix((0.536, triad(3, -3)), (0.274, dominant), (0.19, subdominant))
    step = score.ppq // 4
    pitched = [
        (int(on), int(on + length), int(pitch))
        for on, length, pitch, program in zip(score.onset, score.duration, score.pitch, score.program, strict=True)
        if program >= 0
    ]
    quarters = math.ceil(max(end for _, end, _ in pitched) / score.ppq)
    cells = [
        pitch
        for at in range(int((4 * (quarters - 1) + 1) * 0.5))
        for pitch in range(128)
        if any(note == pitch and on < (at + 1) * step and end > at * step for on, end, note in pitched)
    ]
    best, nearest = Key(0, "major"), math.inf
    for key in (Key.parse(name) for name in NAMES if cells):
        home = key.tonic if key.mode == "major" else key.tonic + 3
        points = [point(spiral.FIFTHS[(pitch - home) % 12]) for pitch in cells]
        centre = [sum(one[axis] for one in points) / len(points) for axis in range(3)]
        distance = math.dist(centre, c_major if key.mode == "major" else a_minor)
        if distance < nearest - 1e-12:
            best, nearest = key, distance
    return best


NAMES = (
    *("C major", "G major", "D major", "A major", "E major", "B major", "F major", "Bb major", "Eb major", "Ab major"),
    *("Db major", "Gb major", "A minor", "E minor", "B minor", "F# minor", "C# minor", "G# minor", "D minor"),
    *("G minor", "C minor", "F minor", "Bb minor", "Eb minor"),
)


@given(seed=st.integers(0, 10_000), bars=st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_keys_are_those_found_cell_by_cell(seed: int, bars: int):
    for score in (song(bars, seed), random_score(seed, bars)):
        assert spiral.find(score) == by_hand(score)


@given(seed=st.integers(0, 10_000), shift=st.integers(1, 11))
@settings(max_examples=15, deadline=None)
def test_a_transposed_piece_has_the_transposed_key(seed: int, shift: int):
    score = song(4, seed)
    here = spiral.find(score)
    moved = replace(score, pitch=score.pitch + np.int16(shift))
    assert spiral.find(moved) == Key((here.tonic + shift) % 12, here.mode)


def test_only_pitches_of_the_first_half_count_and_none_of_the_drums():
    first = score_of([(beat, 1, pitch) for beat in range(8) for pitch in (60, 64, 67)])
    assert spiral.find(first) == Key(0, "major")
    later = score_of([(8 + beat, 1, pitch) for beat in range(8) for pitch in (61, 66, 70)])
    assert spiral.find(together(first, later)) == Key(0, "major")
    assert spiral.find(together(first, drums(2))) == Key(0, "major")
    np.testing.assert_array_equal(spiral.profile(together(first, first)), spiral.profile(first))


def test_its_known_weakness_is_kept():
    """The released code calls plain scales by the key a fifth below: the white keys are F major."""
    scale = score_of([(at / 2, 0.5, 60 + (0, 2, 4, 5, 7, 9, 11, 12)[at % 8]) for at in range(64)])
    assert spiral.find(scale) == Key(5, "major")


@pytest.mark.parametrize("score", [Score.empty(), drums(2), score_of([(0, 1, 66)])])
def test_without_pitches_to_hear_it_is_c_major(score: Score):
    assert spiral.find(score) == Key(0, "major")
    assert not spiral.profile(score).any()
