import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.training.search_bench import comparison
from motet.training.search_bench.comparison import JUDGE, REWARD, compare, family, holm, others, share, trend
from motet.training.search_bench.group import Group, as_costly, difference, grouped, ratio
from tests.training.search_bench.rows import CAPTIONS, made_up, whole_run


def by_name(groups: list[Group]) -> dict[tuple[str, int], Group]:
    return {(group.arm, group.candidates): group for group in groups}


def test_seeds_are_averaged_first_and_captions_are_paired() -> None:
    arm = [made_up("a", "population", 8, gain=gain, seed=seed) for seed, gain in enumerate((0.1, 0.3))]
    arm += [made_up("b", "population", 8, gain=0.5), made_up("only here", "population", 8, gain=9.0)]
    base = [made_up(caption, "sample", 1, seed=seed) for caption, seed in (("a", 0), ("a", 1), ("b", 0))]
    groups = by_name(grouped([*arm, *base]))
    found = difference(groups["population", 8], groups["sample", 1], "reward.text")
    assert found is not None
    assert found.estimate.n == 2
    assert found.estimate.value == pytest.approx((0.2 + 0.5) / 2)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((0.2, 0.5))
    assert found.wins == 1.0
    assert difference(groups["population", 8], groups["sample", 1], "nothing") is None


def test_the_interval_of_a_difference_is_the_one_of_the_normal_law() -> None:
    rng = np.random.default_rng(1)
    gains = rng.normal(0.05, 0.2, 200)
    rows = [made_up(f"caption {i}", "population", 8, judge={"total": 0.5 + gain}) for i, gain in enumerate(gains)]
    base = [made_up(f"caption {i}", "sample", 1, judge={"total": 0.5}) for i in range(200)]
    arm, plain = grouped([*rows, *base])
    found = difference(arm, plain, JUDGE)
    assert found is not None
    error = 1.96 * gains.std() / np.sqrt(200)
    assert found.estimate.low == pytest.approx(gains.mean() - error, abs=0.003)
    assert found.estimate.high == pytest.approx(gains.mean() + error, abs=0.003)
    assert (found.p < 0.05) == (found.estimate.low > 0 or found.estimate.high < 0)
    quotient = ratio(arm, plain, JUDGE)
    assert quotient is not None
    assert quotient.value == pytest.approx(1 + gains.mean() / 0.5)
    assert quotient.low == pytest.approx(1 + found.estimate.low / 0.5)


def test_of_two_rows_of_one_search_the_later_counts() -> None:
    [group] = grouped([made_up("a", "sample", 1, tokens=1), made_up("a", "sample", 1, tokens=2)])
    assert group.mean("tokens") == 2


def test_equal_time_is_never_to_the_disadvantage_of_the_baseline() -> None:
    arm = [made_up(caption, "population", 8, seconds=5.0, tokens=2400) for caption in CAPTIONS]
    base = [
        made_up(caption, "best_of_n", candidates, seconds=0.6 * candidates, tokens=296 * candidates)
        for caption in CAPTIONS
        for candidates in (4, 8, 16, 32)
    ]
    population, *baselines = grouped([*arm, *base])
    assert as_costly(population, baselines, "seconds") is baselines[2]  # 4.8 s is less than 5 s, so 9.6 s it is
    assert as_costly(population, baselines, "cost") is baselines[1]  # 1 % fewer tokens are as many
    assert as_costly(population, baselines[:2], "seconds") is None
    line = compare(population, "best_of_n", [population, *baselines[:2]], "seconds", JUDGE).line()
    assert line == "population at 8, equal time: no budget of best_of_n that was measured costs as much"


def test_verdicts_say_who_what_how_much_and_at_what_cost() -> None:
    groups = grouped(whole_run())
    lines = [one.line() for one in family(groups)]
    assert len(lines) == 8
    head, _, numbers = lines[0].partition(": ")
    assert head == "population at 8 beats best_of_n at 8 on the judge, equal tokens"
    assert numbers.startswith("+0.")
    assert "95 % CI +0." in numbers
    assert numbers.endswith("which costs × 1.00")
    worse = compare(by_name(groups)["islands", 8], "population", groups, "cost", REWARD)
    assert worse.line().startswith("islands at 8 loses to population at 8 on the reward")
    assert (worse.cells()[-1], worse.better) == ("worse", False)
    level = compare(by_name(groups)["random", 8], "population", [], "cost", REWARD)
    assert level.cells()[-3:] == ("–", "–", "no difference shown")
    assert {(one.arm, one.baseline) for one in others(groups)} >= {("islands", "population"), ("random", "best_of_n")}
    assert all(one.adjusted is None for one in others(groups))


def test_holm_corrects_by_steps() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == [pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06)]
    assert holm([]) == []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_a_correction_never_helps_and_keeps_the_order(ps: list[float]) -> None:
    found = [one for one in holm(ps) if one is not None]
    assert all(p <= one <= 1 for p, one in zip(ps, found, strict=True))
    order = np.argsort(ps, kind="stable")
    assert np.all(np.diff(np.array(found)[order]) >= 0)


def test_the_judges_share_and_its_trend() -> None:
    groups = grouped(whole_run())
    named = by_name(groups)
    found = share(named["population", 8], named["sample", 1])
    assert found is not None
    assert found.share == pytest.approx(0.5, abs=0.1)
    assert found.healthy
    assert share(named["population", 8], grouped([made_up("a", "sample", 1)])[0]) is None
    steady = trend(groups)
    assert steady is not None
    assert steady.low <= 0 <= steady.high
    hacked = [row for row in whole_run() if (row.case.arm, row.case.candidates) != ("population", 16)]
    hacked += [
        made_up(
            caption, "population", 16, gain=0.4, judge={"total": by_name(groups)["sample", 1].columns[JUDGE][caption]}
        )
        for caption in CAPTIONS
    ]
    falling = trend(grouped(hacked))
    assert falling is not None
    assert falling.high < 0


def test_the_family_does_not_depend_on_what_came_out() -> None:
    assert comparison.RIVALS == ("best_of_n", "inferalign_paper")
    assert len(family(grouped(whole_run()[:4]))) == 2 * 2 * 2
