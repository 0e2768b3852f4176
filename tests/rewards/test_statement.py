from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.attributes import Attributes
from motet.music.caption import parse_attributes
from motet.music.genre import GENRES
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.mood import MOODS
from motet.music.tempo import TEMPO_WORDS
from motet.rewards import statement

ATTRIBUTES = st.builds(
    Attributes,
    tempo_bpm=st.none() | st.floats(10, 400),
    tempo_word=st.none() | st.sampled_from(list(TEMPO_WORDS)),
    key=st.none() | st.integers(0, 23).map(Key.from_index),
    meter=st.none() | st.builds(Meter, st.integers(1, 32), st.sampled_from([2, 4, 8, 16])),
    instruments=st.lists(st.integers(0, 127), unique=True, max_size=6).map(tuple),
    drums=st.none() | st.booleans(),
    genres=st.lists(st.sampled_from(GENRES), unique=True, max_size=3).map(tuple),
    moods=st.lists(st.sampled_from(list(MOODS)), unique=True, max_size=3).map(tuple),
)
FIELDS = {
    "tempo": ("tempo_bpm", "tempo_word"),
    "key": ("key",),
    "meter": ("meter",),
    "drums": ("drums",),
    "instruments": ("instruments",),
    "genres": ("genres",),
    "moods": ("moods",),
}


@settings(max_examples=60, deadline=None)
@given(ATTRIBUTES)
def test_a_vector_says_exactly_what_is_stated(attributes: Attributes):
    vector = statement.vector(attributes)
    assert vector.shape == (statement.WIDTH,)
    assert np.all((vector >= 0) & (vector <= 1))
    for name, part in statement.GROUPS.items():
        stated = any(getattr(attributes, field) not in (None, ()) for field in FIELDS[name])
        assert vector[part.start] == stated
        assert stated or not vector[part].any()


def test_groups_cover_the_vector_once():
    places = [place for part in statement.GROUPS.values() for place in range(part.start, part.stop)]
    assert places == list(range(statement.WIDTH))
    only = statement.only(["key"])
    assert only.sum() == statement.GROUPS["key"].stop - statement.GROUPS["key"].start
    with pytest.raises(KeyError):
        statement.only(["colour"])


def test_what_sentence_embeddings_blur_is_told_apart():
    def of(text: str, group: str) -> np.ndarray:
        return statement.vector(parse_attributes(text))[statement.GROUPS[group]]

    assert not np.array_equal(of("in C major", "key"), of("in C minor", "key"))
    assert not np.array_equal(of("with drums", "drums"), of("without drums", "drums"))
    assert not np.array_equal(of("in 3/4", "meter"), of("in 6/8", "meter"))
    here, near, far = (of(f"at {bpm} bpm", "tempo")[1:] for bpm in (120, 125, 60))
    assert here @ near > 10 * (here @ far)


def test_a_tempo_word_holds_what_lies_in_its_range():
    word = statement.vector(Attributes(tempo_word="allegro"))[statement.GROUPS["tempo"]]
    inside, outside = (statement.vector(Attributes(tempo_bpm=bpm))[statement.GROUPS["tempo"]] for bpm in (125, 60))
    assert word[1:] @ inside[1:] / inside[1:].sum() > 0.9
    assert word[1:] @ outside[1:] / outside[1:].sum() < 0.1
