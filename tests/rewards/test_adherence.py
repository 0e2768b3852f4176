from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music import caption, describe
from motet.music.attributes import Attributes
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.rewards import adherence
from motet.rewards.measures import measure
from tests.rewards.pieces import PPQ, drums, score_of, song, together

BAND = together(song(8, seed=1), drums(8))
LINE = [(index, 1.0, 60 + (0, 2, 4, 5, 7, 9, 11, 12)[index % 8]) for index in range(16)]


def term(name: str, score: Score = BAND, *, complete: bool = True, **asked) -> float:
    return adherence.judge(score, Attributes(**asked), complete=complete).terms[name]


def at(bpm: float) -> Score:
    return replace(BAND, tempo_bpm=np.array([bpm]))


def test_a_score_adheres_to_its_own_description():
    described = describe.describe(BAND)
    judged = adherence.judge(BAND, described)
    assert set(judged.terms) == {"tempo", "key", "meter", "instruments", "drums", "density", "bars", "duration"}
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


def test_a_word_for_a_family_is_met_by_any_of_its_instruments():
    for words, program, others in (
        ("bass", 35, (0, 24)),
        ("guitar", 30, (33,)),
        ("strings", 42, (110,)),
        ("brass", 56, (65,)),
        ("woodwinds", 71, (0,)),
        ("electric guitars", 29, (24,)),
        ("saxophone", 67, (68,)),
    ):
        asked = caption.parse_attributes(f"{words} and timpani")
        right, *wrong = (together(score_of(LINE, one), score_of(LINE, 47)) for one in (program, *others))
        assert adherence.judge(right, asked).details["instruments.recall"] == 1, words
        for score in wrong:
            assert adherence.judge(score, asked).details["instruments.recall"] < 1, words
        exact = replace(asked, families=())
        assert adherence.judge(right, exact).details["instruments.recall"] < 1, words


def test_each_instrument_stands_for_one_wish():
    asked = caption.parse_attributes("guitar, distortion guitar")
    both = together(score_of(LINE, 24), score_of(LINE, 30))
    assert adherence.judge(both, asked).terms["instruments"] == 1
    assert adherence.judge(score_of(LINE, 30), asked).details["instruments.recall"] == 0.5


def test_a_single_instrument_leaves_the_band_open_unless_it_is_alone():
    band = together(*(score_of(LINE, program) for program in (40, 41, 42, 43)))
    assert term("instruments", band, instruments=(40,)) == 1
    assert term("instruments", band, instruments=(40,), drums=False) < 1
    assert 0 < term("instruments", score_of(LINE, 41), instruments=(40,)) < 0.6
    hidden = together(score_of(LINE[:4], 40), *(score_of(LINE, program) for program in (41, 42, 0)))
    assert term("instruments", hidden, instruments=(40,)) < 1


def test_few_notes_are_enough_when_they_are_long():
    piano = score_of(LINE, 0)
    held = together(piano, score_of([(0, 8, 60), (8, 8, 62)], 52))
    short = together(piano, score_of([(0, 0.5, 60), (8, 0.5, 62)], 52))
    assert term("instruments", held, instruments=(0, 52)) == 1
    assert term("instruments", short, instruments=(0, 52)) < 0.9


def test_a_token_appearance_is_not_enough():
    fill = score_of([(index / 4, 0.25, 38) for index in range(8)], DRUMS)
    beat = score_of([(index * 4, 1, 38) for index in range(8)], DRUMS)
    assert term("drums", together(song(16), fill), drums=True) == pytest.approx(0.25)
    assert term("drums", together(song(16), beat), drums=True) == 1
    once, often = (score_of([(index * step, 1, 72) for index in range(4)], 56) for step in (1, 16))
    asked = (56, 73, 0, 33)
    assert term("instruments", together(song(16), once), instruments=asked) < 0.9
    assert term("instruments", together(song(16), often), instruments=asked) > 0.95


def test_density_is_a_range_of_onsets_and_chords_count_once():
    def line(step: float, voices: int = 1) -> Score:
        count = round(32 / step)
        return score_of([(index * step, step, 60 + 4 * voice) for index in range(count) for voice in range(voices)])

    for word, values in (
        ("very sparse", [1.0, 0.9, 0.0, 0.0]),
        ("sparse", [1.0, 1.0, 0.6, 0.0]),
        ("moderate", [0.0, 0.5, 1.0, 0.5]),
        ("dense", [0.0, 0.0, 0.5, 1.0]),
    ):
        found = [term("density", line(step), density=word) for step in (2, 1, 0.5, 0.25)]  # 1, 2, 4, 8 a second
        assert found == pytest.approx(values, abs=0.2), word
        assert found == [term("density", line(step, voices=4), density=word) for step in (2, 1, 0.5, 0.25)]
    assert 0 < term("density", line(0.35), density="very dense") < 1
    assert term("density", Score.empty(), density="sparse") == 0


def test_the_ends_of_what_can_be_asked_stand_for_all_beyond():
    assert term("tempo", at(999), tempo_bpm=400) == 1
    assert term("tempo", at(999), tempo_bpm=390) == 0
    assert term("tempo", at(5), tempo_bpm=10) == 1
    assert term("tempo", at(5), tempo_bpm=11) == 0
    assert term("tempo", at(999), tempo_word="very fast") == 1


