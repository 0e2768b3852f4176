from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.model.control import ControlVocabulary, vocabulary
from motet.model.text import TextEncoder
from motet.music.attributes import Attributes
from motet.music.key import Key
from motet.training.batch import IGNORED, MEMORY_MULTIPLE, TOKENS_MULTIPLE, Batch, Collator, length_batches
from tests.tiny import tiny_network, tiny_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

SEQUENCES = [np.array([5, 6, 7], np.uint16), np.arange(10, 50, dtype=np.uint16)]
CAPTIONS = ["a song", "a slow waltz for piano and a flute that comes late"]
ASKED = [Attributes(key=Key(0, "major"), drums=True), Attributes(instruments=(0, 73), drums=False, bars=8)]


@lru_cache
def controls() -> ControlVocabulary:
    return ControlVocabulary(vocabulary(tiny_tokenizer().tempos_bpm, ["4/4"]))


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


def collated(text: TextEncoder, *, ends=(True, False), keep_text=(True, True), keep_controls=(True, True)) -> Batch:
    collate = Collator(tiny_tokenizer(), controls(), text)
    return collate(SEQUENCES, CAPTIONS, ASKED, list(ends), np.array(keep_text), np.array(keep_controls))


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
    assert batch.text.shape[1] % MEMORY_MULTIPLE == batch.controls.shape[1] % MEMORY_MULTIPLE == 0
    assert torch.equal(batch.text[:, : states.shape[1]], states)
    assert torch.equal(batch.text_mask[:, : mask.shape[1]], mask)
    assert not batch.text_mask[:, mask.shape[1] :].any()
    for row, asked in enumerate(ASKED):
        assert batch.controls[row][batch.control_mask[row]].tolist() == controls().ids(asked)


def test_padding_changes_nothing(text: TextEncoder) -> None:
    """The loss of two rows is the mean over their own tokens, as if each had been alone."""
    network = tiny_network()
    collate = Collator(tiny_tokenizer(), ControlVocabulary(network.config.controls), text)
    keep = np.ones(1, np.bool_)
    total = count = 0.0
    with torch.inference_mode():
        for row, ends in enumerate((True, False)):
            alone = collate([SEQUENCES[row]], [CAPTIONS[row]], [ASKED[row]], [ends], keep, keep)
            real = float((alone.labels != IGNORED).sum())
            assert real == len(SEQUENCES[row]) + ends
            total += float(alone.loss(network)) * real
            count += real
        both = collate(SEQUENCES, CAPTIONS, ASKED, [True, False], np.ones(2, np.bool_), np.ones(2, np.bool_))
        assert float(both.loss(network)) == pytest.approx(total / count, rel=1e-4)


def test_dropped_words_reach_the_network_in_no_way(text: TextEncoder) -> None:
    batch = collated(text, keep_text=(False, True))
    assert not batch.text_mask[0].any()
    assert batch.text_mask[1].any()
    network = tiny_network()
    collate = Collator(tiny_tokenizer(), ControlVocabulary(network.config.controls), text)
    dropped = np.zeros(2, np.bool_)
    with torch.inference_mode():
        losses = {
            float(collate(SEQUENCES, captions, ASKED, [True, True], dropped, ~dropped).loss(network))
            for captions in (CAPTIONS, ["quite another caption", "metal"])
        }
        assert len(losses) == 1
        told = float(collate(SEQUENCES, CAPTIONS, ASKED, [True, True], ~dropped, ~dropped).loss(network))
        assert told not in losses


def test_dropped_controls_are_null(text: TextEncoder) -> None:
    batch = collated(text, keep_controls=(False, True))
    assert batch.controls[0][batch.control_mask[0]].tolist() == controls().ids(Attributes())
    assert controls().ids(Attributes()) == [0]
    assert batch.controls[1][batch.control_mask[1]].tolist() == controls().ids(ASKED[1])
