"""What a pilot came to, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from statistics import fmean
from typing import Any

from motet.search.pilot.measurement import Measurement
from motet.search.pilot.panel import TOTAL, Estimate, Panel, correlation, intraclass, spread
from motet.search.pilot.regression import Fit, fit
from motet.search.pilot.rehearsal import Choice, choose
from motet.search.tuning import LOG_PROBABILITY, Tuning


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All figures; made by ``of``.

    Args:
        model: name and version of the checkpoint.
        rewards: version of the rewards.
        weights: of the rewards.
        captions: how many.
        samples: of each.
        bars: of a piece.
        shares: of the piece at each look before the end.
        spreads: standard deviation of the final value within a caption, by term and ``TOTAL``.
        told: correlations of partial and final value within captions, by term and look.
        nats: the same of log-probability per token and the final total.
        settled: share of the variance within a caption that a prefix has settled, by its share of the piece and term.
        fits: how well final values of unseen captions are foretold, by look and term.
        choice: rule, chosen settings and rehearsals.
        decoding_s: seconds for a piece.
        scoring_s: seconds for a look.
    """

    model: str
    rewards: str
    weights: Mapping[str, float]
    captions: int
    samples: int
    bars: int
    shares: Sequence[float]
    spreads: Mapping[str, float]
    told: Mapping[str, Sequence[Estimate]]
    nats: Sequence[Estimate]
    settled: Mapping[float, Mapping[str, Estimate]]
    fits: Sequence[Mapping[str, Fit]]
    choice: Choice
    decoding_s: float
    scoring_s: float

    @classmethod
    def of(
        cls, heard: Sequence[Measurement], weights: Mapping[str, float], *, rewards: str, when: str
    ) -> tuple[Report, Tuning]:
        """The report on what was heard, and the tuning that follows from it.

        Args:
            heard: of at least two captions, all by one model and heard alike.
            weights: of the rewards.
            rewards: their version.
            when: date of the pilot, for people.

        Raises InvalidInputError for too few captions, or for rewards that tell no pieces apart.
        """
        panel = Panel.of(heard, weights)
        looks, fits = fit(panel)
        model, names = heard[0].model, list(panel.terms)
        choice = choose(panel, Tuning(model=model, looks=looks))
        before = range(len(looks))
        report = cls(
            model=model,
            rewards=rewards,
            weights=dict(weights),
            captions=panel.captions,
            samples=panel.log_probability.shape[1],
            bars=heard[0].bars,
            shares=panel.shares[:-1].tolist(),
            spreads={name: spread(panel.final(name)) for name in names},
            told={
                name: [correlation(panel.terms[name][:, :, look], panel.final(name)) for look in before]
                for name in names
            },
            nats=[correlation(panel.log_probability[:, :, look], panel.final(TOTAL)) for look in before],
            settled={
                share: {name: intraclass(rows) for name, rows in finals.items()}
                for share, finals in panel.branches.items()
            },
            fits=fits,
            choice=choice,
            decoding_s=fmean(one.decoding_s / one.pieces for one in heard),
            scoring_s=fmean(one.scoring_s / one.heard for one in heard),
        )
        measured = {"when": when, **report.record()}
        return report, Tuning(model=model, looks=looks, strategies=choice.strategies, measured=measured)

    def record(self) -> dict[str, Any]:
        """For JSON; None stands for what cannot be told."""
        return {
            "rewards": self.rewards,
            "weights": dict(self.weights),
            "captions": self.captions,
            "samples": self.samples,
            "bars": self.bars,
            "shares": list(self.shares),
            "spreads": _plain(self.spreads),
            "correlation": _plain({**self.told, LOG_PROBABILITY: self.nats}),
            "settled": _plain({f"{share:g}": ones for share, ones in self.settled.items()}),
            "explained": _plain(self.fits),
            "regime": self.choice.regime,
            "rehearsed": {
                str(candidates): {one.spec: _plain(one.outcome) for one in ones}
                for candidates, ones in self.choice.table.items()
            },
            "decoding_s": _plain(self.decoding_s),
            "scoring_s": _plain(self.scoring_s),
        }

    def markdown(self, picture: str | None = None) -> str:
        """The report as a page, with a link to its picture."""
        heads = [f"{share:.0%}" for share in self.shares]
        terms = list(self.told)
        return "\n".join(
            [
                f"# Pilot: how far can a search of `{self.model}` rely on what it hears halfway?",
                "",
                f"{self.captions} captions, {self.samples} pieces of {self.bars} bars for each; weights "
                f"{', '.join(f'{name} {weight:g}' for name, weight in self.weights.items())}; rewards "
                f"`{self.rewards}`. All figures are within captions, with 95 % intervals over captions.",
                "",
                *([f"![Partial and final rewards]({picture})", ""] if picture else []),
                "## Correlation of partial and final reward, by the share of the piece that was heard",
                "",
                *_table(
                    ["", "spread", *heads],
                    [
                        *([name, f"{self.spreads[name]:.3f}", *map(str, self.told[name])] for name in terms),
                        ["log-probability per token, with the total", "", *map(str, self.nats)],
                    ],
                ),
                "## What a beginning has settled: share of the variance of the final reward between prefixes",
                "",
                *_table(
                    ["prefix", *terms],
                    [[f"{share:.0%}", *(str(ones[name]) for name in terms)] for share, ones in self.settled.items()],
                ),
                "## How well the final reward of unseen captions is foretold (R² within captions)",
                "",
                *_table(
                    ["the total, from", *heads],
                    [
                        [words, *(f"{getattr(fits[TOTAL], way):.2f}" for fits in self.fits)]
                        for way, words in _WAYS.items()
                    ],
                ),
                "## Settings",
                "",
                f"Rule of thumb: {self.choice.regime}; what the rehearsal finds is what counts.",
                "",
                f"Rehearsed on numbers that behave like these, at equal tokens; chosen among {self._tried}. A gain is "
                "the final reward above that of one plain sample, ± its standard error.",
                "",
                *_table(
                    ["strategy", *(f"gain, {n} candidates" for n in self.choice.table), "looks a piece"],
                    self._rehearsed(),
                ),
                f"On the machine of the pilot a piece took {self.decoding_s:.2f} s to decode, "
                f"a look {self.scoring_s:.3f} s.",
                "",
            ]
        )

    @property
    def _tried(self) -> str:
        return ", ".join(f"{count} settings of {name}" for name, count in self.choice.tried.items())

    def _rehearsed(self) -> list[list[str]]:
        columns = list(self.choice.table.values())
        return [
            [f"`{row[0].spec}`", *(f"{one.gain:.3f} ± {one.error:.3f}" for one in row), f"{row[-1].looks:.1f}"]
            for row in zip(*columns, strict=True)
        ]


_WAYS = {
    "as_heard": "the partial total as it is",
    "shrunk": "the partial total, shrunk",
    "ridge": "all partial terms and the log-probability together",
    "chosen": "its terms, each foretold by what foretells it best (used)",
}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


def _plain(value: object) -> Any:
    """Numbers to four places, NaN as None, estimates and fits as mappings."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    return value
