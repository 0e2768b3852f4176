"""What a raw number means: where it lies among those of cases that fit and of cases that do not."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError

_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Where the numbers of held-out cases lie: maps a number to 0..1.

    Args:
        matched: [Q] ascending quantiles of cases that fit, such as the cosine of a window and its own caption.
        mismatched: [Q] ascending quantiles of cases that do not, such as a window and the caption of another.
    """

    matched: tuple[float, ...]
    mismatched: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("matched", "mismatched"):
            row = np.array(getattr(self, name), np.float64)
            if len(row) < 2 or not np.all(np.isfinite(row)) or np.any(np.diff(row) < 0):
                raise InvalidInputError.of(f"calibration.{name}", "must be at least two ascending numbers", row)

    @classmethod
    def of(cls, matched: NDArray[np.float64], mismatched: NDArray[np.float64], quantiles: int = 65) -> Calibration:
        """The calibration for samples of numbers, any shape."""
        levels = np.linspace(0, 1, quantiles)
        return cls(
            matched=tuple(round(float(value), 5) for value in np.quantile(matched, levels)),
            mismatched=tuple(round(float(value), 5) for value in np.quantile(mismatched, levels)),
        )

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """The calibration in a JSON file that ``write`` made; InvalidInputError for anything else."""
        try:
            document = json.loads(path.read_text("utf-8"))
            if document["format"] != _FORMAT:
                raise InvalidInputError.of("calibration.format", f"must be {_FORMAT}", document["format"])
            return cls(matched=tuple(document["matched"]), mismatched=tuple(document["mismatched"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            rule = f"{path} must be what `motet calibrate text` wrote"
            raise InvalidInputError.of("calibration", rule, str(error)) from error

    def write(self, path: Path) -> None:
        """Writes the calibration as JSON."""
        path.write_text(json.dumps({"format": _FORMAT, **asdict(self)}, indent=1) + "\n", "utf-8")

    def __call__(self, number: float) -> float:
        """Mean of the shares of mismatched and of matched cases whose number is lower, 0 to 1.

        So the caption of another piece has 0.3 or so on average and a piece's own 0.7: neither end is flat.
        """
        share = 0.0
        for row in (self.matched, self.mismatched):
            share += float(np.interp(number, row, np.linspace(0, 1, len(row)))) / 2
        return share
