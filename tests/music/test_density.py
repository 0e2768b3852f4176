from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.music.density import DENSITY_WORDS, onsets_per_second, word_of
from motet.music.score import Score
from tests.music.scores import melody, scores, together


def test_onsets_are_counted_from_the_first_to_the_end_of_the_last() -> None:
    line = melody([60] * 8, ticks=240)  # eight eighths at 120 BPM
    assert onsets_per_second(line) == pytest.approx(4)
    late = replace(line, onset=line.onset + 4800)
    assert onsets_per_second(late) == pytest.approx(4)
    assert onsets_per_second(Score.empty()) == 0


def test_a_chord_counts_once_however_it_is_rolled() -> None:
    line = melody([60] * 8, ticks=240)
    chords = together(line, melody([64] * 8, ticks=240), melody([67] * 8, ticks=240))
    rolled = replace(chords, onset=chords.onset + 5 * (chords.pitch.astype(np.int64) - 60) // 3)  # up to 12 ms
    assert onsets_per_second(chords) == onsets_per_second(line)
    assert onsets_per_second(rolled) == pytest.approx(4, rel=0.02)


@given(scores(min_notes=1))
def test_playing_all_parts_twice_changes_nothing(score: Score) -> None:
    assert onsets_per_second(score.plus(score)) == pytest.approx(onsets_per_second(score))


@given(st.floats(0, 100))
def test_a_word_is_the_narrowest_that_holds(onsets: float) -> None:
    word = word_of(onsets)
    holding = [name for name, (low, high) in DENSITY_WORDS.items() if low <= onsets < high]
    assert word in holding
    assert len(holding) == (2 if word.startswith("very") else 1)
