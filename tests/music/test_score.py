"""Slicing, bars and seconds of scores, as properties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.music.error import InvalidInputError
from motet.music.meter import Meter
from motet.music.score import Score
from tests.music.scores import melody, score_of, scores

COLUMNS = ("onset", "duration", "pitch", "velocity", "program", "track")


@given(scores())
def test_notes_are_sorted_and_frozen(score: Score) -> None:
    keys = list(zip(score.onset.tolist(), score.track.tolist(), score.pitch.tolist(), strict=True))
    assert keys == sorted(keys)
    for name in COLUMNS:
        assert not getattr(score, name).flags.writeable


def test_freezing_leaves_the_callers_arrays_alone() -> None:
    onset = np.zeros(1, np.int64)
    one = np.ones(1, np.int16)
    score_of(480, onset, one.astype(np.int64), one, one, one, one)
    onset[0] = 5
    assert onset.flags.writeable


@given(scores(min_notes=1), st.data())
def test_slices_tile_the_score(score: Score, data: st.DataObject) -> None:
    end = score.end_tick
    cut = data.draw(st.integers(1, end))
    left, right = score.between(0, cut), score.between(cut, end + 1)
    assert len(left) + len(right) == len(score)
    assert left.end_tick <= cut
    assert np.array_equal(np.sort(np.concatenate([left.onset, right.onset + cut])), np.sort(score.onset))
    assert right.end_tick + cut == max(right.end_tick + cut, 0)


@given(scores(min_notes=1), st.data())
def test_a_slice_keeps_its_times_in_seconds(score: Score, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, score.end_tick - 1))
    part = score.between(start, score.end_tick)
    begun = score.seconds(np.array([start]))[0]
    assert np.allclose(part.seconds(part.onset) + begun, score.seconds(part.onset + start), rtol=1e-9, atol=1e-9)


@given(scores(min_notes=1))
def test_a_slice_of_everything_is_the_score(score: Score) -> None:
    whole = score.between(0, score.end_tick)
    for name in COLUMNS:
        assert np.array_equal(getattr(whole, name), getattr(score, name))


@given(scores(), st.lists(st.integers(0, 40_000), min_size=2))
def test_seconds_rise_with_ticks(score: Score, ticks: list[int]) -> None:
    ordered = np.array(sorted(ticks), np.int64)
    seconds = score.seconds(ordered)
    assert seconds[0] >= 0
    assert np.all(np.diff(seconds) >= 0)
    assert np.all(np.diff(seconds)[np.diff(ordered) > 0] > 0)


@given(scores())
def test_seconds_agree_with_walking_every_tempo(score: Score) -> None:
    for tick in (0, 7, 5_000, 30_000):
        expected = 0.0
        bounds = [*score.tempo_tick[1:].tolist(), tick]
        for start, bpm, stop in zip(score.tempo_tick.tolist(), score.tempo_bpm.tolist(), bounds, strict=True):
            expected += max(min(stop, tick) - start, 0) * 60 / (bpm * score.ppq)
        assert score.seconds(np.array([tick]))[0] == pytest.approx(expected)


@given(scores())
def test_bars_cover_the_score_without_gaps(score: Score) -> None:
    edges = score.bar_ticks()
    assert edges[0] == 0
    assert edges[-1] >= score.end_tick
    assert np.all(np.diff(edges) > 0)
    if len(edges) > 2:
        assert edges[-2] < max(score.end_tick, 1)
    inside = score.meter_tick[score.meter_tick < max(score.end_tick, 1)]
    assert set(inside.tolist()) <= set(edges.tolist())


@given(scores())
def test_bars_have_the_length_of_their_meter(score: Score) -> None:
    edges = score.bar_ticks()
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        meter = score.meters[int(np.searchsorted(score.meter_tick, start, side="right")) - 1]
        assert stop - start == meter.bar_ticks(score.ppq) or stop in score.meter_tick


def test_bars_of_a_known_score() -> None:
    score = melody([60] * 7, meter=Meter(3, 4))
    assert score.bar_ticks().tolist() == [0, 1440, 2880, 4320]
    assert Score.empty().bar_ticks().tolist() == [0, 1920]
    assert score.duration_s == pytest.approx(3.5)


@given(scores())
def test_selecting_all_or_nothing(score: Score) -> None:
    assert len(score.select(np.ones(len(score), bool))) == len(score)
    assert len(score.select(np.zeros(len(score), bool))) == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"pitch": [128]}, "score.pitch"),
        ({"pitch": [-1]}, "score.pitch"),
        ({"velocity": [0]}, "score.velocity"),
        ({"velocity": [70_000]}, "score.velocity"),
        ({"velocity": np.array([70_000])}, "score.velocity"),
        ({"program": [-2]}, "score.program"),
        ({"duration": [0]}, "score.duration"),
        ({"onset": [-1]}, "score.onset"),
        ({"onset": [0.5]}, "score.onset"),
        ({"track": [-1]}, "score.track"),
        ({"onset": [0, 1]}, "score"),
        ({"ppq": 0}, "score.ppq"),
        ({"tempo_bpm": np.array([0.0])}, "score.tempo_bpm"),
        ({"tempo_bpm": np.array([np.nan])}, "score.tempo_bpm"),
        ({"tempo_bpm": np.array([100.0, 90.0])}, "score.tempo_tick"),
        ({"tempo_tick": np.array([5])}, "score.tempo_tick"),
        ({"meter_tick": np.array([0, 0]), "meters": (Meter(4, 4),) * 2}, "score.meter_tick"),
    ],
)
def test_bad_columns_name_the_field(changes: dict[str, Any], field: str) -> None:
    good: dict[str, Any] = {
        "ppq": 480,
        "onset": [0],
        "duration": [1],
        "pitch": [60],
        "velocity": [1],
        "program": [0],
        "track": [0],
    }
    with pytest.raises(InvalidInputError) as caught:
        Score(**(good | changes))
    assert caught.value.metadata["field"] == field
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("bounds", [(-1, 3), (3, 3), (4, 3)])
def test_bad_slices_are_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(InvalidInputError):
        melody([60]).between(*bounds)
