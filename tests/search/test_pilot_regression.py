import numpy as np
import pytest

from motet.search.pilot.panel import TOTAL, Panel
from motet.search.pilot.regression import fit
from motet.search.tuning import LOG_PROBABILITY, Tuning
from tests.search.pilot_material import WEIGHTS, heard


def panel(**changes: float) -> Panel:
    return Panel.of(heard(24, 16, **changes), WEIGHTS)  # type: ignore[arg-type]


def test_slopes_shrink_noisy_looks_as_they_should() -> None:
    looks, _ = fit(panel(noise=1.0, early=0.5))
    settled = 0.5 + 0.5 * np.arange(7) / 7
    expected = settled / (settled + 1.0)  # the share of a look that is no noise
    found = [look.terms["text"].slopes["text"] for look in looks]
    np.testing.assert_allclose(found, expected, atol=0.12)


def test_a_number_that_tells_nothing_is_not_used() -> None:
    looks, fits = fit(panel(noise=0.3))
    used = [LOG_PROBABILITY in look.terms["text"].slopes for look in looks]
    assert sum(used) < len(used)
    for quality in fits:
        for one in quality.values():
            assert one.chosen >= one.shrunk - 0.02


def test_another_term_is_used_where_it_tells_more() -> None:
    measured = panel(noise=1.0)
    # What "harmony" says halfway is what "text" will be.
    measured.terms["harmony"][:, :, 3] = measured.terms["text"][:, :, -1]
    looks, fits = fit(measured)
    assert fits[3]["text"].ridge > 0.9 > fits[3]["text"].shrunk
    assert fits[3]["text"].chosen == fits[3]["text"].ridge
    assert looks[3].terms["text"].slopes["harmony"] > 0.8
    assert abs(looks[3].terms["text"].slopes["text"]) < 0.2


def test_unseen_captions_are_not_foretold_from_nothing() -> None:
    measured = panel()
    measured.terms["text"][:, :, -1] = np.random.default_rng(0).standard_normal((24, 16))
    _, fits = fit(measured)
    assert max(quality["text"].chosen for quality in fits) < 0.05


def test_levels_of_captions_do_not_change_slopes() -> None:
    measured = panel()
    before, _ = fit(measured)
    measured.terms["text"][:] += np.random.default_rng(0).uniform(-5, 5, (24, 1, 1))
    after, _ = fit(measured)
    for one, other in zip(before, after, strict=True):
        assert one.terms["text"].slopes == pytest.approx(other.terms["text"].slopes, abs=1e-6)


def test_values_of_a_tuning_are_nearer_to_the_end_than_what_was_heard() -> None:
    measured = panel(noise=1.0)
    looks, fits = fit(measured)
    tuning = Tuning(model="m@v", looks=looks)
    fresh = Panel.of(heard(24, 16, noise=1.0, seed=1), WEIGHTS)
    for look, share in enumerate(fresh.shares[:-1].tolist()):
        rows = {name: fresh.terms[name][:, :, look].ravel() for name in fresh.names}
        nats = fresh.log_probability[:, :, look].ravel()
        values = tuning.values(np.full(len(nats), share), rows, nats, WEIGHTS).reshape(24, 16)
        final, partial = fresh.final(TOTAL), fresh.terms[TOTAL][:, :, look]

        def error(guess: np.ndarray, final: np.ndarray = final) -> float:
            difference = (guess - guess.mean(1, keepdims=True)) - (final - final.mean(1, keepdims=True))
            return float((difference**2).mean())

        assert error(values) < error(partial)
        assert fits[look][TOTAL].chosen > 0


def test_a_term_that_some_captions_lack_is_fitted_on_the_others() -> None:
    looks, fits = fit(Panel.of(heard(12, 16, without=(0, 5)), WEIGHTS))
    assert all("harmony" in look.terms for look in looks)
    assert all(quality["harmony"].chosen > 0.3 for quality in fits)
    assert not any(np.isnan([one.chosen, one.ridge, one.shrunk]).any() for quality in fits for one in quality.values())
