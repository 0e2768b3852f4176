"""Numbers written as digits or as English words."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS: Final = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_WORD: Final = "(?:" + "|".join([*sorted(_UNITS, key=len, reverse=True), *_TENS, "hundred"]) + ")"

NUMBER: Final = rf"(?:\d+(?:\.\d+)?|{_WORD}(?:[\s-]+(?:and[\s-]+)?{_WORD})*)"
"""A regular expression for a number that ``value`` reads; to be used with ``re.IGNORECASE``."""


def value(text: str) -> float:
    """The number that a match of ``NUMBER`` stands for: "96", "1.5", "twenty-four", "one hundred and twenty"."""
    if text[0].isdigit():
        return float(text)
    total = current = 0
    for word in re.findall("[a-z]+", text.lower()):
        if word == "hundred":
            total, current = total + max(current, 1) * 100, 0
        else:
            current += _UNITS.get(word, 0) + _TENS.get(word, 0)
    return float(total + current)
