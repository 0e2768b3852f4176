"""Rows are valid pieces of the asked length; pausing, copying and company change nothing that they should not."""

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motet.model.controls import Controls
from motet.model.decoder import Batch, Decoder, Prompt
from motet.model.header import DRUM_PLAYER
from motet.model.sampling.kernels import uniforms
from motet.model.seed import Seed
from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DRUMS
from tests.tiny import random_score, tiny_checkpoint

PLAIN, ASKED = "a slow tune for piano", "flute and drums in C major"
ASKED_FOR: dict[str, Any] = {"key": Key(0, "major"), "required": (73, DRUM_PLAYER)}


@lru_cache
def decoder() -> Decoder:
    return Decoder(tiny_checkpoint())


def opened(seed: int = 0, rows: int = 3, bars: int = 4, **sampling: Any) -> Batch:
    sampling = {"temperature": 1.0, "top_p": 0.98} | sampling
    prompts = [
        Prompt(PLAIN, Controls(bars=bars, **sampling))
        if row % 2
        else Prompt(ASKED, Controls(bars=bars, **ASKED_FOR, **sampling))
        for row in range(rows)
    ]
    return decoder().open(prompts, seed=seed, max_tokens=300)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), bars=st.integers(1, 6), temperature=st.floats(0.2, 2.0))
def test_every_row_is_a_piece_of_the_asked_length(seed: int, bars: int, temperature: float) -> None:
    batch = opened(seed, bars=bars, temperature=temperature)
    batch.advance(bars)
    assert batch.finished.all()
    for row in range(batch.size):
        score = batch.score(row)
        assert batch.bars_done[row] == bars or batch.token_counts[row] == 300
        assert score.end_tick <= bars * score.meters[0].bar_ticks(score.ppq)


def test_required_players_enter_by_the_third_bar() -> None:
    prompt = Prompt("x", Controls(bars=4, required=(0, 40, 73, DRUM_PLAYER), temperature=1.0, top_p=0.98))
    for seed in range(4):
        batch = decoder().open([prompt] * 2, seed=seed, max_tokens=400)
        batch.advance(3)
        for row in np.flatnonzero(batch.bars_done >= 3):
            assert {0, 40, 73, DRUMS} <= set(batch.score(int(row)).program.tolist())


def test_pausing_at_bar_lines_changes_nothing() -> None:
    at_once, in_chunks = opened(5), opened(5)
    at_once.advance(4)
    for _ in range(4):
        in_chunks.advance(1)
    for row in range(3):
        assert at_once.tokens(row).tolist() == in_chunks.tokens(row).tolist()
        assert at_once.log_probability(row) == pytest.approx(in_chunks.log_probability(row), rel=1e-6)


def test_same_seed_same_tokens_other_seed_other_tokens() -> None:
    first, second, third = opened(1), opened(1), opened(2)
    for batch in (first, second, third):
        batch.advance(4)
    assert first.tokens(0).tolist() == second.tokens(0).tolist()
    assert first.tokens(0).tolist() != third.tokens(0).tolist()


def test_a_row_does_not_depend_on_its_company() -> None:
    together = opened(9, rows=4)
    together.advance(4)
    prompt = Prompt(PLAIN, Controls(bars=4, temperature=1.0, top_p=0.98))
    alone = decoder().open([prompt], seed=9, max_tokens=300, streams=np.array([1]))
    alone.advance(4)
    assert alone.tokens(0).tolist() == together.tokens(1).tolist()


def test_a_copy_shares_the_past_and_then_goes_its_own_way() -> None:
    batch = opened(9)
    batch.advance(1)
    assert not batch.finished.any()
    past = batch.tokens(0)
    batch.select(np.array([0, 0, 2]), np.array([0, 77, 2]))
    assert batch.tokens(1).tolist() == past.tolist()
    batch.advance(3)
    assert batch.tokens(0)[: len(past)].tolist() == batch.tokens(1)[: len(past)].tolist() == past.tolist()
    assert batch.tokens(0).tolist() != batch.tokens(1).tolist()
    undisturbed = opened(9)
    undisturbed.advance(4)
    assert undisturbed.tokens(0).tolist() == batch.tokens(0).tolist()
    assert undisturbed.tokens(2).tolist() == batch.tokens(2).tolist()


