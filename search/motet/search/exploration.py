"""A search under way: the rows being decoded, the tree that they leave behind, and the best pieces so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.music.caption import Caption
from motet.music.error import CancelledError
from motet.music.score import Score
from motet.rewards.composite import Breakdown, Weights
from motet.search.budget import Budget, StopReason
from motet.search.contract import OnProgress, Reward, Rows
from motet.search.result import Progress
from motet.search.tree import ROOT, Tree

PLAIN_ROW = 0
"""The row that is sampled as if there were no search."""

JUDGED_TOGETHER = 4
"""Rows handed to the reward at once: enough to share its work, few enough to stop and to report in between."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A piece, exactly as it was judged."""

    node: int
    arm: int
    stream: int
    score: Score
    breakdown: Breakdown
    tokens: NDArray[np.int32]  # [T]
    log_probability: float
    bars: int
    finished: bool


class Exploration:
    """What a strategy works with: decode a few bars, judge, let some rows replace others.

    ``B`` denotes the rows. Row 0 is the plain sample: it cannot be replaced.

    Args:
        rows: freshly opened.
        arms: [B] arm of each row.
        reward: judges against ``caption``, whatever the arm.
        caption: the original.
        weights: of the reward terms.
        bars: how many are written.
        first_bar: bars that stand before them.
        budget: when to stop.
        on_progress: told after every chunk and every scoring.
        term_names: of the reward, the columns of the tree.
    """

    def __init__(
        self,
        *,
        rows: Rows,
        arms: Sequence[int],
        reward: Reward,
        caption: Caption,
        weights: Weights,
        bars: int,
        first_bar: int = 0,
        budget: Budget,
        on_progress: OnProgress,
        term_names: Sequence[str],
    ) -> None:
        self._rows = rows
        self._arms = list(arms)
        self._reward = reward
        self._caption = caption
        self._weights = weights
        self.bars = bars
        self._first_bar = first_bar
        self._budget = budget
        self._on_progress = on_progress
        # Each call of `advance` that adds a node moves a row by part of a bar or more; the last one may be interrupted.
        self.tree = Tree.empty(1 + rows.size * (bars + 1), term_names)
        self._nodes = [ROOT] * rows.size
        self._streams = list(range(rows.size))
        self._fresh_stream = rows.size
        self._latest: list[Judged | None] = [None] * rows.size
        self._archive: dict[int, Judged] = {}
        self.tokens = 0
        self._stop: StopReason | None = None

    @property
    def size(self) -> int:
        """B, the number of rows."""
        return self._rows.size

    @property
    def finished(self) -> NDArray[np.bool_]:
        """[B] whether each row has ended."""
        return self._rows.finished

    @property
    def chunk_bars(self) -> int:
        """Bars decoded between two looks, unless a strategy has reasons for another number."""
        return max(2, math.ceil(self.bars / 4))

    @property
    def bars_done(self) -> int:
        """Bars that every unfinished row has written; the asked length when all have ended."""
        unfinished = self._bars_written[~self._rows.finished]
        return int(unfinished.min()) if len(unfinished) else self.bars

    @property
    def _bars_written(self) -> NDArray[np.int64]:
        return np.maximum(self._rows.bars_done - self._first_bar, 0)

    @property
    def protected(self) -> NDArray[np.bool_]:
        """[B] rows that a strategy may not replace: the plain sample."""
        return np.asarray(np.arange(self.size) == PLAIN_ROW)

    @property
    def stop_reason(self) -> StopReason:
        """Why the search ended; COMPLETED as long as nothing interrupted it."""
        return self._stop or StopReason.COMPLETED

    def advance(self, bars: int) -> bool:
        """Decodes up to ``bars`` further bars of every unfinished row; False when the search must stop."""
        if self._stop is not None:
            return False
        before = self._rows.token_counts.copy()
        unscored = not self.pieces()
        self._rows.advance(bars, lambda: self._budget.stop(reserved=unscored) is not None)
        after = self._rows.token_counts
        bars_done, finished = self._bars_written, self._rows.finished
        for row in np.flatnonzero(after > before).tolist():
            self._nodes[row] = self.tree.add(
                parent=self._nodes[row],
                arm=self._arms[row],
                row=row,
                stream=self._streams[row],
                bars=int(bars_done[row]),
                tokens=int(after[row]),
                log_probability=self._rows.log_probability(row),
                finished=bool(finished[row]),
            )
        self._mark_alive()
        self.tokens += int((after - before).sum())
        self._stop = self._budget.stop(reserved=unscored)
        self._report("decoding")
        return self._stop is None

    def judge(self) -> bool:
        """Scores every row that has changed since it was last scored; False when the search must stop."""
        if self._stop is not None:
            return False
        self._stop = self._judge(self._unjudged(), JUDGED_TOGETHER)
        return self._stop is None

    def _unjudged(self) -> list[int]:
        scored = ~np.isnan(self.tree.reward_total)
        return [row for row, node in enumerate(self._nodes) if node != ROOT and not scored[node]]

    def _judge(self, waiting: list[int], together: int) -> StopReason | None:
        """Scores rows in their order (so the plain sample comes first); the reason when it stopped early."""
        finished = self._rows.finished
        while waiting:
            complete = bool(finished[waiting[0]])
            group = [row for row in waiting if bool(finished[row]) == complete][:together]
            waiting = [row for row in waiting if row not in group]
            scores = [self._rows.score(row) for row in group]
            breakdowns = self._reward.score(scores, self._caption, self._weights, complete=complete)
            nodes = [self._nodes[row] for row in group]
            self.tree.record(nodes, [b.total for b in breakdowns], [b.terms for b in breakdowns])
            for row, score, breakdown in zip(group, scores, breakdowns, strict=True):
                self._keep(row, score, breakdown)
            self._report("scoring")
            reason = self._budget.stop()
            if reason is not None:
                return reason
        return None

    def _keep(self, row: int, score: Score, breakdown: Breakdown) -> None:
        node = self._nodes[row]
        judged = Judged(
            node=node,
            arm=self._arms[row],
            stream=self._streams[row],
            score=score,
            breakdown=breakdown,
            tokens=self._rows.tokens(row),
            log_probability=float(self.tree.log_probability[node]),
            bars=int(self.tree.bars[node]),
            finished=bool(self.tree.finished[node]),
        )
        self._latest[row] = judged
        if judged.finished:
            self._archive[node] = judged

    def lineage_scores(self, power: float) -> NDArray[np.float64]:
        """[B] precision-weighted mean reward of each row's lineage; see ``kernels.lineage_scores``."""
        return self.tree.lineage_scores(self._nodes, power)

    def select(self, parents: NDArray[np.intp]) -> None:
        """Row ``i`` goes on as row ``parents[i]``: itself unchanged, or a copy that draws fresh random numbers.

        Raises ValueError when the plain sample would be replaced.
        """
        if int(parents[PLAIN_ROW]) != PLAIN_ROW:
            raise ValueError("row 0 is the plain sample and cannot be replaced")
        chosen = [int(parent) for parent in parents]
        if chosen == list(range(self.size)):
            return
        streams = list(self._streams)
        for row, parent in enumerate(chosen):
            if parent != row:
                streams[row] = self._fresh_stream
                self._fresh_stream += 1
        self._rows.select(np.asarray(chosen, np.intp), np.asarray(streams, np.int64))
        self._streams = streams
        self._nodes = [self._nodes[parent] for parent in chosen]
        self._arms = [self._arms[parent] for parent in chosen]
        self._latest = [self._latest[parent] for parent in chosen]
        self._mark_alive()

    def finish(self) -> None:
        """Makes sure that there is something to return, whatever stopped the search.

        On a deadline before the first scoring, as many partial pieces are judged as the rest of the time allows, the
        plain sample in any case. Raises CancelledError when there is nothing to judge, or when the caller has gone.
        """
        if self._stop is StopReason.DEADLINE and not self.pieces():
            self._judge(self._unjudged(), 1)
        if not self.pieces():
            cancelled = self._stop is StopReason.CANCELLED
            reason = "CANCELLED" if cancelled else "DEADLINE_EXCEEDED"
            cause = "the search was cancelled" if cancelled else "the deadline passed"
            raise CancelledError(reason, f"{cause} before anything could be returned")
        self._report("done")

    @property
    def plain(self) -> Judged | None:
        """The plain sample as it was last judged."""
        return self._latest[PLAIN_ROW]

    def pieces(self) -> list[Judged]:
        """All that can be returned, best first (ties: older first): ended pieces and the latest look at each row."""
        by_node = dict(self._archive)
        by_node.update({judged.node: judged for judged in self._latest if judged is not None})
        return sorted(by_node.values(), key=lambda judged: (-judged.breakdown.total, judged.node))

    def _mark_alive(self) -> None:
        self.tree.alive[:] = False
        self.tree.alive[[node for node in self._nodes if node != ROOT]] = True

    def _report(self, phase: str) -> None:
        pieces = self.pieces()
        best = pieces[0].breakdown if pieces else None
        self._on_progress(
            Progress(
                phase=phase,
                elapsed_s=self._budget.elapsed_s,
                tree=self.tree.snapshot(),
                candidates=self.size,
                finished=int(self._rows.finished.sum()),
                bars_done=self.bars_done,
                bars=self.bars,
                tokens=self.tokens,
                best_total=None if best is None else best.total,
                best_terms={} if best is None else dict(best.terms),
            )
        )
