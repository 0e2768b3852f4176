"""Rehearses strategies on a stage that behaves as a pilot has measured, and chooses their settings at equal cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from motet.search import spec
from motet.search.exploration import Exploration
from motet.search.pilot.panel import TOTAL, Floats, Panel, correlation, intraclass
from motet.search.pilot.stage import LEVEL, Behaviour, Stage
from motet.search.request import SearchRequest
from motet.search.strategy import Strategy
from motet.search.tuning import Tuning

Settings = Mapping[str, float]
Grid = Mapping[str, tuple[float, ...]]

CANDIDATES: Final = (8, 16)
"""Pieces that every rehearsed search may spend; settings are chosen by the mean over both."""

GRIDS: Final[Mapping[str, Grid]] = {
    "population": {
        "keep_early": (0.5, 0.75, 1.0),
        "keep_late": (0.5, 0.75),
        "wide": (1.0, 2.0),
        "chunk_share": (0.125, 0.25, 0.5),
    },
    "islands": {
        "keep_early": (0.5, 0.75),
        "keep_late": (0.5, 0.75),
        "chunk_share": (0.125, 0.25, 0.5),
    },
    "smc": {
        "tau": (0.005, 0.01, 0.02, 0.04, 0.08),
        "chunk_share": (0.125, 0.25, 0.5),
    },
}
"""By strategy: the settings among which is chosen.

Less than half is never kept. A rehearsal knows no reward but the one that is climbed, so it asks for ever harder
pruning; of what it promised for keeping a quarter, real searches for captions that no pilot had heard gave less than
half.
"""

OTHERS: Final = ("sample", "best_of_n", "sequential_halving")
"""Strategies without settings to choose, for comparison."""

_WORLDS: Final = 16
"""Draws of captions: settings must do well for what the pilot may have missed, too."""

_ROUNDS: Final = ((48, 1 / 4), (192, 1 / 4), (768, 0.0))
"""Searches played with each setting, and the share of the settings that play the next round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What a strategy won.

    Args:
        name: of the strategy.
        settings: that differ from its own defaults.
        gain: mean final reward above that of a plain sample.
        error: standard error of ``gain``.
        pieces: written in a search, as a share of those allowed.
        looks: for each piece allowed.
    """

    name: str
    settings: Settings
    gain: float
    error: float
    pieces: float
    looks: float

    @property
    def spec(self) -> str:
        """As a request would name it."""
        settings = ",".join(f"{key}={value:g}" for key, value in self.settings.items())
        return f"{self.name}:{settings}" if settings else self.name

    @property
    def outcome(self) -> dict[str, float]:
        """What it won and spent, by name."""
        return {"gain": self.gain, "error": self.error, "pieces": self.pieces, "looks": self.looks}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the rehearsals came to.

    Args:
        regime: what sets this model and reward apart, by ``regime``.
        strategies: the chosen settings by strategy.
        tried: how many settings of each were rehearsed.
        table: each strategy as it is and as it is chosen, at each of ``CANDIDATES``.
    """

    regime: str
    strategies: Mapping[str, Settings]
    tried: Mapping[str, int]
    table: Mapping[int, Sequence[Rehearsed]]


def worlds(panel: Panel, tuning: Tuning) -> list[Behaviour]:
    """The behaviour of what was measured, and of draws of its captions."""
    generator = np.random.default_rng(0)
    draws = [generator.integers(0, panel.captions, panel.captions) for _ in range(_WORLDS - 1)]
    return [Behaviour.of(panel, tuning), *(Behaviour.of(panel.take(draw), tuning) for draw in draws)]


