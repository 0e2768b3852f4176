from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.attributes import Attributes
from motet.music.caption import parse_attributes
from motet.music.genre import GENRES as GENRES_OF_MUSIC
from motet.music.instrument import PROGRAM_NAMES, family_of
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.signature import meter_of_form
from motet.music.tempo import TEMPO_WORDS, word_of
from motet.training.corpus import caption_writer, phrase, truth, typist
from motet.training.corpus.window import TWINS

GENRE_NAMES = sorted({*phrase.GENRE_WORDS, *GENRES_OF_MUSIC})

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


def is_true(read: Attributes, known: Attributes) -> bool:
    """Whether nothing that the parser reads contradicts what is known; instruments by General MIDI family."""
    implied = known.meter or meter_of_form(known.genres)
    families = {family_of(program) for program in known.instruments}
    if 43 in known.instruments:
        families.add("bass")  # "bass" may be a double bass
    if known.tempo_bpm is None:
        tempo = read.tempo_bpm is None and read.tempo_word in (None, known.tempo_word)
    else:
        low, high = TEMPO_WORDS[read.tempo_word] if read.tempo_word is not None else (0.0, 400.0)
        tempo = read.tempo_bpm in (None, round(known.tempo_bpm)) and (
            low <= known.tempo_bpm <= high or read.tempo_word == known.tempo_word
        )
    return (
        tempo
        and read.key in (None, known.key)
        and read.meter in (None, implied)
        and read.bars in (None, known.bars)
        and read.drums in (None, known.drums)
        and read.duration_s is None
        and set(read.genres) <= set(known.genres)
        and set(read.moods) <= set(known.moods)
        and (
            set(read.instruments) <= set(known.instruments)
            or {family_of(program) for program in read.instruments} <= families | _SYNTHS
        )
    )


_SYNTHS = {"ensemble", "strings", "synth lead"}  # "strings" are violins and cellos, "synth" is any of them


@settings(deadline=None, max_examples=150)
@given(given=attributes(), seed=st.integers(0, 2**32 - 1))
def test_a_caption_states_only_what_is_true(given: Attributes, seed: int) -> None:
    caption = caption_writer.write(given, np.random.default_rng(seed))
    stated = caption.stated
    assert 0 < len(caption.text) <= 2000
    assert caption.text == caption.text.strip()
    assert "  " not in caption.text
    assert is_true(parse_attributes(caption.text), given), caption.text
    for name in ("key", "drums", "bars"):
        assert getattr(stated, name) in (None, getattr(given, name))
    assert stated.meter in (None, given.meter or meter_of_form(given.genres))
    for name in ("instruments", "genres", "moods"):
        assert set(getattr(stated, name)) <= set(getattr(given, name))
    if stated.tempo_bpm is not None:
        assert given.tempo_bpm is not None
        assert stated.tempo_bpm == round(given.tempo_bpm)
    if stated.tempo_word is not None:
        assert given.tempo_bpm is not None
        low, high = TEMPO_WORDS[stated.tempo_word]
        assert stated.tempo_word == given.tempo_word or low <= given.tempo_bpm <= high


def test_wording_varies_and_is_reproducible() -> None:
    texts = [caption_writer.write(FULL, np.random.default_rng(seed)).text for seed in range(300)]
    assert texts == [caption_writer.write(FULL, np.random.default_rng(seed)).text for seed in range(300)]
    assert len(set(texts)) > 280
    assert Counter(text.endswith(".") for text in texts)[False] > 100
    assert sum(len(text.split()) <= 6 for text in texts) > 30
    assert sum(len(text.split()) >= 20 for text in texts) > 30
    assert sum(text == text.lower() for text in texts) > 50


def test_each_attribute_is_stated_now_and_then_left_out() -> None:
    stated = [caption_writer.write(FULL, np.random.default_rng(seed)).stated for seed in range(400)]
    for name in ("key", "meter", "instruments", "drums", "genres", "moods"):
        share = np.mean([getattr(one, name) not in (None, ()) for one in stated])
        assert 0.35 < share < 0.75, name
    assert 0.1 < np.mean([one.bars is not None for one in stated]) < 0.3
    tempos = Counter((one.tempo_bpm is not None, one.tempo_word is not None) for one in stated)
    assert all(tempos[form] > 20 for form in [(True, False), (False, True), (True, True), (False, False)])


def test_a_dance_that_is_not_in_its_own_meter_is_named_only_with_the_meter() -> None:
    polka = Attributes(meter=Meter(4, 4), genres=("polka",), instruments=(21,), drums=False, bars=8)
    captions = [caption_writer.write(polka, np.random.default_rng(seed)) for seed in range(100)]
    named = [caption for caption in captions if caption.stated.genres]
    assert named
    assert all(caption.stated.meter == Meter(4, 4) for caption in named)
    waltz = Attributes(meter=Meter(3, 4), genres=("waltz",), instruments=(21,), drums=False, bars=8)
    captions = [caption_writer.write(waltz, np.random.default_rng(seed)) for seed in range(100)]
    assert all(caption.stated.meter == Meter(3, 4) for caption in captions if caption.stated.genres)


