from dataclasses import dataclass
from typing import Any

import pytest

from motet.music.error import InvalidInputError, NotFoundError
from motet.search import spec, strategy
from motet.search.request import SearchRequest
from motet.search.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Config:
    share: float = 0.5
    count: int = 3
    limit: int | None = None
    bold: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise InvalidInputError.of("share", "must be from 0 to 1", self.share)


class Strategy:
    settings = Config
    keeps_plain = True

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()

    def arms(self, request: Any, mutants: int) -> list[int]:
        return [0]

    def explore(self, exploration: Any) -> None: ...


class Point:
    name = "mine"

    def load(self) -> type[Strategy]:
        return Strategy


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "entry_points", lambda group: [Point()])


def config(text: str, **defaults: float) -> Config:
    found: Config = Spec.parse(text).make(defaults).config
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mine", Config()),
        ("mine:share=.25", Config(share=0.25)),
        (" mine : share = 1 , count=7", Config(share=1.0, count=7)),
        ("mine:limit=4,bold=true", Config(limit=4, bold=True)),
        ("mine:bold=0", Config()),
    ],
)
def test_settings_have_the_types_of_their_fields(text: str, expected: Config) -> None:
    made = config(text)
    assert made == expected
    assert [type(value) for value in vars(made).values()] == [type(value) for value in vars(expected).values()]


def test_what_is_written_wins_over_what_was_measured() -> None:
    assert config("mine:share=.25", share=0.75, count=5.0, bold=1) == Config(share=0.25, count=5, bold=True)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("mine:", "strategy: must be NAME or NAME:KEY=NUMBER,… (received 'mine:')"),
        ("mine:share", "strategy: must be NAME or NAME:KEY=NUMBER,… (received 'mine:share')"),
        ("mine:share=1,,count=2", "strategy: must be NAME or NAME:KEY=NUMBER,…"),
        ("mine:share=.1,share=.2", "strategy.share: must not be given twice"),
        ("mine:depth=2", "strategy.depth: must be one of share, count, limit, bold (received '2')"),
        ("mine:share=2", "strategy.share: must be from 0 to 1 (received 2.0)"),
        ("mine:share=much", "strategy.share: must be a finite number (received 'much')"),
        ("mine:share=nan", "strategy.share: must be a finite number (received 'nan')"),
        ("mine:count=2.5", "strategy.count: must be a whole number (received '2.5')"),
        ("mine:bold=2", "strategy.bold: must be true or false (received '2')"),
    ],
)
def test_bad_settings_are_named(text: str, line: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Spec.parse(text).make()
    assert caught.value.message.startswith(line)
    assert caught.value.metadata["field"] == line.partition(":")[0]
    with pytest.raises(InvalidInputError):
        SearchRequest(caption="a tune", strategy=text)


def test_a_strategy_without_settings_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(InvalidInputError, match=r"^strategy\.wide: must be absent: there are no settings"):
        strategy.load("sample:wide=2")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(NotFoundError, match=r"must be one of mine \(received 'yours'\)"):
        strategy.load("yours:share=1")


def test_every_installed_strategy_keeps_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for name in strategy.names():
        loaded = strategy.load(name)
        assert isinstance(loaded, strategy.Strategy)
        arms = loaded.arms(SearchRequest(caption="x", candidates=5), 2)
        assert not loaded.keeps_plain or arms[0] == 0
        assert max(arms) <= 2
