"""What the parser reads in captions, wording by wording."""

from __future__ import annotations

import csv
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.music import family
from motet.music.attributes import Attributes
from motet.music.caption import Caption, parse, parse_attributes
from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.meter import Meter
from tests.music.scores import GOLDEN

C_MAJOR, A_MINOR = Key(0, "major"), Key(9, "minor")


def _value(attributes: Attributes, name: str) -> Any:
    value = getattr(attributes, name)
    return str(value) if isinstance(value, Key | Meter) else value


# One attribute of a wording; None or () means that the wording must not be taken to state it.
TEMPO: list[tuple[str, float | None]] = [
    ("a song at 102 bpm", 102),
    ("a song at 102 BPM in 4/4", 102),
    ("102bpm techno", 102),
    ("a tempo of 120", 120),
    ("a tempo of around 95, in C major", 95),
    ("set to 88 beats per minute", 88),
    ("88 beats a minute", 88),
    ("tempo: 140", 140),
    ("Tempo = 72", 72),
    ("BPM: 174", 174),
    ("♩=96", 96),
    ("♩ = 96", 96),
    ("quarter note = 66", 66),
    ("♩. = 60", 90),
    ("half note = 60", 120),
    ("100-110 bpm", 105),
    ("between 100 and 110 BPM", 105),
    ("a hundred and twenty bpm", 120),
    ("one hundred and twenty beats per minute", 120),
    ("ninety bpm", 90),
    ("92.5 bpm", 92.5),
    ("techno at 128", 128),
    ("a tempo of 120 BPM (Allegro)", 120),
    ("1000 bpm speedcore", 400),
    ("3 bpm drone", 10),
    ("120 seconds of piano", None),
    ("at 193 seconds it is full-length", None),
    ("120 bars", None),
    ("opus 120", None),
    ("in 12/8 time", None),
    ("a steady beat", None),
    ("80s pop", None),
    ("not at 120 bpm", None),
]
TEMPO_WORD: list[tuple[str, str | None]] = [
    ("an Andante tempo", "andante"),
    ("moving at a slow Adagio pace", "adagio"),
    ("a lively Vivace tempo", "vivace"),
    ("with a vivacious tempo", "vivace"),
    ("fast rock", "fast"),
    ("a very fast-paced piece", "very fast"),
    ("at a brisk tempo", "fast"),
    ("uptempo soul", "fast"),
    ("up-tempo soul", "fast"),
    ("a moderate tempo of 120 bpm", "moderate"),
    ("mid-tempo ballad", "moderate"),
    ("slow-paced", "slow"),
    ("a slow, gentle piece in a moderate tempo", "moderate"),
    ("very slow ambient", "very slow"),
    ("moderately fast", "allegretto"),
    ("PRESTO!", "presto"),
    ("a grave matter of the heart", None),
    ("a lively tune", None),
    ("not too fast", None),
    ("breakfast music", None),
]
KEY: list[tuple[str, str | None]] = [
    ("in C# minor", "C# minor"),
    ("in Db major", "Db major"),
    ("in C♯ minor", "C# minor"),
    ("in B♭ major", "Bb major"),
    ("in A-flat major", "Ab major"),
    ("in A flat major", "Ab major"),
    ("F sharp minor", "F# minor"),
    ("F-sharp Minor", "F# minor"),
    ("in the key of G", "G major"),
    ("in the key of Bb, with drums", "Bb major"),
    ("key: F#m", "F# minor"),
    ("a tune in Am", "A minor"),
    ("folk song in G", "G major"),
    ("set in a minor", "A minor"),
    ("in g minor, slow", "G minor"),
    ("A minor waltz in A minor", "A minor"),
    ("Emin", "E minor"),
    ("D dorian", "D minor"),
    ("E harmonic minor", "E minor"),
    ("Set in Ab major with a chord progression of C#, Ab, Eb7, and Ab", "Ab major"),
    ("A chord progression of C#, Ab, Eb7 in the key of Ab major", "Ab major"),
    ("a chord progression in E minor", "E minor"),
    ("Abm to C#m chord progression in a fast tempo and C# minor key", "C# minor"),
    ("starts in C minor and modulates to Eb major", "C minor"),
    ("chord progression of C#, Ab, Eb7", None),
    ("chords of C major, F major and G major", None),
    ("the chords Am, F, C and G repeat", None),
    ("a song in a minor key", None),
    ("with a major role for the flute", None),
    ("A minor key gives it sadness", None),
    ("a D major chord", None),
    ("in A, D and E", None),
    ("in C time", None),
    ("Cmaj7 and Dm7b5", None),
    ("Am I happy?", None),
    ("not in C major", None),
    ("sad piano waltz, c#m", "C# minor"),
    ("90bpm Gm 3/4", "G minor"),
    ("techno, Am, 120 bpm", "A minor"),
    ("a slow piece in bbm", "Bb minor"),
    ("key: am", "A minor"),
    ("key E, fast", "E major"),
    ("piano, a minor, slow", "A minor"),
    ("jazz in b flat", "Bb major"),
    ("a tune in c, for flute", "C major"),
    ("Am F C G on repeat", None),
    ("Dm7 | G7 | Cm", None),
    ("a vamp on Em", None),
    ("30 cm of snow", None),
    ("at 10 am", None),
    ("the tune in a nutshell", None),
]
METER: list[tuple[str, str | None]] = [
    ("a 4/4 time signature", "4/4"),
    ("in 6/8", "6/8"),
    ("in 6/8 time", "6/8"),
    ("a time signature of 12/8", "12/8"),
    ("a moderate 2/4 tempo", "2/4"),
    ("waltz time", "3/4"),
    ("common time", "4/4"),
    ("cut time", "2/2"),
    ("alla breve", "2/2"),
    ("three-four time", "3/4"),
    ("seven-eight meter", "7/8"),
    ("6-8 time", "6/8"),
    ("a sad waltz", "3/4"),
    ("an Irish jig", "6/8"),
    ("a waltz in 5/4", "5/4"),
    ("with 1/8 note hi-hats in 5/4", "5/4"),
    ("a 1/16 note pattern", None),
    ("the chords C/E and F/A", None),
    ("a 140/8 time signature", None),
    ("open 24/7", None),
    ("not in 3/4", None),
    ("a dance in three-four", "3/4"),
    ("something in six eight, lively", "6/8"),
    ("twelve-eight blues", "12/8"),
    ("three-four bars of piano", None),
    ("a six-eight player band", None),
]
INSTRUMENTS: list[tuple[str, tuple[int, ...]]] = [
    ("sad piano waltz", (0,)),
    ("distorted guitar, bass and drums", (30, 33)),
    ("piano, tenor, alto, and baritone saxophones", (0, 66, 65, 67)),
    ("electric and acoustic guitars", (27, 25)),
    ("overdriven, distorted and clean electric guitars", (29, 30, 27)),
    ("guitars, including acoustic, overdriven, distorted, and clean electric", (25, 29, 30, 27)),
    ("violin, viola and cello", (40, 41, 42)),
    ("a string quartet", (40, 41, 42)),
    ("sax and upright bass", (65, 32)),
    ("double bass", (43,)),
    ("bass clarinet", (71,)),
    ("synth lead, rain effect", (81, 96)),
    ("a church organ", (19,)),
    ("Hammond organ", (16,)),
    ("steel drums", (114,)),
    ("taiko drums", (116,)),
    ("pizzicato strings and orchestral harp", (45, 46)),
    ("honky-tonk piano", (3,)),
    ("honky tonk piano", (3,)),
    ("piano accompaniment, led by a flute", (73, 0)),
    ("piano and a violin solo", (40, 0)),
    ("cor anglais", (69,)),
    ("violins and violin", (40,)),
    ("no piano, just strings", (48,)),
    ("without drums, bass or guitar: only a piano", (0,)),
    ("without guitars and organ", ()),
    ("instead of a piano, a harp", (46,)),
    ("not only piano but also cello", (0, 42)),
    ("bell-like sounds, a flute-like tone", ()),
    ("a hornpipe", ()),
    ("strings of lights", (48,)),  # known to be fooled
]
DRUMS: list[tuple[str, bool | None]] = [
    ("with drums", True),
    ("with a drum kit", True),
    ("light percussion", True),
    ("congas and bongos", True),
    ("a drum machine", True),
    ("no drums", False),
    ("Drums: none", False),
    ("Drums: no drums\nInstruments: piano", False),
    ("Drums: yes", True),
    ("without percussion", False),
    ("without any drums or bass", False),
    ("there aren't any drums", False),
    ("piano, no bass, no drums", False),
    ("unaccompanied flute", False),
    ("a cappella choir", False),
    ("solo piano", False),
    ("solo piano with drums", True),
    ("piano only", False),
    ("a violin alone", False),
    ("bass w/o drums", False),
    ("drumless", False),
    ("not just drums", True),
    ("steel drums", None),
    ("sad piano waltz", None),
]
GENRES: list[tuple[str, tuple[str, ...]]] = [
    ("a jazz and rock song", ("jazz", "rock")),
    ("hip hop beat", ("hip-hop",)),
    ("hip-hop", ("hip-hop",)),
    ("bossanova", ("bossa nova",)),
    ("bossa nova", ("bossa nova",)),
    ("R&B ballad", ("r&b", "ballad")),
    ("new age", ("new age",)),
    ("drum and bass", ("electronic",)),
    ("a rock organ", ()),
    ("jazz guitar", ("jazz",)),
    ("8-bit", ("video game",)),
    ("film score", ("soundtrack",)),
    ("suitable for a film soundtrack", ()),
    ("house music", ("house",)),
    ("the house by the sea", ()),
    ("touches the soul", ()),
    ("not jazz but blues", ("blues",)),
    ("pop-rock", ("pop", "rock")),
    ("pop and jazz fusion", ("pop", "jazz")),
]
MOODS: list[tuple[str, tuple[str, ...]]] = [
    ("sad and joyful", ("sad", "happy")),
    ("evokes happiness and darkness", ("happy", "dark")),
    ("relaxing", ("calm",)),
    ("not sad", ()),
    ("bright piano", ()),
    ("heavy metal", ()),
    ("laid-back", ("calm",)),
]
BARS: list[tuple[str, int | None]] = [
    ("8 bars", 8),
    ("a tune lasting 12 bars in 3/4", 12),
    ("8 bars in, the drums enter", None),
    ("a 16-measure tune", 16),
    ("twelve bars of piano", 12),
    ("thirty-two bars", 32),
    ("8 to 16 bars", 16),
    ("a 4-bar loop", 4),
    ("5000 bars", 1024),
    ("0 bars", None),
    ("12-bar blues", None),
    ("the first 8 bars are quiet", None),
    ("a change every 4 bars", None),
    ("8-bit", None),
    ("in bars and pubs", None),
]
DURATION: list[tuple[str, float | None]] = [
    ("30 seconds", 30),
    ("a 90-second cue", 90),
    ("two minutes", 120),
    ("2 minutes and 30 seconds", 150),
    ("one minute and a half", 90),
    ("two and a half minutes", 150),
    ("half a minute", 30),
    ("lasting 1:30", 90),
    ("1:05 long", 65),
    ("a minute long", 60),
    ("a duration of 228 seconds", 228),
    ("10s long", 10),
    ("120 beats per minute", None),
    ("80s synth pop", None),
    ("thirty-second notes", None),
    ("the first 20 seconds", None),
    ("chords of Am and Dm", None),
    ("a short piece", None),
]
DENSITY: list[tuple[str, str | None]] = [
    ("a sparse piano piece", "sparse"),
    ("a very sparse piece", "very sparse"),
    ("a thin texture", "sparse"),
    ("a thin-sounding lead", None),
    ("just a few notes", "sparse"),
    ("very few notes", "very sparse"),
    ("a busy tune with many notes", "dense"),
    ("A dense orchestral piece", "dense"),
    ("lots of notes", "dense"),
    ("extremely dense", "very dense"),
    ("of moderate density", "moderate"),
    ("not too busy", None),
    ("without many notes", None),
    ("on a busy street", None),
    ("busy drums under a calm flute", None),
    ("busy drums and nothing else", "dense"),
    ("a piece of music", None),
]
FAMILIES: list[tuple[str, tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]]] = [
    ("a tune for flute", ()),
    ("a fretless bass", ()),
    ("a bass", (((33,), (32, 33, 34, 35, 36, 37, 38, 39, 43)),)),
    ("acoustic and electric guitars", (((25,), (24, 25)), ((27,), (26, 27, 28, 29, 30, 31)))),
    ("no strings", ()),
    ("woodwinds", (((73, 68, 71), tuple(range(64, 80))),)),
    ("a nylon guitar", ()),
]
ROWS: dict[str, list[tuple[str, Any]]] = {
    "tempo_bpm": TEMPO,
    "tempo_word": TEMPO_WORD,
    "key": KEY,
    "meter": METER,
    "instruments": INSTRUMENTS,
    "drums": DRUMS,
    "genres": GENRES,
    "moods": MOODS,
    "bars": BARS,
    "duration_s": DURATION,
    "density": DENSITY,
    "families": FAMILIES,
}
TABLE = [(name, text, expected) for name, rows in ROWS.items() for text, expected in rows]