def test_a_line_up_is_called_alone_only_when_it_is() -> None:
    alone = Attributes(instruments=(0,), drums=False, moods=("sad",), meter=Meter(4, 4), bars=8)
    together = replace(alone, instruments=(0, 40))
    words = re.compile(r"\b(?:solo|alone|only|unaccompanied|just)\b", re.IGNORECASE)

    def said(known: Attributes) -> int:
        return sum(
            bool(words.search(caption_writer.write(known, np.random.default_rng(seed)).text)) for seed in range(200)
        )

    assert said(alone) > 5
    assert said(together) == 0


def test_no_instrument_that_plays_is_ruled_out() -> None:
    for seed in range(300):
        text = caption_writer.write(FULL, np.random.default_rng(seed)).text.lower()
        for word in ("piano", "bass", "strings", "drums"):
            assert not re.search(rf"\b(?:no|without) {word}", text)


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


@pytest.mark.parametrize("name", sorted(phrase.MOOD_WORDS))
def test_the_parser_reads_every_word_for_a_mood(name: str) -> None:
    for word in phrase.MOOD_WORDS[name]:
        assert parse_attributes(f"a {word} piece").moods == (name,), word


@pytest.mark.parametrize("name", GENRE_NAMES)
def test_the_parser_reads_every_word_for_a_genre(name: str) -> None:
    for word in phrase.GENRE_WORDS.get(name, () if name in ("house", "children") else (name,)):
        assert parse_attributes(f"a {word} piece").genres == (name,), word


def test_the_parser_reads_every_spelling_of_a_key_a_meter_a_tempo_and_a_length() -> None:
    rng = np.random.default_rng(0)
    for index in range(24):
        key = Key.from_index(index)
        for _ in range(60):
            assert parse_attributes(f"a song in {phrase.key(key, rng, short=0.4)}, slow").key == key
    for meter in (
        Meter(2, 2),
        Meter(2, 4),
        Meter(3, 4),
        Meter(4, 4),
        Meter(5, 4),
        Meter(6, 8),
        Meter(9, 8),
        Meter(12, 8),
    ):
        for _ in range(60):
            assert parse_attributes(f"a song in {phrase.time(meter, rng)}").meter == meter
    for tempo in (45.0, 60.0, 99.0, 120.0, 174.0):
        for _ in range(60):
            assert parse_attributes(f"a song, {phrase.bpm(tempo, rng)}").tempo_bpm == tempo
            assert parse_attributes(f"a song, {phrase.mark(tempo, rng)}").tempo_bpm == tempo
            assert parse_attributes(f"a song at {phrase.spelled(int(tempo))} bpm").tempo_bpm == tempo
    for bars in (1, 8, 12, 16, 32):
        for _ in range(20):
            assert parse_attributes(f"a song of {phrase.bars(bars, rng)}").bars == bars


@pytest.mark.parametrize(
    ("text", "false"),
    [
        ("a rock song with piano and bass at 92 bpm in C minor", []),
        ("a rock song with guitar", ["instruments"]),
        ("a rock song with keyboard and strings", []),
        ("brass and piano", ["instruments"]),
        ("a jazz song at 100 bpm in C major", ["tempo_bpm", "key", "genres"]),
        ("a sad waltz", ["meter", "genres"]),
        ("an allegro song in 6/8 without drums, 16 bars, happy", ["tempo_word", "meter", "drums", "bars", "moods"]),
        ("30 seconds of piano", ["duration_s"]),
        ("nothing in particular", []),
    ],
)
def test_what_is_not_true_of_the_music_is_named(text: str, false: list[str]) -> None:
    assert truth.read(text, FULL)[1] == false


def test_family_words_speak_for_all_players_of_the_family() -> None:
    known = Attributes(instruments=(27, 30, 40, 4))
    assert truth.read("electric guitars", known) == (Attributes(instruments=(27, 30)), [])
    assert truth.read("strings", known)[1] == ["instruments"]  # one violin is no string section
    assert truth.read("FM electric piano", known)[0].instruments == (4,)  # a second version of the same sound


def test_typing_changes_no_word() -> None:
    text = "A sad waltz, with piano and violin, in C minor."
    rng = np.random.default_rng(0)
    typed = [typist.typed(text, rng, care=0.0) for _ in range(200)]
    assert len(set(typed)) > 20
    for one in typed:
        words = re.findall(r"[a-z]+", one.lower())
        assert [word for word in words if word not in ("with", "w", "and")] == [
            "a",
            "sad",
            "waltz",
            "piano",
            "violin",
            "in",
            "c",
            "minor",
        ]
    slipped = [typist.slip(text, rng) for _ in range(50)]
    assert all(abs(len(one) - len(text)) <= 1 for one in slipped)
    assert len(set(slipped)) > 5
    assert typist.slip("a b c", rng) == "a b c"


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
