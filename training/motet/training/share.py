"""Shares of cases, with what their number allows to say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of ``n`` cases, with its 95 % Wilson interval (Wilson, JASA 22, 1927)."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """hits / n; 0 when n is 0."""
        return self.hits / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The bounds of the interval; 0 and 1 when n is 0."""
        if not self.n:
            return 0.0, 1.0
        z2 = 1.959964**2
        middle = (self.value + z2 / (2 * self.n)) / (1 + z2 / self.n)
        half = math.sqrt(z2 * (self.value * (1 - self.value) + z2 / (4 * self.n)) / self.n) / (1 + z2 / self.n)
        return max(0.0, middle - half), min(1.0, middle + half)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {"value": self.value, "n": self.n, "interval": list(self.interval)}