@pytest.mark.parametrize(("name", "text", "expected"), TABLE, ids=[f"{name}: {text}" for name, text, _ in TABLE])
def test_wording(name: str, text: str, expected: object) -> None:
    assert _value(parse_attributes(text), name) == expected


def test_words_of_density_are_not_words_of_tempo() -> None:
    for text in ("a tune of moderate density", "moderately dense music"):
        assert parse_attributes(text) == Attributes(density="moderate")
    both = parse_attributes("a tune of moderate density at a moderate tempo")
    assert (both.density, both.tempo_word) == ("moderate", "moderate")


def test_a_family_word_names_one_of_its_own() -> None:
    """So that what the generator writes for the word is what the word is judged by."""
    for text in [phrase for phrases in family._MEANT for phrase in phrases.split("/")]:
        found = parse_attributes(f"a tune with {text}")
        assert found.instruments, text
        [(named, meant)] = found.families
        assert named == found.instruments
        assert set(named) <= set(meant), text


def test_a_whole_caption() -> None:
    caption = parse(
        "  A melodic pop Christmas song in Bb major, featuring acoustic guitar, fretless bass, piano, drums, and "
        "string ensemble. With a 4/4 time signature and an Adagio tempo of 67 bpm, it alternates between Bb and Eb.\n"
    )
    assert caption.text.startswith("A melodic")
    assert caption.text.endswith("Eb.")
    assert caption.attributes == Attributes(
        tempo_bpm=67,
        tempo_word="adagio",
        key=Key(10, "major"),
        meter=Meter(4, 4),
        instruments=(25, 35, 0, 48),
        drums=True,
        genres=("pop",),
        moods=("melodic", "festive"),
    )


