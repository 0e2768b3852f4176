import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music import caption as captions
from motet.music.attributes import Attributes
from motet.music.density import DENSITY_WORDS
from motet.music.describe import sentence
from motet.music.error import InvalidInputError
from motet.music.genre import GENRES
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.mood import MOODS
from motet.music.tempo import TEMPO_WORDS
from motet.search import wording
from motet.search.captions import read_captions
from motet.search.gate import admits
from motet.search.reading import read
from tests.search.paths import CAPTIONS

FIXTURE = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "golden" / "mutants.jsonl").read_text("utf-8").splitlines()
]
BAD = [row for row in FIXTURE if not row["admitted"]]
GOOD = [row for row in FIXTURE if row["admitted"]]
REFUSED_ALTHOUGH_GOOD = {
    "rock, ♩ = 120, with electric guitar, bass and drums",  # signs that the original does not use
    "funk without drums, clavinet and slap bass",  # "without a, b" may deny both
}
parse = captions.parse


def verdict(row: dict[str, str]):
    return admits(parse(row["caption"]), parse(row["mutant"]))


def test_the_fixture_is_large_and_varied() -> None:
    assert len(FIXTURE) >= 240
    assert len({(row["caption"], row["mutant"]) for row in FIXTURE}) == len(FIXTURE)
    assert len({row["kind"] for row in BAD}) >= 20
    assert min(Counter(row["admitted"] for row in FIXTURE).values()) >= 100


def test_all_that_drops_or_contradicts_is_refused() -> None:
    verdicts = [(row, verdict(row)) for row in BAD]
    assert [row for row, found in verdicts if found] == []
    assert all(found.reason for _, found in verdicts)


def test_nine_tenths_of_the_good_ones_are_admitted() -> None:
    refused = {row["mutant"] for row in GOOD if not verdict(row)}
    assert refused == REFUSED_ALTHOUGH_GOOD
    assert len(refused) <= 0.1 * len(GOOD)


@pytest.mark.parametrize(
    ("original", "mutant", "reason"),
    [
        ("a waltz in G major", "a waltz", "drops key"),
        ("a waltz in G major", "a waltz in E minor", "contradicts key"),
        ("a waltz in G major for piano", "a waltz in G major. The key is D minor, for piano", "contradicts key"),
        ("rock at 120 bpm", "rock at 90 bpm", "contradicts tempo_bpm"),
        ("a slow tune for piano", "a slow tune for piano. The tempo is 180 bpm.", "contradicts tempo_word"),
        ("piano and violin in 3/4", "piano in 3/4", "drops instruments"),
        ("piano and violin in 3/4", "piano and violin in 4/4", "contradicts meter"),
        ("a piano piece like falling snow", "a piano piece", "drops words: falling, snow"),
        ("a song for flute", "a song for flute, without bass", "negation"),
        ("a solo guitar tune", "a solo guitar tune. It is played by guitar and violin.", "drops drums: False"),
        ("only guitar", "only guitar, with violin", "wanted alone: violin"),
        ("a sparse tune for piano", "a busy, sparse tune for piano", "contradicts density"),
        ("a dark rock song", "a rock song", "drops moods"),
        ("a jazz tune in C major", "a tune in C major", "drops genres"),
        ("a rock song", "Sure! A rock song", "nothing is known of: sure"),
        ("then fast, then slow", "then slow, then fast", "order"),
    ],
)
def test_says_what_is_wrong(original: str, mutant: str, reason: str) -> None:
    assert re.search(reason, admits(parse(original), parse(mutant)).reason)


def test_every_caption_admits_itself() -> None:
    for text in read_captions(CAPTIONS):
        found = admits(parse(text), parse(text))
        assert found, f"{text}: {found.reason}"


def test_no_word_that_means_something_can_go() -> None:
    for text in read_captions(CAPTIONS)[::3]:
        reading = read(parse(text).text)
        for token in reading.tokens:
            if token.exact or len([one for one in reading.tokens if one.name == token.name]) > 1:
                continue
            first, last = reading.words.span(token.words[0])[0], reading.words.span(token.words[-1])[1]
            mutant = f"{text[:first]} {text[last:]}"
            if mutant.strip():
                assert not admits(parse(text), parse(mutant)), f"{text!r} without {token.name!r}"


