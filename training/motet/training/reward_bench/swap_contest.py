"""Contests of captions: the same music under a true caption and under captions that say something false of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from motet.music import describe
from motet.music.attributes import Attributes
from motet.music.caption import parse
from motet.training.reward_bench.contest import Contest, Entry, every_pair
from motet.training.reward_bench.material import Piece, others
from motet.training.swap import SWAPS, swaps

TASK: Final = "attribute swaps"
LADDER_TASK: Final = "false attributes"

NEAR: Final = ("instruments near", "tempo near", "key by a fifth", "relative key")

_STEPS: Final = ("instruments far", "drums", "tempo far", "key far", "meter")
"""What the rungs of a ladder make false, in an order that is drawn anew for each piece."""


def contests(music: Sequence[Piece], seed: int) -> list[Contest]:
    """For every piece and every swap that it allows, the true caption against the false one."""
    stand_in = others(len(music), seed)
    found = []
    for name in SWAPS:
        for swap in swaps([piece.known for piece in music], name, seed):
            piece, stranger = music[swap.row], music[stand_in[swap.row]]
            captions = [parse(swap.true.text), parse(swap.false.text)]
            found.append(
                Contest(
                    column="alignment",
                    task=TASK,
                    kind=name,
                    song=piece.song,
                    entries=tuple(Entry(piece.score, caption) for caption in captions),
                    levels=(1.0, 0.0),
                    votes=every_pair((1.0, 0.0)),
                    controls=tuple(Entry(stranger.score, caption) for caption in captions),
                    family="near" if name in NEAR else "far",
                )
            )
    return found


def ladders(music: Sequence[Piece], seed: int) -> list[Contest]:
    """For every piece a sentence that says all that is true of it, and the same with ever more of it made false."""
    known = [replace(piece.known, bars=None, duration_s=None) for piece in music]
    found = []
    for row, piece in enumerate(music):
        rng = np.random.default_rng([seed, row])
        rungs: list[Attributes] = [known[row]]
        for step in rng.permutation(len(_STEPS)):
            wrong = SWAPS[_STEPS[step]](rungs[-1], known, rng)
            if len(wrong):
                rungs.append(wrong[0])
        captions = [parse(describe.sentence(rung)) for rung in rungs]
        levels = tuple(-float(false) for false in range(len(rungs)))
        if len(rungs) > 2:
            found.append(
                Contest(
                    column="alignment",
                    task=LADDER_TASK,
                    kind="all",
                    song=piece.song,
                    entries=tuple(Entry(piece.score, caption) for caption in captions),
                    levels=levels,
                    votes=every_pair(levels),
                )
            )
    return found
