"""Both layouts equal an independent computation of every step; cached equals whole, batched equals alone."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from motet.model.text2midi import checkpoint
from motet.model.text2midi.network import Text2midi
from motet.model.text2midi.text import CaptionEncoder
from tests.model.text2midi import recomputation
from tests.model.text2midi.published import CAPTIONS, HEADS, VOCABULARY, imported, tensors, text_tokenizer

LENGTHS = (63, 64)  # tokens of a training sequence: the first is not a multiple of the heads, the second is


def assert_near(actual: NDArray[np.float32], desired: NDArray[np.floating]) -> None:
    np.testing.assert_allclose(actual, desired, atol=1e-5, rtol=1e-5)


@lru_cache
def parts(length: int, layout: str) -> tuple[Text2midi, CaptionEncoder]:
    network, _, captions = checkpoint.load(imported(length + 1, layout))
    return network, captions


def sequence(seed: int, length: int) -> list[int]:
    return [1, *np.random.default_rng(seed).integers(4, VOCABULARY, length - 1).tolist()]


@lru_cache
def expected(length: int, layout: str, seed: int, steps: int) -> NDArray[np.float64]:
    """Recomputed logits [steps, V] of caption ``seed``."""
    weights = {name: tensor.double().numpy() for name, tensor in tensors(length + 1).items()}
    text = recomputation.caption_states(weights, text_tokenizer().encode(CAPTIONS[seed]).ids)
    if layout == "upstream":
        return recomputation.stepwise_upstream(weights, sequence(seed, steps), text, HEADS)
    return recomputation.stepwise_train(weights, sequence(seed, steps), text, HEADS, length)


@torch.inference_mode()
def walk(length: int, layout: str, rows: list[int], steps: int, lag: int = 0) -> NDArray[np.float32]:
    """Logits [rows, steps, V] of the network, step by step; row i starts ``lag * i`` steps late."""
    network, captions = parts(length, layout)
    memory = network.remember(*captions.encode([CAPTIONS[row] for row in rows]))
    cache = network.allocate(len(rows), steps)
    tokens = torch.tensor([sequence(row, steps) for row in rows])
    late = lag * torch.arange(len(rows))
    result = np.zeros((len(rows), steps, VOCABULARY), np.float32)
    for step in range(steps + int(late.max())):
        positions = (step - late).clamp(0, steps - 1)
        logits = network.step(tokens[torch.arange(len(rows)), positions], positions, cache, memory)
        result[np.arange(len(rows)), positions.numpy()] = logits.numpy()
    return result


def test_caption_states_equal_a_computation_by_hand() -> None:
    _, captions = parts(63, "train")
    weights = {name: tensor.double().numpy() for name, tensor in tensors(64).items()}
    long = " ".join(["a sad piano waltz for two"] * 15)  # beyond the exact distances of the position buckets
    states, mask = captions.encode([*CAPTIONS, long])
    for row, caption in enumerate([*CAPTIONS, long]):
        pieces = text_tokenizer().encode(caption).ids
        assert mask[row].tolist() == [True] * len(pieces) + [False] * (states.shape[1] - len(pieces))
        by_hand = recomputation.caption_states(weights, pieces)
        np.testing.assert_allclose(states[row, : len(pieces)].numpy(), by_hand, atol=2e-5)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("layout", ["train", "upstream"])
def test_every_step_equals_the_recomputation(layout: str, length: int) -> None:
    assert_near(walk(length, layout, [0], length)[0], expected(length, layout, 0, length))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("layout", ["train", "upstream"])
@pytest.mark.parametrize("lag", [0, 3, 30])  # in one block or two, far apart
def test_rows_of_a_batch_equal_the_recomputation_of_each_alone(layout: str, length: int, lag: int) -> None:
    batch = walk(length, layout, [0, 1, 2], length, lag)
    for row in range(3):
        assert_near(batch[row], expected(length, layout, row, length))


@pytest.mark.parametrize("length", LENGTHS)
@torch.inference_mode()
def test_steps_with_a_cache_equal_one_pass(length: int) -> None:
    network, captions = parts(length, "train")
    text = captions.encode(CAPTIONS)
    for steps in (1, 7, 40, length):
        tokens = torch.tensor([sequence(row, steps) for row in range(3)])
        whole = network(tokens, *text).numpy()
        assert_near(whole, walk(length, "train", [0, 1, 2], steps))


@torch.inference_mode()
def test_one_pass_in_the_upstream_layout_is_cut_by_its_own_length() -> None:
    network, captions = parts(63, "upstream")
    tokens = torch.tensor([sequence(0, 21)])
    last = network(tokens, *captions.encode(CAPTIONS[:1]))[0, -1]
    assert_near(last.numpy(), expected(63, "upstream", 0, 21)[-1])


def test_the_layouts_differ_and_the_words_matter() -> None:
    train, upstream = (expected(63, layout, 0, 63) for layout in ("train", "upstream"))
    assert np.abs(train[30] - upstream[30]).max() > 0.05
    network, captions = parts(63, "train")
    tokens = torch.tensor([sequence(0, 5)] * 2)
    logits = network(tokens, *captions.encode(CAPTIONS[:2]))
    assert (logits[0] - logits[1]).abs().max() > 0.05


def test_a_token_reaches_its_block_and_no_further_than_the_token_that_straddles_the_next_bound() -> None:
    # n = 63, 8 blocks of 7.875 tokens: token 7 holds the last 7 sub-steps of block 0 and the first of block 1.
    network, captions = parts(63, "train")
    tokens = torch.tensor([sequence(0, 63)])
    changed = tokens.clone()
    changed[0, 9] = 5
    text = captions.encode(CAPTIONS[:1])
    moved = (network(tokens, *text) - network(changed, *text)).abs().amax(-1)[0]
    reached = torch.nonzero(moved > 1e-6)[:, 0].tolist()
    # Layer 1 carries the change to token 15, which straddles; layer 2 from there to the end of block 2, token 23.
    assert reached == list(range(9, 24))
