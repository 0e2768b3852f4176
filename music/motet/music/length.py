"""Finding the length that a text asks for, in bars or in seconds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from motet.music.number import NUMBER, value
from motet.music.phrase import Found, Words

MAX_BARS: Final = 1024

_BARS: Final = re.compile(
    rf"(?<![\w./])({NUMBER})(?:\s*(?:-|–|to|or)\s*({NUMBER}))?[\s-]*(?:bars?|measures?)\b(?!\s+(?:blues|later|before|in\s*(?:[,.;]|$)))",
    re.IGNORECASE,
)
_PART: Final = re.compile(
    r"\b(?:every|each|first|last|next|after|per|final|opening|following|another|at)\s+(?:the\s+)?$", re.IGNORECASE
)
_DURATION: Final = re.compile(
    rf"(?<![\w./:])(?:(?P<count>{NUMBER}|an?|half\s+an?|half)(?P<half>\s+and\s+a\s+half)?[\s-]*"
    r"(?P<unit>minutes?|mins?\b|seconds?|secs?\b)|(?P<digits>\d+)\s?(?P<letter>[sm])\b(?=\s+(?:long|clip|loop)))(?P<over>\s+and\s+a\s+half)?"
    r"(?![\w/]|[\s-]+(?:notes?|chord|inversion|verse|violin|part|voice|theme|movement))",
    re.IGNORECASE,
)
_CLOCK: Final = re.compile(
    r"(?:\b(?:duration|length|runtime|long|lasts?|lasting|running time|runs)\b\D{0,12})(\d{1,2}):([0-5]\d)\b"
    r"|(?<![\w:])(\d{1,2}):([0-5]\d)\s*(?:long|minutes|mins?|in length)\b",
    re.IGNORECASE,
)
_PART_OF_TIME: Final = re.compile(
    r"\b(?:per|every|each|first|last|next|after|final|opening)\s+(?:the\s+)?$", re.IGNORECASE
)


def find_bars(words: Words) -> int | None:
    """The number of bars that a text asks for, held to 1 to 1024: "8 bars", "16-measure", "twelve bars".

    The larger end of a range. Not the form "12-bar blues", and not a part: "the first 8 bars", "every 4 bars".
    """
    return next((found.value for found in bars_phrases(words) if not found.negated), None)


def bars_phrases(words: Words) -> Iterator[Found[int]]:
    """All phrases that state a number of bars, see ``find_bars``, negated ones included."""
    for match in _BARS.finditer(words.text):
        bars = round(value(match[2] or match[1]))
        if bars >= 1 and not _PART.search(words.text[: match.start()]):
            yield words.found(min(bars, MAX_BARS), match.start(), match.end())


def find_duration_s(words: Words) -> float | None:
    """The length in seconds that a text asks for: "30 seconds", "two minutes", "a minute and a half", "lasts 1:30"."""
    clock = _CLOCK.search(words.text)
    if clock is not None:
        minutes, seconds = (clock[1] or clock[3]), (clock[2] or clock[4])
        return 60.0 * int(minutes) + int(seconds) or None
    total, end = 0.0, -1
    for match in _DURATION.finditer(words.text):
        if words.negated_at(match.start()) or _PART_OF_TIME.search(words.text[: match.start()]):
            continue
        if end >= 0 and not re.fullmatch(r"\s*(?:,|and|&)?\s*", words.text[end : match.start()]):
            break
        total += _seconds(match)
        end = match.end()
    return total if total > 0 else None


def _seconds(match: re.Match[str]) -> float:
    text = (match["count"] or match["digits"]).lower()
    if text in ("a", "an"):
        count = 1.0
    elif text.startswith("half"):
        count = 0.5
    else:
        count = value(text)
    if match["half"] or match["over"]:
        count += 0.5
    return count * (60.0 if (match["unit"] or match["letter"]).lower().startswith("m") else 1.0)
