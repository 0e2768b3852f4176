from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motet.music.error import InvalidInputError
from motet.rewards.calibration import Calibration

CALIBRATION = Calibration(matched=(-0.2, 0.5, 1.0), mismatched=(-1.0, 0.0, 0.6))


def test_it_rises_from_0_to_1():
    values = [CALIBRATION(number) for number in np.linspace(-1, 1, 21)]
    assert values == sorted(values)
    assert values[0] == 0
    assert values[-1] == 1
    assert Calibration.of(np.array([0.4, 0.6]), np.array([0.0, 0.2]))(0.5) == pytest.approx(0.75)


@pytest.mark.parametrize("rows", [{"matched": (1.0, 0.0)}, {"mismatched": (0.0, float("nan"))}, {"matched": (0.0,)}])
def test_rows_are_checked(rows: dict[str, tuple[float, ...]]):
    with pytest.raises(InvalidInputError, match="calibration"):
        Calibration(**({"matched": (0.0, 1.0), "mismatched": (0.0, 1.0)} | rows))


def test_it_survives_its_file_and_nothing_else_is_read(tmp_path: Path):
    path = tmp_path / "calibration.json"
    CALIBRATION.write(path)
    assert Calibration.read(path) == CALIBRATION
    for content in ("", "[]", '{"format": 2, "matched": [0, 1], "mismatched": [0, 1]}', '{"format": 1}'):
        path.write_text(content, "utf-8")
        with pytest.raises(InvalidInputError, match="calibration"):
            Calibration.read(path)
