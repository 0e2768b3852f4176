from __future__ import annotations

import numpy as np

from motet.music import key
from motet.rewards import kernels
from motet.rewards.analysis import KEY_PROFILES


def notes(count: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    onset = np.sort(rng.integers(0, 4000, count))
    return onset, onset + rng.integers(1, 900, count), rng.integers(40, 80, count)


def test_slot_profiles_add_up_to_the_sounding_time():
    onset, end, pitch = notes()
    edges = np.array([0, 500, 700, 5000])
    profile = kernels.slot_profiles(onset, end, pitch % 12, edges)
    assert profile.sum() == (np.minimum(end, 5000) - onset).sum()
    one = kernels.slot_profiles(np.array([400]), np.array([800]), np.array([3]), edges)
    np.testing.assert_array_equal(one[:, 3], [100, 200, 100])


def test_correlations_agree_with_numpy_and_are_zero_for_constant_profiles():
    profiles = np.random.default_rng(0).random((5, 12))
    profiles[4] = 2.0
    found = kernels.correlations(profiles, KEY_PROFILES)
    expected = np.corrcoef(profiles[:4], KEY_PROFILES)[:4, 4:]
    np.testing.assert_allclose(found[:4], expected, atol=1e-12)
    np.testing.assert_array_equal(found[4], 0)
    np.testing.assert_allclose(found[0], key.correlations(profiles[0]), atol=1e-12)


def test_steadiest_path_pays_for_changes_only_when_worth_it():
    emission = np.array([[1.0, 0.0], [0.0, 0.4], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(kernels.steadiest_path(emission, 0.5), [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(kernels.steadiest_path(emission, 0.0), [0, 1, 0, 1, 1])
    assert len(kernels.steadiest_path(np.zeros((0, 2)), 0.5)) == 0


def test_steadiest_path_is_the_best_of_all_paths():
    rng = np.random.default_rng(3)
    emission = rng.random((6, 3))
    paths = np.stack(np.meshgrid(*[range(3)] * 6, indexing="ij"), -1).reshape(-1, 6)
    totals = emission[np.arange(6), paths].sum(1) - 0.3 * (np.diff(paths, axis=1) != 0).sum(1)
    np.testing.assert_array_equal(kernels.steadiest_path(emission, 0.3), paths[totals.argmax()])


def test_sonorities_of_known_intervals():
    zeros, ends, bar = np.zeros(2, np.int64), np.full(2, 10), np.array([0, 0])
    heard = kernels.sonorities(zeros, ends, np.array([67, 60]), np.array([7, 0]), np.array([1, 1]), bar, 1)
    assert heard[0, 1, 0, 7] == heard.sum() == 10
    octave = kernels.sonorities(zeros, ends, np.array([60, 72]), zeros, zeros, bar, 1)
    assert octave[0, 0, 0, 0] == octave.sum() == 10
    assert not kernels.sonorities(zeros, ends, np.array([60, 60]), zeros, zeros, bar, 1).any()
    apart = kernels.sonorities(np.array([0, 10]), np.array([10, 20]), np.array([60, 61]), zeros, zeros, bar, 1)
    assert not apart.any()
    later = kernels.sonorities(np.array([0, 6]), ends, np.array([60, 64]), zeros, zeros, np.array([0, 1]), 2)
    assert later[1, 0, 0, 4] == later.sum() == 4


def test_the_outer_voice_is_what_nothing_higher_covers():
    onset, end = np.array([0, 0, 4, 8, 12]), np.array([12, 4, 8, 12, 16])
    pitch, line = np.array([60, 64, 62, 55, 59]), np.zeros(5, np.int64)
    np.testing.assert_array_equal(kernels.outer_voice(onset, end, pitch, line), [False, True, True, True, True])
    held = kernels.outer_voice(np.array([0, 4, 4]), np.array([8, 8, 6]), np.array([72, 60, 65]), np.zeros(3, np.int64))
    np.testing.assert_array_equal(held, [True, False, False])
    lines = kernels.outer_voice(np.array([0, 4]), np.array([8, 8]), np.array([72, 60]), np.array([0, 1]))
    np.testing.assert_array_equal(lines, [True, True])


def test_echoes_are_the_likeness_to_the_likest_other_bar():
    sounds = np.array([1, 2, 3, 1, 2, 4, 9])
    np.testing.assert_allclose(kernels.echoes(sounds, np.array([0, 3, 6, 6, 7])), [0.5, 0.5, -1, 0])


def test_voice_leading_finds_the_least_motion():
    c_major, a_minor, f_sharp = [0, 4, 7], [9, 0, 4], [6, 10, 1]
    moved = kernels.voice_leading(np.array([c_major, c_major]), np.array([a_minor, f_sharp]))
    assert moved[0] == 2
    assert 3 <= moved[1] <= 18


def test_bar_hashes_see_equal_bars_whatever_the_order_of_notes():
    onset = np.array([0, 0, 480, 1920, 1920, 2400, 3840])
    pitch = np.array([0, 4, 7, 4, 0, 7, 1])
    line = np.zeros(7, np.int64)
    bars = np.array([0, 1920, 3840, 5760, 7680])
    hashes = kernels.bar_hashes(onset, np.full(7, 480), pitch, line, bars, 40)
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[3] == 0


def test_compiled_and_plain_kernels_agree():
    onset, end, pitch = notes()
    rng = np.random.default_rng(2)
    triads = rng.integers(0, 12, (20, 3))
    templates = (rng.random((7, 12)) > 0.6).astype(float)
    profiles = rng.random((9, 12))
    cases = {
        "slot_profiles": (onset, end, pitch % 12, np.arange(0, 6000, 480)),
        "correlations": (profiles, KEY_PROFILES),
        "cosines": (profiles, templates),
        "steadiest_path": (rng.random((12, 5)), 0.2),
        "sonorities": (onset, end, pitch, pitch % 12, pitch % 2, onset // 1000, 4),
        "outer_voice": (onset, end, pitch, onset // 1000),
        "echoes": (np.sort(rng.integers(0, 40, 12)), np.array([0, 4, 8, 12])),
        "voice_leading": (triads[:10], triads[10:]),
        "bar_hashes": (onset, end - onset, pitch, pitch % 3, np.arange(0, 6000, 480), 40),
    }
    for name, arguments in cases.items():
        compiled = getattr(kernels, name)
        with np.errstate(over="ignore"):  # plain numpy scalars warn where the hash wraps around
            plain = compiled.py_func(*arguments)
        np.testing.assert_allclose(compiled(*arguments), plain, rtol=1e-12, err_msg=name)
    assert {name for name, value in vars(kernels).items() if hasattr(value, "py_func")} == set(cases)
