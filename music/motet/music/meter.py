"""Time signatures."""

from __future__ import annotations

import re
from dataclasses import dataclass

from motet.music.error import InvalidInputError

_PATTERN = re.compile(r"(\d{1,2})\s*/\s*(\d{1,2})")
_DENOMINATORS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True, order=True)
class Meter:
    """A time signature such as 6/8.

    Args:
        numerator: beats of the denominator's value in a bar, 1 to 64.
        denominator: 1, 2, 4, 8, 16 or 32.
    """

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        if not 1 <= self.numerator <= 64:
            raise InvalidInputError.of("meter.numerator", "must be from 1 to 64", self.numerator)
        if self.denominator not in _DENOMINATORS:
            raise InvalidInputError.of("meter.denominator", f"must be one of {_DENOMINATORS}", self.denominator)

    @classmethod
    def parse(cls, text: str) -> Meter:
        """Reads ``"6/8"``; raises InvalidInputError for anything else."""
        match = _PATTERN.fullmatch(text.strip())
        if match is None:
            raise InvalidInputError.of("meter", 'must look like "4/4"', text)
        return cls(int(match[1]), int(match[2]))

    @property
    def bar_quarters(self) -> float:
        """Length of one bar in quarter notes."""
        return 4 * self.numerator / self.denominator

    def bar_ticks(self, ppq: int) -> int:
        """Length of one bar in ticks at ``ppq`` ticks per quarter note (at least 1)."""
        return max(1, 4 * self.numerator * ppq // self.denominator)

    @property
    def in_quarters(self) -> Meter:
        """The same bar written with quarter notes where this one counts halves or wholes: 2/2 as 4/4, 3/2 as 6/4."""
        if self.denominator >= 4:
            return self
        return Meter(min(64, 4 * self.numerator // self.denominator), 4)

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"
