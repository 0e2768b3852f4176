"""Runs one search: caption in, ranked pieces out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from motet.music.caption import Caption
from motet.music.score import Score
from motet.rewards.composite import Composite, Weights
from motet.search import strategy as strategies
from motet.search.budget import Budget, Clock, StopReason
from motet.search.contract import OnProgress, Reward, Sampler
from motet.search.exploration import Exploration, Judged
from motet.search.mutation import mutate
from motet.search.request import MAX_SEED, SearchRequest
from motet.search.result import Candidate, Progress, SearchResult

# The model brings PyTorch, which takes seconds to import: only where it is used, so that a server can answer before.
if TYPE_CHECKING:
    from motet.model.checkpoint import Checkpoint
    from motet.model.decoder import Prompt

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
        clock: seconds, monotonic; only deadlines and reported times depend on it.
    """

    def __init__(self, decoder: Sampler, reward: Reward, *, clock: Clock = time.monotonic) -> None:
        self._decoder = decoder
        self._reward = reward
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
        """
        budget = Budget(request.deadline_s, cancelled, clock=self._clock)
        strategy = strategies.load(request.strategy)
        seed = secrets.randbelow(MAX_SEED + 1) if request.seed is None else request.seed
        caption = request.parsed()
        bars = request.length_bars()
        captions = (caption, *mutate(caption, min(request.mutations, request.candidates // 2), seed=seed))
        arms = strategy.arms(request, len(captions) - 1)
        captions = captions[: max(arms) + 1]
        rows = self._decoder.open(
            [_prompt(captions[arm], request, bars) for arm in arms],
            seed=seed,
        )
        exploration = Exploration(
            rows=rows,
            arms=arms,
            reward=self._reward,
            caption=caption,
            weights=request.weights,
            bars=bars,
            budget=budget,
            on_progress=on_progress,
            term_names=[item.name for item in fields(Weights)],
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
                arm_caption=captions[piece.arm].text,
                seed=seed,
                stream=piece.stream,
                tokens=piece.tokens,
                log_probability=piece.log_probability,
                bars=piece.bars,
                finished=piece.finished,
            )

        distinct = without_copies(pieces)[: request.results]
        return SearchResult(
            candidates=tuple(candidate(piece, rank) for rank, piece in enumerate(distinct, start=1)),
            plain=candidate(plain, ranks[plain.node]),
            tree=exploration.tree.snapshot(),
            seed=seed,
            bars=bars,
            request=request,
            arms=tuple(text.text for text in captions),
            tokens=exploration.tokens,
            elapsed_s=budget.elapsed_s,
            stop_reason=exploration.stop_reason,
        )


def _prompt(caption: Caption, request: SearchRequest, bars: int) -> Prompt:
    """What a row is conditioned on: the words of its caption, and what they ask for as hard constraints."""
    from motet.model.controls import Controls
    from motet.model.decoder import Prompt

    controls = Controls.of(caption.attributes, bars=bars, temperature=request.temperature, top_p=request.top_p)
    return Prompt(caption.text, controls)


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
    return Searcher(Decoder(checkpoint, text), reward)


def searcher_from(folder: Path | str | None = None, text_encoder: Path | None = None) -> Searcher:
    """A searcher on a checkpoint folder (None: the shipped default); see ``searcher_on``."""
    from motet.model.checkpoint import Checkpoint

    return searcher_on(Checkpoint.load(folder), text_encoder)
