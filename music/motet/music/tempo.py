"""Tempo words, and finding the tempo that a text asks for."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Final

from motet.music.number import NUMBER, value
from motet.music.phrase import Found, Vocabulary, Words

TEMPO_WORDS: Final[dict[str, tuple[float, float]]] = {
    "grave": (20, 45),
    "largo": (40, 60),
    "lento": (45, 60),
    "larghetto": (58, 68),
    "adagio": (60, 72),
    "adagietto": (65, 78),
    "andante": (70, 92),
    "andantino": (80, 100),
    "moderato": (90, 112),
    "allegretto": (104, 122),
    "allegro": (110, 142),
    "vivace": (140, 162),
    "presto": (160, 210),
    "prestissimo": (200, 400),
    "very slow": (10, 60),
    "slow": (40, 80),
    "moderate": (80, 122),
    "fast": (120, 200),
    "very fast": (160, 400),
}
"""Canonical tempo word to (lowest, highest) quarter notes a minute; neighbours overlap a little, as in use."""

MIN_BPM: Final = 10.0
MAX_BPM: Final = 400.0

PLAIN_WORDS: Final = ("very slow", "slow", "moderate", "fast", "very fast")
"""The tempo words that are plain English."""

_PLAIN: Final = {
    "very slow": "very slow|extremely slow|really slow|super slow|glacial|ultra slow",
    "slow": "slow|slowly|slow paced|leisurely|unhurried|sluggish|downtempo|down tempo|low tempo|slower|slow moving",
    "andante": "walking pace|walking tempo|moderately slow|medium slow",
    "moderate": "moderate|moderately|moderately paced|medium|medium tempo|midtempo|mid tempo|mid paced",
    "allegretto": "moderately fast|medium fast",
    "fast": "fast|fast paced|quick|quickly|rapid|rapidly|brisk|briskly|swift|swiftly|speedy|uptempo|up tempo|faster",
    "very fast": "very fast|very quick|extremely fast|really fast|super fast|blazing|breakneck|lightning fast|furious",
}
_BESIDE_TEMPO: Final = {"lively": "fast", "energetic": "fast", "upbeat": "fast", "steady": "moderate", "gentle": "slow"}
_ITALIAN: Final[Vocabulary[str]] = Vocabulary(
    {word: word for word in TEMPO_WORDS if word not in PLAIN_WORDS} | {"vivacious": "vivace", "vivo": "vivace"}
)
_WORDS: Final[Vocabulary[str]] = Vocabulary(
    {phrase: word for word, phrases in _PLAIN.items() for phrase in phrases.split("|")}
)
_NEAR: Final = frozenset(["tempo", "pace", "paced", "speed", "tempos"])
_AMBIGUOUS: Final = frozenset(["grave", "vivacious", "medium", "furious", "blazing", "glacial"])  # only beside "tempo"

_UNIT: Final = r"(?:b\.?p\.?m\b\.?|(?:beats?|quarter[\s-]?notes?|quarters|crotchets)\s*(?:per|a|/)\s*min(?:ute)?s?\b)"
_RANGE: Final = rf"({NUMBER})(?:\s*(?:-|–|to|or|and)\s*({NUMBER}))?"
_BPM: Final = re.compile(rf"(?<![\w./]){_RANGE}[\s-]*{_UNIT}", re.IGNORECASE)
_AFTER: Final = re.compile(
    r"\b(?:tempo|bpm|speed|pace|metronome(?: mark(?:ing)?)?)"
    r"(?:\s+(?:marking\s+)?(?:of|at|is|is set (?:to|at)|set (?:to|at)|around|about|approximately|roughly|near))*"
    r"\s*[:=]?\s*(?:around|about|approximately|roughly|~)?\s*(\d{2,3}(?:\.\d+)?)(?!\s*/|\w|\s*(?:sec|min|bar|meas))",
    re.IGNORECASE,
)
_MARK: Final = re.compile(
    r"(♩|𝅗𝅥|♪|\bquarter(?:\s*note)?|\bhalf(?:\s*note)?|\beighth(?:\s*note)?|\bq)\s*(\.|\bdotted)?\s*=\s*(?:c\.?\s*)?"
    r"(\d{2,3}(?:\.\d+)?)",
    re.IGNORECASE,
)
_AT: Final = re.compile(r"\bat\s+(\d{2,3})(?=\s*(?:[,.;!]|$|\bin\b|\bwith\b))", re.IGNORECASE)


def find_bpm(words: Words) -> float | None:
    """The number of quarter notes a minute that a text states, held to 10 to 400; None when it states none.

    The midpoint of a range; a metronome mark for another note value is converted.
    """
    return next((found.value for found in bpm_phrases(words) if not found.negated), None)


def bpm_phrases(words: Words) -> Iterator[Found[float]]:
    """All phrases that state a number of quarter notes a minute, the surest kind first, negated ones included."""

    def found(match: re.Match[str], bpm: float) -> Iterator[Found[float]]:
        if bpm > 0:
            yield words.found(min(max(bpm, MIN_BPM), MAX_BPM), match.start(), match.end())

    for match in _BPM.finditer(words.text):
        low, high = value(match[1]), value(match[2] or match[1])
        # "two beats and 120 bpm" is no range: ends that far apart are two numbers.
        yield from found(match, (low + high) / 2 if low <= high <= 2 * low else high)
    for match in _MARK.finditer(words.text):
        quarters = {"𝅗": 2.0, "h": 2.0, "♪": 0.5, "e": 0.5}.get(match[1][0].lower(), 1.0)
        yield from found(match, float(match[3]) * quarters * (1.5 if match[2] else 1.0))
    for pattern in (_AFTER, _AT):
        for match in pattern.finditer(words.text):
            yield from found(match, float(match[1]))


def find_word(words: Words, *, skip: Container[int] = ()) -> str | None:
    """The canonical tempo word that a text uses, without the words whose index is in ``skip``.

    An Italian term comes before a plain word; a plain word beside "tempo" or "pace" before one elsewhere.
    """
    return next((found.value for found in word_phrases(words, skip=skip) if not found.negated), None)


def word_phrases(words: Words, *, skip: Container[int] = ()) -> list[Found[str]]:
    """All phrases that name a tempo, see ``find_word``, the one that counts first, negated ones included."""
    candidates = [(0, found) for found in _ITALIAN.find(words)]
    candidates += [(2, found) for found in _WORDS.find(words, skip=skip)]
    ranked: list[tuple[int, Found[str]]] = []
    for rank, found in candidates:
        near = _beside_tempo(words, found)
        if near or words.at(found.first) not in _AMBIGUOUS:
            ranked.append((rank - 1 if rank == 2 and near else rank, found))
    for index, word in enumerate(words.lower):
        if word in _BESIDE_TEMPO and words.at(index + 1) in _NEAR:
            ranked.append((3, words.found(_BESIDE_TEMPO[word], *words.span(index))))
    return [found for _, found in sorted(ranked, key=lambda item: (item[0], item[1].first))]


def word_of(bpm: float) -> str:
    """The plain tempo word for a number of quarter notes a minute."""
    for word, below in (("very slow", 50), ("slow", 80), ("moderate", 121), ("fast", 165)):
        if bpm < below:
            return word
    return "very fast"


def _beside_tempo(words: Words, found: Found[str]) -> bool:
    """Whether "tempo" or "pace" is within three words after a phrase, in the same clause, or just before it."""
    if words.at(found.last) in _NEAR or words.at(found.first - 1) in _NEAR:
        return True
    for index in range(found.last, min(found.last + 3, len(words) - 1)):
        if re.search(r"[,.;:]", words.gap(index)):
            return False
        if words.at(index + 1) in _NEAR:
            return True
    return False
