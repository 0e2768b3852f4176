"""What a reward is: the contract that built-in rewards and those added from outside share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from motet.music.caption import Caption
from motet.music.error import NotFoundError, UnavailableError
from motet.music.score import Score
from motet.rewards.render import Renderer
from motet.rewards.sound import Sound

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Sentences to unit-norm embeddings [B, 384] (``motet.model.text.TextEncoder.pooled``)."""

GROUP = "motet.rewards"
"""The entry point group: name of a term -> ``module:factory``, called with ``Resources``."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a reward may use.

    Args:
        renderer: sound for scoring, without effects.
        sound: windows of rendered sound, cached and shared by all rewards.
        embed: the frozen sentence encoder.
    """

    renderer: Renderer
    sound: Sound
    embed: Embed


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One reward's opinion of one score.

    Args:
        value: 0 to 1.
        details: finite numbers that explain it, by name.
        bars: the same bar by bar where that makes sense, by name: [bars of the score] finite numbers each.
    """

    value: float
    details: Mapping[str, float] = field(default_factory=dict)
    bars: Mapping[str, Sequence[float]] = field(default_factory=dict)


class Reward(Protocol):
    """Judges scores against a caption."""

    def judge(self, scores: Sequence[Score], caption: Caption, *, complete: bool) -> Sequence[Judgement | None]:
        """One judgement for each score; None where the caption asks nothing that this reward judges.

        ``complete`` is False while the scores are only beginnings.
        """
        ...


Factory = Callable[[Resources], Reward]


def registered(names: Collection[str]) -> dict[str, Factory]:
    """The factories of installed rewards, the built-in three among them, by the name of their term.

    Args:
        names: the terms wanted; only these are loaded.

    Raises NotFoundError for a term that no installed package brings, and UnavailableError when one cannot be loaded.
    """
    installed = {point.name: point for point in entry_points(group=GROUP)}
    for name in sorted(names):
        if name not in installed:
            known = ", ".join(sorted(installed)) or "none"
            raise NotFoundError(
                "REWARD_NOT_FOUND", f"there is no reward {name!r}; installed: {known}", {"reward": name}
            )
    factories: dict[str, Factory] = {}
    for name in sorted(names):
        try:
            factories[name] = installed[name].load()
        except (ImportError, AttributeError) as error:
            message = f"the reward {name!r} cannot be loaded from {installed[name].value}: {error}"
            raise UnavailableError("REWARD_UNLOADABLE", message, {"reward": name}) from error
    return factories
