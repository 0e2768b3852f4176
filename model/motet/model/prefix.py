"""Prefixes: the tokens that a row starts from when there is seed music, and the way back to one score."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from motet.model.controls import Controls
from motet.model.grammar import State
from motet.model.header import Header
from motet.model.seed import Seed
from motet.model.text2midi.vocabulary import Vocabulary
from motet.model.tokenizer import GIVEN, WRITE, Tokenizer, merged, snapped
from motet.music.error import InvalidInputError
from motet.music.score import Score

_SHARE = 0.6
"""Part of a row's tokens that seed music may take."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prefix:
    """What a row begins with.

    Args:
        seed: the music, or None: the row begins empty.
        tokens: header and seed music, without begin.
        header: how many of them are the header.
        first_bar: bars of the seed before those that the tokens hold; a model hears as much as fits.
    """

    seed: Seed | None = None
    tokens: NDArray[np.int32]
    header: int = 0
    first_bar: int = 0

    @classmethod
    def of(cls, controls: Controls, tokenizer: Tokenizer | Vocabulary, capacity: int) -> Prefix:
        """The prefix that ``controls`` ask for, of at most six tenths of ``capacity`` tokens.

        Raises InvalidInputError when the music cannot be written, leaves nothing to write or does not fit.
        """
        seed = controls.seed
        if seed is None:
            return cls(tokens=np.zeros(0, np.int32))
        meter = seed.score.meters[0]
        if not (seed.continues or tokenizer.fills):
            raise InvalidInputError.of("seed", "can only be continued by this model, not filled", seed.bars)
        if not tokenizer.supports(meter):
            raise InvalidInputError.of("seed", "must have a time signature of the vocabulary", str(meter))
        if seed.continues and controls.bars <= seed.length_bars:
            raise InvalidInputError.of("bars", f"must exceed the {seed.length_bars} bars of the seed", controls.bars)
        music = snapped(
            replace(
                seed.score if seed.continues else seed.kept,
                tempo_tick=np.zeros(1, np.int64),
                tempo_bpm=seed.score.tempo_bpm[:1],
                track_names=(),
            )
        )
        written = np.flatnonzero(seed.open(seed.length_bars).any(axis=1))
        hole = (int(written[0]), int(written[-1]) + 1) if len(written) else (seed.length_bars, seed.length_bars)
        header = _header(controls, seed)
        cells = seed.open(max(controls.bars, seed.length_bars)).any(axis=0)
        if not any(
            cells[player] for player in header.players if controls.allowed is None or player in controls.allowed
        ):
            raise InvalidInputError.of("allowed", "must leave somebody to write for in the seed", controls.allowed)
        begins = tokenizer.encode_header(header)
        around = ([], []) if seed.continues else ([tokenizer.token(GIVEN)], [tokenizer.token(WRITE)])
        first, end = 0, seed.length_bars
        while True:
            heard = music.between(first * seed.bar_ticks, end * seed.bar_ticks)
            bars = tokenizer.encode_bars(heard, header) if len(heard) else []
            ids = [*begins, *around[0], *bars, *around[1]]
            if len(ids) <= _SHARE * capacity:
                return cls(seed=seed, tokens=np.array(ids, np.int32), header=len(begins), first_bar=first)
            # What lies farther from the hole goes first.
            if hole[0] - first >= end - hole[1] and first < hole[0] - seed.continues:
                first += 1
            elif end > hole[1]:
                end -= 1
            else:
                raise InvalidInputError.of(
                    "seed", f"must fit {int(_SHARE * capacity)} tokens; give fewer bars to fill", len(ids)
                )

    @property
    def fills(self) -> bool:
        """Whether the sampled bars stand beside the given ones instead of after them."""
        return self.seed is not None and not self.seed.continues

    @property
    def state(self) -> State:
        """Where the grammar stands when the first token is sampled."""
        if self.seed is None:
            return State.BEGIN
        return State.NOTE if self.seed.continues else State.WRITE

    def joined(self, written: Score) -> Score:
        """The seed's kept notes, untouched, and what was written: tempi and meter are the seed's.

        Args:
            written: the sampled bars alone, from tick 0.
        """
        assert self.seed is not None
        seed = self.seed
        kept = seed.score if seed.continues else seed.kept
        start = (seed.length_bars if seed.continues else self.first_bar) * seed.bar_ticks
        scale = seed.score.ppq / written.ppq
        return merged(
            kept,
            replace(
                written,
                onset=np.rint(written.onset * scale).astype(np.int64) + start,
                duration=np.maximum(np.rint(written.duration * scale), 1).astype(np.int64),
            ),
        )


def _header(controls: Controls, seed: Seed) -> Header:
    """Key and players of the seed, unless others are asked for."""
    header = Header.of(seed.score, controls.key, controls.genres)
    return replace(header, players=tuple(sorted({*header.players, *seed.players, *controls.required})))
