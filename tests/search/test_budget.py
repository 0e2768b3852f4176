import pytest

from motet.search.budget import RESERVED_SHARE, Budget, StopReason
from tests.fakes import FakeClock


def test_without_limits_nothing_stops() -> None:
    budget = Budget(clock=FakeClock())
    assert budget.interrupted() is None
    assert budget.exhausted(10**12) is None


def test_time_runs_out_earlier_for_what_still_has_to_be_scored() -> None:
    clock = FakeClock(100.0)
    budget = Budget(deadline_s=8.0, clock=clock)
    clock.advance(8.0 * (1 - RESERVED_SHARE))
    assert budget.elapsed_s == 6.0
    assert budget.interrupted() is None
    assert budget.interrupted(reserved=True) is StopReason.DEADLINE
    clock.advance(2.0)
    assert budget.interrupted() is budget.exhausted(0) is StopReason.DEADLINE


@pytest.mark.parametrize(("tokens", "reason"), [(9, None), (10, StopReason.TOKENS), (11, StopReason.TOKENS)])
def test_tokens_forbid_decoding_and_not_scoring(tokens: int, reason: StopReason | None) -> None:
    budget = Budget(tokens=10)
    assert budget.exhausted(tokens) is reason
    assert budget.interrupted() is None


def test_a_caller_who_has_gone_comes_before_the_time() -> None:
    clock = FakeClock()
    budget = Budget(deadline_s=1.0, cancelled=lambda: True, clock=clock)
    clock.advance(2.0)
    assert budget.interrupted() is budget.exhausted(0) is StopReason.CANCELLED
