from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import Score
from motet.rewards.measures import MEASURES, Measures, measure, pitch_class_entropy, scale_consistency
from tests.rewards.pieces import DEGENERATE, drums, score_of, song, together, windows


def measures(score: Score) -> Measures:
    measured = measure(score)
    assert measured is not None
    return measured


def values(score: Score, **options) -> dict[str, Any]:
    measured = measure(score, **options)
    assert measured is not None
    return dict(measured.values)


def test_a_plain_song_measures_as_expected():
    assert measures(song(8, seed=1)).bars == 8
    found = values(song(8, seed=1))
    assert set(found) == {*MEASURES, "key_fit"}
    assert found["in_key"] == 1.0
    assert found["empty_beats"] == 0.0
    assert found["repeated_bars"] == 0.0
    assert found["agreement"] > 0.2
    assert 0.1 < found["note_echo"] < found["rhythm_echo"] <= 1.0
    assert 2.2 < found["pitch_class_entropy"] < 3.0
    assert found["steps"] > 0.5


def test_known_small_cases():
    repeated = values(score_of([(beat, 1, 60) for beat in range(16)]))
    assert repeated["notes_per_bar"] == 4
    assert repeated["pitch_class_entropy"] == 0
    assert repeated["top_pitch_share"] == 1
    assert repeated["distinct_bars"] == 0.25
    assert repeated["repeated_bars"] == 1
    assert repeated["roughness"] is repeated["agreement"] is repeated["sonority"] is None
    assert repeated["melody"] is repeated["contour"] is None
    assert repeated["note_echo"] == repeated["rhythm_echo"] == 1
    assert repeated["gap_entropy"] == 0
    assert repeated["voice_leading"] is None
    assert repeated["melodic_motion"] == 0
    assert repeated["recurrence"] == 1
    two = values(score_of([(0, 4, 60), (0, 4, 67), (8, 4, 60), (8, 4, 67)]))
    assert two["empty_beats"] == pytest.approx(4 / 12)
    assert two["polyphony"] == 2
    assert two["pitch_class_entropy"] == 1
    assert two["roughness"] == 0
    cluster = values(score_of([(0, 4, 60 + k) for k in range(3)]))
    assert cluster["roughness"] > 0.7
    long = values(score_of([(0, 64, 60), (60, 4, 64)]))
    assert long["long_notes"] == 0.5


def test_chords_are_found_and_their_changes_counted():
    progression = [[60, 64, 67], [57, 60, 64], [65, 69, 72], [67, 71, 74]]
    found = values(score_of([(bar * 4, 4, pitch) for bar in range(4) for pitch in progression[bar]]))
    assert found["chord_tones"] == 1
    assert found["chord_changes"] == pytest.approx(3 / 7)
    assert found["voice_leading"] == pytest.approx((2 + 3 + 6) / 9, abs=0.4)


def test_notes_that_agree_are_told_from_the_same_notes_thrown_together():
    rng, better = np.random.default_rng(0), 0
    for score in windows():
        mixed = replace(score, pitch=rng.permutation(score.pitch))
        better += (values(score)["agreement"] or 0) > (values(mixed)["agreement"] or 0)
    assert better == len(windows())


def test_entropy_and_scale_consistency_are_those_of_muspy():
    """Of notes counted: entropy in bits of the pitch classes; the largest share in one of 24 scales."""
    scales = [
        {(tonic + step) % 12 for step in steps}
        for tonic in range(12)
        for steps in ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
    ]
    for score in [*windows(), song(8), DEGENERATE["random chromatic"](8)]:
        classes = [int(pitch) % 12 for pitch in score.pitch]
        counts = np.array([classes.count(each) for each in range(12)], float)
        entropy = -sum(n / len(classes) * math.log2(n / len(classes)) for n in counts if n)
        consistency = max(sum(each in scale for each in classes) / len(classes) for scale in scales)
        assert pitch_class_entropy(counts) == pytest.approx(entropy, abs=1e-6)
        assert scale_consistency(counts) == pytest.approx(consistency, abs=1e-6)


def test_each_bar_has_its_numbers():
    found = measures(song(8))
    for curve in found.by_bar.values():
        assert curve.shape == (8,)
        assert np.all(np.isfinite(curve))
    wrong = song(8)
    third = (wrong.onset >= 8 * 480) & (wrong.onset < 12 * 480)
    shifted = measures(replace(wrong, pitch=wrong.pitch + np.where(third & (wrong.track == 0), 1, 0)))
    assert np.argmin(shifted.by_bar["in_key"]) == 2
    assert np.argmin(shifted.by_bar["chord_tones"]) == 2
    assert np.argmin(shifted.by_bar["consonance"]) == 2


def test_no_notes_and_drums_alone_measure_as_nothing():
    assert measure(Score.empty()) is None
    assert measure(drums()) is None


def test_key_fit_prefers_the_key_that_the_music_is_in():
    score = song(8, seed=1)
    key = measures(score).key
    fits = {index: values(score, asked=Key.from_index(index))["key_fit"] for index in range(24)}
    assert max(fits, key=lambda index: fits[index]) == key.index
    assert fits[key.index] > 0.75
    assert fits[(key.tonic + 6) % 12] < 0.5


@pytest.mark.parametrize("semitones", [-7, -1, 1, 4, 5, 11])
@pytest.mark.parametrize("name", ["song", "random chromatic", "repeated clusters", "two-note alternation"])
def test_transposition_changes_no_bit(semitones: int, name: str):
    score = song(8, seed=2) if name == "song" else DEGENERATE[name](8)
    moved = replace(score, pitch=score.pitch + semitones)
    assert values(moved) == values(score)
    asked, asked_moved = Key(2, "minor"), Key((2 + semitones) % 12, "minor")
    assert values(moved, asked=asked_moved)["key_fit"] == values(score, asked=asked)["key_fit"]


def test_tempo_track_order_resolution_and_drums_change_nothing():
    score = song(8, seed=4)
    expected = values(score)
    assert values(replace(score, tempo_bpm=np.array([61.0]))) == expected
    assert values(replace(score, track=2 - score.track)) == expected
    assert values(together(score, drums(8))) == expected
    doubled = replace(score, ppq=960, onset=score.onset * 2, duration=score.duration * 2)
    assert values(doubled) == pytest.approx(expected)


def test_uneven_meters_and_odd_ppq_are_measured():
    score = replace(song(8), meters=(Meter(7, 8),), ppq=481)
    assert all(value is None or math.isfinite(value) for value in values(score).values())
