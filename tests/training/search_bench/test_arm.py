import pytest

from motet.music.error import InvalidInputError, NotFoundError
from motet.training.search_bench.arm import Arm, parse_arms


def test_an_arm_is_a_strategy_with_settings_and_budgets() -> None:
    arm = Arm.parse("population:keep_early=.5,mutations=0,keep_late=.25@16/8", [4])
    assert arm.label == "population:keep_early=.5,mutations=0,keep_late=.25"
    assert arm.strategy == "population:keep_early=.5,keep_late=.25"
    assert (arm.mutations, arm.coin, arm.budgets) == (0, False, (8, 16))
    request = arm.request("a waltz", 3, 8, bars=4)
    assert (request.strategy, request.mutations, request.seed, request.bars) == (arm.strategy, 0, 3, 4)
    assert (request.candidates, request.results) == (8, 4)


def test_a_sample_is_one_and_random_is_the_default_strategy_on_a_coin() -> None:
    assert Arm.parse("sample", [8, 16]).budgets == (1,)
    random = Arm.parse("random:keep_late=.5", [8])
    assert (random.strategy, random.coin, random.label) == ("population:keep_late=.5", True, "random:keep_late=.5")
    assert random.request("a waltz", 0, 8).mutations == Arm.parse("population", [8]).request("a waltz", 0, 8).mutations


def test_a_strategys_own_setting_of_that_name_stays_its_own() -> None:
    arm = Arm.parse("inferalign_released:mutations=2", [8])
    assert (arm.strategy, arm.mutations) == ("inferalign_released:mutations=2", None)


@pytest.mark.parametrize(
    "words",
    [
        ["sample,population:keep_early=.5,keep_late=.5,best_of_n@4/8"],
        ["sample", "population:keep_early=.5,keep_late=.5", "best_of_n@4/8"],
    ],
)
def test_arms_stand_in_words_or_between_commas(words: list[str]) -> None:
    arms = parse_arms(words, [8])
    assert [arm.label for arm in arms] == ["sample", "population:keep_early=.5,keep_late=.5", "best_of_n"]
    assert arms[2].budgets == (4, 8)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("population@0", "candidates"),
        ("population@8/x", "candidates: must be a whole number"),
        ("population:mutations=-1", "mutations"),
        ("population:keep_early=7", "keep_early"),
        ("population:colour=7", "colour"),
        ("population,population", "strategies: must be at least one, each named once"),
        ("", "strategies"),
    ],
)
def test_what_cannot_be_is_refused_at_once(word: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse_arms([word], [8])


def test_an_unknown_strategy_is_named() -> None:
    with pytest.raises(NotFoundError, match="psychic"):
        parse_arms(["psychic"], [8])
