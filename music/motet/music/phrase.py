"""Finding the phrases of a vocabulary in free text, and telling which of them are negated."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_WORD: Final = re.compile(r"[^\W_]+(?:['’](?:t|s|n)\b)?")
_LOOSE: Final = re.compile(r"[\s\-‐‑–&'’]*")  # what may stand between the words of one phrase
_SENTENCE_END: Final = re.compile(r"[.;:!?\n]")
_NOT_LETTERS: Final = re.compile(r"[\W_]+")

_CUES: Final = frozenset(
    ["no", "without", "not", "never", "non", "lacking", "lacks", "lack", "minus", "excluding", "exclude", "avoid",
     "avoids", "avoiding", "neither", "nor", "sans", "absent", "omit", "omits", "omitting"]
)  # fmt: skip
_CUE_PAIRS: Final = frozenset(
    [
        ("free", "of"),
        ("devoid", "of"),
        ("instead", "of"),
        ("rather", "than"),
        ("absence", "of"),
        ("anything", "but"),
        ("w", "o"),
    ]
)
_LISTING_CUES: Final = _CUES - {"no", "not", "never", "non"}  # "without a and b" means neither; "no a and b" is unclear
_NOT_CUES: Final = frozenset(["only", "just", "merely", "necessarily", "least"])  # "not only sad but dark"
_SCOPE_ENDS: Final = frozenset(
    ["but", "except", "other", "only", "just", "with", "featuring", "plus", "yet", "although", "though", "while",
     "then", "instead", "which", "that", "in", "at", "is", "for"]
)  # fmt: skip
_SCOPE_WORDS: Final = 6


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A phrase of a vocabulary in a text.

    Args:
        value: what the vocabulary says that it means.
        first: index of its first word.
        last: index of its last word.
        start: character at which it starts.
        end: character after its end.
        negated: whether the text denies it ("no drums").
    """

    value: T
    first: int
    last: int
    start: int
    end: int
    negated: bool


class Words:
    """The words of a text, lower case, with their places and whether each stands under a negation."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._spans = [match.span() for match in _WORD.finditer(text)]
        self.lower = [text[start:end].lower().replace("’", "'") for start, end in self._spans]
        self.squeezed = [word.replace("'", "") for word in self.lower]
        self.negated = self._negations()

    def __len__(self) -> int:
        return len(self.lower)

    def span(self, index: int) -> tuple[int, int]:
        """First character, and the one after the last, of a word."""
        return self._spans[index]

    def gap(self, index: int) -> str:
        """What stands between word ``index`` and the next one, or after the last one."""
        end = self._spans[index + 1][0] if index + 1 < len(self) else len(self.text)
        return self.text[self._spans[index][1] : end]

    def at(self, index: int) -> str:
        """The word at ``index``, "" outside the text."""
        return self.lower[index] if 0 <= index < len(self) else ""

    def index_at(self, character: int) -> int:
        """Index of the word at or after a character."""
        return next((index for index, span in enumerate(self._spans) if span[1] > character), len(self))

    def negated_at(self, character: int) -> bool:
        """Whether the word at or after a character stands under a negation."""
        index = self.index_at(character)
        return index < len(self) and self.negated[index]

    def found(self, value: T, start: int, end: int) -> Found[T]:
        """The phrase from character ``start`` to before ``end``, which must touch a word, with what it means."""
        first = last = self.index_at(start)
        while last + 1 < len(self) and self._spans[last + 1][0] < end:
            last += 1
        return Found(value, first, last, start, end, self.negated[first])

    def _negations(self) -> list[bool]:
        marks = [False] * len(self)
        for index, word in enumerate(self.lower):
            pair = (word, self.at(index + 1))
            cue = word in _CUES or word.endswith("n't") or pair in _CUE_PAIRS
            if not cue or self.at(index + 1) in _NOT_CUES:
                continue
            start = index + (2 if pair in _CUE_PAIRS else 1)
            if "," in self.gap(index) or _SENTENCE_END.search(self.gap(index)):
                continue
            for position in range(start, self._scope_end(start, word in _LISTING_CUES or pair in _CUE_PAIRS)):
                marks[position] = True
        return marks

    def _scope_end(self, start: int, listing: bool) -> int:
        """Index after the last word that a negation before ``start`` covers."""
        position, since_joint = start, 0
        while position < len(self):
            word = self.lower[position]
            directly = position == start and word in ("in", "at", "for")  # "not in 3/4"
            if (word in _SCOPE_ENDS and not directly) or since_joint >= _SCOPE_WORDS:
                return position
            if word == "and" and (not listing or self.at(position + 1) in ("a", "an", "the", "with", "some")):
                return position
            since_joint = 0 if word in ("or", "nor", "and") else since_joint + 1
            gap = self.gap(position)
            if _SENTENCE_END.search(gap) or any(mark in gap for mark in "()–—") or " - " in gap:
                return position + 1
            if "," in gap:
                if not self._list_goes_on(position + 1):
                    return position + 1
                since_joint = 0
            position += 1
        return position

    def _list_goes_on(self, start: int) -> bool:
        """Whether the words from ``start`` are items of a list that "or" or "nor" closes: "no a, b or c"."""
        since_comma = 0
        for position in range(start, len(self)):
            word = self.lower[position]
            if word in ("or", "nor"):
                return True
            if word in _SCOPE_ENDS or word == "and" or since_comma >= 3 or _SENTENCE_END.search(self.gap(position)):
                return False
            since_comma = 0 if "," in self.gap(position) else since_comma + 1
        return False


class Vocabulary(Generic[T]):
    """Phrases and what each means; spaces, hyphens and apostrophes within a phrase are optional in the text.

    Args:
        meanings: lower-case phrase to meaning.
        plural: whether "s" or "es" may be added to a phrase.
    """

    def __init__(self, meanings: Mapping[str, T], *, plural: bool = False) -> None:
        self._longest = 1
        squeezed: dict[str, T] = {}
        for phrase, meaning in meanings.items():
            words = _WORD.findall(phrase.replace("'", " "))
            squeezed["".join(words)] = meaning
            self._longest = max(self._longest, len(words))
        self._meanings = dict(squeezed)
        for ending in ("s", "es") if plural else ():
            for key, meaning in squeezed.items():
                self._meanings.setdefault(key + ending, meaning)
        # All beginnings of keys, so that most words of a text are passed over at one look.
        self._beginnings = frozenset(key[:end] for key in self._meanings for end in range(1, len(key) + 1))

    def meaning(self, phrase: str) -> T | None:
        """What one phrase means, None when it is not in the vocabulary."""
        return self._meanings.get(_NOT_LETTERS.sub("", phrase.lower()))

    def find(self, words: Words, *, skip: Container[int] = ()) -> Iterator[Found[T]]:
        """The phrases in a text from left to right, longest first, without the words whose index is in ``skip``."""
        index = 0
        count = len(words)
        while index < count:
            found = self._longest_at(words, index, skip) if words.squeezed[index] in self._beginnings else None
            if found is not None:
                yield found
            index = index + 1 if found is None else found.last + 1

    def _longest_at(self, words: Words, first: int, skip: Container[int]) -> Found[T] | None:
        best: Found[T] | None = None
        key = ""
        for last in range(first, min(first + self._longest, len(words))):
            key += words.squeezed[last]
            if key not in self._beginnings or last in skip:
                break
            if last > first and not _LOOSE.fullmatch(words.gap(last - 1)):
                break
            value = self._meanings.get(key)
            if value is not None:
                start, end = words.span(first)[0], words.span(last)[1]
                best = Found(value, first, last, start, end, words.negated[first] or words.negated[last])
        return best
