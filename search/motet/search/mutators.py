"""Where mutated captions come from: mutators that packages bring, a local language model, a hosted one.

A mutator is a function of a caption and random numbers, registered by an entry point of the group ``motet.mutators``
(name -> ``"module:function"``), here or in any other installed package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

import numpy as np

from motet.music import caption as captions
from motet.music.caption import Caption
from motet.music.error import InvalidInputError, MotetError, UnavailableError
from motet.search.mutation import Mutators, Settled, Source
from motet.search.reading import read

GROUP: Final = "motet.mutators"
DEFAULT: Final = "builtin"

Mutator = Callable[[Caption, np.random.Generator], str | None]
"""Rewrites a caption with the given random numbers; None when it has nothing to change."""

ORDER: Final = ("explicit", "tempo", "key", "meter", "instruments", "paraphrase", "reorder", "frame")
"""The order in which mutators are applied: details, their wording, their order, the frame; others by name, before
``paraphrase``."""

_ODDS: Final = 0.5
_ATTEMPTS: Final = 12


def installed() -> tuple[str, ...]:
    """Names of all mutators that installed packages bring, in the order in which they are applied."""
    return tuple(_points())


def registered() -> dict[str, Mutator]:
    """All installed mutators by name, in the order in which they are applied.

    Raises UnavailableError that names the one that cannot be loaded.
    """
    return {name: _loaded(point) for name, point in _points().items()}


def _points() -> dict[str, EntryPoint]:
    points = {point.name: point for point in entry_points(group=GROUP)}
    wording = ORDER.index("paraphrase")
    others = sorted(set(points) - set(ORDER))
    return {name: points[name] for name in (*ORDER[:wording], *others, *ORDER[wording:]) if name in points}


def _loaded(point: EntryPoint) -> Mutator:
    try:
        mutator: Mutator = point.load()
    except Exception as error:  # whatever a module of somebody else raises while it is imported
        raise _failed(point.name, error) from error
    if not callable(mutator):
        raise _failed(point.name, TypeError(f"{point.value} is no function"))
    return mutator


def _failed(name: str, error: Exception) -> UnavailableError:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    message = f"mutator: {name!r} failed: {first}"
    return UnavailableError("MUTATOR_UNAVAILABLE", message, {"field": "mutator", "mutator": name})


class Rewriters:
    """Mutators that are functions, each applied with even odds, one after the other: offline and seeded.

    Args:
        mutators: by name, in order of application.
    """

    def __init__(self, mutators: Mapping[str, Mutator]) -> None:
        self.mutators = dict(mutators)

    def propose(self, caption: Caption, count: int, *, seed: int, settled: Settled) -> Iterator[str]:
        """See ``motet.search.mutation.Source``."""
        random = np.random.default_rng([seed, 1])
        for _ in range(_ATTEMPTS * count):
            yield self._rewritten(caption.text, random, settled)

    def _rewritten(self, text: str, random: np.random.Generator, settled: Settled) -> str:
        for (name, mutator), odds in zip(self.mutators.items(), random.random(len(self.mutators)), strict=True):
            if odds < _ODDS:
                try:
                    changed = mutator(Caption(text, settled(read(text).attributes)), random)
                except MotetError:
                    raise
                except Exception as error:  # a mutator of somebody else
                    raise _failed(name, error) from error
                if isinstance(changed, str) and changed.strip() and len(changed) <= captions.MAX_CHARACTERS:
                    text = changed.strip()
        return text


def load(spec: str = DEFAULT, *, key: str | None = None) -> Mutators:
    """The mutators of a specification such as ``builtin``, ``builtin,lm:FOLDER`` or ``https://HOST/v1#MODEL``.

    Args:
        spec: parts between commas: ``builtin`` for what is installed, ``lm:FOLDER`` for a local language model,
            ``http://...`` or ``https://...`` for a hosted one (``http:URL`` works too), with the name of its model
            after ``#``.
        key: secret for the hosted ones, None for none.

    Raises:
        InvalidInputError: an unknown or empty part.
        UnavailableError: a mutator or a model that cannot be loaded.
    """
    parts = [part.strip() for part in spec.split(",")] if isinstance(spec, str) else [""]
    return Mutators([_source(part, key) for part in parts])


def _source(part: str, key: str | None) -> Source:
    kind, _, rest = part.partition(":")
    if part == DEFAULT:
        return Rewriters(registered())
    if kind == "lm" and rest:
        from motet.search.language_model import LanguageModel  # brings PyTorch

        return LanguageModel.load(Path(rest))
    if kind in ("http", "https") and rest:
        from motet.search.hosted import HostedModel

        return HostedModel(rest if rest.startswith(("http://", "https://")) else part, key=key)
    rule = "must be builtin, lm:FOLDER, http://... or https://..., or several of them between commas"
    raise InvalidInputError.of("mutator", rule, part)


@cache
def _built_in() -> Mutators:
    return load()


def mutate(caption: Caption, count: int, *, seed: int, settled: Settled = lambda stated: stated) -> tuple[Caption, ...]:
    """``Mutators.mutate`` with the mutators that are installed: offline, and a function of its arguments."""
    return _built_in().mutate(caption, count, seed=seed, settled=settled)
