from __future__ import annotations

from pathlib import Path

import pytest

from motet.model.tokenizer import Tokenizer
from motet.model.vocabulary import Vocabulary, expansions
from motet.music.error import InvalidInputError, NotFoundError
from tests.tiny import tiny_tokenizer


def test_says_what_the_tokenizer_says_of_every_id(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.save(tmp_path)
    vocabulary = Vocabulary.load(tmp_path)
    assert expansions(vocabulary) == expansions(tokenizer)
    assert (vocabulary.pad_id, vocabulary.begin_id, vocabulary.end_id) == (
        tokenizer.pad_id,
        tokenizer.begin_id,
        tokenizer.end_id,
    )
    vocabulary.save(tmp_path / "copy")
    assert expansions(Tokenizer.load(tmp_path / "copy")) == expansions(tokenizer)


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"tokenizer\.json"):
        Vocabulary.load(tmp_path)
    for text in ("{", "{}", "[]", '{"_vocab_base": {"a": 0}}'):
        (tmp_path / "tokenizer.json").write_text(text)
        with pytest.raises(InvalidInputError, match="tokenizer"):
            Vocabulary.load(tmp_path)
