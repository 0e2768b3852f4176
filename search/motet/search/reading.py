"""Reading a caption closely: every word accounted for, as a statement of something or as a word that must stay."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from motet.music import density, genre, instrument, length, mood, signature, tempo
from motet.music.attributes import Attributes
from motet.music.caption import Caption, parse_attributes
from motet.music.family import FAMILY_WORDS
from motet.music.number import NUMBER, value
from motet.music.phrase import Found, Words
from motet.search import wording

EXACT: Final = ("tempo_bpm", "key", "meter", "bars")
"""What may be said in any words that give the same value."""
NAMED: Final = ("tempo_word", "density", "instruments", "genres", "moods")
"""What is said by a word of a vocabulary, all of whose words are not quite the same."""

_SIGNS: Final = {"#": "#", "♯": "#", "♭": "b"}
_NUMBER: Final = re.compile(NUMBER, re.IGNORECASE)
_CHORD_A: Final = re.compile(r"\s*(?:[,/)–-]|and\s+[A-G](?![a-z]))|\s*\.?\s*$")
_CHURCH_MODE: Final = re.compile(r"dorian|phrygian|lydian|mixolydian|aeolian|ionian", re.IGNORECASE)
_NO_DRUMS: Final = re.compile(
    r"\b(?:no|without|without\s+any|with\s+no|free\s+of)\s+(?:drum\s?kit|drum\s?set|drums?)\b"
    r"(?!\s*(?:,|or|nor|and|machine|solo|loop|fill|beat))|\b(?:drumless|drum[\s-]free)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A statement or a word of a caption, under a name that all ways to say it share.

    Args:
        name: "key:A minor", the name of a group of synonyms, or the word in small letters.
        words: indices of the words that it is made of.
        sentence: index of the sentence.
        negated: whether the text denies it.
    """

    name: str
    words: range
    sentence: int
    negated: bool

    @property
    def exact(self) -> bool:
        """Whether it is a statement of a value rather than a word."""
        return ":" in self.name


class Reading:
    """What a text says, statement by statement and word by word; made by ``read``.

    Args:
        text: of a caption.
    """

    def __init__(self, text: str) -> None:
        self.text = unicodedata.normalize("NFC", text)
        self.words = Words(self.text)
        self.attributes: Attributes = parse_attributes(self.text)
        words = self.words
        self.stated: dict[str, list[Found[Any]]] = {
            "tempo_bpm": list(tempo.bpm_phrases(words)),
            "key": signature.key_phrases(words),
            "meter": signature.meter_phrases(words),
            "bars": list(length.bars_phrases(words)),
        }
        """Every phrase that states an exact value, by attribute."""
        players = instrument.find(words).phrases
        spans = {index for one in players if one.last > one.first for index in range(one.first, one.last + 1)}
        textures = density.find(words, players=players)
        thickness = {index for one in textures for index in range(one.first, one.last + 1)}
        self.named: dict[str, list[Found[Any]]] = {
            "instruments": list(players),
            "density": textures,
            "tempo_word": tempo.word_phrases(words, skip=thickness),
            "genres": [found for found in genre.find(words) if found.value in self.attributes.genres],
            "moods": mood.phrases(words, skip=spans),
        }
        """Every phrase that names a value, by attribute."""
        self.tokens: tuple[Token, ...] = tuple(sorted(self._read(), key=lambda token: token.words.start))

    def _read(self) -> Iterator[Token]:
        words = self.words
        taken: set[int] = set()
        for name, stated in self.stated.items():
            for found in stated:
                yield self._token(f"{name}:{found.value}", found.first, found.last, found.negated)
                if name == "key" and (church := _CHURCH_MODE.search(self.text, found.start, found.end)):
                    yield self._token(church[0].lower(), found.first, found.last, found.negated)
                taken.update(range(found.first, found.last + 1))
        for match in _NO_DRUMS.finditer(self.text):
            silent = words.found("", match.start(), match.end())
            yield self._token("drums:False", silent.first, silent.last, False)
            taken.update(range(silent.first, silent.last + 1))
        for same in wording.SAME.find(words, skip=taken):
            yield self._token(same.value, same.first, same.last, same.negated)
            taken.update(range(same.first, same.last + 1))
        for index in range(len(words)):
            name = self._name(index)
            if index not in taken and name not in wording.NEUTRAL:
                yield self._token(name, index, index, words.negated[index] and name not in wording.CUES)

    def _token(self, name: str, first: int, last: int, negated: bool) -> Token:
        return Token(name, range(first, last + 1), self._sentences[first], negated)

    def _name(self, index: int) -> str:
        word, gap = self.words.lower[index], self.words.gap(index)
        if gap[:1] in _SIGNS:
            return word + _SIGNS[gap[0]]
        if word == "a" and self.text[self.words.span(index)[0]] == "A" and _CHORD_A.match(gap + self._after(index)):
            return "chord a"
        return f"{value(word):g}" if _NUMBER.fullmatch(word) else word

    def _after(self, index: int) -> str:
        return self.text[self.words.span(index + 1)[0] :] if index + 1 < len(self.words) else ""

    @cached_property
    def _sentences(self) -> list[int]:
        """Index of the sentence of each word."""
        places, sentence = [], 0
        for index in range(len(self.words)):
            places.append(sentence)
            sentence += bool(re.search(r"[.!?;\n](?:\s|$)|\n", self.words.gap(index)))
        return places

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of all tokens."""
        return frozenset(token.name for token in self.tokens)

    @cached_property
    def denied(self) -> frozenset[str]:
        """Names of what the text denies."""
        return frozenset(token.name for token in self.tokens if token.negated)

    def values(self, name: str, *, negated: bool = False) -> set[Any]:
        """All values of an attribute that the text states, or denies, anywhere."""
        every = (*self.stated.get(name, ()), *self.named.get(name, ()))
        return {found.value for found in every if found.negated is negated}

    def covered(self, name: str) -> set[int]:
        """Indices of the words that name a value of an attribute, denied ones apart."""
        return {
            index for found in self.named[name] if not found.negated for index in range(found.first, found.last + 1)
        }

    def meant(self, found: Found[Any]) -> frozenset[int]:
        """The programs that a phrase for instruments may mean: for a family, all of its members."""
        family = FAMILY_WORDS.meaning(self.text[found.start : found.end])
        return frozenset((*found.value, *(family or ())))


@lru_cache(maxsize=256)
def read(text: str) -> Reading:
    """The reading of a text; that of the last few hundred texts is kept."""
    return Reading(text)


def close(caption: Caption) -> Reading:
    """The reading of a caption."""
    return read(caption.text)
