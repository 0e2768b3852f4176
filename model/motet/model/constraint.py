"""Constraints: controls of several rows as masks over the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from motet.model.controls import Controls
from motet.model.grammar import Grammar, Parse, State
from motet.model.header import PLAYERS
from motet.model.sampling.kernels import await_players
from motet.model.seed import Seed
from motet.music.error import InvalidInputError
from motet.music.tempo import TEMPO_WORDS

REST_BARS = 2
"""Whole bars that a required player may rest, at the beginning and later on, before nobody else plays on without."""

_PER_ROW = ("_left", "_required", "_allowed", "_genres", "_scale", "_key", "bars", "_filled", "_settled")

_NOTELESS = (
    State.FIRST_BAR,
    State.FIRST_METER,
    State.FIRST_POSITION,
    State.TEMPO,
    State.BAR,
    State.METER,
    State.END,
)
"""States that a bar without notes goes through."""

_NOWHERE: NDArray[np.bool_] = np.zeros(0, np.bool_)
_NOBODY: NDArray[np.bool_] = np.zeros((0, PLAYERS), np.bool_)

_VOICES = np.roll(np.arange(PLAYERS), 1)
"""Players in the order of their notes at one position: drums first."""


class Constraints:
    """Which tokens the controls of ``B`` rows leave open; nothing here can leave a row without any token.

    Args:
        grammar: the tables.
        controls: of every row.
        first_bars: [B] bars of the seed that come before a row's first bar.
    """

    def __init__(self, grammar: Grammar, controls: Sequence[Controls], first_bars: Sequence[int]) -> None:
        rows = len(controls)
        self._grammar = grammar
        self._left = np.stack([_compliant(grammar, one) for one in controls])  # [B, V], wherever a row stands
        self._required: NDArray[np.bool_] = np.zeros((rows, PLAYERS), np.bool_)
        self._allowed: NDArray[np.bool_] = np.ones((rows, PLAYERS), np.bool_)
        self._genres: NDArray[np.bool_] = np.zeros((rows, len(grammar.genres)), np.bool_)
        self._scale = np.array([one.scale for one in controls])
        self._key = np.array([-1 if one.key is None else one.key.index for one in controls])
        if not grammar.headed and (self._scale & (self._key < 0)).any():
            raise InvalidInputError.of("scale", "needs a key with this model, which names none itself", None)
        self.bars: NDArray[np.int32] = np.zeros(rows, np.int32)  # at which a row is finished
        self._filled = np.array([one.seed is not None and not one.seed.continues for one in controls])
        self._open: list[NDArray[np.bool_]] = []  # [bars, P] who may be written where, of rows that are filled
        self._sounding: list[NDArray[np.bool_]] = []  # [bars] of a seed that lose notes, and so get others
        for row, (one, first) in enumerate(zip(controls, first_bars, strict=True)):
            self._required[row, list(one.required)] = True
            if one.allowed is not None:
                self._allowed[row] = False
                self._allowed[row, list(one.allowed)] = True
            self._genres[row, [grammar.genres.index(name) for name in one.genres if name in grammar.genres]] = True
            self.bars[row] = one.bars - first
            if one.seed is None or one.seed.continues:
                self._open.append(_NOBODY)
                self._sounding.append(_NOWHERE)
                continue
            cells = one.seed.open(one.seed.length_bars)[first:]
            self.bars[row] = np.flatnonzero(cells.any(axis=1))[-1] + 1
            self._required[row] &= cells.any(axis=0)
            self._open.append(cells)
            self._sounding.append(_losing(one.seed)[first:])
        self._settled: NDArray[np.bool_] = np.zeros(rows, np.bool_)  # rows whose header is complete

    def select(self, parents: NDArray[np.intp]) -> None:
        """Row i takes over the constraints of row ``parents[i]``; there may be more or fewer rows than before."""
        for name in _PER_ROW:
            setattr(self, name, getattr(self, name)[parents].copy())
        self._open = [self._open[parent] for parent in parents]
        self._sounding = [self._sounding[parent] for parent in parents]

    def replace(self, row: int, other: Constraints) -> None:
        """A row takes over the constraints of another's only row."""
        for name in _PER_ROW:
            getattr(self, name)[row] = getattr(other, name)[0]
        self._open[row], self._sounding[row] = other._open[0], other._sounding[0]

    @property
    def rest(self) -> NDArray[np.int32]:
        """[B] whole bars that a required player may rest."""
        return np.minimum(REST_BARS, self.bars - 1)

    def mask(self, rows: NDArray[np.intp], parse: Parse) -> NDArray[np.bool_]:
        """Mask [n, V] of tokens that every control leaves open to ``rows`` where they stand."""
        grammar = self._grammar
        headed = parse.in_header[rows]
        for row in rows[~headed & ~self._settled[rows]].tolist():
            self._settle(row, parse)
        mask = self._left[rows]
        bars = parse.bars[rows]
        here: NDArray[np.bool_] = np.ones((len(rows), PLAYERS), np.bool_)
        for line in np.flatnonzero(headed | self._filled[rows]).tolist():
            row = int(rows[line])
            if headed[line]:
                mask[line] &= self._header(row, parse)
            else:
                here[line] = self._cells(row, parse, mask[line])
        await_players(
            self._required[rows] & ~headed[:, None],
            parse.heard[rows],
            bars,
            self.bars[rows],
            self.rest[rows],
            here,
            _VOICES,
            grammar.programs,
            grammar.solo,
            grammar.silent,
            grammar.starts_bar,
            grammar.end_id,
            mask,
        )
        return mask

    def _cells(self, row: int, parse: Parse, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Restricts a row's mask to what the bars to be filled leave open; who may be written in the present one."""
        grammar, cells, bar = self._grammar, self._open[row], parse.bars[row]
        here, after = _cell(cells, bar - 1), _cell(cells, bar)
        mask &= np.where(grammar.starts_bar, grammar.played_by(after), grammar.played_by(here))
        # Where nobody may be written, no position may wait for a note.
        waits = ~np.isin(grammar.next_state[parse.state[row]], _NOTELESS)
        mask &= ~(waits & np.where(grammar.starts_bar, not after.any(), not here.any()))
        if parse.state[row] in (State.TEMPO, State.METER) and self._sounding[row][bar - 1]:
            mask &= ~grammar.starts_bar
            mask[grammar.end_id] = False
        return here

    def _settle(self, row: int, parse: Parse) -> None:
        """Once the header is complete, nobody else plays, and the scale of its key holds."""
        self._left[row] &= self._grammar.played_by(parse.players[row] & self._allowed[row])
        if self._scale[row]:
            key = parse.key[row] if self._grammar.headed else self._key[row]
            self._left[row] &= self._grammar.in_scale[key]
        self._settled[row] = True

    def _header(self, row: int, parse: Parse) -> NDArray[np.bool_]:
        """Genres and players ascend and pass over none that is required; music follows when all are there."""
        grammar = self._grammar
        genre_due, genre_mask = _ascending(grammar.genre, parse.genres[row], self._genres[row])
        player_due, player_mask = _ascending(grammar.player, parse.players[row], self._required[row])
        mask = genre_mask & player_mask
        mask &= (grammar.player < 0) | self._allowed[row][grammar.player]
        if genre_due:
            mask &= grammar.player < 0
        if player_due:
            mask &= ~grammar.starts_bar
        playable = grammar.played_by(parse.players[row])
        if self._scale[row] and parse.key[row] >= 0:
            playable &= grammar.in_scale[parse.key[row]]
        return mask & playable


def _ascending(
    stated: NDArray[np.int16], chosen: NDArray[np.bool_], required: NDArray[np.bool_]
) -> tuple[bool, NDArray[np.bool_]]:
    """Whether something required is still due, and the mask of tokens that come after all chosen and skip none due."""
    due = np.flatnonzero(required & ~chosen)
    last = np.flatnonzero(chosen)[-1] if chosen.any() else -1
    mask = stated > last
    if len(due):
        mask &= stated <= due[0]
    return len(due) > 0, (stated < 0) | mask


def still_open(controls: Controls, parse: Parse, row: int) -> Controls:
    """What controls can still ask of a row: its meter and the players of its header stand."""
    if parse.in_header[row]:
        return controls
    players = parse.players[row].copy()
    if controls.seed is not None and not controls.seed.continues:
        players &= controls.seed.open(controls.seed.length_bars).any(axis=0)
    allowed = (
        np.flatnonzero(players)
        if controls.allowed is None
        else np.intersect1d(np.flatnonzero(players), controls.allowed)
    )
    return replace(
        controls,
        meter=None if parse.meter[row] >= 0 else controls.meter,
        required=tuple(player for player in controls.required if player in allowed),
        allowed=tuple(allowed.tolist()) or None,
    )


def _losing(seed: Seed) -> NDArray[np.bool_]:
    """[bars] whether notes of the seed are written anew."""
    lost = seed.score.onset // seed.bar_ticks
    kept = seed.kept.onset // seed.bar_ticks
    return np.asarray(np.bincount(lost, minlength=seed.length_bars) > np.bincount(kept, minlength=seed.length_bars))


def _cell(cells: NDArray[np.bool_], bar: int) -> NDArray[np.bool_]:
    """Who may be written in a bar; nobody outside of the seed."""
    return cells[bar] if 0 <= bar < len(cells) else np.zeros(PLAYERS, np.bool_)


def _compliant(grammar: Grammar, controls: Controls) -> NDArray[np.bool_]:
    """Mask [V] of tokens that state no other tempo, meter or key than is asked for; seed music asks for its own."""
    if controls.seed is not None:
        score = controls.seed.score
        controls = replace(controls, tempo_bpm=float(np.clip(score.tempo_bpm[0], 10, 400)), meter=score.meters[0])
    mask = np.ones(len(grammar.meter), np.bool_)
    tempos = np.unique(grammar.tempo_bpm[~np.isnan(grammar.tempo_bpm)])
    if controls.tempo_bpm is not None:
        wanted = tempos[[np.argmin(np.abs(np.log(tempos / controls.tempo_bpm)))]]
    elif controls.tempo_word is not None:
        low, high = TEMPO_WORDS[controls.tempo_word]
        wanted = tempos[(tempos >= low) & (tempos <= high)]
    else:
        wanted = tempos
    if len(wanted):
        mask &= np.isnan(grammar.tempo_bpm) | np.isin(grammar.tempo_bpm, wanted)
    if controls.meter is not None and controls.meter.in_quarters in grammar.meters:
        mask &= (grammar.meter < 0) | (grammar.meter == grammar.meters.index(controls.meter.in_quarters))
    if controls.key is not None:
        mask &= (grammar.key < 0) | (grammar.key == controls.key.index)
    return mask
