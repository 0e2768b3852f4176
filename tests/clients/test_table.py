from __future__ import annotations

from dataclasses import replace

import pytest

from motet.client import Progress, table
from motet.v1 import search_pb2
from tests.clients.results import a_result


def test_without_a_plain_sample_there_is_nothing_to_compare_with() -> None:
    result = a_result()
    assert "first sample" in table.comparison(result)
    lines = table.comparison(replace(result, plain_sample=None)).splitlines()
    assert [line.split() for line in (lines[0], lines[-1])] == [["harmony", "0.700"], ["reward", "0.700"]]


@pytest.mark.parametrize(
    "number", [value for name, value in search_pb2.StopReason.items() if not name.endswith("UNSPECIFIED")]
)
def test_every_stop_reason_is_told_in_words(number: search_pb2.StopReason.ValueType) -> None:
    name = search_pb2.StopReason.Name(number).removeprefix("STOP_REASON_")
    line = table.headline(replace(a_result(), stop_reason=name))
    assert name not in line
    assert line.endswith("2,000 tokens, 1.0 s") == (name == "COMPLETED")


def test_rounds_are_told_if_there_are_several() -> None:
    assert "round" not in table.headline(a_result())
    assert "seed 1: 3 rounds, 5 tree nodes" in table.headline(replace(a_result(), rounds=3))
    message = search_pb2.Progress(
        state=search_pb2.SEARCH_STATE_RUNNING, candidate_count=4, bar_goal=8, round=2, round_goal=3
    )
    assert "round 2/3 · bar 0/8" in table.progress_line(Progress.of(message))
    message.round_goal = 0
    assert "round 2 · bar" in table.progress_line(Progress.of(message))
    message.round = message.round_goal = 1
    assert "round" not in table.progress_line(Progress.of(message))


def test_missing_results_are_told_with_what_helps() -> None:
    result = replace(a_result(), near_copies=3)
    line = table.missing(result, 4)
    assert line.startswith("1 of 4 results: 3 pieces were left out")
    assert "--strategy islands" in line
    assert "\n" not in line
    assert "1 piece was left" in table.missing(replace(result, near_copies=1), 4)
    for asked, copies in ((None, 3), (1, 3), (4, 0)):
        assert table.missing(replace(result, near_copies=copies), asked) == ""
