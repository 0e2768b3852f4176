"""Contests of damage: human windows against copies that are spoiled by degrees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from motet.music.score import Score
from motet.training.corruption import CORRUPTIONS, change, corrupt
from motet.training.judge.data import UNSEEN
from motet.training.reward_bench.contest import Contest, Entry, Vote
from motet.training.reward_bench.material import Piece, others

TASK: Final = "corruptions"
SEVERITIES: Final = (0.25, 0.5, 1.0)
SEEN_KINDS: Final = "that the judge learned from"
UNSEEN_KINDS: Final = "that the judge never met"


def contests(music: Sequence[Piece], kinds: int, seed: int) -> list[Contest]:
    """For every piece and some ``kinds`` of corruption, in turn from all, the window against its spoiled copies.

    Only what differs from the window counts; what cannot be spoiled in one way is left out.
    """
    stand_in = others(len(music), seed)
    names = list(CORRUPTIONS)
    found = []
    for row, piece in enumerate(music):
        for turn in range(kinds):
            place = (row * kinds + turn) % len(names)
            spoiled = {
                severity: corrupt(
                    piece.score,
                    names[place],
                    severity,
                    np.random.default_rng([seed, row, place]),
                    other=music[stand_in[row]].score,
                )
                for severity in SEVERITIES
            }
            ladder = [
                (0.0, piece.score),
                *((severity, one) for severity, one in spoiled.items() if change(piece.score, one)),
            ]
            if len(ladder) > 1:
                found.append(
                    Contest(
                        column="musicality",
                        task=TASK,
                        kind=names[place],
                        song=piece.song,
                        entries=tuple(Entry(score, piece.caption) for _, score in ladder),
                        levels=tuple(-severity for severity, _ in ladder),
                        votes=tuple(Vote(0, rung, 1.0) for rung in range(1, len(ladder))),
                        family=UNSEEN_KINDS if names[place] in UNSEEN else SEEN_KINDS,
                    )
                )
    return found


def damaged(music: Sequence[Piece], ladders: Sequence[Contest], seed: int) -> list[list[tuple[float, Score]]]:
    """For each piece a slightly and a badly spoiled copy, each of another kind where there are two: (severity, score).

    Args:
        music: the pieces.
        ladders: from ``contests``, whose copies are taken, so that nothing else has to be judged.
        seed: of the choice.
    """
    by_window: dict[int, list[Contest]] = {}
    for ladder in ladders:
        by_window.setdefault(id(ladder.entries[0].score), []).append(ladder)
    found = []
    for row, piece in enumerate(music):
        own = by_window.get(id(piece.score), [])
        order = np.random.default_rng([seed, row]).permutation(len(own))
        chosen = [(own[place], rung) for place, rung in zip(order, (1, -1), strict=False)]
        found.append([(-ladder.levels[rung], ladder.entries[rung].score) for ladder, rung in chosen])
    return found
