import pytest

from motet.search.profile import Phase, Stopwatch
from tests.fakes import FakeClock


def fail_after(clock: FakeClock, seconds: float) -> None:
    clock.advance(seconds)
    raise KeyError


def test_every_second_counts_for_the_innermost_phase() -> None:
    clock = FakeClock(50.0)
    watch = Stopwatch(clock)
    clock.advance(1)
    with watch.during(Phase.TREE):
        clock.advance(2)
        with watch.during(Phase.DECODING):
            clock.advance(4)
            with watch.during(Phase.OTHER):
                clock.advance(8)
            clock.advance(16)
        with pytest.raises(KeyError), watch.during(Phase.WAITING):
            fail_after(clock, 32)
        clock.advance(64)
    profile = watch.profile(scoring_s=11.0)
    assert (profile.tree_s, profile.decoding_s, profile.waiting_s, profile.scoring_s) == (66, 20, 32, 11)
    assert profile.elapsed_s == 127
    assert profile.tree_share == 66 / 127


def test_a_profile_can_be_taken_in_the_middle() -> None:
    clock = FakeClock()
    watch = Stopwatch(clock)
    assert watch.profile(0.0).tree_share == 0
    with watch.during(Phase.DECODING):
        clock.advance(3)
        assert watch.profile(0.0).decoding_s == 3
        clock.advance(1)
    assert watch.profile(0.0).decoding_s == 4
