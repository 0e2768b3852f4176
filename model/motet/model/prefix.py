"""Prefixes: the tokens that a row starts from when there is seed music, and the way back to one score."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from motet.model.controls import Controls
from motet.model.grammar import State
from motet.model.header import Header
from motet.model.seed import Seed
from motet.model.text2midi.vocabulary import Vocabulary
from motet.model.tokenizer import GIVEN, WRITE, Tokenizer, snapped
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
        bars: of the whole piece, with the seed's; written notes end with them.
    """

    seed: Seed | None = None
    tokens: NDArray[np.int32]
    header: int = 0
    first_bar: int = 0
    bars: int = 0

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
        cells = np.asarray(seed.open(max(controls.bars, seed.length_bars)).any(axis=0))
        if not any(
            cells[player] for player in header.players if controls.allowed is None or player in controls.allowed
        ):
            raise InvalidInputError.of("allowed", "must leave somebody to write for in the seed", controls.allowed)
        begins = tokenizer.encode_header(header)
        around = ([], []) if seed.continues else ([tokenizer.token(GIVEN)], [tokenizer.token(WRITE)])
        room = int(_SHARE * capacity)

        def ids(first: int, end: int) -> list[int]:
            heard = music.between(first * seed.bar_ticks, end * seed.bar_ticks)
            bars = tokenizer.encode_bars(heard, header) if len(heard) else []
            return [*begins, *around[0], *bars, *around[1]]

        windows = _windows(hole, seed.length_bars, least=int(seed.continues))
        if len(ids(*windows[0])) > room:
            rule = f"must fit {room} tokens; give fewer bars to fill"
            raise InvalidInputError.of("seed", rule, len(ids(*windows[0])))
        # Upwards in steps that double, then between the last two: a long piece is never written whole.
        reach = 1
        while reach < len(windows) and len(ids(*windows[reach])) <= room:
            reach *= 2
        above = bisect_left(
            range(len(windows)),
            True,
            lo=reach // 2,
            hi=min(reach, len(windows)),
            key=lambda index: len(ids(*windows[index])) > room,
        )
        first, end = windows[above - 1]
        return cls(
            seed=seed,
            tokens=np.array(ids(first, end), np.int32),
            header=len(begins),
            first_bar=first,
            bars=controls.bars if seed.continues else seed.length_bars,
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
        """The seed's kept notes, untouched, and what was written: tempi, meter and tracks are the seed's.

        A program that the seed does not play gets a track of its own. A written note that strikes a pitch anew while
        it is held by a kept note of its track is left out: a MIDI file would end the kept one there.

        Args:
            written: the sampled bars alone, from tick 0.
        """
        assert self.seed is not None  # noqa: S101 (only rows with a seed have something to join)
        seed = self.seed
        kept = seed.score if seed.continues else seed.kept
        start = (seed.length_bars if seed.continues else self.first_bar) * seed.bar_ticks
        scale = seed.score.ppq / written.ppq
        programs, first_notes = np.unique(seed.score.program, return_index=True)
        tracks = dict(zip(programs.tolist(), seed.score.track[first_notes].tolist(), strict=True))
        strangers = np.setdiff1d(written.program, programs).tolist()
        tracks |= {program: int(seed.score.track.max()) + 1 + index for index, program in enumerate(strangers)}
        onset = np.rint(written.onset * scale).astype(np.int64) + start
        left = np.maximum(self.bars * seed.bar_ticks - onset, 1)
        added = replace(
            written,
            onset=onset,
            duration=np.clip(np.rint(written.duration * scale), 1, left).astype(np.int64),
            track=np.array([tracks[program] for program in written.program.tolist()], np.int16),
        )
        return kept.plus(added.select(~_struck_anew(kept, added)))


def _struck_anew(kept: Score, added: Score) -> NDArray[np.bool_]:
    """[N] whether a kept note of the same track and pitch sounds where each added one begins."""
    if not len(kept):
        return np.zeros(len(added), np.bool_)

    def places(score: Score) -> NDArray[np.int64]:
        return (score.track.astype(np.int64) * 128 + score.pitch << 32) + score.onset

    order = np.argsort(places(kept), kind="stable")
    before = order[np.maximum(np.searchsorted(places(kept)[order], places(added), side="right") - 1, 0)]
    same = (kept.track[before] == added.track) & (kept.pitch[before] == added.pitch)
    sounds = (kept.onset[before] <= added.onset) & (kept.onset[before] + kept.duration[before] > added.onset)
    return np.asarray(same & sounds)


def _windows(hole: tuple[int, int], bars: int, least: int) -> list[tuple[int, int]]:
    """Stretches [first, end) of bars around a hole, the longest last: what lies farther from the hole goes first.

    Args:
        hole: bars [first, end) that are always among them.
        bars: of the whole piece.
        least: bars before the hole that are always among them too.
    """
    first, end = 0, bars
    windows = [(first, end)]
    while True:
        if hole[0] - first >= end - hole[1] and first < hole[0] - least:
            first += 1
        elif end > hole[1]:
            end -= 1
        else:
            return windows[::-1]
        windows.append((first, end))


def _header(controls: Controls, seed: Seed) -> Header:
    """Key and players of the seed, unless others are asked for."""
    header = Header.of(seed.score, controls.key, controls.genres)
    return replace(header, players=tuple(sorted({*header.players, *seed.players, *controls.required})))
