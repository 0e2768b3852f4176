"""Runs one search: caption in, ranked pieces out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.rewards.composite import Composite
from motet.search import strategy as strategies
from motet.search.budget import Budget, Clock, StopReason
from motet.search.contract import OnProgress, Reward, Rows, Sampler, Vocabulary
from motet.search.exploration import Exploration, Judged
from motet.search.mutation import mutate
from motet.search.plan import Plan
from motet.search.request import MAX_SEED, SearchRequest
from motet.search.result import Candidate, Progress, SearchResult

# The model brings PyTorch, which takes seconds to import: only where it is used, so that a server can answer before.
if TYPE_CHECKING:
    from motet.model.checkpoint import Checkpoint

__all__ = [
    "Candidate",
    "Progress",
    "SearchRequest",
    "SearchResult",
    "Searcher",
    "StopReason",
    "searcher_from",
    "searcher_on",
]


class Searcher:
    """Searches with one model and one reward; keeps nothing between two searches.

    Args:
        decoder: samples pieces.
        reward: judges them.
        vocabulary: what the model can write; a tempo or a meter that it cannot is refused. None: it can write all.
        clock: seconds, monotonic; only deadlines and reported times depend on it.
    """

    def __init__(
        self,
        decoder: Sampler,
        reward: Reward,
        *,
        vocabulary: Vocabulary | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._decoder = decoder
        self._reward = reward
        self._vocabulary = vocabulary
        self._clock = clock

    def run(
        self,
        request: SearchRequest,
        *,
        on_progress: OnProgress = lambda progress: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> SearchResult:
        """Searches until the pieces are finished, the deadline passes or the caller cancels.

        The result is a pure function of the model, the reward, the request and the seed, unless a deadline or the
        caller interrupts it. Whatever the reward or ``on_progress`` raises ends the search and reaches the caller.

        Raises:
            CancelledError: interrupted before any piece was judged.
            InvalidInputError: the model cannot write what the controls ask for, or has no room beside the seed.
        """
        budget = Budget(request.deadline_s, cancelled, clock=self._clock)
        strategy = strategies.load(request.strategy)
        seed = secrets.randbelow(MAX_SEED + 1) if request.seed is None else request.seed
        self._check(request)
        plan = Plan.of(request)
        mutants = mutate(
            request.parsed(), min(request.mutations, request.candidates // 2), seed=seed, settled=plan.settled
        )
        captions = (plan.caption.text, *(mutant.text for mutant in mutants))
        stated = (request.parsed().attributes, *(mutant.attributes for mutant in mutants))
        arms = strategy.arms(request, len(mutants))
        captions = captions[: max(arms) + 1]
        rows = self._open(plan, [(captions[arm], stated[arm]) for arm in arms], seed, budget)
        exploration = Exploration(
            rows=rows,
            arms=arms,
            reward=self._reward,
            caption=plan.caption,
            weights=request.weights,
            bars=plan.bars,
            first_bar=plan.first_bar,
            budget=budget,
            on_progress=on_progress,
            term_names=list(request.weights),
        )
        strategy.explore(exploration)
        exploration.finish()
        pieces = exploration.pieces()
        plain = exploration.plain or pieces[0]  # row 0 is judged first, so it is there whenever anything is
        ranks = {piece.node: rank for rank, piece in enumerate(pieces, start=1)}

        def candidate(piece: Judged, rank: int) -> Candidate:
            return Candidate(
                rank=rank,
                score=piece.score,
                breakdown=piece.breakdown,
                node=piece.node,
                lineage=exploration.tree.lineage(piece.node),
                arm=piece.arm,
                arm_caption=captions[piece.arm],
                seed=seed,
                stream=piece.stream,
                tokens=piece.tokens,
                log_probability=piece.log_probability,
                bars=plan.piece_bars(piece.bars),
                finished=piece.finished,
            )

        distinct = without_copies(pieces)[: request.results]
        return SearchResult(
            candidates=tuple(candidate(piece, rank) for rank, piece in enumerate(distinct, start=1)),
            plain=candidate(plain, ranks[plain.node]),
            tree=exploration.tree.snapshot(),
            seed=seed,
            bars=plan.bars,
            request=request,
            plan=plan,
            arms=captions,
            tokens=exploration.tokens,
            elapsed_s=budget.elapsed_s,
            stop_reason=exploration.stop_reason,
        )

    def _check(self, request: SearchRequest) -> None:
        """Refuses what the controls ask for and the model cannot write: a lock that does not hold is none."""
        bpm, meter, vocabulary = request.controls.tempo_bpm, request.controls.meter, self._vocabulary
        if vocabulary is None:
            return
        if bpm is not None and not any(vocabulary.stands_for(written, bpm) for written in vocabulary.tempos_bpm):
            low, high = vocabulary.tempos_bpm[0], vocabulary.tempos_bpm[-1]
            raise InvalidInputError.of("tempo_bpm", f"must be from {low:g} to {high:g} for this model", bpm)
        if meter is not None and not vocabulary.supports(meter):
            raise InvalidInputError.of("meter", "must be one that this model can write, such as 4/4", str(meter))

    def _open(self, plan: Plan, arms: Sequence[tuple[str, Attributes]], seed: int, budget: Budget) -> Rows:
        """One row for each arm's words and what they state, where its first written bar begins."""
        from motet.model.decoder import Prompt

        rows = self._decoder.open([Prompt(words, plan.controls(stated)) for words, stated in arms], seed=seed)
        before = plan.first_bar - int(rows.bars_done.max())
        if before > 0:  # bars of the seed in which nothing may be written
            rows.advance(before, lambda: budget.stop() is not None)
        return rows


def without_copies(pieces: Sequence[Judged]) -> list[Judged]:
    """The same pieces without those that have exactly the notes of an earlier one."""
    seen: set[tuple[bytes, ...]] = set()
    distinct = []
    for piece in pieces:
        notes = _notes(piece.score)
        if notes not in seen:
            seen.add(notes)
            distinct.append(piece)
    return distinct


def _notes(score: Score) -> tuple[bytes, ...]:
    columns = (score.onset, score.duration, score.pitch, score.program)
    return tuple(column.tobytes() for column in columns)


def searcher_on(checkpoint: Checkpoint, text_encoder: Path | None = None) -> Searcher:
    """A searcher on a loaded checkpoint, with the default reward and one sentence encoder for both.

    Raises NotFoundError or UnavailableError when a part is missing, InvalidInputError when a file is broken.
    """
    from motet.model.decoder import Decoder
    from motet.model.text import TextEncoder

    text = TextEncoder.load(text_encoder)
    reward = Composite.default(lambda captions: text.pooled(captions).numpy())
    return Searcher(Decoder(checkpoint, text), reward, vocabulary=checkpoint.tokenizer)


def searcher_from(folder: Path | str | None = None, text_encoder: Path | None = None) -> Searcher:
    """A searcher on a checkpoint folder (None: the shipped default); see ``searcher_on``."""
    from motet.model.checkpoint import Checkpoint

    return searcher_on(Checkpoint.load(folder), text_encoder)
