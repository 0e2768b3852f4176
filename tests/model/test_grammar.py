"""The grammar accepts every real sequence and nothing that would not decode."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.model.grammar import COMPLETE, Grammar, Parse, State
from tests.tiny import random_score, tiny_tokenizer


@pytest.mark.parametrize("seed", range(20))
def test_every_encoded_score_is_allowed(seed: int) -> None:
    tokenizer = tiny_tokenizer()
    parse = Parse(Grammar(tokenizer), 1)
    for token in [*tokenizer.encode(random_score(200 + seed)), tokenizer.end_id]:
        assert parse.allowed(np.arange(1), np.array([True]))[0, token], tokenizer.expansion(token)
        parse.accept(np.array([0]), np.array([token]))
    assert parse.state[0] == State.END
    assert not parse.allowed(np.arange(1), np.array([True])).any()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 120))
def test_random_walks_decode_to_what_they_say(seed: int, length: int) -> None:
    tokenizer = tiny_tokenizer()
    grammar = Grammar(tokenizer)
    rng = np.random.default_rng(seed)
    parse = Parse(grammar, 1)
    tokens: list[int] = []
    complete = 0
    for _ in range(length):
        choices = np.flatnonzero(parse.allowed(np.arange(1), np.array([False]))[0])
        token = int(rng.choice(choices))
        parse.accept(np.array([0]), np.array([token]))
        tokens.append(token)
        if parse.state[0] in COMPLETE:
            complete = len(tokens)
    names = [name for token in tokens[:complete] for name in tokenizer.expansion(token)]
    score = tokenizer.decode(tokens[:complete])
    written = [name for name in names if name.startswith(("Pitch_", "PitchDrum_"))]
    assert len(score) == len(written)
    assert len(set(score.meters)) == 1
    assert len({name for name in names if name.startswith("Tempo")}) <= 1
    bars = names.count("Bar_None")
    assert len(score) == 0 or score.onset.max() < bars * score.meters[0].bar_ticks(score.ppq)


def test_the_end_waits_for_permission() -> None:
    tokenizer = tiny_tokenizer()
    parse = Parse(Grammar(tokenizer), 2)
    for token in tokenizer.encode(random_score(1)):
        parse.accept(np.array([0, 1]), np.array([token, token]))
    allowed = parse.allowed(np.arange(2), np.array([True, False]))
    assert allowed[0, tokenizer.end_id]
    assert not allowed[1, tokenizer.end_id]
    assert parse.bars[0] == 4


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_notes_at_a_position_ascend_and_none_comes_twice(seed: int) -> None:
    tokenizer = tiny_tokenizer()
    parse = Parse(Grammar(tokenizer), 1)
    rng = np.random.default_rng(seed)
    last = voice = (-2, -1)
    for _ in range(150):
        token = int(rng.choice(np.flatnonzero(parse.allowed(np.arange(1), np.array([False]))[0])))
        parse.accept(np.array([0]), np.array([token]))
        for name in tokenizer.expansion(token):
            kind, _, value = name.partition("_")
            if kind in ("Bar", "Position"):
                last = (-2, -1)
            elif kind == "Program":
                voice = (int(value), -1)
            elif kind in ("Pitch", "PitchDrum"):
                note = (voice[0], int(value))
                assert note > last
                last = note
