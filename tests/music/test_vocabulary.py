"""The canonical vocabularies: genres, moods, instruments, tempo words, numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.music import genre, instrument, mood, number, tempo
from motet.music.error import InvalidInputError
from motet.music.phrase import Vocabulary, Words
from motet.music.score import DRUMS


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("classical", "classical"),
        ("Hip-Hop", "hip-hop"),
        ("hiphop", "hip-hop"),
        ("bossanova", "bossa nova"),
        ("68march", "march"),
        ("6/8 march", "march"),
        ("rock-128", "rock"),
        ("countryswing", "country"),
        ("countrywaltz", "waltz"),
        ("popballad", "ballad"),
        ("celtic jig", "jig"),
        ("jazz-54", "jazz"),
        ("rb", "r&b"),
        ("newage", "new age"),
        ("easylistening", "easy listening"),
        ("instrumentalpop", "pop"),
        ("instrumentalrock", "rock"),
        ("video game", "video game"),
        ("game soundtrack", "video game"),
        ("lied", "art song"),
        ("mass", "sacred"),
        ("world", "world"),
        ("groove7", None),
        ("ashover", None),
        ("", None),
    ],
)
def test_tags_of_data_sets(tag: str, expected: str | None) -> None:
    assert genre.canonical(tag) == expected


def test_canonical_names_are_their_own() -> None:
    assert all(genre.canonical(name) == name for name in genre.GENRES)
    assert all(mood.canonical(name) == name for name in mood.MOODS)
    assert set(genre.SPOKEN_NAMES) == set(genre.GENRES)
    assert len(set(genre.GENRES)) == len(genre.GENRES)


def test_midicaps_and_corpus_genres_are_covered() -> None:
    wanted = [
        *["classical", "sacred", "art song", "jazz", "folk", "rock", "swing", "baroque", "latin", "pop", "blues"],
        *["country", "march", "jig", "ballad", "celtic", "waltz", "romantic", "reel", "video game", "soul", "funk"],
        *["polka", "tango", "disco", "hip-hop", "metal", "reggae", "ska", "bossa nova", "mambo", "salsa", "samba"],
        *["electronic", "soundtrack", "ambient", "new age", "easy listening", "world", "dance", "experimental"],
    ]
    assert set(wanted) <= set(genre.GENRES)


def test_tempo_words_name_ranges_that_can_be_played() -> None:
    for low, high in tempo.TEMPO_WORDS.values():
        assert tempo.MIN_BPM <= low < high <= tempo.MAX_BPM
    assert set(tempo.PLAIN_WORDS) <= set(tempo.TEMPO_WORDS)


@given(st.floats(tempo.MIN_BPM, tempo.MAX_BPM))
def test_the_word_of_a_tempo_covers_it(bpm: float) -> None:
    low, high = tempo.TEMPO_WORDS[tempo.word_of(bpm)]
    assert low <= bpm <= high


def test_general_midi_has_128_programs_in_16_families() -> None:
    assert len(set(instrument.PROGRAM_NAMES)) == 128
    assert len(set(instrument.SPOKEN_NAMES)) == 128
    assert len(instrument.FAMILIES) == 16
    assert instrument.family_of(0) == "piano"
    assert instrument.family_of(127) == "sound effects"
    assert [instrument.family_of(40), instrument.family_of(73)] == ["strings", "pipe"]
    for program in (-1, 128):
        with pytest.raises(InvalidInputError):
            instrument.family_of(program)


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("Violin", 40),
        ("sax", 65),
        ("strings", 48),
        ("synth lead", 81),
        ("overdriven guitar", 29),
        ("upright bass", 32),
        ("choir", 52),
        ("drums", DRUMS),
        ("percussion", DRUMS),
        ("drum kit", DRUMS),
        ("Acoustic Grand Piano", 0),
        ("Electric Bass (finger)", 33),
        ("kazoo", None),
    ],
)
def test_programs_of_names(name: str, program: int | None) -> None:
    assert instrument.program_of(name) == program


@pytest.mark.parametrize(
    ("text", "expected"),
    [("96", 96), ("1.5", 1.5), ("eight", 8), ("thirty-two", 32), ("one hundred and twenty", 120), ("hundred", 100)],
)
def test_numbers(text: str, expected: float) -> None:
    assert number.value(text) == expected


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("no drums", ["drums"]),
        ("no drums, piano", ["drums"]),
        ("no drums, bass or piano", ["drums", "bass", "piano"]),
        ("without drums and bass", ["drums", "bass"]),
        ("without drums and a piano", ["drums"]),
        ("without any heavy drums or bass, but piano", ["drums", "bass"]),
        ("neither drums nor bass. Piano", ["drums", "bass"]),
        ("not only drums but bass", []),
        ("doesn't have drums", ["drums"]),
        ("free of drums", ["drums"]),
        ("drums, no. Piano, yes", []),
        ("nothing but piano", []),
        ("piano without drums with bass", ["drums"]),
    ],
)
def test_negations_cover_what_they_say(text: str, negated: list[str]) -> None:
    players = Vocabulary({"drums": 1, "bass": 2, "piano": 3})
    words = Words(text)
    assert [words.at(found.first) for found in players.find(words) if found.negated] == negated


def test_the_longest_phrase_wins_and_hyphens_do_not_matter() -> None:
    vocabulary = Vocabulary({"bass": 1, "bass drum": 2, "hip hop": 3}, plural=True)
    found = list(vocabulary.find(Words("Bass-drums, bass and drum, HipHop, hip-hop")))
    assert [item.value for item in found] == [2, 1, 3, 3]
    assert (found[0].start, found[0].end) == (0, 10)
