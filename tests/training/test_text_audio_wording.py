from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch

from motet.model.text import TextEncoder
from motet.music.caption import parse_attributes
from motet.rewards import statement
from motet.training.facts import Facts
from motet.training.text_audio.wording import embedded, embedded_once, word
from tests.fakes import fake_embed
from tests.training.text_audio_material import known


class CountingEncoder:
    """The part of ``motet.model.text.TextEncoder`` that training uses."""

    width = 384

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pooled(self, captions):
        self.asked += captions
        return torch.from_numpy(fake_embed(captions))


def test_true_words_are_true_of_their_piece_and_false_ones_are_not():
    pieces = known(24)
    texts: list[str] = []

    def embed(captions):
        texts.extend(captions)
        return fake_embed(captions)

    said = word(pieces, [()] * 24, embed, true=3, false=2, wrong=4, seed=0)
    facts, rows = Facts(said.known), np.arange(24)
    true = Facts(said.stated).true_of(facts, rows, np.arange(72))
    assert true[np.arange(72) // 3, np.arange(72)].all()
    lies = Facts([parse_attributes(text) for text in texts[72:]]).true_of(facts, rows, np.arange(48))
    assert lies[np.arange(48) // 2, np.arange(48)].mean() < 0.1
    changed = (said.wrong != said.right[:, None]).any(-1)
    assert changed.mean() > 0.9
    for piece, wrong in zip(*np.nonzero(changed), strict=True):
        different = said.wrong[piece, wrong] != said.right[piece]
        groups = [name for name, part in statement.GROUPS.items() if different[part].any()]
        assert len(groups) == 1, groups


def test_joined_words_follow_one_another():
    one = word(known(4), [()] * 4, fake_embed, true=2, false=1, wrong=2, seed=0)
    both = one.joined(word(known(3), [()] * 3, fake_embed, true=2, false=1, wrong=2, seed=1))
    assert len(both) == 7
    assert both.true.shape[0] == both.wrong.shape[0] == 7
    assert len(both.stated) == 14


def test_equal_captions_are_embedded_once_and_kept(tmp_path: Path):
    encoder = CountingEncoder()
    vectors = embedded(["a waltz", "a jig", "a waltz"], cast(TextEncoder, encoder), print)
    assert sorted(encoder.asked) == ["a jig", "a waltz"]
    np.testing.assert_array_equal(vectors[0], vectors[2])
    first = embedded_once(["a waltz"], cast(TextEncoder, encoder), tmp_path, print)
    count = len(encoder.asked)
    np.testing.assert_array_equal(embedded_once(["a waltz"], cast(TextEncoder, encoder), tmp_path, print), first)
    assert len(encoder.asked) == count
