from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest

from motet.search import spec
from motet.server import convert
from motet.server.catalogue import arguments, catalogue, summary
from motet.v1 import search_service_pb2 as v1


@dataclass(frozen=True, kw_only=True)
class Common:
    """Settings.

    Args:
        share: of the rows that go on,
            above 0; see ``Somewhere``.
        often, seldom: both of them.

    Raises:
        InvalidInputError: never.
    """

    share: float = 0.5
    often: bool = True
    seldom: int | None = None


@dataclass(frozen=True, kw_only=True)
class Own(Common):
    """More of them.

    Args:
        count: how many.
    """

    count: int = 3


class Tried:
    """Tries things
    out.

    At length.
    """

    settings: ClassVar[type[Any]] = Own

    def __init__(self, config: Own | None = None) -> None:
        self.keeps_plain = (config or Own()).often

    def arms(self, request: Any, mutants: int) -> list[int]:
        return [0]

    def explore(self, exploration: Any) -> None:
        pass


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        "tried": EntryPoint("tried", f"{__name__}:Tried", spec.GROUP),
        "broken": EntryPoint("broken", "no_such_module:Broken", spec.GROUP),
        spec.DEFAULT: EntryPoint(spec.DEFAULT, f"{__name__}:Tried", spec.GROUP),
    }
    monkeypatch.setattr(spec, "_registered", lambda: points)
    # An entry point imports a module by its name, which test modules do not have.
    monkeypatch.setattr(spec, "find", lambda name: Found() if name != "broken" else points[name])


class Found:
    def load(self) -> type[Tried]:
        return Tried


def test_a_strategy_describes_itself(registered: None, caplog: pytest.LogCaptureFixture) -> None:
    default, tried = catalogue({"tried": {"share": 0.25, "often": False}})
    assert (default.name, tried.name) == (spec.DEFAULT, "tried")
    assert tried.description == "Tries things out."
    assert (default.keeps_plain, tried.keeps_plain) == (True, False)
    told = [(one.name, one.default, one.kind, one.description) for one in tried.settings]
    assert told == [
        ("share", 0.25, float, "of the rows that go on, above 0; see `Somewhere`"),
        ("often", False, bool, "both of them"),
        ("seldom", None, int, "both of them"),
        ("count", 3, int, "how many"),
    ]
    assert "the strategy broken cannot be loaded" in caplog.text


def test_settings_are_told_on_the_wire(registered: None) -> None:
    first, second = (convert.strategy(one) for one in catalogue({}))
    assert (first.default, second.default) == (True, False)
    assert [setting.kind for setting in first.settings] == [
        v1.SETTING_KIND_NUMBER,
        v1.SETTING_KIND_FLAG,
        v1.SETTING_KIND_WHOLE_NUMBER,
        v1.SETTING_KIND_WHOLE_NUMBER,
    ]
    assert [setting.HasField("default_value") for setting in first.settings] == [True, True, False, True]
    assert first.settings[1].default_value == 1.0


def test_code_without_docstrings_has_no_descriptions() -> None:
    assert summary(None) == ""
    assert arguments(None) == arguments("Nothing of that kind.") == {}


def test_every_installed_strategy_documents_its_settings() -> None:
    for strategy in catalogue({}):
        assert strategy.description.endswith("."), strategy.name
        for setting in strategy.settings:
            assert setting.description, f"{strategy.name}.{setting.name}"
