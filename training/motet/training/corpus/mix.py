"""How much of each source a model hears: the share of tokens drawn from it, and how often each of its pieces comes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.music.score import DRUMS, Score
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
"""Share of the tokens drawn, by source."""

_CHOIR_AND_ORGAN = frozenset({19, 52, 53, 54})
_SACRED = frozenset({"sacred", "mass", "vespers", "requiem", "motet", "hymn", "hymns"})
_KEYBOARDS = frozenset({0, 1, 6})
EARLY_BEFORE = 1750
"""Year before which sacred and choral music counts as early; a piece without a year counts as early, too."""

MIN_NOTES = 16
MIN_DIFFERENT_NOTES = 3
"""Different pitches, or drum keys, that a piece must have."""
MAX_TRACKS = 64
MAX_NOTES = 200_000
MAX_BARS = 5_000
MAX_MINUTES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Shares of tokens by source.

    Args:
        shares: source -> share, each finite and >= 0, the sum > 0; 0 leaves a source out. Sources that are not named
            get a share in proportion to their size.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))

    def __post_init__(self) -> None:
        values = list(self.shares.values())
        if not all(np.isfinite(value) and value >= 0 for value in values) or not sum(values) > 0:
            raise InvalidInputError.of("mix.shares", "must be finite, >= 0, with a sum > 0", dict(self.shares))

    def of(self, sizes: Mapping[str, float]) -> dict[str, float]:
        """Shares of the given sources, summing to 1; sources whose share is 0 are left out.

        Args:
            sizes: source -> how much music it holds, in any unit. Sources that the mix does not name get together the
                part of the whole that they are, each in proportion; the named ones divide the rest by their shares.
        """
        named = {source: self.shares[source] for source in sizes if self.shares.get(source, 0.0) > 0}
        unnamed = {source: size for source, size in sizes.items() if source not in self.shares and size > 0}
        whole = sum(sizes[source] for source in (*named, *unnamed))
        rest = sum(unnamed.values()) / whole if whole > 0 else 0.0
        if not named:
            rest = 1.0
        total = sum(named.values())
        shares = {source: (1.0 - rest) * share / total for source, share in named.items()}
        shares |= {source: rest * size / sum(unnamed.values()) for source, size in unnamed.items()}
        return {source: share for source, share in shares.items() if share > 0}

    def refusal(self, piece: Piece) -> str | None:
        """Why a piece is left out for what its listing says, or None."""
        return "source of share 0" if self.shares.get(piece.source) == 0 else refusal(piece)


def refusal(piece: Piece) -> str | None:
    """Why a piece is left out for what its listing says, or None."""
    if piece.notes and piece.notes < MIN_NOTES:
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


def refusal_of_score(score: Score) -> str | None:
    """Why a piece is left out for what its file holds, or None; music for drums alone is welcome."""
    drums = score.program == DRUMS
    if not len(score):
        return "empty: no notes"
    if len(score) < MIN_NOTES:
        return f"fewer than {MIN_NOTES} notes"
    if len(np.unique(score.pitch + 128 * drums)) < MIN_DIFFERENT_NOTES:
        return f"fewer than {MIN_DIFFERENT_NOTES} different notes"
    if len(np.unique(score.track)) > MAX_TRACKS:
        return f"more than {MAX_TRACKS} tracks"
    if len(score) > MAX_NOTES:
        return f"over-long: more than {MAX_NOTES:,} notes"
    if score.duration_s > 60.0 * MAX_MINUTES:
        return f"over-long: more than {MAX_MINUTES} minutes"
    if len(score.bar_ticks()) > MAX_BARS + 1:
        return f"over-long: more than {MAX_BARS:,} bars"
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