def regime(panel: Panel) -> str:
    """Which rule of thumb applies; settings are chosen by rehearsal, this only gives the reason a name.

    The rules come from a simulation over 24 regimes of noise: where early looks say little although the outcome is
    settled early, resampling early hurts; where all is settled early and heard, a wide start pays; where little is
    settled and heard well, hard pruning does.
    """
    settled = {share: intraclass(finals[TOTAL]).value for share, finals in panel.branches.items()}
    early = settled[min(settled, key=lambda share: abs(share - 0.25))]

    def told(share: float) -> float:
        look = int(np.argmin(np.abs(panel.shares[:-1] - share)))
        return correlation(panel.terms[TOTAL][:, :, look], panel.final(TOTAL)).value

    if early > 0.7 and told(0.25) < 0.15:
        return "settled early, heard late: decide late"
    if early > 0.7 and told(0.25) >= 0.3:
        return "settled and heard early: begin wide, resample rarely"
    if early < 0.3 and told(0.5) > 0.7:
        return "settled late, heard well: prune hard after every chunk"
    return "settled and heard step by step: prune gently, then harder"


def choose(panel: Panel, tuning: Tuning, grids: Mapping[str, Grid] | None = None) -> Choice:
    """The settings of each strategy of ``grids`` (None: ``GRIDS``) that is installed, and the table of all.

    Settings are dropped round by round; among the last ones that are within one standard error of the best, the one
    with the fewest looks is taken, for looks cost time and no tokens.
    """
    installed = set(spec.names())
    grids = GRIDS if grids is None else grids
    behaviours = worlds(panel, tuning)
    chosen = {name: _best(name, grid, behaviours) for name, grid in grids.items() if name in installed}
    players: list[tuple[str, Settings]] = [(name, {}) for name in OTHERS if name in installed]
    for name, settings in chosen.items():
        players += [(name, {}), (name, settings)]
    last = _ROUNDS[-1][0]
    table = {
        candidates: [
            _summary(name, settings, _play(name, settings, behaviours, [candidates], last // 2))
            for name, settings in players
        ]
        for candidates in CANDIDATES
    }
    tried = {name: math.prod(map(len, grids[name].values())) for name in chosen}
    return Choice(regime=regime(panel), strategies=chosen, tried=tried, table=table)


def _best(name: str, grid: Grid, behaviours: Sequence[Behaviour]) -> Settings:
    field = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    for searches, kept in _ROUNDS:
        played = [_play(name, settings, behaviours, CANDIDATES, searches) for settings in field]
        order = np.argsort([-outcome[:, 0].mean() for outcome in played], kind="stable")
        if kept:
            field = [field[place] for place in order[: max(4, round(kept * len(field)))]]
    first = played[order[0]]

    def close(outcome: Floats) -> bool:
        lost = first[:, 0] - outcome[:, 0]
        return bool(lost.mean() <= lost.std() / np.sqrt(len(lost)))

    near = [place for place in order if close(played[place])]
    return field[min(near, key=lambda place: round(float(played[place][:, 2].mean()), 2))]


def _play(
    name: str, settings: Settings, behaviours: Sequence[Behaviour], candidates: Sequence[int], searches: int
) -> Floats:
    """[searches, 3] gain, pieces written and looks, both for each candidate allowed; the same numbers for everyone."""
    strategy: Strategy = spec.Spec(name).make(settings)
    requests = [SearchRequest(caption="a piece", strategy=name, candidates=count, mutations=0) for count in candidates]
    outcomes = np.zeros((searches, 3))
    for search in range(searches):
        request = requests[search % len(requests)]
        behaviour = behaviours[search // len(requests) % len(behaviours)]
        stage = Stage(behaviour, len(strategy.arms(request, 0)), keeps_plain=strategy.keeps_plain, seed=search)
        strategy.explore(cast(Exploration, stage))
        allowed = request.candidates
        outcomes[search] = stage.best - LEVEL, stage.written / stage.bars / allowed, stage.heard / allowed
    return outcomes


def _summary(name: str, settings: Settings, outcomes: Floats) -> Rehearsed:
    gain, pieces, looks = outcomes.mean(0).tolist()
    error = float(outcomes[:, 0].std(ddof=1) / np.sqrt(len(outcomes)))
    return Rehearsed(name=name, settings=settings, gain=gain, error=error, pieces=pieces, looks=looks)
