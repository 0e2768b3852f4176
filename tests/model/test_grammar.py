"""The grammar accepts every real sequence and nothing that would not decode."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.model.grammar import COMPLETE, Grammar, Parse, State
from motet.music.attributes import Attributes
from motet.music.meter import Meter
from motet.music.tempo import TEMPO_WORDS
from tests.tiny import random_score, tiny_tokenizer


@pytest.mark.parametrize("seed", range(20))
def test_every_encoded_score_is_allowed(seed: int) -> None:
    tokenizer = tiny_tokenizer()
    parse = Parse(Grammar(tokenizer), 1)
    for token in [*tokenizer.encode(random_score(200 + seed)), tokenizer.end_id]:
        assert parse.allowed(np.array([True]))[0, token], tokenizer.expansion(token)
        parse.accept(np.array([0]), np.array([token]))
    assert parse.state[0] == State.END
    assert not parse.allowed(np.array([True])).any()


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
        choices = np.flatnonzero(parse.allowed(np.array([False]))[0])
        token = int(rng.choice(choices))
        parse.accept(np.array([0]), np.array([token]))
        tokens.append(token)
        if parse.state[0] in COMPLETE:
            complete = len(tokens)
    names = [name for token in tokens[:complete] for name in tokenizer.expansion(token)]
    score = tokenizer.decode(tokens[:complete])
    assert len(score) == sum(name.startswith("Velocity") for name in names)
    assert len(set(score.meters)) == 1
    assert len({name for name in names if name.startswith("Tempo")}) <= 1
    bars = names.count("Bar_None")
    assert len(score) == 0 or score.onset.max() < bars * score.meters[0].bar_ticks(score.ppq)


def _names(mask: np.ndarray, kind: str) -> set[str]:
    tokenizer = tiny_tokenizer()
    names = {name for token in np.flatnonzero(mask) for name in tokenizer.expansion(int(token))}
    return {name.partition("_")[2] for name in names if name.partition("_")[0] == kind}


def test_compliant_tokens_keep_to_what_is_asked() -> None:
    grammar = Grammar(tiny_tokenizer())
    asked = Attributes(tempo_bpm=120, meter=Meter(2, 2), instruments=(0, 73), drums=True)
    mask = grammar.compliant(asked)
    assert _names(mask, "Tempo") == {"119.03"}
    assert _names(mask, "TimeSig") == {"4/4"}
    assert _names(mask, "Program") == {"0", "73", "-1"}
    assert _names(grammar.compliant(Attributes(instruments=(0, 73))), "Program") == {"0", "73"}
    assert _names(grammar.compliant(Attributes(instruments=(40,), drums=False)), "Program") == {"40"}
    assert len(_names(grammar.compliant(Attributes(instruments=(30,))), "Program")) == 129
    assert "-1" not in _names(grammar.compliant(Attributes(drums=False)), "Program")
    slow = _names(grammar.compliant(Attributes(tempo_word="slow")), "Tempo")
    assert slow
    assert all(TEMPO_WORDS["slow"][0] <= float(bpm) <= TEMPO_WORDS["slow"][1] for bpm in slow)
    assert grammar.compliant(Attributes(meter=Meter(13, 16))).all()
    assert grammar.compliant(Attributes(tempo_bpm=400)).any()
    assert all(_names(grammar.compliant(Attributes(tempo_word=word)), "Tempo") for word in TEMPO_WORDS)


def test_the_end_waits_for_permission() -> None:
    tokenizer = tiny_tokenizer()
    parse = Parse(Grammar(tokenizer), 2)
    for token in tokenizer.encode(random_score(1)):
        parse.accept(np.array([0, 1]), np.array([token, token]))
    allowed = parse.allowed(np.array([True, False]))
    assert allowed[0, tokenizer.end_id]
    assert not allowed[1, tokenizer.end_id]
    assert parse.bars[0] == 4
