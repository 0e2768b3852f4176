"""How much of each source a model hears: the share of tokens drawn from it, and how often each of its pieces comes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.training.corpus.manifest import Piece

SHARES: Mapping[str, float] = MappingProxyType(
    {
        # Band music with a tune, in 24 styles, exact labels: what captions mostly ask for.
        "nottingham-band": 0.40,
        "mutopia": 0.10,
        "polish": 0.08,
        "mma-synth": 0.08,
        "lieder": 0.08,
        # The best band writing under a free licence.
        "freedoom": 0.045,
        "freedoom-history": 0.045,
        "groove": 0.04,
        "nottingham": 0.03,
        "chopin1st": 0.03,
        "quartets": 0.02,
        "orchestra": 0.02,
        "openmsx": 0.017,
        "openmsx-history": 0.003,
        "musetrainer": 0.009,
        "m21xml": 0.001,
    }
)
"""Share of the tokens drawn, by source. Sources that are not named here are left out."""

_CHOIR_AND_ORGAN = frozenset({19, 52, 53, 54})
_SACRED = frozenset({"sacred", "mass", "vespers", "requiem", "motet", "hymn", "hymns"})
_KEYBOARDS = frozenset({0, 1, 6})
EARLY_BEFORE = 1750
"""Year before which sacred and choral music counts as early; a piece without a year counts as early, too."""

MIN_NOTES = 16
MAX_TRACKS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Shares of tokens by source, scaled to sum to 1 over the sources that have pieces.

    Args:
        shares: source -> share, each finite and >= 0, the sum > 0.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))

    def __post_init__(self) -> None:
        values = list(self.shares.values())
        if not all(np.isfinite(value) and value >= 0 for value in values) or not sum(values) > 0:
            raise InvalidInputError.of("mix.shares", "must be finite, >= 0, with a sum > 0", dict(self.shares))

    def of(self, sources: Sequence[str]) -> dict[str, float]:
        """Shares of the given sources, summing to 1; sources without a share are left out."""
        present = {source: self.shares[source] for source in self.shares if source in set(sources)}
        total = sum(present.values())
        return {source: share / total for source, share in present.items() if share > 0} if total > 0 else {}


def refusal(piece: Piece) -> str | None:
    """Why a piece is left out before its file is read, or None."""
    if piece.source not in SHARES:
        return "source has no share"
    if piece.notes < MIN_NOTES:
        return f"fewer than {MIN_NOTES} notes"
    if piece.tracks > MAX_TRACKS:
        return f"more than {MAX_TRACKS} tracks"
    if piece.source == "polish" and piece.programs:
        choral = set(piece.programs) <= _CHOIR_AND_ORGAN
        sacred = bool(_SACRED.intersection(piece.genres))
        early = piece.year is None or piece.year < EARLY_BEFORE
        if early and (choral or sacred):
            return "early choral or sacred music"
    return None


def weight(piece: Piece) -> float:
    """How often a piece comes relative to others of its source: longer pieces more often, but not in proportion."""
    base = math.pow(min(max(piece.bars, 8), 400), 0.75)
    if piece.source != "polish":
        return base
    programs = set(piece.programs)
    if programs <= _CHOIR_AND_ORGAN:
        return 0.2 * base
    if programs <= _KEYBOARDS:
        return 3.0 * base
    return base


def allot(pieces: Sequence[Piece], windows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Windows to draw from each piece: ``windows`` in all, in proportion to ``weight``, remainders by chance."""
    if not pieces or windows <= 0:
        return np.zeros(len(pieces), np.int64)
    weights = np.array([weight(piece) for piece in pieces])
    exact = windows * weights / weights.sum()
    counts: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    missing = windows - int(counts.sum())
    if missing > 0:
        rest = exact - counts
        # More may be missing than there are pieces with a rest only by rounding: draw with replacement.
        chosen = rng.choice(len(pieces), size=missing, replace=True, p=rest / rest.sum())
        counts += np.bincount(chosen, minlength=len(pieces))
    return counts
