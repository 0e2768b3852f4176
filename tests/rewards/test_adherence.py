from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motet.music import describe
from motet.music.attributes import Attributes
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import Score
from motet.rewards import adherence
from motet.rewards.measures import measure
from tests.rewards.pieces import drums, score_of, song, together

BAND = together(song(8, seed=1), drums(8))


def term(name: str, score: Score = BAND, *, complete: bool = True, **asked) -> float:
    return adherence.judge(score, Attributes(**asked), complete=complete).terms[name]


def at(bpm: float) -> Score:
    return replace(BAND, tempo_bpm=np.array([bpm]))


def test_a_score_adheres_to_its_own_description():
    described = describe.describe(BAND)
    judged = adherence.judge(BAND, described)
    assert set(judged.terms) == {"tempo", "key", "meter", "instruments", "drums", "bars", "duration"}
    assert judged.value is not None
    assert judged.value > 0.97


def test_nothing_asked_gives_nothing():
    assert adherence.judge(BAND, Attributes()).value is None
    assert adherence.judge(BAND, Attributes(genres=("jazz",), moods=("happy",))).terms == {}
    assert adherence.judge(BAND, Attributes(bars=8, duration_s=16), complete=False).value is None


def test_tempo_is_a_triangle_in_octaves_and_half_time_is_wrong():
    values = [term("tempo", at(120 * ratio), tempo_bpm=120) for ratio in (1.0, 1.01, 1.08, 1.2, 1.3, 2.0)]
    assert values[:2] == [1, 1]
    assert values == sorted(values, reverse=True)
    assert 0 < values[3] < values[2] < 1
    assert values[4:] == [0, 0]
    assert term("tempo", at(60), tempo_bpm=120) == 0
    assert term("tempo", at(100), tempo_bpm=120) == pytest.approx(term("tempo", at(144), tempo_bpm=120))


def test_tempo_words_are_ranges_and_give_way_to_numbers():
    assert term("tempo", at(120), tempo_word="allegro") == 1
    assert 0 < term("tempo", at(160), tempo_word="allegro") < 1
    assert term("tempo", at(60), tempo_word="allegro") == 0
    assert term("tempo", at(60), tempo_word="allegro", tempo_bpm=60) == 1


def test_keys_are_ranked_by_kinship():
    found = measure(BAND)
    assert found is not None
    key = found.key
    assert key.mode == "major"
    same, relative, fifth, far = (
        term("key", key=other)
        for other in (key, key.relative, Key((key.tonic + 7) % 12, "major"), Key((key.tonic + 6) % 12, "major"))
    )
    assert same > 0.9
    assert same > relative > fifth > far
    assert far < 0.1
    assert term("key", drums(), key=key) == 0


def test_meters():
    assert term("meter", meter=Meter(4, 4)) == 1
    assert term("meter", meter=Meter(2, 2)) == 0.75
    assert term("meter", meter=Meter(2, 4)) == 0.5
    assert term("meter", meter=Meter(3, 4)) == 0
    assert term("meter", meter=Meter(12, 8)) == 0


def test_instruments_by_recall_precision_and_family():
    assert term("instruments", instruments=(73, 0, 33)) == pytest.approx(1)
    assert 0.5 < term("instruments", instruments=(73,)) < 1  # the flute is there, and others too
    assert term("instruments", instruments=(73, 0, 33, 56)) < 1
    kin = term("instruments", instruments=(74, 0, 33))  # a recorder was asked for, a flute plays
    assert term("instruments", instruments=(56, 0, 33)) < kin < 1
    assert term("instruments", instruments=(56,)) == 0
    assert term("instruments", drums(), instruments=(0,)) == 0
    one_note = together(song(8), score_of([(0, 1, 60)], 56))
    assert term("instruments", one_note, instruments=(73, 0, 33, 56)) < 0.95


def test_drums():
    assert term("drums", drums=True) == 1
    assert term("drums", drums=False) == 0
    assert term("drums", song(8), drums=True) == 0
    assert term("drums", song(8), drums=False) == 1
    assert term("drums", Score.empty(), drums=False) == 0


def test_lengths():
    assert term("bars", bars=8) == 1
    assert 0 < term("bars", bars=7) < 1
    assert term("bars", bars=16) == 0
    assert term("duration", duration_s=16.4) == 1
    assert 0 < term("duration", duration_s=20) < 1


def test_an_empty_score_has_nothing_that_was_asked_for():
    asked = Attributes(
        tempo_bpm=120, key=Key(0, "major"), meter=Meter(4, 4), instruments=(0,), drums=True, bars=8, duration_s=16
    )
    assert adherence.judge(Score.empty(), asked).value == 0
