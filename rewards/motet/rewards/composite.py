"""The one number that search climbs: a weighted mean of rewards, each in 0..1, with all that it was made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from motet.music.caption import Caption
from motet.music.error import InternalError, InvalidInputError
from motet.music.score import Score
from motet.rewards import adherence
from motet.rewards.harmony import HarmonyReward
from motet.rewards.render import RenderConfig, Renderer
from motet.rewards.reward import Embed, Judgement, Resources, Reward, registered
from motet.rewards.sound import Sound

NOTHING_ASKED = 0.5
"""The total when no term with a weight can judge the caption: all pieces are equally right."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the built-in terms; only their ratios matter, and a term of weight 0 is not computed.

    Args:
        text: consistency of the sound with the caption.
        harmony: harmonic coherence.
        adherence: attributes that the caption states.
    """

    text: float = 0.4
    harmony: float = 0.4
    adherence: float = 0.2

    def __post_init__(self) -> None:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise InvalidInputError.of(f"weights.{name}", "must be a finite number of at least 0", value)
        if sum(values.values()) <= 0:
            raise InvalidInputError.of("weights", "must not all be 0", values)


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """A judged score.

    Args:
        total: the weighted mean of ``terms``, 0 to 1; 0.5 when there are none.
        terms: each term that judged, 0 to 1; those the caption gives no cause for are left out.
        details: numbers that explain the terms, as "term.name".
    """

    total: float
    terms: dict[str, float]
    details: dict[str, float] = field(default_factory=dict)


class HarmonyTerm:
    """The reward "harmony": ``HarmonyReward`` with the key that the caption asks for."""

    def __init__(self, reward: HarmonyReward | None = None) -> None:
        self._reward = reward or HarmonyReward()

    def judge(self, scores: Sequence[Score], caption: Caption, *, complete: bool) -> list[Judgement]:
        """See ``motet.rewards.reward.Reward``."""
        found = [self._reward.judge(score, caption.attributes.key) for score in scores]
        return [Judgement(value=one.value, details={"gate": one.gate, "core": one.core, **one.terms}) for one in found]


class AdherenceTerm:
    """The reward "adherence": ``motet.rewards.adherence`` with the attributes that the caption states."""

    def judge(self, scores: Sequence[Score], caption: Caption, *, complete: bool) -> list[Judgement | None]:
        """See ``motet.rewards.reward.Reward``."""
        found = [adherence.judge(score, caption.attributes, complete=complete) for score in scores]
        return [None if one.value is None else Judgement(value=one.value, details=one.terms) for one in found]


def harmony(resources: Resources) -> Reward:
    """Factory of the built-in term "harmony"."""
    return HarmonyTerm()


def attribute_adherence(resources: Resources) -> Reward:
    """Factory of the built-in term "adherence"."""
    return AdherenceTerm()


class Composite:
    """Judges scores by several rewards at once.

    Args:
        rewards: term -> reward; all three of ``Weights`` unless their weight is always 0.
        extra_weights: weights, on the scale of ``Weights``, of the rewards that are not named there.
    """

    def __init__(self, rewards: Mapping[str, Reward], *, extra_weights: Mapping[str, float] | None = None) -> None:
        self.rewards = dict(rewards)
        self.extra_weights = dict(extra_weights or {})
        for name, weight in self.extra_weights.items():
            if name not in self.rewards:
                raise InvalidInputError.of(f"extra_weights.{name}", f"must name one of {sorted(self.rewards)}", name)
            if not math.isfinite(weight) or weight < 0:
                raise InvalidInputError.of(f"extra_weights.{name}", "must be a finite number of at least 0", weight)

    @classmethod
    def default(
        cls,
        embed: Embed,
        *,
        renderer: Renderer | None = None,
        extra_weights: Mapping[str, float] | None = None,
    ) -> Composite:
        """The three built-in rewards and those of ``extra_weights``, all by entry points, on one renderer.

        Args:
            embed: sentences to unit-norm embeddings [B, 384].
            renderer: None: a new one for scoring, 22,050 Hz, without effects.
            extra_weights: see ``Composite``.

        Raises UnavailableError when FluidSynth, the soundfont or the weights of the text reward are missing, and
        NotFoundError for a reward that is not installed.
        """
        renderer = renderer or Renderer(RenderConfig())
        resources = Resources(renderer=renderer, sound=Sound(renderer), embed=embed)
        wanted = {item.name for item in fields(Weights)} | set(extra_weights or {})
        rewards = {name: make(resources) for name, make in registered(wanted).items()}
        return cls(rewards, extra_weights=extra_weights)

    def score(self, scores: Sequence[Score], caption: Caption, weights: Weights, *, complete: bool) -> list[Breakdown]:
        """Judges each score against the caption.

        Args:
            scores: pieces, or beginnings of pieces.
            caption: the caption as the person wrote it, with what it states.
            weights: of the terms; the mean runs over the terms that judge.
            complete: False: the scores are beginnings, and their length is not judged.
        """
        named = {item.name: float(getattr(weights, item.name)) for item in fields(weights)} | self.extra_weights
        judged: dict[str, Sequence[Judgement | None]] = {}
        for name, weight in named.items():
            if weight > 0:
                if name not in self.rewards:
                    raise InvalidInputError.of(f"weights.{name}", f"must be 0 without the reward {name!r}", weight)
                judged[name] = self.rewards[name].judge(scores, caption, complete=complete)
        return [_combine({name: found[row] for name, found in judged.items()}, named) for row in range(len(scores))]


def _combine(judgements: Mapping[str, Judgement | None], weights: Mapping[str, float]) -> Breakdown:
    terms: dict[str, float] = {}
    details: dict[str, float] = {}
    for name, judgement in judgements.items():
        if judgement is None:
            continue
        if not 0 <= judgement.value <= 1:
            raise InternalError("REWARD_OUT_OF_RANGE", f"the reward {name!r} gave {judgement.value}, not 0 to 1")
        terms[name] = float(judgement.value)
        details.update({f"{name}.{detail}": float(value) for detail, value in judgement.details.items()})
    weight = sum(weights[name] for name in terms)
    total = sum(weights[name] * value for name, value in terms.items()) / weight if terms else NOTHING_ASKED
    return Breakdown(total=min(1.0, max(0.0, total)), terms=terms, details=details)
