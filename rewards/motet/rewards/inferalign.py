"""InferAlign's two formulas as rewards, "as paper" and "as released": baselines that ours are measured against.

Text2midi-InferAlign (arXiv 2505.12669) adds a text term and a harmony term. Both are here as they are stated, but for
the text term's sound: it is heard by whatever text backend is loaded, as the mean over fixed windows, where InferAlign
hears a random ten seconds with laion/larger_clap_music_and_speech. ``--text-backend clap:FOLDER`` with that model is
the nearest to InferAlign. What is not a number in 0..1 there is mapped by an order-preserving line; the detail ``raw``
has InferAlign's own number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from motet.music.caption import Caption
from motet.music.error import InvalidInputError
from motet.music.score import DRUMS, Score
from motet.rewards import spiral
from motet.rewards.reward import Judgement, Resources
from motet.rewards.text import TextTerm, text_consistency

LOGIT_SCALE = 1 / 0.07
"""By how much CLAP's training multiplies cosines at its start; for backends that do not tell what they learned."""

_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}  # natural minor alone


@dataclass(frozen=True, kw_only=True)
class Notes:
    """The two shares that InferAlign takes from the notes, drums left out.

    Args:
        in_key: of the notes, those in the scale of the detected key (natural minor), 0 to 1.
        variety: of the notes, those that do not have the most common pitch, 0 to 1.
    """

    in_key: float
    variety: float

    @classmethod
    def of(cls, score: Score) -> Notes | None:
        """The shares of a score; None without pitched notes."""
        pitches = score.pitch[score.program != DRUMS]
        if not len(pitches):
            return None
        key = spiral.find(score)
        in_key = np.isin((pitches - key.tonic) % 12, _SCALES[key.mode])
        return cls(in_key=float(in_key.mean()), variety=1 - float(np.bincount(pitches).max()) / len(pitches))


class Formula(Protocol):
    """How a cosine and the notes make one number."""

    @property
    def lowest(self) -> float:
        """The least that ``raw`` can be."""
        ...

    @property
    def highest(self) -> float:
        """The most that ``raw`` can be."""
        ...

    def raw(self, cosine: float, notes: Notes) -> float:
        """InferAlign's number."""
        ...


@dataclass(frozen=True, kw_only=True)
class Paper:
    """The paper's: alpha * cosine + beta * (1 - notes outside the key / notes). The paper does not tell the weights."""

    alpha: float = 0.5
    beta: float = 0.5

    def __post_init__(self) -> None:
        if not (self.alpha >= 0 and self.beta >= 0 and 0 < self.alpha + self.beta < np.inf):
            rule = "alpha and beta must be at least 0, and not both 0"
            raise InvalidInputError.of("inferalign_paper", rule, (self.alpha, self.beta))

    @property
    def lowest(self) -> float:
        """See ``Formula``."""
        return -self.alpha

    @property
    def highest(self) -> float:
        """See ``Formula``."""
        return self.alpha + self.beta

    def raw(self, cosine: float, notes: Notes) -> float:
        """See ``Formula``."""
        return self.alpha * cosine + self.beta * notes.in_key


@dataclass(frozen=True, kw_only=True)
class Released:
    """The released code's: 2.5 * share in key + the model's raw logit + 2.5 * (1 - share of the most common pitch).

    Args:
        logit_scale: makes a cosine the model's logit.
    """

    logit_scale: float = LOGIT_SCALE

    @property
    def lowest(self) -> float:
        """See ``Formula``."""
        return -self.logit_scale

    @property
    def highest(self) -> float:
        """See ``Formula``."""
        return self.logit_scale + 5

    def raw(self, cosine: float, notes: Notes) -> float:
        """See ``Formula``."""
        return 2.5 * notes.in_key + self.logit_scale * cosine + 2.5 * notes.variety


class InferAlign:
    """A formula of InferAlign as a reward: ``raw`` lies between ``lowest`` and ``highest``, the value from 0 to 1.

    As there, a score without pitched notes has the raw number 0: its computation fails and the failure is taken for 0.

    Args:
        formula: the paper's or the released code's.
        text: gives the mean cosine.
    """

    def __init__(self, formula: Formula, text: TextTerm) -> None:
        self._formula = formula
        self._text = text

    def judge(self, scores: Sequence[Score], caption: Caption, *, complete: bool) -> list[Judgement]:
        """See ``motet.rewards.reward.Reward``."""
        heard = self._text.judge(scores, caption, complete=complete)
        return [self._judge(score, one.details.get("cosine")) for score, one in zip(scores, heard, strict=True)]

    def _judge(self, score: Score, cosine: float | None) -> Judgement:
        notes = Notes.of(score)
        details, raw = {}, 0.0
        if notes is not None and cosine is not None:
            raw = self._formula.raw(cosine, notes)
            details = {"cosine": cosine, "in_key": notes.in_key, "variety": notes.variety}
        low, high = self._formula.lowest, self._formula.highest
        return Judgement(value=min(1.0, max(0.0, (raw - low) / (high - low))), details={"raw": raw, **details})


def inferalign_paper(resources: Resources) -> InferAlign:
    """Factory of the baseline "inferalign_paper"; weights one half each."""
    return InferAlign(Paper(), text_consistency(resources))


def inferalign_released(resources: Resources) -> InferAlign:
    """Factory of the baseline "inferalign_released", with the logit scale of the backend where it tells one."""
    text = text_consistency(resources)
    return InferAlign(Released(logit_scale=getattr(text.backend, "logit_scale", LOGIT_SCALE)), text)
