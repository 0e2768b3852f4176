"""Describing scores, and sentences that the parser reads back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.music import midi, mood
from motet.music.attributes import Attributes
from motet.music.caption import parse, parse_attributes
from motet.music.density import DENSITY_WORDS
from motet.music.describe import describe, onset_density, record, sentence
from motet.music.genre import GENRES
from motet.music.instrument import PROGRAM_NAMES, SPOKEN_NAMES
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.mood import MOODS
from motet.music.score import DRUMS, Score
from motet.music.signature import meter_of_form
from motet.music.tempo import TEMPO_WORDS
from tests.music.scores import MIDI_FILES, melody, scores, together

SCALE = [60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 60, 60]

attributes = st.builds(
    Attributes,
    tempo_bpm=st.none() | st.integers(10, 400).map(float),
    tempo_word=st.none() | st.sampled_from(sorted(TEMPO_WORDS)),
    key=st.none() | st.integers(0, 23).map(Key.from_index),
    meter=st.none() | st.builds(Meter, st.integers(2, 12), st.sampled_from([2, 4, 8, 16])),
    instruments=st.lists(st.integers(0, 127), unique=True, max_size=6).map(tuple),
    drums=st.none() | st.booleans(),
    density=st.none() | st.sampled_from(sorted(DENSITY_WORDS)),
    genres=st.lists(st.sampled_from(GENRES), unique=True, max_size=3).map(tuple),
    moods=st.lists(st.sampled_from(sorted(MOODS)), unique=True, max_size=3).map(tuple),
    bars=st.none() | st.integers(1, 1024),
    duration_s=st.none() | st.integers(1, 40_000).map(lambda n: n / 10),
)


@given(attributes)
def test_the_parser_reads_every_sentence_back(asked: Attributes) -> None:
    implied = asked.meter or meter_of_form(asked.genres)
    assert parse_attributes(sentence(asked)) == replace(asked, meter=implied)


@pytest.mark.parametrize("program", range(128))
def test_every_instrument_has_a_name_that_is_read_back(program: int) -> None:
    for name in (SPOKEN_NAMES[program], SPOKEN_NAMES[program].upper()):
        assert parse_attributes(f"a tune for {name}").instruments == (program,)
    assert parse_attributes(f"a tune for {PROGRAM_NAMES[program]}").instruments == (program,)


def test_a_sentence_reads_well() -> None:
    asked = Attributes(
        tempo_bpm=120,
        tempo_word="fast",
        key=Key(9, "minor"),
        meter=Meter(3, 4),
        instruments=(0, 40, 42),
        drums=False,
        density="sparse",
        genres=("waltz",),
        moods=("energetic", "dark"),
        bars=8,
        duration_s=12.5,
    )
    assert sentence(asked) == (
        "An energetic, dark waltz piece in A minor for piano, violin and cello without drums, in 3/4 time, "
        "at a fast tempo of 120 BPM, of sparse texture, 8 bars long, lasting 12.5 seconds."
    )
    assert sentence(Attributes()) == "A piece."


def test_a_known_score() -> None:
    flute = melody(SCALE, program=73, bpm=150, meter=Meter(3, 4), ticks=240)
    bass = melody([48, 43, 48], program=32, ticks=960)
    kit = melody([36, 38, 36], program=DRUMS)
    found = describe(together(flute, bass, kit))
    assert found == Attributes(
        tempo_bpm=150,
        tempo_word="fast",
        key=Key(0, "major"),
        meter=Meter(3, 4),
        instruments=(32, 73),  # 6 beats of bass and 6 of flute are a tie: the lower program comes first
        drums=True,
        density="moderate",
        moods=("happy",),
        bars=2,
        duration_s=2.4,
    )


def test_the_longest_sounding_instrument_comes_first() -> None:
    score = together(melody([60] * 9, program=0, ticks=120), melody([60] * 2, program=40, ticks=960))
    assert describe(score).instruments == (40, 0)


def test_tempo_and_meter_are_the_ones_that_hold_longest() -> None:
    score = replace(
        melody([60] * 40),
        tempo_tick=np.array([0, 480, 9600]),
        tempo_bpm=np.array([30.0, 100.0, 101.0]),
        meter_tick=np.array([0, 960]),
        meters=(Meter(2, 4), Meter(5, 4)),
    )
    found = describe(score)
    assert (found.tempo_bpm, found.meter) == (100.0, Meter(5, 4))


def test_nothing_is_said_of_silence() -> None:
    assert describe(Score.empty()) == Attributes()
    assert onset_density(Score.empty()) == 0


def test_drums_alone() -> None:
    found = describe(melody([36, 38, 42], program=DRUMS))
    assert (found.drums, found.instruments, found.key) == (True, (), None)


@given(scores())
def test_any_score_can_be_described_and_said(score: Score) -> None:
    found = describe(score)
    assert set(found.instruments) == set(score.program[score.program != DRUMS].tolist())
    assert json.loads(json.dumps(record(found)))["drums"] == found.drums
    if len(score):
        assert found.bars is None or found.bars == len(score.bar_ticks()) - 1
        back = parse(sentence(found)).attributes
        assert (back.key, back.instruments, back.drums, back.meter) == (
            found.key,
            found.instruments,
            found.drums,
            found.meter if found.meter not in (Meter(1, 2), Meter(1, 1)) else back.meter,
        )


@pytest.mark.parametrize("path", MIDI_FILES, ids=lambda path: path.stem)
def test_real_files_are_read_back_from_their_sentence(path: Path) -> None:
    found = describe(midi.read(path))
    back = parse(sentence(found)).attributes
    assert back == replace(found, duration_s=back.duration_s)
    assert back.duration_s == pytest.approx(found.duration_s, abs=0.001)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({"mode": "major", "bpm": 130, "density": 4, "pitch": 66}, ("happy",)),
        ({"mode": "major", "bpm": 140, "density": 7, "pitch": 66}, ("happy", "energetic")),
        ({"mode": "minor", "bpm": 66, "density": 3, "pitch": 60}, ("sad", "melancholic", "calm")),
        ({"mode": "minor", "bpm": 120, "density": 3, "pitch": 50}, ("dark",)),
        ({"mode": "major", "bpm": 60, "density": 1, "pitch": 60}, ("calm", "meditative")),
        ({"mode": None, "bpm": 110, "density": 5, "pitch": 60}, ()),
    ],
)
def test_moods_follow_their_evidence(evidence: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert mood.infer(**evidence) == expected