def test_short_free_text() -> None:
    assert parse("fast rock with distorted guitar, bass and drums, 8 bars").attributes == Attributes(
        tempo_word="fast", instruments=(30, 33), drums=True, genres=("rock",), bars=8
    )
    assert parse("x").attributes == Attributes()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "must not be empty"),
        (" \n\t ", "must not be empty"),
        ("a" * 2001, "at most 2000 characters (received '2001 characters')"),
        ("a" * 10_000, "at most 2000 characters (received '10000 characters')"),
        ("piano \ud800", "valid UTF-8"),
        ("piano\x00", "control characters (received 'U+0000 at character 5')"),
        ("piano\x1b[31m", "control characters"),
        (b"piano", "must be text"),
        (None, "must be text"),
    ],
)
def test_bad_captions_give_one_line(text: Any, rule: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(text)
    assert caught.value.message.startswith("caption: ")
    assert rule in caught.value.message
    assert "\n" not in caught.value.message


def test_line_ends_and_other_scripts_are_captions() -> None:
    assert parse("calm piano\r\nin C major").attributes.key == C_MAJOR
    assert parse("静かなピアノ, in A minor 🎹").attributes.key == A_MINOR
    assert len(parse("é" * 2000).text) == 2000


@given(st.text(max_size=300))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(InvalidInputError):
        caption = parse(text)
        assert isinstance(caption, Caption)
        assert parse(caption.text) == caption


WORDS = sorted({word for _, text, _ in TABLE for word in text.split()})


@given(st.lists(st.sampled_from([*WORDS, ",", ".", "and", "or", "no", "without", "-"]), min_size=1, max_size=40))
def test_any_shuffle_of_known_words_gives_valid_attributes(words: list[str]) -> None:
    attributes = parse_attributes(" ".join(words))
    assert parse_attributes(" ".join(words)) == attributes


@pytest.mark.parametrize("text", ["no " * 660, "a, " * 650, "1 " * 990, "electric, " * 190 + "guitars", "in A " * 390])
def test_hostile_captions_take_no_time(text: str) -> None:
    assert parse_attributes(text) is not None


def test_the_real_excerpt_is_read() -> None:
    with (GOLDEN / "captions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert len(rows) == 150
    for row in rows:
        attributes = parse(row["caption"]).attributes
        if row["key"] in row["caption"]:
            assert str(attributes.key).replace("Db", "C#") == row["key"]
        if attributes.tempo_bpm is not None:
            assert abs(attributes.tempo_bpm - float(row["tempo"])) <= 1
