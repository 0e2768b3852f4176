import numpy as np
import pytest

from motet.music import midi
from motet.music.caption import Caption, parse
from motet.rewards.composite import Weights
from motet.rewards.judge import Judge
from motet.search.run import Searcher
from motet.training.search_bench import diversity
from motet.training.search_bench.arm import parse_arms
from motet.training.search_bench.bench import Bench, cases, reward_version
from motet.training.search_bench.coin import Coin
from motet.training.search_bench.crew import Failure, Task, work
from motet.training.search_bench.group import difference, grouped
from motet.training.search_bench.row import Row
from tests.fakes import CountingReward, FakeDecoder, fake_score

pytestmark = pytest.mark.usefixtures("one_thread")

CAPTION = parse("A waltz for piano in C major at 90 bpm.")


def tasks(*arms: str, captions: int = 1, seeds: int = 1) -> list[Task]:
    texts = [f"{CAPTION.text} {number}" for number in range(captions)]
    return cases(
        texts, parse_arms(arms, [8]), seeds, bars=4, weights="", model="fake@0", reward="0",
        tuned={"population": {"keep_late": 0.25}},
    )  # fmt: skip


def bench(reward: CountingReward | None = None) -> Bench:
    reward = reward or CountingReward()
    decoder = FakeDecoder()
    return Bench(Searcher(decoder, reward), Searcher(decoder, Coin()), reward, Judge.load())


def rows(given: list[Task]) -> list[Row]:
    return [outcome for outcome in work(given, bench, 1) if isinstance(outcome, Row)]


def test_all_of_a_caption_comes_before_the_next_and_all_of_a_seed_before_the_next() -> None:
    order = [(case.seed, case.caption[-1], case.arm, case.candidates) for case, _ in tasks(
        "population@4/8", "sample", captions=2, seeds=2)]  # fmt: skip
    one = [("sample", 1), ("population", 4), ("population", 8)]
    assert order == [(seed, caption, *arm) for seed in (0, 1) for caption in "01" for arm in one]


def test_a_case_knows_all_settings_of_its_strategy() -> None:
    plain, own = (case.settings for case, _ in tasks("population", "population:keep_late=.5,mutations=0"))
    assert '"keep_late": 0.25' in plain
    assert '"keep_late": ".5"' in own
    assert '"mutations": 0' in own
    assert '"mutations"' not in plain


def test_a_row_says_what_there_is_to_say_of_the_best_piece() -> None:
    [sample, population] = rows(tasks("sample", "population@8"))
    assert population.reward["total"] >= sample.reward["total"]
    score = population.score
    verdict = Judge.load().judge([score], population.case.caption)[0]
    assert population.judge == pytest.approx(verdict.record())
    [judged] = CountingReward().score([score], Caption(population.case.caption, CAPTION.attributes), Weights(),
                                      complete=True)  # fmt: skip
    assert population.reward["total"] == pytest.approx(judged.total)
    assert midi.write(score) == midi.write(population.score)
    assert set(population.control) == {"tempo bin (TB)", "tempo bin ± 1 (TBT)", "key (CK)", "key or relative (CKD)",
        "time signature", "instruments, F1", "instrument families, F1"}  # fmt: skip
    assert population.control["key (CK)"] in (0.0, 1.0)
    assert (population.bars, population.notes, population.empty_bars) == (4, 16, 0.0)
    assert population.log_probability == pytest.approx(-np.log(48) * 4 / 5)
    assert population.tokens >= 8 * 4 * 5 > sample.tokens == 4 * 5
    assert (population.results, sample.diversity) == (1.0, None)
    assert population.diversity is not None
    assert population.diversity > 0
    assert Row.from_record(population.record()) == population
    assert population.numbers["cost"] == population.tokens + 0.1 * population.prefilled


def test_climbing_a_coin_wins_nothing_and_climbing_the_reward_does() -> None:
    groups = {group.arm: group for group in grouped(rows(tasks("sample", "population", "random", captions=16)))}
    climbed = difference(groups["population"], groups["sample"], "reward.total")
    tossed = difference(groups["random"], groups["sample"], "reward.total")
    assert climbed is not None
    assert tossed is not None
    assert climbed.estimate.low > 0
    assert tossed.estimate.low <= 0 <= tossed.estimate.high
    assert groups["random"].rows[0].reward != groups["population"].rows[0].reward


def test_a_coin_depends_on_the_notes_and_the_caption_alone() -> None:
    scores = [fake_score([0, 1 + number, 2, 3, 4]) for number in range(40)]
    totals = [one.total for one in Coin().score(scores, CAPTION, Weights(), complete=True)]
    assert totals == [one.total for one in Coin().score(scores, CAPTION, Weights(text=1), complete=False)]
    assert totals != [one.total for one in Coin().score(scores, parse("A march."), Weights(), complete=True)]
    assert len(set(totals)) == 40
    assert 0 <= min(totals) < 0.2 < 0.8 < max(totals) < 1
    assert set(Coin().score(scores, CAPTION, Weights(text=1, harmony=0), complete=True)[0].terms) == {"text"}


def test_a_search_that_fails_is_told_and_costs_no_other() -> None:
    reward = CountingReward(fail_on_call=1)
    outcomes = list(work(tasks("sample", "best_of_n"), lambda: bench(reward), 1))
    assert isinstance(outcomes[0], Failure)
    assert outcomes[0].error == "RuntimeError: the reward broke"
    assert isinstance(outcomes[1], Row)


def test_equal_pieces_have_no_diversity_and_different_ones_do() -> None:
    judge = Judge.load()
    one, other = fake_score([0, 13, 15, 17, 18] * 4), fake_score([0, 40, 2, 33, 8] * 4)
    assert diversity.spread(judge, [one, one, one]) == pytest.approx(0, abs=1e-6)
    apart = diversity.spread(judge, [one, other])
    assert apart is not None
    assert apart > 0.01
    assert diversity.spread(judge, [one, one, other]) == pytest.approx(apart * 2 / 3)
    assert diversity.spread(judge, [one, fake_score([])]) is None


def test_the_version_of_the_rewards_is_stable() -> None:
    assert reward_version() == reward_version()
    assert len(reward_version()) == 12