def test_recorded_log_probabilities_equal_teacher_forced_ones() -> None:
    batch = opened(4)
    batch.advance(2)
    batch.select(np.array([2, 1, 2]), np.array([5, 1, 2]))
    batch.advance(2)
    network, grammar = tiny_checkpoint().network, decoder().grammar
    for row in range(3):
        tokens = batch.tokens(row).astype(np.int64)
        text, mask = decoder().text.encode([(ASKED, PLAIN, ASKED)[row]])
        inputs = torch.tensor(np.concatenate(([tiny_checkpoint().tokenizer.begin_id], tokens))[None])
        logits = network(inputs, text, mask)[0]
        chosen = torch.log_softmax(logits, -1)[torch.arange(len(tokens)), torch.tensor(tokens)]
        assert batch.log_probability(row) == pytest.approx(float(chosen.sum()), abs=1e-4 * len(tokens))
        assert grammar.end_id not in tokens


def test_cancelling_stops_between_tokens_and_keeps_what_is_there() -> None:
    batch = opened(0)
    polls = iter([False] * 12 + [True] * 10)
    assert batch.advance(4, lambda: next(polls)) <= 36
    assert not batch.finished.any()
    batch.score(0)


def test_the_asked_tempo_is_exact_where_the_token_stands_for_it() -> None:
    tokenizer = tiny_checkpoint().tokenizer
    batch = opened(6, rows=1)
    batch.advance(1)
    sampled = batch.score(0).tempo_bpm[0]
    asked = sampled * 1.004
    assert tokenizer.stands_for(sampled, asked)
    batch._prompts = [Prompt(PLAIN, Controls(tempo_bpm=asked))]
    assert batch.score(0).tempo_bpm.tolist() == [asked]
    batch._prompts = [Prompt(PLAIN, Controls(tempo_bpm=asked * 1.2))]
    assert batch.score(0).tempo_bpm[0] == sampled


