from __future__ import annotations

import json
from importlib import resources
from typing import Any

import numpy as np
import pytest

from motet.music.error import InvalidInputError
from motet.rewards.harmony_table import LEVELS, HarmonyTable, features
from motet.rewards.measures import MEASURES, measure
from tests.rewards.pieces import song, windows

DOCUMENT: dict[str, Any] = json.loads(resources.files("motet.rewards").joinpath("tables/harmony.json").read_text())
TABLE = HarmonyTable.from_json(DOCUMENT)


def test_rows_are_interpolated_between_lengths():
    assert TABLE.row("in_key", 1000) == pytest.approx(TABLE.quantiles["in_key"][-1])
    between = TABLE.row("pitch_class_entropy", 6)
    assert np.all(between >= np.minimum(TABLE.row("pitch_class_entropy", 4), TABLE.row("pitch_class_entropy", 8)))


def test_the_share_of_a_quantile_is_its_level():
    row = TABLE.row("human", 8)
    places = [place for place in range(1, len(row) - 1) if row[place - 1] < row[place] < row[place + 1]]
    assert places
    for place in places:
        assert TABLE.share("human", float(row[place]), 8) == pytest.approx(LEVELS[place])
    assert TABLE.share("human", -1e9, 8) == 0
    assert TABLE.share("human", 1e9, 8) == 1


def test_normal_scores_rise_with_the_measure_and_stay_bounded():
    found = measure(song(8))
    assert found is not None
    for name in ("in_key", "melody", "notes_per_bar"):
        row, place = TABLE.row(name, 8), MEASURES.index(name)
        span = row[-1] - row[0]
        tried = np.linspace(row[0] - 9 * span, row[-1] + 9 * span, 60)
        scores = [TABLE.scores({**found.values, name: value}, 8)[place] for value in tried]
        assert scores == sorted(scores)
        assert scores[0] == -5
        assert scores[-1] == 5
    without = TABLE.scores({**found.values, "roughness": None}, 8)
    assert np.isnan(without[MEASURES.index("roughness")])
    assert not np.isnan(TABLE.typicality(without))


def test_human_music_is_typical_and_its_measures_drawn_at_random_are_not():
    rng = np.random.default_rng(0)
    ours = [TABLE.typicality(TABLE.scores(found.values, 8)) for score in windows() if (found := measure(score))]
    drawn = [TABLE.typicality(np.clip(rng.normal(0, 1.5, len(MEASURES)), -5, 5)) for _ in range(20)]
    assert np.mean(ours) > np.max(drawn)


def test_features_are_bounded_and_nothing_where_a_measure_does_not_apply():
    rise, bend = features(np.array([np.nan, 0.0, 5.0, -5.0, 1.0]))
    np.testing.assert_allclose(rise, [0, 0, 3.5, -3.5, 1])
    np.testing.assert_allclose(bend, [0, -1, 5, 5, 0])


def test_tables_are_checked():
    with pytest.raises(InvalidInputError, match="harmony_table"):
        HarmonyTable.from_json({"bars": [1]})
    with pytest.raises(InvalidInputError, match="must hold all rows"):
        HarmonyTable.from_json({**DOCUMENT, "quantiles": {}})
    with pytest.raises(InvalidInputError, match=r"harmony_table\.rise"):
        HarmonyTable.from_json({**DOCUMENT, "rise": [1, 2]})
    with pytest.raises(InvalidInputError, match=r"harmony_table\.measures"):
        HarmonyTable.from_json({**DOCUMENT, "measures": ["beauty"]})
    descending = {**DOCUMENT["quantiles"], MEASURES[0]: np.array(DOCUMENT["quantiles"][MEASURES[0]])[:, ::-1].tolist()}
    with pytest.raises(InvalidInputError, match="must ascend"):
        HarmonyTable.from_json({**DOCUMENT, "quantiles": descending})
