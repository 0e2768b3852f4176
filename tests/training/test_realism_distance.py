from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray

from motet.training.realism.distance import Yardstick, earth_movers, overlap


def songs(prefix: str, size: int, each: int = 1) -> list[str]:
    return [f"{prefix}{place // each}" for place in range(size)]


def normal(seed: int, size: int = 80, shift: float = 0.0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(shift, 1.0, (size, 6))


def test_earth_movers_distance_is_in_spreads() -> None:
    values = np.arange(10.0)
    assert earth_movers(values, values, 1.0) == 0
    assert earth_movers(values, values + 3, 2.0) == pytest.approx(1.5)
    assert earth_movers(values, values + 3, 0.0) == 1
    assert np.isnan(earth_movers(values, np.zeros(0), 1.0))


def test_overlap_is_what_is_in_both() -> None:
    assert overlap(np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.25, 0.75])) == pytest.approx(0.25)
    assert overlap(np.array([0.2, 0.8]), np.array([0.2, 0.8])) == pytest.approx(1.0)


def test_the_discrepancy_is_unbiased() -> None:
    human = Yardstick.of(normal(1000, 200))
    found = [
        human.discrepancy(normal(2 * seed), songs("a", 80), normal(2 * seed + 1), songs("b", 80), seed=0).value
        for seed in range(30)
    ]
    error = np.std(found) / np.sqrt(len(found))
    assert min(found) < 0 < max(found)
    assert abs(np.mean(found)) < 3 * error


def test_it_is_unbiased_when_pairs_depend_on_each_other() -> None:
    human = Yardstick.of(normal(1000, 200))
    found = []
    for seed in range(30):
        one = normal(seed)
        other = 0.9 * one + np.sqrt(1 - 0.81) * normal(500 + seed)
        found.append(human.discrepancy(one, songs("a", 80), other, songs("a", 80), seed=0).value)
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


def test_it_is_unbiased_when_a_song_gives_several_excerpts() -> None:
    human = Yardstick.of(normal(1000, 200))
    found = []
    for seed in range(30):
        one, other = (np.repeat(normal(2 * seed + side, 30), 3, axis=0) for side in (0, 1))
        found.append(human.discrepancy(one, songs("a", 90, 3), other, songs("b", 90, 3), seed=0).value)
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


def test_a_collection_is_no_distance_from_itself_and_far_from_another() -> None:
    one = normal(0)
    human = Yardstick.of(one)
    itself = human.discrepancy(one, songs("a", 80), one, songs("a", 80), seed=0)
    assert astuple(itself) == pytest.approx((0, 0, 0), abs=1e-12)
    distances = [
        human.discrepancy(one, songs("a", 80), normal(5, shift=shift), songs("b", 80), seed=0) for shift in (0.5, 1, 3)
    ]
    assert 0 < distances[0].value < distances[1].value < distances[2].value
    assert all(found.low < found.value < found.high for found in distances)
    assert distances[1].low > 0


def test_units_and_what_does_not_apply_do_not_matter() -> None:
    one, other, scale = normal(0), normal(1, shift=0.5), np.array([1, 10, 0.1, 1, 1000, 1])
    plain = Yardstick.of(one).discrepancy(one, songs("a", 80), other, songs("b", 80), seed=0)
    scaled = Yardstick.of(one * scale + 7).discrepancy(
        one * scale + 7, songs("a", 80), other * scale + 7, songs("b", 80), seed=0
    )
    assert scaled.value == pytest.approx(plain.value)
    empty = np.full((80, 1), np.nan)
    wider = Yardstick.of(np.hstack([one, empty])).discrepancy(
        np.hstack([one, empty]), songs("a", 80), np.hstack([other, empty]), songs("b", 80), seed=0
    )
    assert wider.value == pytest.approx(plain.value)


def test_the_seed_fixes_the_interval() -> None:
    one, other = normal(0), normal(1)
    human = Yardstick.of(one)
    first, again, other_seed = (
        human.discrepancy(one, songs("a", 80), other, songs("b", 80), seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.value == other_seed.value
    assert first.low != other_seed.low
