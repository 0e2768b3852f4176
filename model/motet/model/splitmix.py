"""SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): numbers that look random and depend on nothing but their key."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every value with its bits spread: the finaliser."""
    with np.errstate(over="ignore"):
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
