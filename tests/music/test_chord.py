"""Chords are named and found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.music.chord import QUALITIES, TEMPLATES, Chord, half_bars, progression
from motet.music.error import InvalidInputError
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score

COMMON = Meter(4, 4)


def played(chords: list[Chord], meter: Meter = COMMON, program: int = 0) -> Score:
    """One chord a bar, held."""
    rows = [(bar, 48 + tone) for bar, chord in enumerate(chords) for tone in sorted(chord.tones)]
    ticks = meter.bar_ticks(24)
    return Score(
        ppq=24,
        onset=np.array([bar * ticks for bar, _ in rows]),
        duration=np.full(len(rows), ticks),
        pitch=np.array([pitch for _, pitch in rows]),
        velocity=np.full(len(rows), 80),
        program=np.full(len(rows), program),
        track=np.zeros(len(rows), np.int64),
        meters=(meter,),
    )


@given(
    st.lists(st.sampled_from([Chord(root, quality) for root in range(12) for quality in ("", "m", "7")]), min_size=1)
)
def test_held_chords_are_found_in_order(chords: list[Chord]) -> None:
    expected = [chord for place, chord in enumerate(chords) if place == 0 or chord != chords[place - 1]]
    found = progression(played(chords))
    # A seventh chord holds its triad, so moving between the two may not be worth a change.
    assert [chord.root for chord in found] == [
        chord.root for place, chord in enumerate(expected) if place == 0 or chord.root != expected[place - 1].root
    ] or list(found) == expected


def test_names() -> None:
    assert [str(Chord(9, "m")), str(Chord(7, "7")), str(Chord(10, ""))] == ["Am", "G7", "Bb"]
    assert Chord(0, "").tones == {0, 4, 7}
    assert all(Chord.from_index(index).tones == set(np.flatnonzero(row)) for index, row in enumerate(TEMPLATES))


def test_drums_and_silence_have_no_chords() -> None:
    assert progression(played([Chord(0, "")], program=DRUMS)) == ()
    assert progression(Score.empty()) == ()


def test_bars_of_an_odd_number_of_beats_are_not_halved() -> None:
    assert half_bars(played([Chord(0, "")], Meter(3, 4))).tolist() == [0, 72]
    assert half_bars(played([Chord(0, "")], Meter(4, 4))).tolist() == [0, 48, 96]


def test_bad_chords_are_named() -> None:
    with pytest.raises(InvalidInputError, match=r"chord\.root"):
        Chord(12, "")
    with pytest.raises(InvalidInputError, match=r"chord\.quality"):
        Chord(0, "sus4")
    assert len(QUALITIES) * 12 == len(TEMPLATES)
