import json
from itertools import pairwise
from pathlib import Path

import matplotlib.image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.training.search_bench.picture import _apart, draw
from motet.training.search_bench.report import SearchReport
from tests.training.search_bench.rows import CAPTIONS, made_up, whole_run

MANY = [f"caption {number}" for number in range(100)]


def test_targets_are_met_when_all_goes_well() -> None:
    control = {
        "tempo bin ± 1 (TBT)": 1.0,
        "key (CK)": 1.0,
        "key or relative (CKD)": 1.0,
        "instrument families, F1": 0.9,
    }
    rows = [row for row in whole_run(MANY) if row.case.arm != "population"]
    rows += [
        made_up(caption, "population", candidates, gain=gain, control=control)
        for caption in MANY
        for candidates, gain in ((8, 0.3), (16, 0.4))
    ]
    report = SearchReport.of(rows)
    assert {one.verdict for one in report.targets} == {"met"}
    assert len(report.targets) == 17


def test_targets_are_missed_when_it_does_not_and_open_when_nobody_looked() -> None:
    rows = [made_up(caption, arm, 8 if arm != "sample" else 1) for caption in CAPTIONS for arm in (
        "sample", "population", "best_of_n")]  # fmt: skip
    verdicts = {one.name: one.verdict for one in SearchReport.of(rows).targets}
    assert verdicts["held-out captions"] == "not met"
    assert verdicts["text consistency of population at 8 over sample"] == "not met"
    assert verdicts["judge of population over best_of_n, equal tokens"] == "not met"
    assert verdicts["judge of population over inferalign_paper, equal tokens"] == "not measured"
    assert verdicts["diversity of islands over 4 plain samples"] == "not measured"
    assert verdicts["instrument families, F1, population at 8"] == "not measured"


def test_the_table_and_the_record_say_the_same() -> None:
    rows = whole_run()
    report = SearchReport.of(rows, copies={row.case: 20 if row.case.arm == "random" else 3 for row in rows})
    table, record = report.table(), json.loads(json.dumps(report.record()))
    lines = {line.split("|")[1].strip() + line.split("|")[2].strip(): line for line in table.splitlines()
        if line.startswith("| ")}  # fmt: skip
    assert "near-copies" in table
    assert lines["random8"].rstrip("| ").endswith("100.0%")
    assert lines["islands8"].rstrip("| ").endswith("0.0%")
    population = next(one for one in record["groups"] if (one["arm"], one["candidates"]) == ("population", 16))
    assert f"{population['means']['reward.total']:.3f}" in lines["population16"]
    assert population["over_sample"]["judge.total"]["n"] == len(CAPTIONS)
    assert population["judge_share"]["healthy"]
    assert [one["line"] for one in record["family"]] == [one.line() for one in report.family]


def test_a_report_of_a_single_row_is_possible(tmp_path: Path) -> None:
    report = SearchReport.of([made_up("a", "sample", 1)])
    assert "not measured" in report.table()
    assert draw(report, tmp_path).is_file()


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    path = draw(SearchReport.of(whole_run()), tmp_path / "new")
    height, width = matplotlib.image.imread(path).shape[:2]
    assert width > height > 800


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_names_do_not_overlap_and_stay_in_order(heights: list[float]) -> None:
    placed = _apart(sorted(heights), 0.1, 0.0, 1.0)
    assert all(after - before >= 0.1 - 1e-9 for before, after in pairwise(placed))
    assert placed[0] >= -1e-9
    assert placed[-1] <= 1 + 1e-9


def test_names_that_have_room_stay_where_they_are() -> None:
    assert _apart([0.1, 0.3, 0.9], 0.1, 0.0, 1.0) == pytest.approx([0.1, 0.3, 0.9])