def test_draws_are_uniform_and_independent_of_the_batch() -> None:
    streams, steps = np.meshgrid(np.arange(100), np.arange(200))
    draws = uniforms(np.uint64(11), streams.ravel(), steps.ravel())
    assert abs(draws.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.03
    assert len(np.unique(draws)) == draws.size
    assert uniforms(np.uint64(11), np.array([42]), np.array([7]))[0] == draws[7 * 100 + 42]


def test_nucleus_keeps_the_head_only() -> None:
    batch = opened(0, rows=1, top_p=0.5)
    batch._bent = [np.log(np.array([0.4, 0.3, 0.2, 0.1], np.float32))]
    seen = set()
    for step in range(200):
        batch._lengths[:] = step
        seen.add(int(batch._draw(np.array([0]), np.ones((1, 4), np.bool_))[0]))
    assert seen == {0, 1}


def test_guidance_of_one_is_the_model_and_more_moves_away_from_no_words() -> None:
    plain, guided = opened(3), opened(3, guidance=3.0)
    for batch in (plain, guided):
        batch._feed(np.arange(3))
    worded, moved = plain._worded, guided._bent
    np.testing.assert_array_equal(worded, plain._bent)
    np.testing.assert_array_equal(worded, guided._worded)
    text, mask = decoder().text.encode([ASKED])
    inputs = torch.tensor([[tiny_checkpoint().tokenizer.begin_id]])
    with torch.inference_mode():
        wordless = torch.log_softmax(tiny_checkpoint().network(inputs, text, torch.zeros_like(mask))[0, 0], -1).numpy()
    np.testing.assert_allclose(moved[0], wordless + 3.0 * (worded[0] - wordless), atol=1e-4)


def test_guided_rows_branch_with_their_companions() -> None:
    batch = opened(5, guidance=2.0)
    batch.advance(1)
    batch.select(np.array([2, 1, 2]), np.array([9, 1, 2]))
    batch.advance(2)
    undisturbed = opened(5, guidance=2.0)
    undisturbed.advance(3)
    assert batch.tokens(2).tolist() == undisturbed.tokens(2).tolist()
    again = batch._bent  # what the rows would go on with
    assert not batch.finished.any()
    for row in range(3):
        caption = (ASKED, PLAIN, ASKED)[row]
        text, mask = decoder().text.encode([caption])
        tokens = torch.tensor([[tiny_checkpoint().tokenizer.begin_id, *batch.tokens(row).tolist()]])
        with torch.inference_mode():
            one, none = (
                torch.log_softmax(tiny_checkpoint().network(tokens, text, kept)[0, -1], -1).numpy()
                for kept in (mask, torch.zeros_like(mask))
            )
        np.testing.assert_allclose(again[row], none + 2.0 * (one - none), atol=1e-3)


PROMPTS = (
    Prompt(PLAIN, Controls(bars=4, temperature=1.0, top_p=0.98)),
    Prompt(ASKED, Controls(bars=4, **ASKED_FOR)),
    Prompt("a waltz", Controls(bars=3, meter=Meter(3, 4), required=(33,), allowed=(33, 73), temperature=1.2)),
    Prompt("loud", Controls(bars=5, guidance=2.0, scale=True, allowed=(127,), required=(127,), tempo_bpm=90)),
)
"""Such as contradict each other in meter, players and length."""

Life = list[tuple[int, int, int | None]]
"""What a row went through: bars to grow, then the stream and, where it changed, the prompt that it went on with."""


def lived(life: Life, first: int, stream: int) -> Batch:
    """A row alone that goes through the same."""
    batch = decoder().open([PROMPTS[first]], seed=6, max_tokens=150, streams=np.array([stream]))
    for bars, stream, prompt in life:
        if bars:
            batch.advance(bars)
        batch.select(np.array([0]), np.array([stream]), [None if prompt is None else PROMPTS[prompt]])
    return batch


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_rows_that_multiply_and_change_their_words_go_on_as_they_would_alone(data: st.DataObject) -> None:
    numbers = st.integers(0, len(PROMPTS) - 1)
    first = data.draw(st.lists(numbers, min_size=1, max_size=3))
    batch = decoder().open([PROMPTS[one] for one in first], seed=6, max_tokens=150)
    lives: list[tuple[int, int, Life]] = [(one, row, []) for row, one in enumerate(first)]
    streams = list(range(len(first)))
    for turn in range(data.draw(st.integers(1, 3))):
        bars = data.draw(st.integers(1, 2))
        chosen = np.array([data.draw(st.booleans()) for _ in lives])
        told: list[int] = []
        batch.advance(bars, rows=chosen, on_pause=told.extend)
        assert len(told) == len(set(told))
        assert set(told) <= set(np.flatnonzero(chosen).tolist())
        parents = data.draw(st.lists(st.integers(0, len(lives) - 1), min_size=1, max_size=5))
        streams = [
            streams[parent] if data.draw(st.booleans()) else 100 * turn + 10 + row for row, parent in enumerate(parents)
        ]
        changed = [data.draw(st.none() | numbers) for _ in parents]
        batch.select(np.array(parents), np.array(streams), [None if c is None else PROMPTS[c] for c in changed])
        lives = [
            (*lives[parent][:2], [*lives[parent][2], (bars * bool(chosen[parent]), stream, change)])
            for parent, stream, change in zip(parents, streams, changed, strict=True)
        ]
    batch.advance(2)
    for row, (prompt, stream, life) in enumerate(lives):
        alone = lived(life, prompt, stream)
        alone.advance(2)
        assert batch.tokens(row).tolist() == alone.tokens(0).tolist()
        assert batch.log_probability(row) == alone.log_probability(0)
        assert batch.finished[row] == alone.finished[0]
        assert batch.bars_done[row] == alone.bars_done[0]
        batch.score(row)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_change_of_prompt_leaves_a_row_without_a_next_token(data: st.DataObject) -> None:
    """Whatever has been written, in the middle of a note or a header too."""
    prompts = [data.draw(st.sampled_from(PROMPTS)) for _ in range(4)]
    batch = decoder().open(prompts, seed=data.draw(st.integers(0, 999)), max_tokens=150)
    drawing, seen = batch._draw, []

    def checked(rows: NDArray[np.intp], allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        seen.append(bool(allowed.any(axis=1).all()))
        return drawing(rows, allowed)

    batch._draw = checked  # type: ignore[method-assign]
    for turn in range(3):
        polls = iter([False] * data.draw(st.integers(0, 60)) + [True] * 2)
        batch.advance(4, lambda polls=polls: next(polls))  # type: ignore[misc]
        changed = [data.draw(st.none() | st.sampled_from(PROMPTS)) for _ in prompts]
        batch.select(np.arange(4), np.arange(4) + 10 * turn, changed)
    batch.advance(9)
    assert all(seen)
    assert batch.finished.all()
    assert (batch._parse.state >= 0).all()
    for row in range(4):
        batch.score(row)


def test_tokens_are_counted_over_all_rows_that_ever_were() -> None:
    batch = opened(2)
    first = batch.advance(1)
    batch.select(np.array([1]), np.array([7]))
    second = batch.advance(1)
    assert batch.decoded == first + second > batch.token_counts.sum()
    assert batch.prefilled == 0


def fed_afresh(batch: Batch, row: int, prompt: Prompt, seed: int, stream: int) -> Batch:
    """A fresh row under ``prompt`` that is given the tokens of a paused row, and pauses there."""
    fresh = decoder().open([prompt], seed=seed, max_tokens=300, streams=np.array([stream]))
    tokens = batch.tokens(row)
    for token in tokens:
        fresh._parse.accept(np.array([0]), np.array([token], np.int64))
    fresh._tokens[0, 1 : len(tokens) + 1] = tokens
    fresh._lengths[0] = len(tokens)
    fresh._owes_bar[0] = True
    return fresh


def test_a_row_under_another_prompt_goes_on_as_a_fresh_one_that_is_fed_its_tokens() -> None:
    batch = opened(8)
    batch.advance(2)
    free = Prompt("something else, loud", Controls(bars=4, temperature=0.7, top_p=0.9))
    paused = [row for row in range(3) if not batch.finished[row]]
    fresh = [fed_afresh(batch, row, free, 8, 50 + row) for row in paused]
    written = [len(batch.tokens(row)) for row in paused]
    batch.select(np.array(paused), 50 + np.array(paused), [free] * len(paused))
    assert batch.prefilled == sum(written)
    batch.advance(2)
    for row, one in enumerate(fresh):
        one.advance(2)
        assert batch.tokens(row).tolist() == one.tokens(0).tolist()
        assert len(batch.tokens(row)) > written[row]


def test_bad_batches_are_named() -> None:
    with pytest.raises(InvalidInputError, match="prompts"):
        decoder().open([], seed=0)
    with pytest.raises(InvalidInputError, match="bars"):
        opened().advance(0)
    with pytest.raises(InvalidInputError, match="parents"):
        opened().select(np.array([0, 9, 1]), np.array([0, 1, 2]))
    with pytest.raises(InvalidInputError, match="parents"):
        opened().select(np.zeros(0, np.intp), np.zeros(0, np.int64))
    with pytest.raises(InvalidInputError, match="streams"):
        opened().select(np.array([0, 1]), np.array([0]))
    with pytest.raises(InvalidInputError, match="prompts"):
        opened().select(np.array([0, 1]), np.array([0, 1]), [None])
    with pytest.raises(InvalidInputError, match="rows"):
        opened().advance(1, rows=np.array([True]))
    batch = opened(1)
    batch.advance(1)
    other = Prompt(PLAIN, Controls(bars=4, seed=Seed(score=random_score(0))))
    with pytest.raises(InvalidInputError, match="seed music"):
        batch.select(np.array([0, 1]), np.array([0, 1]), [None, other])
    assert batch.size == 3  # nothing has changed
    assert batch.advance(1)


def seed_prompt(caption: str, seed: Seed, **controls: Any) -> Prompt:
    return Prompt(caption, Controls(bars=6, seed=seed, **controls))


@pytest.mark.parametrize("gap", [None, (2, 3)])
def test_rows_with_seed_music_change_their_words_too(gap: tuple[int, int] | None) -> None:
    seed = Seed(score=random_score(0), bars=gap)
    batch = decoder().open([seed_prompt("a", seed)] * 2, seed=3, max_tokens=400)
    batch.advance(1)
    batch.select(np.array([0, 1, 1]), np.arange(3), [None, seed_prompt("b", seed, allowed=(73,), required=(73,)), None])
    assert batch.prefilled == (len(batch.tokens(1)) if not batch.finished[1] else 0)
    batch.advance(5)
    undisturbed = decoder().open([seed_prompt("a", seed)], seed=3, max_tokens=400)
    undisturbed.advance(6)
    assert batch.tokens(0).tolist() == undisturbed.tokens(0).tolist()
    assert batch.finished.all()
    for row in range(3):
        assert len(batch.score(row))
