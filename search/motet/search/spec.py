"""Strategies by their names and settings, as a request gives them: ``"population:keep_early=.5,wide=2"``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.metadata import EntryPoint, entry_points
from types import NoneType
from typing import Any, get_args, get_type_hints

from motet.music.error import InvalidInputError, NotFoundError

GROUP = "motet.strategies"
"""The entry point group: name -> ``"module:Class"``, here or in any other installed package."""

DEFAULT = "population"

_TRUTH = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Spec:
    """A strategy and the settings that are not left to it.

    Args:
        name: of an entry point of the group ``motet.strategies``.
        settings: what was written after the name, by key.
    """

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Reads ``NAME`` or ``NAME:KEY=NUMBER,...``; InvalidInputError names the part that is neither."""
        if not isinstance(text, str):
            raise InvalidInputError.of("strategy", "must be NAME or NAME:KEY=NUMBER,…", text)
        name, colon, rest = text.partition(":")
        settings: dict[str, str] = {}
        for part in rest.split(",") if colon else ():
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not (key and equals and value):
                raise InvalidInputError.of("strategy", "must be NAME or NAME:KEY=NUMBER,…", text)
            if key in settings:
                raise InvalidInputError.of(f"strategy.{key}", "must not be given twice", text)
            settings[key] = value
        return cls(name.strip(), settings)

    def make(self, defaults: Mapping[str, float] | None = None) -> Any:
        """The strategy, with these settings over ``defaults`` over its own.

        Raises NotFoundError for an unknown name, and InvalidInputError for an unknown key or a bad value.
        """
        kind = find(self.name).load()
        return kind(_config(kind.settings, {**(defaults or {}), **self.settings}))


def names() -> tuple[str, ...]:
    """Names of all installed strategies, sorted."""
    return tuple(sorted(_registered()))


def find(name: str) -> EntryPoint:
    """The registration of a strategy; NotFoundError lists the names that exist."""
    registered = _registered()
    if name not in registered:
        known = ", ".join(sorted(registered)) or "none is installed"
        message = f"strategy: must be one of {known} (received {name!r:.80})"
        raise NotFoundError("STRATEGY_NOT_FOUND", message, {"field": "strategy", "received": str(name), "known": known})
    return registered[name]


def _registered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _config(kind: type[Any], given: Mapping[str, str | float]) -> Any:
    """The settings as the strategy's own type, whose ``__post_init__`` says what they may be."""
    hints = get_type_hints(kind)
    keys = [one.name for one in fields(kind)]
    for key, value in given.items():
        if key not in keys:
            rule = f"must be one of {', '.join(keys)}" if keys else "must be absent: there are no settings"
            raise InvalidInputError.of(f"strategy.{key}", rule, value)
    try:
        return kind(**{key: _typed(key, hints[key], value) for key, value in given.items()})
    except InvalidInputError as error:
        if error.metadata.get("field") not in keys:
            raise
        named = {**error.metadata, "field": f"strategy.{error.metadata['field']}"}
        raise InvalidInputError(error.reason, f"strategy.{error.message}", named) from error


def _typed(key: str, hint: Any, given: str | float) -> bool | int | float:
    """A setting as its type (bool, int or float, with or without None) wants it."""
    kinds = set(get_args(hint) or (hint,)) - {NoneType}
    if bool in kinds:
        truth = _TRUTH.get(f"{given:g}" if isinstance(given, int | float) else given.lower())
        if truth is None:
            raise InvalidInputError.of(f"strategy.{key}", "must be true or false", given)
        return truth
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (float not in kinds and not value.is_integer()):
        rule = "must be a finite number" if float in kinds else "must be a whole number"
        raise InvalidInputError.of(f"strategy.{key}", rule, given)
    return value if float in kinds else int(value)