def test_the_felt_tempo_explains_and_does_not_judge():
    for bpm in (60, 90, 120, 150):
        judged = adherence.judge(at(bpm), Attributes(tempo_bpm=bpm))
        octaves = math.log2(judged.details["tempo.felt_bpm"] / bpm)
        assert octaves == pytest.approx(round(octaves), abs=0.03)
        assert judged.details["tempo.found_bpm"] == bpm
    lying = replace(BAND, ppq=320)  # the same notes, half as long again; the tempo of the file is the same
    before, after = (adherence.judge(score, Attributes(tempo_bpm=120)) for score in (BAND, lying))
    assert before.terms == after.terms
    assert before.details["tempo.felt_bpm"] != pytest.approx(after.details["tempo.felt_bpm"], rel=0.2)
    assert "tempo.felt_bpm" not in adherence.judge(score_of([(0, 1, 60)]), Attributes(tempo_bpm=120)).details


def test_a_note_that_rings_on_adds_no_bar():
    ringing = score_of([*LINE, (15, 6, 72)], 0)
    assert len(ringing.bar_ticks()) - 1 == 6
    assert term("bars", ringing, bars=4) == 1
    assert term("bars", ringing, bars=5) == 1
    assert term("bars", ringing, bars=6) == 1
    assert term("bars", ringing, bars=7) < 1
    assert term("bars", ringing, bars=3) < 1


def test_what_a_bar_can_have_is_told_bar_by_bar():
    piece = together(score_of(LINE, 0), score_of([(4, 4, 36), (6, 4, 36)], 33), score_of([(12, 1, 38)], DRUMS))
    asked = Attributes(
        tempo_bpm=120, key=Key(0, "major"), meter=Meter(4, 4), instruments=(0, 33), drums=True, density="sparse", bars=4
    )
    judged = adherence.judge(piece, asked)
    assert set(judged.bars) == {"tempo", "key", "meter", "instruments", "drums", "density"}
    assert judged.bars["instruments"] == (0.5, 1, 1, 0.5)  # the second note of the bass is held into bar 3
    assert judged.bars["drums"] == (0, 0, 0, 1)
    assert judged.bars["tempo"] == judged.bars["meter"] == (1, 1, 1, 1)
    turned = replace(piece, tempo_tick=np.array([0, 8 * PPQ]), tempo_bpm=np.array([120.0, 60.0]))
    assert adherence.judge(turned, asked).bars["tempo"] == (1, 1, 0, 0)
    sharp = together(piece, score_of([(8, 4, 66)], 0))
    assert adherence.judge(sharp, asked).bars["key"][2] < judged.bars["key"][2] == 1


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_every_number_is_in_range_for_any_score(seed: int):
    rng = np.random.default_rng(seed)
    score = noise(rng, notes=int(rng.integers(1, 60)), players=int(rng.integers(1, 12)))
    asked = Attributes(
        tempo_bpm=float(rng.integers(10, 401)), key=Key(int(rng.integers(12)), "minor"), meter=Meter(3, 4),
        instruments=tuple(rng.permutation(128)[: int(rng.integers(1, 5))].tolist()), drums=bool(rng.integers(2)),
        density="dense", bars=int(rng.integers(1, 1025)), duration_s=float(rng.uniform(0.1, 1000)),
    )  # fmt: skip
    judged = adherence.judge(score, asked)
    values = [judged.value, *judged.terms.values(), *(value for row in judged.bars.values() for value in row)]
    assert all(value is not None and 0 <= value <= 1 for value in values)
    assert len(judged.terms) == 8
    assert {len(row) for row in judged.bars.values()} == {len(score.bar_ticks()) - 1}
    assert all(math.isfinite(value) for value in judged.details.values())


def noise(rng: np.random.Generator, *, notes: int, players: int) -> Score:
    programs = rng.integers(-1, 128, players)
    track = rng.integers(0, players, notes)
    return Score(
        ppq=PPQ,
        onset=rng.integers(0, 20 * PPQ, notes),
        duration=rng.integers(1, 6 * PPQ, notes),
        pitch=rng.integers(0, 128, notes, np.int16),
        velocity=rng.integers(1, 128, notes, np.int16),
        program=programs[track].astype(np.int16),
        track=track.astype(np.int16),
        tempo_tick=np.array([0, 777]),
        tempo_bpm=rng.uniform(5, 999, 2),
        meter_tick=np.array([0, 3 * PPQ]),
        meters=(Meter(3, 4), Meter(7, 8)),
    )


def test_lengths():
    assert term("bars", bars=8) == 1
    assert 0 < term("bars", bars=7) < 1
    assert term("bars", bars=16) == 0
    assert term("duration", duration_s=16.4) == 1
    assert 0 < term("duration", duration_s=20) < 1


def test_an_empty_score_has_nothing_that_was_asked_for():
    asked = Attributes(
        tempo_bpm=120,
        key=Key(0, "major"),
        meter=Meter(4, 4),
        instruments=(0,),
        drums=True,
        bars=8,
        duration_s=16,
        density="dense",
    )
    judged = adherence.judge(Score.empty(), asked)
    assert judged.value == 0
    assert len(judged.terms) == 8
