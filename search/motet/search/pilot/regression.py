"""Fits final rewards on partial ones, term by term and look by look, within captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from motet.search.pilot.panel import TOTAL, Floats, Panel, centred, spread
from motet.search.tuning import LOG_PROBABILITY, Line, Look

_FOLDS: Final = 8
_PENALTIES: Final = (0.003, 0.03, 0.3)
"""Of the ridge, as shares of the variance of a feature: the best in cross-validation is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How well one final number is foretold at one look: shares of its variance within captions that were not fitted.

    Args:
        as_heard: by the partial number taken as it is.
        shrunk: by the partial number times a slope.
        ridge: by all partial terms and the log-probability together.
        chosen: by what the tuning does; of the total: by its predicted terms.
    """

    as_heard: float
    shrunk: float
    ridge: float
    chosen: float


def fit(panel: Panel) -> tuple[list[Look], list[dict[str, Fit]]]:
    """The lines of each look before the end, and how good they are, by term and for ``TOTAL``.

    A term's own partial value, shrunk, is what foretells it, unless the ridge over all features does better for
    captions that it has not seen.
    """
    looks, fits = [], []
    for look, share in enumerate(panel.shares[:-1].tolist()):
        features = {name: panel.terms[name][:, :, look] for name in panel.names}
        features[LOG_PROBABILITY] = panel.log_probability[:, :, look]
        lines: dict[str, Line] = {}
        quality: dict[str, Fit] = {}
        foretold: dict[str, Floats] = {}
        for name in panel.names:
            lines[name], quality[name], foretold[name] = _best(name, features, panel.final(name))
        quality[TOTAL] = _total(panel, look, features, foretold)
        looks.append(Look(share=share, terms=lines))
        fits.append(quality)
    return looks, fits


def _best(name: str, features: Mapping[str, Floats], final: Floats) -> tuple[Line, Fit, Floats]:
    """The better line for one term, its quality, and [C, S] what it foretells of captions that it has not seen."""
    own: Mapping[str, Floats] = {name: features[name]}
    candidates = [(own, 0.0, _unseen(own, final, 0.0))]
    candidates += [(features, penalty, _unseen(features, final, penalty)) for penalty in _PENALTIES]
    explained = [_explained(unseen, final) for _, _, unseen in candidates]
    best = int(np.argmax(explained))
    chosen, penalty, unseen = candidates[best]
    slopes = _slopes(chosen, final, penalty)
    line = Line(
        mean=float(np.nanmean(final)),
        slopes=slopes,
        means={feature: float(np.nanmean(chosen[feature])) for feature in slopes},
    )
    quality = Fit(
        as_heard=_explained(centred(features[name]), final),
        shrunk=explained[0],
        ridge=max(explained[1:]),
        chosen=explained[best],
    )
    return line, quality, unseen


def _total(panel: Panel, look: int, features: Mapping[str, Floats], foretold: Mapping[str, Floats]) -> Fit:
    partial, final = panel.terms[TOTAL][:, :, look], panel.final(TOTAL)
    shrunk = _explained(_unseen({TOTAL: partial}, final, 0.0), final)
    sums, judged = np.zeros_like(final), np.zeros_like(final)
    for name, guess in foretold.items():
        there = ~np.isnan(panel.final(name))
        sums += panel.weights.get(name, 0.0) * guess * there
        judged += panel.weights.get(name, 0.0) * there
    return Fit(
        as_heard=_explained(centred(partial), final),
        shrunk=shrunk,
        ridge=max(_explained(_unseen(features, final, penalty), final) for penalty in _PENALTIES),
        chosen=_explained(sums / np.where(judged > 0, judged, 1.0), final),
    )


def _slopes(features: Mapping[str, Floats], final: Floats, penalty: float) -> dict[str, float]:
    """By feature; those that never vary are left out.

    Features are brought to the same spread first, so that one penalty is fair to all.
    """
    spreads = {name: spread(rows) for name, rows in features.items()}
    used = [name for name in features if spreads[name] > 1e-9]
    if not used:
        return {}
    there = ~np.isnan(final)
    x = np.stack([centred(np.where(there, features[name], np.nan))[there] / spreads[name] for name in used], axis=1)
    y = centred(final)[there]
    scaled = np.linalg.solve(x.T @ x + (penalty + 1e-9) * len(y) * np.eye(len(used)), x.T @ y)
    return {name: float(slope / spreads[name]) for name, slope in zip(used, scaled, strict=True)}


def _unseen(features: Mapping[str, Floats], final: Floats, penalty: float) -> Floats:
    """[C, S] centred predictions, each caption's by slopes that were fitted without it."""
    captions = len(final)
    predicted = np.zeros_like(final)
    for held_out in _folds(captions):
        kept = np.setdiff1d(np.arange(captions), held_out)
        slopes = _slopes({name: rows[kept] for name, rows in features.items()}, final[kept], penalty)
        for name, slope in slopes.items():
            predicted[held_out] += slope * centred(features[name][held_out])
    return predicted


def _folds(captions: int) -> Sequence[np.ndarray[tuple[int], np.dtype[np.intp]]]:
    return [np.arange(fold, captions, _FOLDS) for fold in range(min(_FOLDS, captions))]


def _explained(predicted: Floats, final: Floats) -> float:
    """Share of the variance of [C, S] final values within captions; below 0 where predicting nothing is better."""
    there = ~np.isnan(final)
    y = centred(final)[there]
    variance = float((y**2).sum())
    return 1.0 - float(((y - predicted[there]) ** 2).sum()) / variance if variance > 0 else 0.0
