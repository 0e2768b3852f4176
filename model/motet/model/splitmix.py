"""SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): numbers that look random and depend on nothing but their key."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


def mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every value with its bits spread: the finaliser."""
    with np.errstate(over="ignore"):
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def uniforms(seed: int, streams: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """One number in [0, 1) for each (seed, stream, step), so that a draw depends on nothing else in a batch.

    Three rounds, one for each part of the key.
    """
    state = np.full(np.broadcast(streams, steps).shape, seed & (2**64 - 1), np.uint64)
    with np.errstate(over="ignore"):
        for part in (np.uint64(0), streams.astype(np.uint64), steps.astype(np.uint64)):
            state = mixed((state ^ part) + _GOLDEN)
    return np.asarray((state >> np.uint64(11)).astype(np.float64) * 2.0**-53)
