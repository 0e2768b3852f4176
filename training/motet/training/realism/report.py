"""The report: distances of a model's samples from human music, beside what other humans and destroyed music score."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from motet.training.realism import trait
from motet.training.realism.distance import Estimate
from motet.training.share import Share

HUMAN: Final = "human"
MODEL: Final = "model"
OTHER: Final = "other songs"
NOISE: Final = "noise"
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TraitRow:
    """One trait.

    Args:
        human, model: means over the excerpts to which it applies.
        distances: Wasserstein-1 distance from the human windows by collection, in human standard deviations.
    """

    human: float
    model: float
    distances: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRow:
    """What one collection shares with training music.

    Args:
        shares: of the excerpts, by the notes in a row that they share at least.
        longest: place of the excerpt, notes and training piece of the longest stretches.
    """

    shares: Mapping[int, Share]
    longest: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, kw_only=True)
class RealismReport:
    """How close a model's samples are to human music of the same captions.

    Args:
        captions: number of held-out captions, and of samples.
        songs: that they come from.
        seed: of sampling.
        training_windows: searched for near-copies.
        traits: by the names of ``trait.TRAITS``.
        overlaps: overlapping area with the human windows by the names of ``trait.SHARES`` and collection, 0 to 1.
        discrepancies: squared maximum mean discrepancy from the human windows by collection.
        copies: of "human", "model" and "training", which is found in itself.
        degenerate: shares of "human" and "model" that break each rule, and any.
    """

    captions: int
    songs: int
    seed: int
    training_windows: int
    traits: Mapping[str, TraitRow]
    overlaps: Mapping[str, Mapping[str, float]]
    discrepancies: Mapping[str, Estimate]
    copies: Mapping[str, CopyRow]
    degenerate: Mapping[str, Mapping[str, Share]]

    def record(self) -> dict[str, Any]:
        """For JSON; NaN as None."""
        return {
            "captions": self.captions,
            "songs": self.songs,
            "seed": self.seed,
            "training_windows": self.training_windows,
            "traits": {
                name: {
                    "unit": trait.TRAITS[name],
                    "human": _known(row.human),
                    "model": _known(row.model),
                    "distances": {key: _known(value) for key, value in row.distances.items()},
                }
                for name, row in self.traits.items()
            },
            "overlaps": self.overlaps,
            "discrepancies": {name: asdict(estimate) for name, estimate in self.discrepancies.items()},
            "copies": {
                name: {
                    "shares": {str(notes): share.record() for notes, share in row.shares.items()},
                    "longest": [
                        {"excerpt": place, "notes": notes, "training_piece": piece}
                        for place, notes, piece in row.longest
                    ],
                }
                for name, row in self.copies.items()
            },
            "degenerate": {
                rule: {name: share.record() for name, share in row.items()} for rule, row in self.degenerate.items()
            },
        }

    def table(self) -> str:
        """The report as Markdown tables, with a line on how to read each."""
        return "\n\n".join(
            (
                f"One sample for each of {self.captions} held-out captions of {self.songs} songs, seed {self.seed}, "
                "against the human music of the same captions. other songs: as many human windows of other songs, the "
                "floor. Shuffled, noise: the human windows with that destroyed.",
                self._discrepancies(),
                self._traits(),
                self._overlaps(),
                self._copies(),
                self._degenerate(),
            )
        )

    def _discrepancies(self) -> str:
        noise = self.discrepancies[NOISE].value
        rows = [
            (
                name,
                f"{1000 * found.value:.1f}",
                f"{1000 * found.low:.1f} to {1000 * found.high:.1f}",
                f"{100 * found.value / noise:.1f} %" if noise > 0 else "–",
            )
            for name, found in self.discrepancies.items()
        ]
        return "All traits at once: unbiased MMD², times 1,000; 0 is no difference.\n\n" + _markdown(
            ("against human", "MMD²", "95 % interval", "of noise"), rows
        )

    def _traits(self) -> str:
        names = (MODEL, OTHER, NOISE)
        rows = [
            (
                f"{name}, {trait.TRAITS[name]}",
                _number(row.human),
                _number(row.model),
                *(_number(row.distances[key]) for key in names),
            )
            for name, row in self.traits.items()
        ]
        means = [
            statistics.fmean(row.distances[name] for row in self.traits.values() if not math.isnan(row.distances[name]))
            for name in names
        ]
        beyond = {name: row.distances[MODEL] - row.distances[OTHER] for name, row in self.traits.items()}
        furthest = sorted((name for name in beyond if beyond[name] > 0), key=lambda name: -beyond[name])[:_SHOWN]
        return (
            "Each trait: means, and Wasserstein-1 distance from human in human standard deviations.\n\n"
            + _markdown(
                ("trait", "human", "model", *(f"W1 {name}" for name in names)),
                [*rows, ("mean of all", "", "", *(_number(mean) for mean in means))],
            )
            + f"\n\nFurthest beyond other songs: {', '.join(furthest) or 'none'}."
        )

    def _overlaps(self) -> str:
        names = (MODEL, OTHER, NOISE)
        rows = [(name, *(f"{100 * row[key]:.1f}" for key in names)) for name, row in self.overlaps.items()]
        return "Notes: overlapping area with human in percent; 100 is no difference.\n\n" + _markdown(
            ("notes by", *names), rows
        )

    def _copies(self) -> str:
        rows = [
            (f"{notes} notes or more", *(_share(row.shares[notes]) for row in self.copies.values()))
            for notes in self.copies[MODEL].shares
        ]
        longest = "; ".join(f"{notes} notes of {piece}" for _, notes, piece in self.copies[MODEL].longest)
        return (
            f"Near-copies: excerpts that share a stretch of a tune with one of {self.training_windows:,} training "
            "windows, in any key. training: as many of those windows, found in themselves.\n\n"
            + _markdown(("in a row", *self.copies), rows)
            + f"\n\nLongest of the model: {longest or 'none'}."
        )

    def _degenerate(self) -> str:
        names = list(next(iter(self.degenerate.values())))
        rows = [(rule, *(_share(row[name]) for name in names)) for rule, row in self.degenerate.items()]
        return "Degenerate pieces.\n\n" + _markdown(("rule", *names), rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{100 * share.value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
