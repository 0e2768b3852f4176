"""The one number that search climbs: a weighted mean of rewards, each in 0..1, with all that it was made of."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from motet.music.caption import Caption
from motet.music.error import InternalError, InvalidInputError
from motet.music.score import Score
from motet.rewards import adherence, reward
from motet.rewards.harmony import HarmonyReward
from motet.rewards.render import Player, RenderConfig, Renderer
from motet.rewards.reward import Judgement, Resources, Reward
from motet.rewards.sound import Sound
from motet.rewards.text_backend import Embed, TextBackend

NOTHING_ASKED = 0.5
"""The total when no term with a weight can judge the caption: all pieces are equally right."""

DEFAULT_WEIGHTS: Final[Mapping[str, float]] = MappingProxyType({"text": 0.4, "harmony": 0.4, "adherence": 0.2})
"""The built-in terms (consistency of the sound with the caption, harmonic coherence, stated attributes), in order."""

_MOST_TERMS = 64


class Weights(Mapping[str, float]):
    """How much each reward counts, by its name; only ratios matter, and a reward without a weight is not computed.

    ``Weights()`` is ``DEFAULT_WEIGHTS``; ``Weights(text=1)`` is text and nothing else. Names may be those of any
    installed reward. Immutable, hashable and picklable; the order in which names are given changes nothing.

    Args:
        values: name -> weight, finite and at least 0, not all of them 0.
        named: the same, as keywords.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, float] | None = None, /, **named: float) -> None:
        given = {**(values or {}), **named} if values is not None or named else dict(DEFAULT_WEIGHTS)
        if len(given) > _MOST_TERMS:
            raise InvalidInputError.of("weights", f"must name at most {_MOST_TERMS} rewards", f"{len(given)} names")
        for name, value in given.items():
            if not isinstance(name, str) or not name.strip() or set(name) & set(",="):
                raise InvalidInputError.of("weights", "must be named by rewards", name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise InvalidInputError.of(f"weights.{name}", "must be a finite number of at least 0", value)
        if not 0 < sum(given.values()) < math.inf:
            raise InvalidInputError.of("weights", "must not all be 0, and have a finite sum", given)
        first = [name for name in DEFAULT_WEIGHTS if name in given]
        order = [*first, *sorted(given.keys() - DEFAULT_WEIGHTS.keys())]
        self._values = {name: float(given[name]) for name in order}

    @classmethod
    def parse(cls, text: str) -> Weights:
        """Reads ``"text=.2,my_reward=.5"``; InvalidInputError names the part that is not NAME=NUMBER."""
        given: dict[str, float] = {}
        for part in text.split(","):
            name, _, number = part.partition("=")
            try:
                weight = float(number)
            except ValueError as error:
                raise InvalidInputError.of("weights", "must be NAME=NUMBER, separated by commas", part) from error
            if name.strip() in given:
                raise InvalidInputError.of("weights", "must not name a reward twice", name.strip())
            given[name.strip()] = weight
        return cls(given)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __str__(self) -> str:
        return ",".join(f"{name}={value:.10g}" for name, value in self._values.items())

    def __repr__(self) -> str:
        return f"Weights({self._values})"


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """A judged score.

    Args:
        total: the weighted mean of ``terms``, 0 to 1; 0.5 when there are none.
        terms: each term that judged, 0 to 1; those the caption gives no cause for are left out.
        details: numbers that explain the terms, as "term.name".
        bars: the same bar by bar, as "term.name": one number for each bar of the score, where that makes sense.
    """

    total: float
    terms: dict[str, float]
    details: dict[str, float] = field(default_factory=dict)
    bars: dict[str, tuple[float, ...]] = field(default_factory=dict)


class HarmonyTerm:
    """The reward "harmony": ``HarmonyReward`` with the key that the caption asks for.

    Drums alone are nothing to it, unless the caption asks for drums and names no other instrument: a search must not
    win by leaving out all that could sound wrong.
    """

    def __init__(self, reward: HarmonyReward | None = None) -> None:
        self._reward = reward or HarmonyReward()

    def judge(self, scores: Sequence[Score], caption: Caption, *, complete: bool) -> list[Judgement]:
        """See ``motet.rewards.reward.Reward``."""
        asked = caption.attributes
        drums_will_do = bool(asked.drums) and not asked.instruments
        found = [self._reward.judge(score, asked.key) for score in scores]
        return [
            Judgement(
                value=one.value if one.key is not None or drums_will_do else 0.0,
                details={"human": one.human, "corrupted": one.corrupted, "gate": one.gate, "core": one.core}
                | dict(one.terms),
                bars=one.bars,
            )
            for one in found
        ]


class AdherenceTerm:
    """The reward "adherence": ``motet.rewards.adherence`` with the attributes that the caption states."""

    def judge(self, scores: Sequence[Score], caption: Caption, *, complete: bool) -> list[Judgement | None]:
        """See ``motet.rewards.reward.Reward``."""
        found = [adherence.judge(score, caption.attributes, complete=complete) for score in scores]
        return [
            None if one.value is None else Judgement(value=one.value, details=one.terms | one.details, bars=one.bars)
            for one in found
        ]


def harmony(resources: Resources) -> Reward:
    """Factory of the built-in term "harmony"."""
    return HarmonyTerm()


def attribute_adherence(resources: Resources) -> Reward:
    """Factory of the built-in term "adherence"."""
    return AdherenceTerm()


class Composite:
    """Judges scores by several rewards at once; which ones, and how much each counts, every call says for itself.

    Args:
        rewards: name -> reward, at hand from the start.
        resources: what further installed rewards are made with when a call first gives them a weight; None: there are
            no others than ``rewards``.
    """

    def __init__(self, rewards: Mapping[str, Reward], *, resources: Resources | None = None) -> None:
        self._rewards = dict(rewards)
        self._resources = resources
        self._lock = threading.Lock()

    @classmethod
    def default(cls, embed: Embed, *, renderer: Player | None = None, text: TextBackend | None = None) -> Composite:
        """The three built-in rewards, and every other installed one as soon as it has a weight, on one renderer.

        Args:
            embed: sentences to unit-norm embeddings [B, 384].
            renderer: None: a new one for scoring, at the rate of ``text``, without effects.
            text: what hears the sound and reads the captions; None: the shipped scorer.

        Raises UnavailableError when FluidSynth, the soundfont or the weights of the text reward are missing, and
        NotFoundError when a built-in reward is not installed.
        """
        if renderer is None:
            renderer = Renderer(RenderConfig() if text is None else RenderConfig(rate_hz=text.rate_hz))
        sound = Sound(renderer) if text is None else Sound(renderer, window_s=text.window_s)
        resources = Resources(renderer=renderer, sound=sound, embed=embed, text=text)
        rewards = {name: make(resources) for name, make in reward.registered(DEFAULT_WEIGHTS).items()}
        return cls(rewards, resources=resources)

    @property
    def names(self) -> tuple[str, ...]:
        """The rewards that can have a weight: those at hand and those installed."""
        others = () if self._resources is None else reward.installed()
        return tuple(sorted({*self._rewards, *others}))

    def score(self, scores: Sequence[Score], caption: Caption, weights: Weights, *, complete: bool) -> list[Breakdown]:
        """Judges each score against the caption.

        Args:
            scores: pieces, or beginnings of pieces.
            caption: the caption as the person wrote it, with what it states.
            weights: of the rewards; the mean runs over those that judge.
            complete: False: the scores are beginnings, and their length is not judged.

        Raises InvalidInputError for a weight of a reward that does not exist, UnavailableError for one that cannot be
        loaded, and InternalError for one that breaks its contract: every number finite, every value from 0 to 1.
        """
        judged: dict[str, Sequence[Judgement | None]] = {}
        wanted = {name: weight for name, weight in weights.items() if weight > 0}
        rewards = {name: self._reward(name, weight) for name, weight in wanted.items()}
        for name, one in rewards.items():
            judged[name] = one.judge(scores, caption, complete=complete)
            if len(judged[name]) != len(scores):
                message = f"the reward {name!r} gave {len(judged[name])} judgements of {len(scores)} scores"
                raise InternalError("REWARD_INCOMPLETE", message, {"reward": name})
        return [
            _combine(score, {name: found[row] for name, found in judged.items()}, wanted)
            for row, score in enumerate(scores)
        ]

    def _reward(self, name: str, weight: float) -> Reward:
        with self._lock:
            found = self._rewards.get(name)
            if found is None:
                if self._resources is None or name not in reward.installed():
                    rule = f"must name one of {', '.join(self.names)}"
                    raise InvalidInputError.of("weights", rule, f"{name}={weight:g}")
                found = self._rewards[name] = reward.registered([name])[name](self._resources)
            return found


def _combine(score: Score, judgements: Mapping[str, Judgement | None], weights: Mapping[str, float]) -> Breakdown:
    terms: dict[str, float] = {}
    details: dict[str, float] = {}
    bars: dict[str, tuple[float, ...]] = {}
    for name, judgement in judgements.items():
        if judgement is None:
            continue
        value = _finite(name, "value", judgement.value)
        if not 0 <= value <= 1:
            raise InternalError("REWARD_OUT_OF_RANGE", f"the reward {name!r} gave {value}, not 0 to 1")
        terms[name] = value
        for detail, explanation in judgement.details.items():
            details[f"{name}.{detail}"] = _finite(name, detail, explanation)
        for detail, values in judgement.bars.items():
            bars[f"{name}.{detail}"] = tuple(_finite(name, detail, value) for value in values)
    counts = {name: len(values) for name, values in bars.items()}
    if counts and set(counts.values()) != {len(score.bar_ticks()) - 1}:
        message = f"the bars must be {len(score.bar_ticks()) - 1}, the rewards gave {counts}"
        raise InternalError("REWARD_INCOMPLETE", message)
    weight = sum(weights[name] for name in terms)
    total = sum(weights[name] * value for name, value in terms.items()) / weight if terms else NOTHING_ASKED
    return Breakdown(total=min(1.0, max(0.0, total)), terms=terms, details=details, bars=bars)


def _finite(name: str, what: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        message = f"the reward {name!r} gave {value!r:.80} as {what!r}, not a finite number"
        raise InternalError("REWARD_NOT_FINITE", message, {"reward": name})
    return number
