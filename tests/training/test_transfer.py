"""A new network starts from an earlier one, token by token where the vocabularies differ."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motet.model import artifact
from motet.model.config import MotetConfig
from motet.model.network import MotetForConditionalGeneration
from motet.model.tokenizer import Tokenizer
from motet.music.error import InvalidInputError, NotFoundError
from motet.training.transfer import transfer
from tests.tiny import random_score, tiny_folder, tiny_network, tiny_tokenizer

SIZES = {"width": 32, "layers": 2, "heads": 4, "kv_heads": 2, "hidden": 48, "max_tokens": 512}


def test_the_same_vocabulary_gives_the_same_network() -> None:
    target, tokenizer = tiny_network(seed=9), tiny_tokenizer()
    assert transfer(target, tokenizer, tiny_folder()) == 1.0
    first = {tokenizer.expansion(token): token for token in reversed(range(len(tokenizer)))}
    tokens = [first[tokenizer.expansion(token)] for token in range(len(tokenizer))]  # the library writes one twice
    for name, weight in tiny_network().state_dict().items():
        assert torch.equal(target.state_dict()[name], weight[tokens] if len(weight) == len(tokenizer) else weight), name


def test_tokens_keep_their_meaning_and_new_merges_start_from_their_parts() -> None:
    tokenizer = Tokenizer.train([random_score(seed) for seed in range(500, 560)], 900, ["tango"])
    torch.manual_seed(1)
    target = MotetForConditionalGeneration(MotetConfig(vocab_size=len(tokenizer), **SIZES))
    before = target.embedding.weight.clone()
    source, earlier = tiny_network(), tiny_tokenizer()
    assert 0.5 < transfer(target, tokenizer, tiny_folder()) < 1.0
    known = {earlier.expansion(token): token for token in reversed(range(len(earlier)))}
    merges = 0
    for token in range(len(tokenizer)):
        names = tokenizer.expansion(token)
        if names in known:
            assert torch.equal(target.head.weight[token], source.head.weight[known[names]])
        elif len(names) > 1:
            merges += 1
            parts = [known[name,] for name in names]
            torch.testing.assert_close(target.embedding.weight[token], source.embedding.weight[parts].mean(0))
            assert torch.equal(target.head.weight[token], source.head.weight[parts[0]])
    assert merges > 3
    tango = tokenizer.token("Genre_tango")
    assert torch.equal(target.embedding.weight[tango], before[tango])


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="from"):
        transfer(tiny_network(), tiny_tokenizer(), tmp_path)
    wide = MotetForConditionalGeneration(MotetConfig(vocab_size=len(tiny_tokenizer()), **(SIZES | {"hidden": 64})))
    artifact.save(wide, tiny_tokenizer(), tmp_path / "wide", torch.float32)
    with pytest.raises(InvalidInputError, match="must have the shape"):
        transfer(tiny_network(), tiny_tokenizer(), tmp_path / "wide")
