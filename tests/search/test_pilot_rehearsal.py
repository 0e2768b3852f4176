import json
from pathlib import Path

import numpy as np
import pytest

from motet.search import strategy
from motet.search.pilot import picture, rehearsal
from motet.search.pilot.panel import TOTAL, Panel, correlation, spread
from motet.search.pilot.regression import fit
from motet.search.pilot.report import Report
from motet.search.pilot.stage import LEVEL, Behaviour, Stage
from motet.search.tuning import Tuning
from tests.search.pilot_material import WEIGHTS, heard


def measured(**changes: float) -> tuple[Panel, Tuning]:
    panel = Panel.of(heard(24, 16, **changes), WEIGHTS)  # type: ignore[arg-type]
    return panel, Tuning(model="tiny@1", looks=fit(panel)[0])


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "_ROUNDS", ((32, 1 / 2), (128, 0.0)))


def test_the_stage_behaves_as_was_measured() -> None:
    panel, tuning = measured(noise=0.8)
    behaviour = Behaviour.of(panel, tuning)
    told = behaviour.play(np.random.default_rng(0).standard_normal((40_000, 2, 8)))
    assert told.mean(0) == pytest.approx(np.full(8, LEVEL), abs=0.005)
    assert told[:, -1].std() == pytest.approx(spread(panel.final(TOTAL)), rel=0.02)
    found = [float(np.corrcoef(told[:, look], told[:, -1])[0, 1]) for look in range(7)]
    heard_ = [correlation(panel.terms[TOTAL][:, :, look], panel.final(TOTAL)).value for look in range(7)]
    np.testing.assert_allclose(found, heard_, atol=0.03)
    np.testing.assert_allclose(behaviour.settled[1:], (0.5 + 0.5 * np.arange(8) / 7)[1:], atol=0.12)
    assert (np.diff(behaviour.settled) >= 0).all()


def test_copies_share_what_was_written_and_differ_from_there_on() -> None:
    behaviour = Behaviour.of(*measured())
    stage = Stage(behaviour, 4, keeps_plain=True, seed=1)
    stage.grow(3)
    before = stage.values()
    stage.select([0, 2, 2, 2, 1])
    np.testing.assert_allclose(stage.values(), before[[0, 2, 2, 2, 1]])
    stage.grow(2)
    assert len(set(stage.values().tolist())) == 5
    alone = Stage(behaviour, 4, keeps_plain=True, seed=1)
    alone.grow(5)
    assert stage.values()[[0, 1, 4]] == pytest.approx(alone.values()[[0, 2, 1]])  # originals do not notice
    assert (stage.written, stage.heard) == (4 * 3 + 5 * 2, 4 + 5)
    assert stage.best == -np.inf
    stage.grow(8)
    assert stage.finished.all()
    assert stage.best == stage.values().max()
    assert stage.written == 4 * 3 + 5 * 5


def test_rows_grow_alone_when_asked_to() -> None:
    stage = Stage(Behaviour.of(*measured()), 3, keeps_plain=False, seed=1)
    stage.grow(2, np.array([False, True, False]))
    assert stage.values()[[0, 2]] == pytest.approx([LEVEL, LEVEL])
    assert stage.bars_done == 0
    assert not stage.protected.any()


def test_best_of_n_wins_what_order_statistics_say(short: None) -> None:
    panel, tuning = measured()
    behaviour = Behaviour.of(panel, tuning)
    played = rehearsal._play("best_of_n", {}, [behaviour], [8], 1500)
    assert played[:, 0].mean() / spread(panel.final(TOTAL)) == pytest.approx(
        1.4236, abs=0.06
    )  # mean of the largest of eight
    np.testing.assert_allclose(played[:, 1:], 1.0)


GRID = {"population": {"keep_early": (0.25, 1.0), "keep_late": (0.25, 1.0), "chunk_share": (0.125, 0.5)}}


def test_hard_pruning_is_chosen_where_looks_are_good_and_quality_accrues(short: None) -> None:
    choice = rehearsal.choose(*measured(noise=0.05, early=0.125), GRID)
    assert choice.strategies["population"] == {"keep_early": 0.25, "keep_late": 0.25, "chunk_share": 0.125}
    own, chosen = (
        next(one for one in choice.table[16] if one.name == "population" and bool(one.settings) == tuned)
        for tuned in (False, True)
    )
    assert chosen.gain > own.gain + 2 * own.error
    assert choice.tried == {"population": 8}


def test_nothing_is_pruned_where_early_looks_mislead(short: None) -> None:
    choice = rehearsal.choose(*measured(noise=30.0, early=0.95), GRID)
    assert choice.strategies["population"]["chunk_share"] == 0.5  # looks that tell nothing are not paid for
    best_of_n = next(one for one in choice.table[16] if one.name == "best_of_n")
    chosen = next(one for one in choice.table[16] if one.settings)
    assert chosen.gain < best_of_n.gain + 2 * best_of_n.error


@pytest.mark.parametrize(
    ("noise", "early", "name"),
    [
        (30.0, 0.95, "decide late"),
        (0.1, 0.95, "begin wide"),
        (0.7, 0.5, "prune gently"),
    ],
)
def test_the_rule_that_applies_is_named(noise: float, early: float, name: str) -> None:
    assert name in rehearsal.regime(Panel.of(heard(60, 16, noise=noise, early=early), WEIGHTS))


def test_hard_pruning_is_named_where_nothing_is_settled_early_and_all_is_heard() -> None:
    panel = Panel.of(heard(60, 16, noise=0.1, early=0.01), WEIGHTS)
    panel.terms[TOTAL][:, :, 3] = panel.final(TOTAL)
    assert "prune hard" in rehearsal.regime(panel)


def test_the_report_and_the_tuning_say_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    grids = {name: {key: values[:2] for key, values in grid.items()} for name, grid in rehearsal.GRIDS.items()}
    monkeypatch.setattr(rehearsal, "GRIDS", grids)
    monkeypatch.setattr(rehearsal, "_ROUNDS", ((1, 0.01), (8, 0.0)))
    material = heard(6, 12, without=(1,))
    report, tuning = Report.of(material, WEIGHTS, rewards="abc", when="today")
    again, _ = Report.of(material, WEIGHTS, rewards="abc", when="today")
    assert report.record() == again.record()
    assert json.loads(json.dumps(report.record(), allow_nan=False)) == report.record()
    tuning.save(tmp_path / "search.json")
    assert Tuning.load(tmp_path).strategies == tuning.strategies
    assert {"population", "islands", "smc"} == set(tuning.strategies)
    for name, settings in tuning.strategies.items():
        strategy.load(name, settings)  # their own names for their own settings
    page = report.markdown("pilot.png")
    for words in ("tiny@0123456789ab", "6 captions", "best_of_n", "harmony", "![Partial and final rewards](pilot.png)"):
        assert words in page
    assert picture.draw(report, tmp_path).read_bytes().startswith(b"\x89PNG")
