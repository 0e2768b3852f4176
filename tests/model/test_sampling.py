"""The compiled mask and draw equal the plain ones."""

from functools import lru_cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motet.model import kernels
from motet.model.grammar import Grammar, Parse, State
from motet.model.sampling.kernels import draw
from tests.tiny import tiny_tokenizer


@lru_cache
def grammar() -> Grammar:
    return Grammar(tiny_tokenizer())


def reference_mask(parse: Parse, may_end: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What ``Parse.allowed`` means, array by array."""
    tables = grammar()
    mask = tables.next_state[parse.state] >= 0
    mask &= tables.first_position > np.where(tables.starts_bar, -1, parse.position[:, None])
    meter = np.where(parse.meter[:, None] >= 0, parse.meter[:, None], tables.meter)
    mask &= tables.last_position < np.where(meter >= 0, tables.bar_positions[meter], np.iinfo(np.int32).max)
    mask &= (tables.meter < 0) | (tables.meter == meter)
    mask[:, tables.end_id] &= may_end
    voice, pitch = parse.voice[:, None], parse.pitch[:, None]
    mask &= (tables.pitch_on < 0) | (tables.pitch_on > pitch)
    reached = np.maximum(pitch, tables.pitch_on)
    top = np.where(tables.voice == 0, tables.top_drum, tables.top_pitch)
    higher = np.where(tables.voice_pitch >= 0, tables.voice_pitch > reached, reached < top)
    mask &= (tables.voice < 0) | (tables.voice > voice) | ((tables.voice == voice) & higher)
    return np.asarray(mask)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_compiled_mask_equals_the_plain_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = 20
    parse = Parse(grammar(), rows)
    parse.state = rng.integers(0, len(State), rows).astype(np.int8)
    parse.position = rng.integers(-1, 60, rows).astype(np.int32)
    parse.meter = rng.integers(-1, len(grammar().meters), rows).astype(np.int16)
    parse.voice = rng.integers(-1, 129, rows).astype(np.int16)
    parse.pitch = rng.integers(-1, 110, rows).astype(np.int16)
    may_end = rng.random(rows) < 0.5
    np.testing.assert_array_equal(parse.allowed(np.arange(rows), may_end), reference_mask(parse, may_end))


def reference_draw(
    likely: NDArray[np.float32], allowed: NDArray[np.bool_], temperature: float, top_p: float, uniform: float
) -> int:
    """Nucleus sampling of one row with a full sort."""
    tokens = np.flatnonzero(allowed)
    inverse = np.float32(1 / temperature)
    largest = likely[tokens].max()
    weights = np.array([kernels.exponential((likely[token] - largest) * inverse) for token in tokens], np.float64)
    order = np.argsort(-weights, kind="stable")
    ranked = weights[order]
    before = np.concatenate(([0.0], np.cumsum(ranked)[:-1]))
    kept = np.cumsum(ranked[before < top_p * np.cumsum(weights)[-1]])
    rank = min(int((kept <= uniform * kept[-1]).sum()), len(kept) - 1)
    return int(tokens[order[rank]])


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 60),
    levels=st.sampled_from([2, 5, 1000]),  # few levels make ties
    temperature=st.floats(0.05, 2),
    top_p=st.floats(0.01, 1),
)
def test_drawing_from_a_heap_equals_drawing_from_a_full_sort(
    seed: int, size: int, levels: int, temperature: float, top_p: float
) -> None:
    rng = np.random.default_rng(seed)
    likely = (-rng.integers(0, levels, (3, size)) * 8.0 / levels).astype(np.float32)
    allowed = rng.random((3, size)) < 0.5
    allowed[:, 0] |= ~allowed.any(axis=1)
    uniform = rng.random(3)
    drawn = draw(likely, allowed, np.full(3, temperature), np.full(3, top_p), uniform)
    expected = [reference_draw(likely[row], allowed[row], temperature, top_p, uniform[row]) for row in range(3)]
    assert drawn.tolist() == expected
