"""Key names, and finding the key of a score."""

from __future__ import annotations

from typing import Any

import music21
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.music import key
from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.score import DRUMS, Score
from tests.music.scores import melody, score_of, scores, together

MAJOR = [0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0]
MINOR = [0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0]


@pytest.mark.parametrize("key_", [Key.from_index(index) for index in range(24)])
def test_a_name_is_read_back(key_: Key) -> None:
    assert Key.parse(str(key_)) == key_


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Dm", "D minor"),
        ("DM", "D major"),
        (" c#m ", "C# minor"),
        ("F♯ Minor", "F# minor"),
        ("A-flat major", "Ab major"),
        ("bb min", "Bb minor"),
        ("b minor", "B minor"),
        ("G", "G major"),
        ("Cb", "B major"),
    ],
)
def test_other_spellings_are_read(text: str, name: str) -> None:
    assert str(Key.parse(text)) == name


@pytest.mark.parametrize("text", ["", "H dur", "C## minor", "D minor please", "minor", "Dmm"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r'^key: must look like "C# minor"'):
        Key.parse(text)


def test_index_is_a_bijection() -> None:
    keys = [Key.from_index(index) for index in range(24)]
    assert [found.index for found in keys] == list(range(24))
    assert all(found.relative.relative == found for found in keys)
    assert len({str(found) for found in keys}) == 24


@pytest.mark.parametrize("tonic", range(12))
def test_scales_with_a_cadence_are_found(tonic: int) -> None:
    assert key.find(melody([48 + tonic + step for step in MAJOR])) == Key(tonic, "major")
    assert key.find(melody([48 + tonic + step for step in MINOR])) == Key(tonic, "minor")


@given(scores(min_notes=1), st.integers(-11, 11))
def test_transposing_transposes_the_key(score: Score, steps: int) -> None:
    pitch = score.pitch % 12 + 60
    columns = (score.onset, score.duration)
    rest = (score.velocity, score.program, score.track)
    here = key.find(score_of(score.ppq, *columns, pitch, *rest))
    there = key.find(score_of(score.ppq, *columns, pitch + steps, *rest))
    fit = np.sort(key.correlations(key.pitch_class_profile(score)))
    if here is None or fit[-1] - fit[-2] < 1e-9:  # a tie goes to the lower index, which transposing changes
        return
    assert there == Key((here.tonic + steps) % 12, here.mode)


@pytest.mark.parametrize("seed", range(25))
def test_agrees_with_music21(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tonic, scale = int(rng.integers(12)), (MAJOR, MINOR)[seed % 2]
    pitches = [48 + tonic + int(step) + 12 * int(rng.integers(2)) for step in rng.choice(scale, 40)]
    durations = rng.integers(1, 9, 40)
    onset = np.concatenate([[0], np.cumsum(durations)[:-1]])
    score = score_of(4, onset, durations, pitches, np.full(40, 80), np.zeros(40, int), np.zeros(40, int))
    stream: Any = music21.stream.Stream()
    for pitch, duration in zip(pitches, durations.tolist(), strict=True):
        stream.append(music21.note.Note(pitch, quarterLength=duration / 4))
    theirs = music21.analysis.discrete.KrumhanslSchmuckler().getSolution(stream)
    assert key.find(score) == Key(theirs.tonic.pitchClass, theirs.mode)


def test_nothing_to_go_by_gives_none() -> None:
    assert key.find(Score.empty()) is None
    assert key.find(melody([36, 38, 42], program=DRUMS)) is None
    assert key.find(melody(list(range(60, 72)))) is None


def test_drums_do_not_count() -> None:
    tune = melody([60 + step for step in MAJOR])
    assert key.find(together(tune, melody([42] * 90, program=DRUMS))) == Key(0, "major")
    profile = key.pitch_class_profile(tune)
    assert profile.sum() == pytest.approx(1)
    assert profile[0] == pytest.approx(3 / 11)


@pytest.mark.parametrize(("tonic", "mode"), [(12, "major"), (-1, "minor"), (0, "dorian")])
def test_bad_keys_are_refused(tonic: int, mode: Any) -> None:
    with pytest.raises(InvalidInputError):
        Key(tonic, mode)
