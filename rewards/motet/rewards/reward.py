"""What a reward is: the contract that built-in rewards and those added from outside share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from motet.music.caption import Caption
from motet.music.error import UnavailableError
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
    """

    value: float
    details: Mapping[str, float] = field(default_factory=dict)


class Reward(Protocol):
    """Judges scores against a caption."""

    def judge(self, scores: Sequence[Score], caption: Caption, *, complete: bool) -> Sequence[Judgement | None]:
        """One judgement for each score; None where the caption asks nothing that this reward judges.

        ``complete`` is False while the scores are only beginnings.
        """
        ...


Factory = Callable[[Resources], Reward]


def registered() -> dict[str, Factory]:
    """The factories of all installed rewards, the built-in three among them, by the name of their term.

    Raises UnavailableError when an entry point cannot be loaded.
    """
    factories: dict[str, Factory] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            factories[point.name] = point.load()
        except (ImportError, AttributeError) as error:
            message = f"the reward {point.name!r} cannot be loaded from {point.value}: {error}"
            raise UnavailableError("REWARD_UNLOADABLE", message, {"reward": point.name}) from error
    return factories
