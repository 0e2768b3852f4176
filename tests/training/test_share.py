from __future__ import annotations

import pytest

from motet.training.share import Share


def test_wilson_intervals() -> None:
    low, high = Share(hits=8, n=10).interval
    assert low == pytest.approx(0.490, abs=1e-3)
    assert high == pytest.approx(0.943, abs=1e-3)
    assert Share(hits=0, n=0).interval == (0.0, 1.0)


def test_the_record_holds_value_number_and_interval() -> None:
    assert Share(hits=1, n=4).record() == {"value": 0.25, "n": 4, "interval": list(Share(hits=1, n=4).interval)}
