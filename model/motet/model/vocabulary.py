"""The vocabulary of a tokenizer alone: what its ids stand for, read from ``tokenizer.json`` without miditok.

Training needs no more than this, so that it runs where neither miditok nor symusic is installed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Protocol

from motet.music.error import InvalidInputError, NotFoundError

FILE: Final = "tokenizer.json"
PAD: Final = "PAD_None"
BEGIN: Final = "BOS_None"
END: Final = "EOS_None"


class AnyVocabulary(Protocol):
    """What a ``Tokenizer`` and its ``Vocabulary`` have in common."""

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""

    @property
    def begin_id(self) -> int:
        """Id with which every sequence starts."""

    @property
    def end_id(self) -> int:
        """Id that ends a piece."""

    def __len__(self) -> int:
        """Number of tokens."""

    def expansion(self, token: int) -> tuple[str, ...]:
        """The base tokens that ``token`` stands for."""

    def save(self, folder: Path) -> None:
        """Writes ``tokenizer.json`` into ``folder``, which is made if needed."""


def expansions(vocabulary: AnyVocabulary) -> list[tuple[str, ...]]:
    """The base tokens that every id stands for."""
    return [vocabulary.expansion(token) for token in range(len(vocabulary))]


class Vocabulary:
    """What the ids of a tokenizer stand for; the same as ``Tokenizer`` says, for every id.

    Read one with ``load``.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        try:
            stored = json.loads(text)
            base: dict[str, int] = stored["_vocab_base"]
            if stored.get("_model") is None:
                names = sorted(base, key=lambda name: base[name])
                found: list[tuple[str, ...]] = [(name,) for name in names]
            else:
                meanings: dict[str, str] = stored["_vocab_base_byte_to_token"]
                learned: dict[str, int] = json.loads(stored["_model"])["model"]["vocab"]
                words = sorted(learned, key=lambda word: learned[word])
                # miditok writes a base token as one character, a merge as those of its parts.
                found = [tuple(meanings[letter] for letter in word if letter in meanings) for word in words]
            self._expansions = found
            self.pad_id, self.begin_id, self.end_id = base[PAD], base[BEGIN], base[END]
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError.of("tokenizer", "must be a tokenizer.json of miditok's", repr(error)) from error

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Reads ``tokenizer.json`` from a checkpoint folder; NotFoundError if there is none."""
        path = folder / FILE
        if not path.is_file():
            raise NotFoundError("TOKENIZER_NOT_FOUND", f"tokenizer: no file {path}", {"path": str(path)})
        return cls(path.read_text("utf-8"))

    def save(self, folder: Path) -> None:
        """Writes ``tokenizer.json`` into ``folder``, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(self._text, encoding="utf-8")

    def __len__(self) -> int:
        return len(self._expansions)

    def expansion(self, token: int) -> tuple[str, ...]:
        """The base REMI tokens, such as ``("Position_12", "Program_0")``, that ``token`` stands for."""
        return self._expansions[token]
