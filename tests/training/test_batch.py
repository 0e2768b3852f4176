from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.model.text import TextEncoder
from motet.training.batch import (
    IGNORED,
    MEMORY_MULTIPLE,
    MEMORY_OFFSET,
    TOKENS_MULTIPLE,
    Batch,
    Collator,
    length_batches,
)
from tests.tiny import tiny_network, tiny_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

SEQUENCES = [np.array([5, 6, 7], np.uint16), np.arange(10, 50, dtype=np.uint16)]
CAPTIONS = ["a song", "a slow waltz for piano and a flute that comes late"]


def padded(length: int) -> int:
    """Tokens of a row, begin included, rounded up."""
    return -(-(length + 1) // TOKENS_MULTIPLE) * TOKENS_MULTIPLE


@settings(deadline=None, max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 300), max_size=200),
    batch_tokens=st.integers(64, 2048),
    seed=st.integers(0, 2**32 - 1),
)
def test_batches_have_one_length_fit_and_repeat_no_window(lengths: list[int], batch_tokens: int, seed: int) -> None:
    batches = length_batches(np.array(lengths, np.int64), batch_tokens, np.random.default_rng(seed))
    used = [int(window) for batch in batches for window in batch]
    assert len(used) == len(set(used))
    rows_of: dict[int, set[int]] = {}
    for batch in batches:
        (length,) = {padded(lengths[window]) for window in batch}
        assert len(batch) == 1 or len(batch) * length <= batch_tokens
        rows_of.setdefault(length, set()).add(len(batch))
    assert all(len(rows) == 1 for rows in rows_of.values())  # shapes repeat
    left = [padded(length) for window, length in enumerate(lengths) if window not in set(used)]
    for length in set(left):
        assert left.count(length) < max(1, batch_tokens // length)


def test_batches_are_seeded_and_shuffled() -> None:
    lengths = np.random.default_rng(0).integers(1, 300, 400)

    def drawn(seed: int) -> list[list[int]]:
        return [batch.tolist() for batch in length_batches(lengths, 1024, np.random.default_rng(seed))]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    order = [padded(int(lengths[batch[0]])) for batch in drawn(1)]
    assert order != sorted(order)
    assert {window for batch in drawn(1) for window in batch} != {window for batch in drawn(2) for window in batch}
    assert any(batch != sorted(batch) for batch in drawn(1))


@pytest.fixture(scope="module")
def text() -> TextEncoder:
    return TextEncoder.load()


def collated(text: TextEncoder, *, ends=(True, False), keep_text=(True, True)) -> Batch:
    return Collator(tiny_tokenizer(), text)(SEQUENCES, CAPTIONS, list(ends), np.array(keep_text))


def test_labels_are_the_inputs_shifted(text: TextEncoder) -> None:
    batch = collated(text)
    tokenizer = tiny_tokenizer()
    assert batch.tokens.shape == batch.labels.shape == (2, 64)
    for row, (sequence, ends) in enumerate(zip(SEQUENCES, (True, False), strict=True)):
        length = len(sequence)
        assert batch.tokens[row, : length + 1].tolist() == [tokenizer.begin_id, *sequence]
        assert batch.tokens[row, length + 1 :].unique().tolist() == [tokenizer.pad_id]
        assert batch.labels[row, :length].tolist() == batch.tokens[row, 1 : length + 1].tolist()
        assert batch.labels[row, length] == (tokenizer.end_id if ends else IGNORED)
        assert batch.labels[row, length + 1 :].unique().tolist() == [IGNORED]


def test_the_memory_is_padded_and_masked(text: TextEncoder) -> None:
    batch = collated(text)
    states, mask = text.encode(CAPTIONS)
    assert (batch.text.shape[1] + MEMORY_OFFSET) % MEMORY_MULTIPLE == 0
    assert torch.equal(batch.text[:, : states.shape[1]], states)
    assert torch.equal(batch.text_mask[:, : mask.shape[1]], mask)
    assert not batch.text_mask[:, mask.shape[1] :].any()


def test_padding_changes_nothing(text: TextEncoder) -> None:
    """The losses of two rows are those of each alone."""
    network = tiny_network()
    collate = Collator(tiny_tokenizer(), text)
    keep = np.ones(1, np.bool_)
    with torch.inference_mode():
        both = collated(text).losses(network)
        for row, ends in enumerate((True, False)):
            alone = collate([SEQUENCES[row]], [CAPTIONS[row]], [ends], keep).losses(network)[0]
            real = len(SEQUENCES[row]) + ends
            torch.testing.assert_close(both[row, :real], alone[:real], atol=1e-5, rtol=1e-4)
            assert not both[row, real:].any()


def test_the_header_weighs_more(text: TextEncoder) -> None:
    tokenizer, network = tiny_tokenizer(), tiny_network()
    tokens = np.array([tokenizer.token("Key_3"), tokenizer.token("Player_0"), tokenizer.token("Bar_None")], np.uint16)
    collate = Collator(tokenizer, text, header_weight=4.0)
    batch = collate([tokens], ["a song"], [True], np.ones(1, np.bool_))
    assert batch.weights[0, :5].tolist() == [4, 4, 1, 1, 0]
    with torch.inference_mode():
        losses = batch.losses(network)[0]
        expected = (4 * losses[0] + 4 * losses[1] + losses[2] + losses[3]) / 10
        torch.testing.assert_close(batch.weighted_loss(network), expected)


def test_dropped_words_reach_the_network_in_no_way(text: TextEncoder) -> None:
    batch = collated(text, keep_text=(False, True))
    assert not batch.text_mask[0].any()
    assert batch.text_mask[1].any()
    network = tiny_network()
    collate = Collator(tiny_tokenizer(), text)
    dropped = np.zeros(2, np.bool_)
    with torch.inference_mode():
        losses = {
            float(collate(SEQUENCES, captions, [True, True], dropped).weighted_loss(network))
            for captions in (CAPTIONS, ["quite another caption", "metal"])
        }
        assert len(losses) == 1
        told = float(collate(SEQUENCES, CAPTIONS, [True, True], ~dropped).weighted_loss(network))
        assert told not in losses
