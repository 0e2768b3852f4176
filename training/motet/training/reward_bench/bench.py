"""The bench: contests of some tasks, judged by rewards, by a judge that search never sees, and by controls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.model.checkpoint import Checkpoint
from motet.music.caption import Caption
from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.rewards.composite import DEFAULT_WEIGHTS
from motet.training.reward_bench import (
    audience,
    ballot,
    corruption_contest,
    degenerate_contest,
    material,
    swap_contest,
)
from motet.training.reward_bench.contest import COLUMNS, Column, Contest, Entry, all_entries, every_pair
from motet.training.reward_bench.material import Piece
from motet.training.reward_bench.outcome import Outcome, outcome
from motet.training.reward_bench.scorebook import JUDGES, Book, Source, blend, fill

TOTAL: Final = "total"
"""The weighted mean of the built-in rewards by the weights that a search has by default."""

RANDOM: Final = "random"
LENGTH: Final = "length"
CEILING: Final = "liking itself"
"""What an oracle who knows a simulated listener's liking would reach."""


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """What is asked.

    Args:
        pieces: human windows for swaps and corruptions, at least 2.
        heard: of these, captions for simulated listeners; 0 for none.
        samples: of the model for each of them, at least 1.
        kinds: of corruption for each window.
        seed: of everything.
    """

    pieces: int = 200
    heard: int = 100
    samples: int = 2
    kinds: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("pieces", 2), ("heard", 0), ("samples", 1), ("kinds", 1)):
            if getattr(self, name) < least:
                raise InvalidInputError.of(f"bench.{name}", f"must be at least {least}", getattr(self, name))


JUDGE_TASK: Final = "the judge's order"

Outcomes = Mapping[Column, Mapping[str, Mapping[str, Outcome]]]
"""Column -> task -> reward -> figures."""


def gather(
    corpus: Path, split: str, checkpoint: Callable[[], Checkpoint], config: BenchConfig, folder: Path | None
) -> list[Contest]:
    """The contests of captions, corruptions, degenerate pieces and simulated listeners on a split of a corpus.

    Args:
        corpus: folder.
        split: its name; neither rewards nor judge may have learned from it.
        checkpoint: gives the model that samples, if samples are missing.
        config: what is asked.
        folder: keeps samples; None keeps nothing.
    """
    music = material.pieces(corpus, split, config.pieces)
    ladders = corruption_contest.contests(music, config.kinds, config.seed)
    found = [
        *swap_contest.contests(music, config.seed),
        *swap_contest.ladders(music, config.seed),
        *ladders,
        *degenerate_contest.contests(music, config.seed),
    ]
    if config.heard > 1:
        heard = music[: config.heard]
        drawn = material.samples(checkpoint(), heard, config.samples, seed=config.seed, folder=folder)
        found += _listened(music, heard, drawn, ladders, config.seed)
    return found


def _listened(
    music: Sequence[Piece],
    heard: Sequence[Piece],
    drawn: Sequence[Sequence[Score]],
    ladders: Sequence[Contest],
    seed: int,
) -> list[Contest]:
    fitting = audience.for_alignment(heard, drawn, seed)
    sounding = audience.for_musicality(heard, drawn, corruption_contest.damaged(heard, ladders, seed))
    return [
        *audience.contests("alignment", heard, fitting, audience.alignment_features(heard, fitting), seed),
        *audience.contests("musicality", heard, sounding, audience.musicality_features(sounding, music), seed),
    ]


def controls(seed: int) -> list[Source]:
    """A coin for every entry; and length: more notes, or of captions the longer one."""

    def coin(scores: Sequence[Score], caption: Caption) -> list[float | None]:
        keys = [Entry(score, caption).key for score in scores]
        return [float(np.random.default_rng([seed, int(key, 16)]).random()) for key in keys]

    def length(scores: Sequence[Score], caption: Caption) -> list[float | None]:
        return [float(len(score) + len(caption.text)) for score in scores]

    return [Source(name=RANDOM, version=str(seed), score=coin), Source(name=LENGTH, version="1", score=length)]


def scored(contests: Sequence[Contest], sources: Sequence[Source], seed: int, folder: Path | None) -> Book:
    """What sources and controls say of all entries of the contests; progress to stderr."""
    groups: dict[tuple[Column, ...], list[Source]] = {}
    for source in (*sources, *controls(seed)):
        groups.setdefault(source.columns, []).append(source)

    def progress(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    book: dict[str, dict[str, float]] = {}
    for columns, group in groups.items():
        entries = all_entries(contest for contest in contests if contest.column in columns)
        book |= fill(group, entries, folder, progress)
        sys.stderr.write("\n")
    return book


def second_opinions(contests: Sequence[Contest], book: Book) -> list[Contest]:
    """What simulated listeners hear, in the order in which the judge puts it; none without the judge's numbers."""
    found: dict[tuple[str, ...], Contest] = {}
    for contest in contests:
        if contest.task == audience.TASK and JUDGES[contest.column] in book:
            levels = tuple(book[JUDGES[contest.column]][entry.key] for entry in contest.entries)
            found[contest.column, *(entry.key for entry in contest.entries)] = replace(
                contest, task=JUDGE_TASK, kind="all", levels=levels, votes=every_pair(levels)
            )
    return list(found.values())


def outcomes(contests: Sequence[Contest], sources: Sequence[Source], book: Book, seed: int) -> Outcomes:
    """The figures of every source, of the total where its rewards are among them, of the controls and the ceiling."""
    book = dict(book)
    if all(name in book for name in DEFAULT_WEIGHTS):
        keys = list(book[RANDOM])
        book[TOTAL] = dict(zip(keys, blend(book, DEFAULT_WEIGHTS, keys).tolist(), strict=True))
    columns = {source.name: source.columns for source in sources}
    found: dict[Column, dict[str, dict[str, Outcome]]] = {}
    for column in COLUMNS:
        tasks = dict.fromkeys(contest.task for contest in contests if contest.column == column)
        for task in tasks:
            chosen = [contest for contest in contests if (contest.column, contest.task) == (column, task)]
            names = [name for name in _ordered(book, columns) if column in columns.get(name, COLUMNS)]
            if task == JUDGE_TASK:
                names.remove(JUDGES[column])
            own = [[one.key for one in each.entries] for each in chosen]
            other = [[one.key for one in each.controls] for each in chosen]
            rows: dict[str, Outcome | None] = {
                name: outcome(
                    chosen,
                    [_values(book, name, keys) for keys in own],
                    [_values(book, name, keys) for keys in other],
                    seed,
                )
                for name in names
            }
            if task == audience.TASK:
                levels = [np.array(contest.levels) for contest in chosen]
                rows[CEILING] = outcome(chosen, levels, [np.zeros(0)] * len(chosen), seed)
            found.setdefault(column, {})[task] = {name: row for name, row in rows.items() if row is not None}
    return found


def _ordered(book: Book, columns: Mapping[str, object]) -> list[str]:
    return [name for name in (*columns, TOTAL, RANDOM, LENGTH) if name in book]


def _values(book: Book, name: str, keys: Sequence[str]) -> NDArray[np.float64]:
    return np.array([book[name][key] for key in keys], np.float64)


def with_votes(contests: Sequence[Contest], votes: Path | None) -> list[Contest]:
    """The contests, and those of a file of votes if there is one."""
    return [*contests, *(ballot.contests(votes) if votes is not None else [])]
