"""The installed search strategies and their settings, as they describe themselves."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args, get_type_hints

from motet.search import spec

_ARGUMENTS = re.compile(r"^Args:\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^    (\w[\w, ]*): (.*(?:\n(?:     +.*)?$)*)", re.MULTILINE)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A number that a strategy can be told.

    Args:
        name: its key in a spec.
        default: with the model at hand; None where that depends on what the description says.
        kind: of its values, None aside.
        description: what it does and which values it takes.
    """

    name: str
    default: float | None
    kind: type[bool] | type[int] | type[float]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """A strategy for people to choose: its first sentence, its settings, and whether it keeps a plain sample."""

    name: str
    description: str
    keeps_plain: bool
    settings: tuple[Setting, ...]


def catalogue(defaults: Mapping[str, Mapping[str, float]]) -> tuple[Strategy, ...]:
    """All strategies that can be loaded, the default one first, then by name.

    Args:
        defaults: by strategy and key, what is measured for the model and replaces the defaults of the code.
    """
    strategies = []
    for name in sorted(spec.names(), key=lambda name: (name != spec.DEFAULT, name)):
        try:
            strategies.append(_strategy(name, defaults.get(name, {})))
        except Exception:  # somebody else's code, whose failure must not hide the others
            _log.exception("the strategy %s cannot be loaded", name)
    return tuple(strategies)


def _strategy(name: str, defaults: Mapping[str, float]) -> Strategy:
    kind: Any = spec.find(name).load()
    made = spec.Spec(name).make(defaults)
    hints = get_type_hints(kind.settings)
    values: dict[str, Any] = {one.name: one.default for one in fields(kind.settings)} | {**defaults}
    texts: dict[str, str] = {}
    for base in reversed(kind.settings.__mro__):
        texts |= arguments(base.__doc__)
    return Strategy(
        name=name,
        description=summary(kind.__doc__),
        keeps_plain=bool(made.keeps_plain),
        settings=tuple(
            Setting(
                name=one.name,
                default=values[one.name],
                kind=_kind(hints[one.name]),
                description=texts.get(one.name, ""),
            )
            for one in fields(kind.settings)
        ),
    )


def _kind(hint: Any) -> type[bool] | type[int] | type[float]:
    kinds = get_args(hint) or (hint,)
    return bool if bool in kinds else float if float in kinds else int


def summary(docstring: str | None) -> str:
    """The first paragraph of a docstring as one line."""
    return _plain(inspect.cleandoc(docstring or "").partition("\n\n")[0])


def arguments(docstring: str | None) -> dict[str, str]:
    """What a docstring says of each argument in its section ``Args:``, as one line each."""
    section = _ARGUMENTS.search(inspect.cleandoc(docstring or ""))
    if section is None:
        return {}
    return {
        name.strip(): _plain(text).rstrip(".")
        for names, text in _ENTRY.findall(section[1])
        for name in names.split(",")
    }


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")
