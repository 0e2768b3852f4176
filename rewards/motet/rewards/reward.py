"""What a reward is: the contract that built-in rewards and those added from outside share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from motet.music.caption import Caption
from motet.music.error import MotetError, NotFoundError, UnavailableError
from motet.music.score import Score
from motet.rewards.render import Player
from motet.rewards.sound import Sound
from motet.rewards.text_backend import Embed, TextBackend

GROUP = "motet.rewards"
"""The entry point group: name of a term -> ``module:object``.

The object is a factory, called with ``Resources`` or with nothing, that returns a ``Reward``; or a plain function of
(score, caption) that returns a number from 0 to 1, a ``Judgement``, or None where it has nothing to judge.
"""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a reward may use.

    Args:
        renderer: sound for scoring, without effects.
        sound: windows of rendered sound, cached and shared by all rewards.
        embed: the frozen sentence encoder.
        text: what hears the sound and reads the captions, for every reward that needs that; None: the shipped one.
    """

    renderer: Player
    sound: Sound
    embed: Embed
    text: TextBackend | None = None


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


@dataclass(frozen=True)
class PlainReward:
    """A reward made of a plain function of one score and the caption; picklable when the function is.

    Args:
        function: gives a number from 0 to 1, a ``Judgement``, or None where it has nothing to judge.
    """

    function: Callable[[Score, Caption], float | Judgement | None]

    def judge(self, scores: Sequence[Score], caption: Caption, *, complete: bool) -> list[Judgement | None]:
        """See ``Reward``."""
        found = [self.function(score, caption) for score in scores]
        return [one if one is None or isinstance(one, Judgement) else Judgement(value=one) for one in found]


def installed() -> tuple[str, ...]:
    """Names of all rewards that installed packages bring, in alphabetical order; none of them is loaded."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def registered(names: Collection[str]) -> dict[str, Factory]:
    """The factories of installed rewards, the built-in three among them, by the name of their term.

    Args:
        names: the terms wanted; only these are loaded.

    Raises NotFoundError for a term that no installed package brings, and UnavailableError when one cannot be loaded.
    """
    points = {point.name: point for point in entry_points(group=GROUP)}
    for name in sorted(names):
        if name not in points:
            known = ", ".join(sorted(points)) or "none"
            raise NotFoundError(
                "REWARD_NOT_FOUND", f"there is no reward {name!r}; installed: {known}", {"reward": name}
            )
    return {name: _factory(points[name]) for name in sorted(names)}


def _factory(point: EntryPoint) -> Factory:
    try:
        loaded: Any = point.load()
        parameters = inspect.signature(loaded).parameters.values()
    except Exception as error:  # whatever a module of somebody else raises while it is imported
        raise _unloadable(point, error) from error
    needed = sum(
        one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in parameters
    )

    def make(resources: Resources) -> Reward:
        if needed == 2:
            return PlainReward(loaded)
        try:
            reward: Reward = loaded(resources) if needed else loaded()
        except MotetError:
            raise
        except Exception as error:
            raise _unloadable(point, error) from error
        if not callable(getattr(reward, "judge", None)):
            raise _unloadable(point, TypeError(f"it gives {type(reward).__name__}, which has no method judge"))
        return reward

    return make


def _unloadable(point: EntryPoint, error: Exception) -> UnavailableError:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    message = f"the reward {point.name!r} cannot be loaded from {point.value}: {first}"
    return UnavailableError("REWARD_UNLOADABLE", message, {"reward": point.name})
