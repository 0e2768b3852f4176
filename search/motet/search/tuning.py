"""What a pilot measured for one model and one reward: how to read partial rewards, and which settings to search with.

It lies in the checkpoint folder as ``search.json``, written by ``motet search pilot``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError, NotFoundError
from motet.rewards.composite import NOTHING_ASKED

FILE: Final = "search.json"
"""Its name in a checkpoint folder."""

FORMAT: Final = 1
LOG_PROBABILITY: Final = "log_probability"
"""The feature that is no term: log-probability per token, in nats. No reward may have this name."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A linear prediction: ``mean`` + sum of ``slopes[name] * (feature - means[name])``.

    Args:
        mean: of what is predicted.
        slopes: by feature.
        means: of the same features; a feature that is absent counts as its mean.
    """

    mean: float
    slopes: Mapping[str, float]
    means: Mapping[str, float]

    def predict(self, features: Mapping[str, Floats], size: int) -> Floats:
        """[size] predictions from features [size], NaN where absent."""
        value = np.full(size, self.mean)
        for name, slope in self.slopes.items():
            if name in features:
                value += slope * np.nan_to_num(features[name] - self.means[name])
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How partial rewards at one share of a piece foretell the final ones.

    Args:
        share: of the piece that was heard, above 0 and below 1.
        terms: the prediction of each final term.
    """

    share: float
    terms: Mapping[str, Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How to search with one model and one reward.

    Args:
        model: name and version of the checkpoint that was measured, as ``name@version``.
        looks: by ascending share.
        strategies: settings by strategy name, which stand in for the strategies' own defaults.
        measured: when, with what, and what came out; for people.
    """

    model: str
    looks: Sequence[Look]
    strategies: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shares = [look.share for look in self.looks]
        if not shares or sorted(set(shares)) != shares or not 0 < shares[0] <= shares[-1] < 1:
            raise InvalidInputError.of("tuning.looks", "must have ascending shares above 0 and below 1", shares)

    @property
    def version(self) -> str:
        """The version of the checkpoint that was measured; what was measured holds for no other."""
        return self.model.rpartition("@")[2]

    @classmethod
    def load(cls, path: Path) -> Tuning:
        """Reads what ``save`` wrote, or the file ``search.json`` of a folder.

        Raises NotFoundError when there is no such file, InvalidInputError naming what is wrong in it.
        """
        file = path / FILE if path.is_dir() else path
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise NotFoundError("TUNING_NOT_FOUND", f"tuning: no file {file}", {"path": str(file)}) from error
        except (OSError, ValueError) as error:
            raise InvalidInputError.of("tuning", f"must be a file of JSON ({error})", str(file)) from error
        try:
            return _read(content)
        except InvalidInputError as error:
            raise InvalidInputError.of(
                "tuning", f"must be written by `motet search pilot` ({error})", str(file)
            ) from error

    def save(self, path: Path) -> None:
        """Writes the file, all or nothing."""
        content = {
            "format": FORMAT,
            "model": self.model,
            "strategies": {name: dict(settings) for name, settings in self.strategies.items()},
            "looks": [
                {
                    "share": look.share,
                    "terms": {
                        name: {"mean": line.mean, "slopes": dict(line.slopes), "means": dict(line.means)}
                        for name, line in look.terms.items()
                    },
                }
                for look in self.looks
            ],
            "measured": dict(self.measured),
        }
        new = path.with_name(f"{path.name}.new")
        new.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        new.replace(path)

    def values(
        self,
        share: Floats,
        terms: Mapping[str, Floats],
        log_probability_per_token: Floats,
        weights: Mapping[str, float],
    ) -> Floats:
        """The expected final reward of each row.

        Between two looks the prediction is interpolated, before the first it is that of the first, and from the last
        one on it comes ever nearer to what is heard. Differences between rows of one caption are what was fitted: the
        common level of a caption is only as good as its partial rewards.

        Args:
            share: [B] of each row's piece that is written, 0 to 1; from 1 on, the terms are final.
            terms: partial terms by name, [B] each, NaN where a term does not judge.
            log_probability_per_token: [B] in nats.
            weights: of the terms; those that the pilot has not measured are taken as they are.

        Returns:
            [B] weighted means of the predicted terms, not cut to 0..1, so that rows stay in order; 0.5 where no term
            judges.
        """
        size = len(share)
        features = {**terms, LOG_PROBABILITY: log_probability_per_token}
        sums, judged = np.zeros(size), np.zeros(size)
        for name, weight in weights.items():
            if weight <= 0 or name not in terms:
                continue
            heard = np.asarray(terms[name], np.float64)
            final = self._final(name, share, heard, features)
            there = ~np.isnan(heard)
            sums += np.where(there, weight * np.nan_to_num(final), 0.0)
            judged += weight * there
        return np.where(judged > 0, sums / np.where(judged > 0, judged, 1.0), NOTHING_ASKED)

    def _final(self, name: str, share: Floats, heard: Floats, features: Mapping[str, Floats]) -> Floats:
        looks = [look for look in self.looks if name in look.terms]
        if not looks:
            return heard
        shares = [*(look.share for look in looks), 1.0]
        guesses = np.stack([*(look.terms[name].predict(features, len(heard)) for look in looks), heard])  # [looks, B]
        place = np.interp(share, shares, np.arange(len(shares), dtype=np.float64))
        before = np.minimum(place.astype(np.int64), len(shares) - 2)
        rows = np.arange(len(heard))
        part = place - before
        return np.asarray((1 - part) * guesses[before, rows] + part * guesses[before + 1, rows])


def _read(content: object) -> Tuning:
    fields = _mapping("file", content)
    if fields.get("format") != FORMAT:
        raise InvalidInputError.of("format", f"must be {FORMAT}", fields.get("format"))
    model = fields.get("model")
    if not isinstance(model, str) or "@" not in model:
        raise InvalidInputError.of("model", "must be NAME@VERSION", model)
    looks = fields.get("looks")
    if not isinstance(looks, list):
        raise InvalidInputError.of("looks", "must be a list", looks)
    return Tuning(
        model=model,
        looks=tuple(_look(f"looks[{place}]", look) for place, look in enumerate(looks)),
        strategies={
            name: _numbers(f"strategies.{name}", settings)
            for name, settings in _mapping("strategies", fields.get("strategies", {})).items()
        },
        measured=_mapping("measured", fields.get("measured", {})),
    )


def _look(where: str, content: object) -> Look:
    fields = _mapping(where, content)
    terms = _mapping(f"{where}.terms", fields.get("terms"))
    return Look(
        share=_number(f"{where}.share", fields.get("share")),
        terms={name: _line(f"{where}.terms.{name}", line) for name, line in terms.items()},
    )


def _line(where: str, content: object) -> Line:
    fields = _mapping(where, content)
    slopes, means = (_numbers(f"{where}.{part}", fields.get(part)) for part in ("slopes", "means"))
    if slopes.keys() != means.keys():
        raise InvalidInputError.of(f"{where}.means", f"must be of {', '.join(slopes)}", ", ".join(means))
    return Line(mean=_number(f"{where}.mean", fields.get("mean")), slopes=slopes, means=means)


def _mapping(where: str, content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InvalidInputError.of(where, "must be an object", content)
    return content


def _numbers(where: str, content: object) -> dict[str, float]:
    return {name: _number(f"{where}.{name}", value) for name, value in _mapping(where, content).items()}


def _number(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInputError.of(where, "must be a finite number", value)
    return value
