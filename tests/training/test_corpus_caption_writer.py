from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.attributes import Attributes
from motet.music.caption import parse_attributes
from motet.music.instrument import PROGRAM_NAMES
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.tempo import TEMPO_WORDS, word_of
from motet.training.corpus import caption_writer, phrase
from motet.training.corpus.window import TWINS

FULL = Attributes(
    tempo_bpm=92.0,
    tempo_word="moderate",
    key=Key(0, "minor"),
    meter=Meter(4, 4),
    instruments=(0, 33, 48),
    drums=True,
    genres=("rock", "blues"),
    moods=("sad", "calm"),
    bars=8,
)
GENRES = (
    "rock",
    "pop",
    "jazz",
    "folk",
    "classical",
    "waltz",
    "march",
    "blues",
    "country",
    "baroque",
    "latin",
)


@st.composite
def attributes(draw: st.DrawFn) -> Attributes:
    bpm = draw(st.none() | st.floats(31, 279))
    return Attributes(
        tempo_bpm=bpm,
        tempo_word=None if bpm is None else word_of(bpm),
        key=draw(st.none() | st.integers(0, 23).map(Key.from_index)),
        meter=draw(st.none() | st.sampled_from([Meter(4, 4), Meter(3, 4), Meter(6, 8), Meter(2, 4)])),
        instruments=tuple(draw(st.lists(st.integers(0, 111), max_size=6, unique=True))),
        drums=draw(st.none() | st.booleans()),
        genres=tuple(draw(st.lists(st.sampled_from(GENRES), max_size=3, unique=True))),
        moods=tuple(draw(st.lists(st.sampled_from(sorted(phrase.MOOD_WORDS)), max_size=3, unique=True))),
        bars=draw(st.none() | st.integers(2, 16)),
    )


@settings(deadline=None)
@given(given=attributes(), seed=st.integers(0, 2**32 - 1))
def test_a_caption_states_only_what_is_true(given: Attributes, seed: int) -> None:
    caption = caption_writer.write(given, np.random.default_rng(seed))
    stated = caption.stated
    assert 0 < len(caption.text) <= 2000
    assert caption.text == caption.text.strip()
    assert "  " not in caption.text
    for name in ("key", "meter", "drums", "bars"):
        assert getattr(stated, name) in (None, getattr(given, name))
    for name in ("instruments", "genres", "moods"):
        assert set(getattr(stated, name)) <= set(getattr(given, name))
    if stated.tempo_bpm is not None:
        assert given.tempo_bpm is not None
        assert stated.tempo_bpm == round(given.tempo_bpm)
        assert f"{round(given.tempo_bpm)} b" in caption.text.lower()
    if stated.tempo_word is not None:
        assert given.tempo_bpm is not None
        low, high = TEMPO_WORDS[stated.tempo_word]
        assert stated.tempo_word == given.tempo_word or low <= given.tempo_bpm <= high
    if stated.meter is not None:
        assert str(stated.meter) in caption.text
    if stated.bars is not None:
        assert re.search(rf"\b{stated.bars}[ -]bar", caption.text)


def test_wording_varies_and_is_reproducible() -> None:
    texts = [caption_writer.write(FULL, np.random.default_rng(seed)).text for seed in range(300)]
    assert texts == [caption_writer.write(FULL, np.random.default_rng(seed)).text for seed in range(300)]
    assert len(set(texts)) > 290
    assert Counter(text.endswith(".") for text in texts)[False] > 30


def test_each_attribute_is_stated_now_and_then_left_out() -> None:
    stated = [caption_writer.write(FULL, np.random.default_rng(seed)).stated for seed in range(400)]
    for name in ("key", "meter", "instruments", "drums", "genres", "moods"):
        share = np.mean([getattr(one, name) not in (None, ()) for one in stated])
        assert 0.6 < share < 0.8, name
    assert 0.15 < np.mean([one.bars is not None for one in stated]) < 0.35
    tempos = Counter((one.tempo_bpm is not None, one.tempo_word is not None) for one in stated)
    assert all(tempos[form] > 20 for form in [(True, False), (False, True), (True, True), (False, False)])


def test_nothing_known_still_gives_a_caption() -> None:
    assert caption_writer.write(Attributes(), np.random.default_rng(0)).text


def test_words_of_tempo_hold_for_the_tempo() -> None:
    for seed in range(200):
        stated = caption_writer.write(FULL, np.random.default_rng(seed)).stated
        if stated.tempo_word is not None:
            low, high = TEMPO_WORDS[stated.tempo_word]
            assert low <= 92.0 <= high


@pytest.mark.parametrize("program", [program for program in range(112) if program not in TWINS])
def test_the_parser_reads_every_name_of_an_instrument(program: int) -> None:
    names = phrase.INSTRUMENT_WORDS.get(program, (PROGRAM_NAMES[program].lower(),))
    for name in names:
        assert parse_attributes(f"A piece featuring {name}.").instruments, name


def test_the_parser_reads_what_captions_state() -> None:
    rng = np.random.default_rng(5)
    said: Counter[str] = Counter()
    read: Counter[str] = Counter()
    for _ in range(400):
        caption = caption_writer.write(FULL, rng)
        parsed = parse_attributes(caption.text)
        for name in ("tempo_bpm", "tempo_word", "key", "meter", "drums", "bars"):
            value = getattr(caption.stated, name)
            if value is not None:
                said[name] += 1
                read[name] += getattr(parsed, name) == value
        for name in ("instruments", "genres", "moods"):
            for value in getattr(caption.stated, name):
                said[name] += 1
                read[name] += value in getattr(parsed, name)
    assert min(said.values()) > 50
    for name, count in said.items():
        assert read[name] / count >= 0.95, (name, read[name], count)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uptempo song", "an uptempo song"),
        ("8-bar tune", "an 8-bar tune"),
        ("R&B song", "an R&B song"),
        ("jig", "a jig"),
    ],
)
def test_articles(text: str, expected: str) -> None:
    assert phrase.with_article(text) == expected
