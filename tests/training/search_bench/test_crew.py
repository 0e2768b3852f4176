import os

import pytest

from motet.music.error import InternalError
from motet.training.search_bench.arm import Arm
from motet.training.search_bench.crew import Failure, Task, work
from motet.training.search_bench.row import Case, Row
from tests.training.search_bench.rows import made_up

TASKS: list[Task] = [(made_up(f"caption {number}", "sample", 1).case, Arm.parse("sample", [8])) for number in range(5)]


class StandIn:
    """A bench that needs no model: it makes rows up, refuses caption 1 and dies of caption 9."""

    def row(self, case: Case, arm: Arm) -> Row:
        if case.caption == "caption 1":
            raise ValueError("too sad")
        if case.caption == "caption 9":
            os._exit(1)
        return made_up(case.caption, arm.label, case.candidates)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_search_is_heard_of_once_however_many_work(workers: int) -> None:
    outcomes = list(work(TASKS, StandIn, workers))  # type: ignore[arg-type]
    assert {outcome.case.caption for outcome in outcomes} == {case.caption for case, _ in TASKS}
    assert len(outcomes) == len(TASKS)
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert [(one.case.caption, one.error) for one in failures] == [("caption 1", "ValueError: too sad")]
    rows = [outcome for outcome in outcomes if isinstance(outcome, Row)]
    assert all(row == made_up(row.case.caption, "sample", 1) for row in rows)


def test_a_worker_that_dies_is_told() -> None:
    deadly = made_up("caption 9", "sample", 1).case
    with pytest.raises(InternalError, match="a worker of the bench has died"):
        list(work([TASKS[0], (deadly, TASKS[0][1])], StandIn, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [1, 2])
def test_when_it_is_enough_nothing_more_is_begun(workers: int) -> None:
    outcomes: list[Row | Failure] = []
    for outcome in work(TASKS, StandIn, workers, lambda: len(outcomes) > 0):  # type: ignore[arg-type]
        outcomes.append(outcome)  # noqa: PERF402 (what is asked while it grows)
    assert 1 <= len(outcomes) <= workers + 1 < len(TASKS)


def test_without_work_nobody_is_called() -> None:
    assert list(work([], lambda: pytest.fail("loaded"), 2)) == []
