"""A search under way: the rows being decoded, the tree that they leave behind, and the best pieces so far."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from motet.music.error import CancelledError
from motet.rewards.composite import Breakdown, Weights
from motet.search.archive import Archive, Piece
from motet.search.arms import ORIGINAL, Arms
from motet.search.aside import POLL_S
from motet.search.budget import Budget, StopReason
from motet.search.contract import Rows, Tuning
from motet.search.profile import Phase, Stopwatch
from motet.search.progress import OnProgress, Progress
from motet.search.scoring import Heard, Scoring
from motet.search.streams import Streams
from motet.search.tree import ROOT, Tree

PLAIN_ROW = 0
"""The row that is sampled as if there were no search."""

PRECISION_POWER = 2.0
"""How fast looks at a piece gain weight with the bars heard, where no pilot has measured it."""


class Exploration:
    """What a strategy works with: decode a few bars, judge, let some rows replace others.

    ``B`` denotes the rows as they are now. A row stands on a node of the tree; a strategy reads values, decides which
    rows go on, and grows them. In the first round row 0 is the plain sample, unless the strategy does without.

    Args:
        captions: the arms; mutants are added to them.
        bars: how many are written.
        first_bar: bars that stand before them.
        weights: of the reward terms, the columns of the tree.
        scoring: judges.
        budget: when to stop.
        tuning: what a pilot has measured for this model and reward, or None.
        seed: of the search; fixes ``uniforms``.
        keeps_plain: whether row 0 of the first round is the plain sample, which may not be replaced.
        watch: told what the time is spent on.
        on_progress: told whenever a bar has been decoded or pieces have been judged.
    """

    def __init__(
        self,
        *,
        captions: Arms,
        bars: int,
        first_bar: int = 0,
        weights: Weights,
        scoring: Scoring,
        budget: Budget,
        tuning: Tuning | None = None,
        seed: int,
        keeps_plain: bool = True,
        watch: Stopwatch,
        on_progress: OnProgress,
    ) -> None:
        self._rows: Rows
        self._arms: NDArray[np.int32]
        self._streams: NDArray[np.int64]
        self._nodes: NDArray[np.int64]
        self._latest: list[Piece | None] = []
        self._captions = captions
        self.bars = bars
        self._first_bar = first_bar
        self._weights = weights
        self._scoring = scoring
        self._budget = budget
        self.tuning = tuning
        self._random = np.random.default_rng([seed, 2])
        self._keeps_plain = keeps_plain
        self._watch = watch
        self._on_progress = on_progress
        self.families: NDArray[np.int64]
        """[B] set by strategies that keep several populations apart, 0 for all otherwise; copies inherit it.

        The best piece of each family is returned before any second one.
        """
        self.tree = Tree.empty(1024, list(weights))
        self.rounds = 0
        self.stop: StopReason | None = None
        """Why nothing further may be decoded; None as long as the search may go on."""
        self.streams = Streams()
        self.plain: Piece | None = None
        """The plain sample as it was last judged."""
        self._archive = Archive()
        self._heard: dict[int, Heard] = {}  # by row, of the chunk that is being decoded
        self._told: set[int] = set()  # rows that have paused in it
        self._earlier = np.zeros(2, np.int64)  # tokens decoded and fed again in earlier rounds
        self._bars_told = 0

    # --- what a strategy reads ---------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """B, the number of rows."""
        return self._rows.size

    @property
    def finished(self) -> NDArray[np.bool_]:
        """[B] whether each row has ended."""
        return self._rows.finished

    @property
    def arms(self) -> NDArray[np.int32]:
        """[B] caption of each row; 0 is the original."""
        return self._arms.copy()

    @property
    def nodes(self) -> NDArray[np.int64]:
        """[B] newest tree node of each row, ROOT before its first chunk."""
        return self._nodes.copy()

    @property
    def protected(self) -> NDArray[np.bool_]:
        """[B] rows that may not be replaced: the plain sample, in the round that has one."""
        plain = self._keeps_plain and self.rounds == 1
        return np.asarray((np.arange(self.size) == PLAIN_ROW) & plain)

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
        return np.asarray(np.maximum(self._rows.bars_done - self._first_bar, 0))

    @property
    def log_probability_per_token(self) -> NDArray[np.float64]:
        """[B] mean log-probability under the model of the tokens of each row, in nats; 0 before the first."""
        return np.asarray(self.tree.log_probability[self._nodes] / np.maximum(self.tree.tokens[self._nodes], 1))

    @property
    def caption_count(self) -> int:
        """Number of arms, the original among them."""
        return len(self._captions)

    @property
    def tokens(self) -> int:
        """Tokens decoded by the whole search."""
        return int(self._earlier[0]) + self._rows.decoded

    @property
    def prefilled(self) -> int:
        """Tokens fed again for rows that went on under other words, by the whole search."""
        return int(self._earlier[1]) + self._rows.prefilled

    def values(self) -> NDArray[np.float64]:
        """[B] the final reward to expect of each row, from what was heard so far; that of rows that have ended.

        Without a tuning it is the mean of the looks along the row's lineage, later ones weighing more. NaN for rows
        that were never judged.
        """
        if self.tuning is None:
            values = self.tree.lineage_scores(self._nodes.tolist(), PRECISION_POWER)
        else:
            judged = [{} if piece is None else piece.breakdown.terms for piece in self._latest]
            terms = {name: np.array([row.get(name, np.nan) for row in judged]) for name in self._weights}
            share = self._bars_written / self.bars
            values = self.tuning.values(share, terms, self.log_probability_per_token, self._weights)
        rewards = self.tree.reward_total[self._nodes]
        return np.where(self._rows.finished & ~np.isnan(rewards), rewards, values)

    def uniforms(self, count: int) -> NDArray[np.float64]:
        """[count] numbers in [0, 1) that the seed of the search fixes; each call draws further ones."""
        return self._random.random(count)

    # --- what a strategy does ----------------------------------------------------------------------------------------

    def mutants(self, count: int) -> list[int]:
        """Draws up to ``count`` further mutants of the original and adds them as arms: their numbers."""
        return self._captions.add(self._captions.draw(count))

    def grow(self, bars: int, rows: NDArray[np.bool_] | None = None) -> bool:
        """Unfinished rows among ``rows`` ([B]; None: all) write ``bars`` more bars or end; False: the search must stop.

        Each is judged as soon as it pauses, while the others are still decoded. When all are judged, every row that
        grew stands on a new node, and the rewards have been propagated, both in order of row: neither tree nor result
        depends on timing.
        """
        if self.stop is not None:
            return False
        before = self._rows.token_counts.copy()
        self._heard.clear()
        self._told.clear()
        with self._watch.during(Phase.DECODING):
            self._rows.advance(bars, self._between_tokens, rows=rows, on_pause=self._pause)
        grown = (self._rows.token_counts > before) | np.isin(np.arange(self.size), list(self._told))
        self._await(np.flatnonzero(grown).tolist())
        self._settle(np.flatnonzero(grown).tolist())
        self._report("scoring")
        return self.stop is None

    def select(self, parents: Sequence[int] | NDArray[np.intp], arms: Sequence[int] | None = None) -> None:
        """From now on there are as many rows as ``parents``; row ``i`` goes on as row ``parents[i]``.

        The first row that goes on as a parent is that parent, as if nothing had happened; if the row of the parent's
        own number does, it is that one. Others are copies that draw fresh random numbers. ``arms[i]`` is the caption
        under which row ``i`` goes on; another one than before costs feeding its tokens again.

        Raises ValueError when the plain sample would be replaced.
        """
        chosen = np.asarray(parents, np.intp)
        wanted = self._arms[chosen] if arms is None else np.asarray(arms, np.int32)
        if self.protected[PLAIN_ROW] and (chosen[PLAIN_ROW] != PLAIN_ROW or wanted[PLAIN_ROW] != ORIGINAL):
            raise ValueError("row 0 is the plain sample and cannot be replaced")
        changed = wanted != self._arms[chosen]
        if len(chosen) == self.size and (chosen == np.arange(self.size)).all() and not changed.any():
            return
        streams = self.streams.follow(self._streams, chosen)
        prompts = [self._captions.prompt(int(arm)) if new else None for arm, new in zip(wanted, changed, strict=True)]
        with self._watch.during(Phase.DECODING):
            self._rows.select(chosen, streams, prompts if changed.any() else None)
        self._streams, self._arms, self._nodes = streams, wanted, self._nodes[chosen]
        self.families = self.families[chosen]
        self._latest = [self._latest[parent] for parent in chosen]
        self._mark_alive()

    # --- what the search does around a strategy ----------------------------------------------------------------------

    def begin(self, rows: Rows, arms: Sequence[int], streams: NDArray[np.int64]) -> None:
        """Begins a round on freshly opened rows, whose captions are ``arms`` [B], whose random streams ``streams``.

        Bars of seed music in which nothing may be written are passed over at once.
        """
        if self.rounds:
            self._earlier += (self._rows.decoded, self._rows.prefilled)
        self._rows = rows
        self._arms = np.array(arms, np.int32)
        self._streams = streams.copy()
        self._nodes = np.full(rows.size, ROOT, np.int64)
        self.families = np.zeros(rows.size, np.int64)
        self._latest = [None] * rows.size
        self._first_node = self.tree.size
        self._bars_told = 0
        self.rounds += 1
        if self.protected[PLAIN_ROW] and self._arms[PLAIN_ROW] != ORIGINAL:
            raise ValueError("row 0 is the plain sample: its caption must be the original")
        before = self._first_bar - int(rows.bars_done.max())
        if before > 0:
            rows.advance(before, lambda: self._budget.interrupted() is not None)

    def best_of_round(self) -> list[float]:
        """The reward of the best piece that the round has found, if it found any."""
        return [piece.breakdown.total for piece in self.pieces() if piece.node >= self._first_node][:1]

    def end(self) -> None:
        """Ends a round: all that was found stays; the rows are closed, and what is still being judged is forgotten.

        What the rows hold can still be read, until the next round begins.
        """
        self._scoring.abandon()
        self._rows.close()

    def finish(self) -> None:
        """Makes sure that there is something to return, whatever stopped the search, and tells the last progress.

        Raises CancelledError when nothing was judged before the caller went.
        """
        if not self.pieces():
            cancelled = self.stop is StopReason.CANCELLED
            reason = "CANCELLED" if cancelled else "DEADLINE_EXCEEDED"
            cause = "the search was cancelled" if cancelled else "the deadline passed"
            raise CancelledError(reason, f"{cause} before anything could be returned")
        self._report("done")

    def pieces(self) -> list[Piece]:
        """All that can be returned, best first: ended pieces, then the latest look at each row that has not ended."""
        return self._archive.ranked(self._latest)

    # --- how it is done ----------------------------------------------------------------------------------------------

    def _between_tokens(self) -> bool:
        """Takes what has been judged, tells the listener; whether decoding must stop."""
        self._collect()
        bars_done = self.bars_done
        if bars_done > self._bars_told:
            self._bars_told = bars_done
            self._report("decoding")
        self.stop = self._budget.exhausted(self.tokens, reserved=not self._presentable)
        return self.stop is not None

    @property
    def _presentable(self) -> bool:
        """Whether there is something to return: the plain sample, or anything at all in a search without one."""
        if self._keeps_plain:
            return self.plain is not None or PLAIN_ROW in self._heard
        return bool(self._heard) or len(self._archive) > 0 or any(self._latest)

    def _pause(self, rows: list[int]) -> None:
        """Hands in rows that have just reached their target or their end."""
        finished = self._rows.finished
        for row in sorted(rows):
            self._told.add(row)
            self._scoring.put(row, self._rows.score(row), complete=bool(finished[row]))

    def _await(self, grown: Sequence[int]) -> None:
        """Waits for the scores of a chunk, those of interrupted rows too as far as there is time.

        Time that is up ends the waiting as soon as there is something to return; a caller who has gone ends it at once.
        """
        if self.stop is StopReason.TOKENS or (self.stop is StopReason.DEADLINE and not self._presentable):
            self._pause([row for row in grown if row not in self._told])
        while True:
            self._collect()
            if self._scoring.idle:
                return
            reason = self._budget.interrupted()
            if reason is StopReason.CANCELLED or (reason is StopReason.DEADLINE and self._presentable):
                self.stop = reason
                self._scoring.abandon()
                return
            with self._watch.during(Phase.WAITING):
                self._scoring.wait(POLL_S)

    def _collect(self) -> None:
        heard = self._scoring.take()
        if heard:
            self._heard.update({one.row: one for one in heard})
            self._report("scoring")

    def _settle(self, grown: Sequence[int]) -> None:
        """Adds a node for each row that grew, then the rewards, both in order of row."""
        counts, bars, finished = self._rows.token_counts, self._bars_written, self._rows.finished
        for row in grown:
            self._nodes[row] = self.tree.add(
                parent=int(self._nodes[row]),
                arm=int(self._arms[row]),
                row=row,
                stream=int(self._streams[row]),
                bars=int(bars[row]),
                tokens=int(counts[row]),
                log_probability=self._rows.log_probability(row),
                finished=bool(finished[row]),
            )
        self._mark_alive()
        heard = [self._heard[row] for row in grown if row in self._heard]
        breakdowns = [one.breakdown for one in heard]
        nodes = [int(self._nodes[one.row]) for one in heard]
        self.tree.record(nodes, [one.total for one in breakdowns], [one.terms for one in breakdowns])
        for one in heard:
            self._keep(one)
        self._heard.clear()

    def _keep(self, heard: Heard) -> None:
        row, node = heard.row, int(self._nodes[heard.row])
        piece = Piece(
            node=node,
            arm=int(self._arms[row]),
            family=int(self.families[row]),
            stream=int(self._streams[row]),
            score=heard.score,
            breakdown=heard.breakdown,
            tokens=self._rows.tokens(row),
            log_probability=float(self.tree.log_probability[node]),
            bars=int(self.tree.bars[node]),
            finished=bool(self.tree.finished[node]),
        )
        self._latest[row] = piece
        self._archive.keep(piece)
        if self.protected[row]:
            self.plain = piece

    def _mark_alive(self) -> None:
        self.tree.alive[:] = False
        self.tree.alive[self._nodes[self._nodes != ROOT]] = True

    def _best(self) -> Breakdown | None:
        """The best piece so far, those among them that are not in the tree yet."""
        finished = self._rows.finished
        pieces = [self._archive.best] if self._archive.best else [piece for piece in self._latest if piece]
        looks = [(piece.finished, piece.breakdown) for piece in pieces]
        looks += [(bool(finished[row]), one.breakdown) for row, one in self._heard.items()]
        return max(looks, key=lambda look: (look[0], look[1].total))[1] if looks else None

    def _report(self, phase: str) -> None:
        with self._watch.during(Phase.TREE):
            best = self._best()
            progress = Progress(
                phase=phase,
                elapsed_s=self._budget.elapsed_s,
                tree=self.tree.snapshot(),
                round=self.rounds,
                candidates=self.size,
                finished=int(self._rows.finished.sum()),
                bars_done=self.bars_done,
                bars=self.bars,
                tokens=self.tokens,
                best_total=None if best is None else best.total,
                best_terms={} if best is None else dict(best.terms),
            )
        with self._watch.during(Phase.OTHER):
            self._on_progress(progress)
