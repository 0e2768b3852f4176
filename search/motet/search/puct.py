"""PUCT: a tree of beginnings, of which the promising and the little tried are continued next."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.search.arms import ORIGINAL
from motet.search.branches import ROOT, Branches
from motet.search.exploration import PLAIN_ROW, Exploration
from motet.search.pace import Pace, half_original
from motet.search.request import SearchRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class PuctConfig(Pace):
    """How the tree grows.

    Args:
        exploration: c, weight of what was little tried against what is promising, from 0 to 100.
        widening: a node with n visits may have ``ceil(widening * n ** widening_power)`` children; above 0, at most 100.
        widening_power: from 0 to 1.
        parallel: beginnings continued at once, kept apart by virtual loss, from 1 to 64.
        finish_share: share of the budget that is kept for writing the most promising leaves to their end, from 0 to 1.
    """

    exploration: float = 1.25
    widening: float = 1.5
    widening_power: float = 0.5
    parallel: int = 4
    finish_share: float = 0.25

    def __post_init__(self) -> None:
        super(PuctConfig, self).__post_init__()  # the short form does not find a dataclass with slots
        if not 0 <= self.exploration <= 100:
            raise InvalidInputError.of("exploration", "must be from 0 to 100", self.exploration)
        if not 0 < self.widening <= 100:
            raise InvalidInputError.of("widening", "must be above 0 and at most 100", self.widening)
        if not 1 <= self.parallel <= 64:
            raise InvalidInputError.of("parallel", "must be from 1 to 64", self.parallel)
        for name in ("widening_power", "finish_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInputError.of(name, "must be from 0 to 1", getattr(self, name))


class Puct:
    """Nodes are beginnings up to a bar line; a child is a beginning with one more sampled chunk.

    The value of a node is its expected final reward, nothing is rolled out. The batch keeps one paused row for each
    beginning that can be continued, copies of which write the next chunks. Children of the root are sampled for the
    original caption and for a mutant in turn. As many bars are written as ``candidates`` whole pieces have, those of
    the plain sample among them: the plain sample goes on by a chunk each time, its beginnings are nodes like others.
    When the share that is kept for it is all that is left, the best leaves are written to their end.

    Source: Silver et al. 2018; see ``kernels.puct_select``.
    """

    keeps_plain: ClassVar[bool] = True
    settings: ClassVar[type[PuctConfig]] = PuctConfig

    def __init__(self, config: PuctConfig | None = None) -> None:
        self._config = config or PuctConfig()

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """As many rows as there are pieces to spend; ``explore`` keeps one of each caption at the root."""
        return half_original(request.candidates, mutants)

    def explore(self, exploration: Exploration) -> None:
        """Choose, grow and value until only what is kept for the ends is left; then write the best leaves to theirs."""
        growth = _Growth(exploration, self._config)
        while growth.goes_on:
            if not growth.widen():
                return
        growth.finish()


class _Growth:
    """The tree of one round, and which row stands on which of its nodes."""

    def __init__(self, exploration: Exploration, config: PuctConfig) -> None:
        self._exploration = exploration
        self._config = config
        self._chunk = min(config.chunk(exploration), exploration.bars)
        self._plain = int(exploration.protected.sum())  # rows of the plain sample: it is row 0, or there is none
        self._bars_left = (exploration.size - self._plain) * exploration.bars
        self._kept = 0.0
        to_end = exploration.bars - self._chunk  # bars that the shortest beginning lacks
        if to_end and self._bars_left:  # one piece can be begun, and ended
            self._kept = min(max(config.finish_share * self._bars_left, to_end), self._bars_left - self._chunk)
        self._branches = Branches.empty(1 + exploration.size * exploration.bars)
        self._stands = np.full(exploration.size, ROOT, np.int64)  # [B] node of each row
        mutants = sorted(set(exploration.arms.tolist()) - {ORIGINAL})
        self._turns = cycle([arm for mutant in mutants or [ORIGINAL] for arm in (ORIGINAL, mutant)])

    @property
    def _affordable(self) -> int:
        return max(0, int((self._bars_left - self._kept) // self._chunk))

    @property
    def _plain_goes_on(self) -> bool:
        return bool(self._plain and not self._exploration.finished[PLAIN_ROW])

    @property
    def goes_on(self) -> bool:
        """Whether the tree may grow further."""
        return self._affordable > 0 or self._plain_goes_on

    def widen(self) -> bool:
        """Continues some beginnings, and the plain sample, by a chunk; False when the search must stop."""
        exploration, config = self._exploration, self._config
        chosen = self._branches.choose(
            min(config.parallel, self._affordable),
            exploration=config.exploration,
            widening=config.widening,
            widening_power=config.widening_power,
        )
        paused = self._paused()
        parents = [self._row_on(node) for node in chosen.tolist()]
        rows = np.array([*range(self._plain), *paused, *parents], np.intp)
        exploration.select(rows)
        self._stands = self._stands[rows]
        grown = np.arange(exploration.size) >= self._plain + len(paused)
        grown[: self._plain] = True
        asked = grown & (np.arange(exploration.size) >= self._plain)
        goes_on = grown & ~exploration.finished
        bars = self._bars()
        if not exploration.grow(self._chunk, goes_on):
            return False
        self._bars_left -= int(np.maximum(self._bars() - bars, 1)[asked].sum())
        self._stands[goes_on] = self._branches.add(
            self._stands[goes_on], exploration.values()[goes_on], exploration.finished[goes_on], asked[goes_on]
        )
        return True

    def finish(self) -> None:
        """Writes leaves to their end, the most promising first, as far as the budget goes."""
        exploration = self._exploration
        missing = exploration.bars - self._bars()
        leaf = ~exploration.finished & (self._stands != ROOT) & (self._branches.children[self._stands] == 0)
        leaf[: self._plain] = False
        values = np.where(leaf, exploration.values(), -np.inf)
        chosen = []
        for row in np.argsort(-values, kind="stable")[: leaf.sum()].tolist():
            if missing[row] <= self._bars_left:
                self._bars_left -= int(missing[row])
                chosen.append(row)
        if chosen:
            exploration.select([*range(self._plain), *chosen])
            exploration.grow(exploration.bars)

    def _bars(self) -> NDArray[np.int32]:
        """[B] bars written by each row."""
        return self._exploration.tree.bars[self._exploration.nodes]

    def _paused(self) -> list[int]:
        """Rows to keep: one for each beginning that can be continued, and for each caption at the root.

        The plain sample goes on, so the beginning that it stands on gets a copy that stays.
        """
        exploration = self._exploration
        if not self._bars_left:
            return []
        kept: dict[tuple[int, int], int] = {}
        for row in np.flatnonzero(~exploration.finished).tolist()[::-1]:
            node = int(self._stands[row])
            kept[node, int(exploration.arms[row]) if node == ROOT else ORIGINAL] = row
        return sorted(kept.values())

    def _row_on(self, node: int) -> int:
        """The row to copy for a further child of ``node``; at the root captions take turns."""
        exploration = self._exploration
        fits = (self._stands == node) & ~exploration.finished
        if node == ROOT:
            fits &= exploration.arms == next(self._turns)
        return int(np.argmax(fits))
