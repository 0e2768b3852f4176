"""Runs one search: caption in, ranked pieces out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from motet.music.attributes import Attributes
from motet.music.caption import Caption
from motet.music.error import InvalidInputError, UnavailableError
from motet.rewards.composite import Composite
from motet.search import strategy as strategies
from motet.search import tuning
from motet.search.archive import Piece, families_first
from motet.search.arms import ORIGINAL, Arms
from motet.search.aside import Aside, InterruptedSearchError
from motet.search.budget import Budget, Clock, StopReason
from motet.search.contract import Cancelled, Mutate, Reward, Sampler, Tuning, Vocabulary
from motet.search.copies import without_near_copies
from motet.search.exploration import Exploration
from motet.search.mutators import mutate as rewrite
from motet.search.plan import Plan
from motet.search.profile import Phase, Stopwatch
from motet.search.progress import OnProgress, Progress
from motet.search.prospect import expected_gain
from motet.search.request import MAX_SEED, SearchRequest
from motet.search.result import Candidate, SearchResult
from motet.search.scoring import Scoring
from motet.search.spec import Spec

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
    """Searches with one model and one reward. Threads may share it; nothing is kept between two searches.

    Args:
        decoder: samples pieces.
        reward: judges them.
        vocabulary: what the model can write; a tempo or a meter that it cannot is refused. None: it can write all.
        mutate: draws the mutated captions.
        tuning: what a pilot has measured for this model and reward, or None.
        clock: seconds, monotonic; only deadlines and reported times depend on it.
        judges: the threads that judge, shared by all searches; None: one of its own.
    """

    def __init__(
        self,
        decoder: Sampler,
        reward: Reward,
        *,
        vocabulary: Vocabulary | None = None,
        mutate: Mutate = rewrite,
        tuning: Tuning | None = None,
        clock: Clock = time.monotonic,
        judges: Executor | None = None,
    ) -> None:
        self.decoder = decoder
        self.reward = reward
        self._vocabulary = vocabulary
        self.mutate = mutate
        self.tuning = tuning
        self.clock = clock
        self.judges = judges or ThreadPoolExecutor(1, thread_name_prefix="judge")
        self.asides = ThreadPoolExecutor(32, thread_name_prefix="aside")

    def run(
        self,
        request: SearchRequest,
        *,
        on_progress: OnProgress = lambda progress: None,
        cancelled: Cancelled = lambda: False,
    ) -> SearchResult:
        """Searches until the pieces are finished, the budget is spent or the caller cancels.

        The result is a pure function of the model, the reward, the request and the seed, unless a deadline or the
        caller interrupts it. Whatever the reward or ``on_progress`` raises ends the search and reaches the caller.
        ``on_progress`` and ``cancelled`` are called on this thread.

        Raises:
            CancelledError: interrupted before any piece was judged.
            UnavailableError: the mutator cannot be reached; once there are pieces, the search goes on without mutants.
            InvalidInputError: the model cannot write what the controls ask for, or has no room beside the seed.
        """
        self._check(request)
        return _Search(self, request, on_progress, cancelled).run()

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


class _Search:
    """One search, from its request to its result."""

    def __init__(
        self, searcher: Searcher, request: SearchRequest, on_progress: OnProgress, cancelled: Cancelled
    ) -> None:
        self._watch = Stopwatch(searcher.clock)
        self._budget = Budget(
            deadline_s=request.deadline_s, tokens=request.tokens, cancelled=cancelled, clock=searcher.clock
        )
        self._decoder = searcher.decoder
        self._request = request
        self._plan = plan = Plan.of(request)
        self._seed = secrets.randbelow(MAX_SEED + 1) if request.seed is None else request.seed
        tuned = {} if searcher.tuning is None else searcher.tuning.strategies
        self._strategy = strategies.load(request.strategy, tuned.get(Spec.parse(request.strategy).name))
        self._aside = Aside(searcher.asides, self._budget)
        self._mutate = searcher.mutate
        self._captions = Arms(plan, self._mutants, self._seed)
        self._scoring = Scoring(searcher.judges, searcher.reward, plan.caption, request.weights, searcher.clock)
        self._exploration = Exploration(
            captions=self._captions,
            bars=plan.bars,
            first_bar=plan.first_bar,
            weights=request.weights,
            scoring=self._scoring,
            budget=self._budget,
            tuning=searcher.tuning,
            seed=self._seed,
            keeps_plain=self._strategy.keeps_plain,
            watch=self._watch,
            on_progress=on_progress,
        )

    def run(self) -> SearchResult:
        """Round after round, until there is a reason to stop."""
        exploration, bests, reason = self._exploration, list[float](), None
        while reason is None:
            try:
                bests += self._round()
            except InterruptedSearchError as interruption:
                exploration.stop = interruption.reason
            reason = self._reason_to_stop(bests)
        exploration.finish()
        return self._result(reason)

    def _round(self) -> list[float]:
        """Runs the strategy once, on fresh rows with fresh mutants: the best reward found, if any."""
        request, exploration = self._request, self._exploration
        mutants = self._captions.draw(min(request.mutations, request.candidates // 2))
        wanted = self._strategy.arms(request, len(mutants))
        numbers = [ORIGINAL, *self._captions.add(mutants[: max(wanted)])]
        arms = [numbers[arm] for arm in wanted]
        streams = exploration.streams.take(len(arms))
        prompts = [self._captions.prompt(arm) for arm in arms]
        rows = self._aside.call(self._decoder.open, prompts, seed=self._seed, streams=streams)
        try:
            exploration.begin(rows, arms, streams)
            with self._watch.during(Phase.TREE):
                self._strategy.explore(exploration)
            return exploration.best_of_round()
        finally:
            exploration.end()

    def _mutants(
        self, caption: Caption, count: int, *, seed: int, settled: Callable[[Attributes], Attributes]
    ) -> Sequence[Caption]:
        """See ``Mutate``: a language model, or one at the other end of a network, may take its time, or be gone.

        There are no further mutants then; but where nothing has been found yet that would be lost, it is an error.
        """
        try:
            return self._aside.call(self._mutate, caption, count, seed=seed, settled=settled)
        except UnavailableError:
            if not self._exploration.pieces():
                raise
            return ()

    def _reason_to_stop(self, bests: Sequence[float]) -> StopReason | None:
        """Why no further round is begun, or None."""
        request, exploration = self._request, self._exploration
        if exploration.stop is not None:
            return exploration.stop
        if exploration.rounds == request.rounds or len(bests) != exploration.rounds:
            return StopReason.COMPLETED
        if expected_gain(bests) < request.least_gain:
            return StopReason.CONVERGED
        return self._budget.exhausted(exploration.tokens)

    def _result(self, reason: StopReason) -> SearchResult:
        exploration = self._exploration
        pieces = exploration.pieces()
        ranks = {piece.node: rank for rank, piece in enumerate(pieces, start=1)}
        chosen, removed = without_near_copies(families_first(pieces), lambda piece: piece.score, self._request.results)
        chosen.sort(key=lambda piece: ranks[piece.node])
        plain = exploration.plain
        tree = exploration.tree.snapshot()
        return SearchResult(
            candidates=tuple(self._candidate(piece, rank) for rank, piece in enumerate(chosen, start=1)),
            near_copies_removed=removed,
            plain=None if plain is None else self._candidate(plain, ranks[plain.node]),
            tree=tree,
            seed=self._seed,
            bars=self._plan.bars,
            request=self._request,
            plan=self._plan,
            arms=self._captions.texts,
            rounds=exploration.rounds,
            tokens=exploration.tokens,
            prefilled=exploration.prefilled,
            elapsed_s=self._budget.elapsed_s,
            profile=self._watch.profile(self._scoring.seconds),
            stop_reason=reason,
        )

    def _candidate(self, piece: Piece, rank: int) -> Candidate:
        return Candidate(
            rank=rank,
            score=piece.score,
            breakdown=piece.breakdown,
            node=piece.node,
            lineage=self._exploration.tree.lineage(piece.node),
            arm=piece.arm,
            arm_caption=self._captions.texts[piece.arm],
            seed=self._seed,
            stream=piece.stream,
            tokens=piece.tokens,
            log_probability=piece.log_probability,
            bars=self._plan.piece_bars(piece.bars),
            finished=piece.finished,
        )


def searcher_on(
    checkpoint: Checkpoint, text_encoder: Path | None = None, *, mutate: Mutate = rewrite, threads: int = 1
) -> Searcher:
    """A searcher on a loaded checkpoint, with the default reward and one sentence encoder for both.

    What a pilot has measured for the checkpoint (``tuning_of``) is used. Searches run side by side share one decoder.

    Args:
        checkpoint: the model.
        text_encoder: folder of the sentence encoder; None: the installed one.
        mutate: draws the mutated captions.
        threads: that share a step of the decoder.

    Raises NotFoundError or UnavailableError when a part is missing, InvalidInputError when a file is broken.
    """
    from motet.model.decoder import Decoder
    from motet.model.text import TextEncoder

    text = TextEncoder.load(text_encoder)
    return Searcher(
        Decoder(checkpoint, text, threads=threads),
        Composite.default(lambda captions: text.pooled(captions).numpy()),
        vocabulary=checkpoint.tokenizer,
        mutate=mutate,
        tuning=tuning_of(checkpoint),
    )


def searcher_from(folder: Path | str | None = None, text_encoder: Path | None = None) -> Searcher:
    """A searcher on a checkpoint folder (None: the shipped default); see ``searcher_on``."""
    from motet.model.checkpoint import Checkpoint

    return searcher_on(Checkpoint.load(folder), text_encoder)


def tuning_of(checkpoint: Checkpoint) -> Tuning | None:
    """What a pilot has measured for a checkpoint, from the file ``search.json`` beside its weights; None without one.

    Raises InvalidInputError for a broken file, or one that was measured for other weights.
    """
    path = checkpoint.folder / tuning.FILE
    if not path.exists():
        return None
    found = tuning.Tuning.load(path)
    if found.version != checkpoint.version:
        rule = f"must be measured for {checkpoint.name}@{checkpoint.version}: `motet search pilot` does"
        raise InvalidInputError.of("tuning", rule, found.model)
    return found
