"""Measuring the caption parser on captions whose attributes are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

COLUMNS: Final = ("tempo", "key", "duration_s", "genre", "caption")
"""The columns that a file must have; more are ignored. ``genre`` holds names separated by commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How well one attribute is parsed.

    Args:
        attribute: what was measured.
        rule: what counts as right.
        parsed: values that the parser gave on rows with a known value.
        right: those of them that are right.
        stated: known values that their caption states, as told by a search that does not use the parser.
        stated_found: those of them that the parser gave.
        known: all known values, stated or not.
    """

    attribute: str
    rule: str
    parsed: int
    right: int
    stated: int
    stated_found: int
    known: int

    @property
    def precision(self) -> float | None:
        """Share of the parsed values that are right; None when nothing was parsed."""
        return self.right / self.parsed if self.parsed else None

    @property
    def recall_stated(self) -> float | None:
        """Share of the stated values that were found; None when none is stated."""
        return self.stated_found / self.stated if self.stated else None

    @property
    def recall_raw(self) -> float | None:
        """Share of all known values that were found, although many captions do not state them."""
        return self.right / self.known if self.known else None

    def record(self) -> dict[str, object]:
        """All figures as plain values for JSON."""
        names = ("attribute", "rule", "parsed", "right", "stated", "stated_found", "known")
        ratios = ("precision", "recall_stated", "recall_raw")
        return {name: getattr(self, name) for name in (*names, *ratios)}
