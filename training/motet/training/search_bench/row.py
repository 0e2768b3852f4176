"""Rows of the bench: which search it was, and all that is known of its result."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from motet.music import midi
from motet.music.error import InvalidInputError
from motet.music.score import Score

PREFILLED: Final = 0.1
"""What a token that is fed again costs, as a share of one that is sampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One search; its fields identify it in a file of finished rows.

    Args:
        caption: what to search for.
        arm: label.
        candidates: pieces side by side: the budget.
        seed: of the search.
        bars: length, or None for what the caption says.
        weights: of the rewards, as ``NAME=NUMBER,...``; empty for the default ones.
        model: name and version of the checkpoint.
        reward: version of the rewards' learned parts.
        settings: of the strategy, all of them, as text.
    """

    caption: str
    arm: str
    candidates: int
    seed: int
    bars: int | None
    weights: str
    model: str
    reward: str
    settings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one search gave; shares and rewards in [0, 1].

    Args:
        case: which search.
        reward: of the best piece, by the composite reward whatever the search climbed: "total" and its terms.
        judge: of the best piece: "alignment", "musicality" and "total".
        control: what the caption states and how far the best piece keeps it, by the names of
            ``motet.training.control.MEASURES``; without what it does not state.
        log_probability: of the best piece, nats a token under the model.
        mutated: whether the best piece was sampled for a mutated caption.
        bars: of the best piece.
        notes: of the best piece.
        empty_bars: share of its bars without an onset.
        faults: rules by which it is degenerate, see ``motet.training.realism.degeneracy``.
        tokens: sampled by the whole search.
        prefilled: tokens fed again by the whole search.
        seconds: whole search.
        profile: where they went, by name.
        results: share of the pieces asked for that there were, near-copies of better ones left out.
        diversity: mean distance between the pieces, see ``diversity``; None for fewer than two.
        midi: the best piece, base64.
    """

    case: Case
    reward: Mapping[str, float]
    judge: Mapping[str, float]
    control: Mapping[str, float]
    log_probability: float
    mutated: bool
    bars: int
    notes: int
    empty_bars: float
    faults: list[str]
    tokens: int
    prefilled: int
    seconds: float
    profile: Mapping[str, float]
    results: float
    diversity: float | None
    midi: str

    @property
    def score(self) -> Score:
        """The best piece."""
        return midi.read(base64.b64decode(self.midi))

    @property
    def numbers(self) -> dict[str, float]:
        """Everything that has a mean, by name; without what does not apply."""
        found = {
            "log_probability": self.log_probability,
            "mutated": float(self.mutated),
            "bars": float(self.bars),
            "notes": float(self.notes),
            "empty_bars": self.empty_bars,
            "degenerate": float(bool(self.faults)),
            "tokens": float(self.tokens),
            "prefilled": float(self.prefilled),
            "cost": self.tokens + PREFILLED * self.prefilled,
            "seconds": self.seconds,
            "results": self.results,
        }
        if self.diversity is not None:
            found["diversity"] = self.diversity
        for group in ("reward", "judge", "control", "profile"):
            found |= {f"{group}.{name}": value for name, value in getattr(self, group).items()}
        return found

    @classmethod
    def from_record(cls, record: Any) -> Row:
        """Reads what ``record`` wrote; raises InvalidInputError for anything else."""
        try:
            return cls(**{**record, "case": Case(**record["case"])})
        except (TypeError, KeyError) as error:
            raise InvalidInputError.of("out", f"must hold rows of this bench ({error})", record) from error

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