KEYS = st.builds(Key, tonic=st.integers(0, 11), mode=st.sampled_from(["major", "minor"]))
METERS = st.sampled_from([Meter(2, 4), Meter(3, 4), Meter(4, 4), Meter(5, 4), Meter(6, 8), Meter(7, 8), Meter(9, 8)])
FREE_GENRES = [name for name in GENRES if parse(f"A {name} piece").attributes.meter is None]
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "tempo_bpm": st.integers(40, 220).map(float),
    "tempo_word": st.sampled_from(sorted(TEMPO_WORDS)),
    "key": KEYS,
    "meter": METERS,
    "instruments": st.lists(st.integers(0, 119), min_size=1, max_size=3, unique=True).map(tuple),
    "drums": st.booleans(),
    "density": st.sampled_from(sorted(DENSITY_WORDS)),
    "genres": st.lists(st.sampled_from(FREE_GENRES), min_size=1, max_size=2, unique=True).map(tuple),
    "moods": st.lists(st.sampled_from(sorted(MOODS)), min_size=1, max_size=3, unique=True).map(tuple),
    "bars": st.integers(2, 64),
    "duration_s": st.integers(10, 300).map(float),
}


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_another_value_of_one_attribute_is_refused(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=5, unique=True))
    stated: dict[str, Any] = {name: data.draw(VALUES[name]) for name in names}
    asked = Attributes(**stated)
    changed = data.draw(st.sampled_from(names))
    wanted = getattr(asked, changed)
    other = data.draw(
        VALUES[changed].filter(
            lambda value: not set(wanted) <= set(value) if isinstance(wanted, tuple) else value != wanted
        )
    )
    original, mutant = parse(sentence(asked)), parse(sentence(replace(asked, **{changed: other})))
    assert admits(original, original)
    assert not admits(original, mutant), (original.text, mutant.text)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_an_attribute_that_is_left_out_is_refused(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=5, unique=True))
    stated: dict[str, Any] = {name: data.draw(VALUES[name]) for name in names}
    asked = Attributes(**stated)
    dropped = data.draw(st.sampled_from(names))
    nothing: Any = () if isinstance(getattr(asked, dropped), tuple) else None
    original, mutant = parse(sentence(asked)), parse(sentence(replace(asked, **{dropped: nothing})))
    assert not admits(original, mutant), (original.text, mutant.text)


@settings(max_examples=50, deadline=None)
@given(text=st.text(min_size=1, max_size=60))
def test_noise_is_no_rewriting(text: str) -> None:
    original = parse("a slow waltz in A minor for flute and harp")
    try:
        mutant = parse(text)
    except InvalidInputError:
        return
    assert not admits(original, mutant)


@pytest.mark.parametrize("group", wording.SYNONYMS, ids=lambda group: group[0])
def test_synonyms_are_read_alike(group: tuple[str, ...]) -> None:
    stated = [parse(f"12 {phrase} with piano, in a way").attributes for phrase in group]
    plain = {"bar", "second", "minute"} & set(group)
    assert plain or all(
        (one.genres, one.moods, one.density, one.drums)
        == (stated[0].genres, stated[0].moods, stated[0].density, stated[0].drums)
        for one in stated
    )


def test_neutral_words_say_nothing() -> None:
    assert not wording.NEUTRAL & (
        wording.CUES | wording.ALONE | wording.ORDERING | wording.IRREGULAR | set(wording.PARTIES)
    )
    for word in wording.NEUTRAL:
        assert parse(f"x {word} x").attributes == Attributes(), word
    named = {name for pair in wording.OPPOSED for side in pair for name in side}
    assert named | wording.UNHURRIED | wording.DRIVEN <= set(MOODS)
    assert {name for school in wording.SCHOOLS for name in school} == set(GENRES)
