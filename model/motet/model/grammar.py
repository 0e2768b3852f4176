"""The grammar of REMI as a state machine over learned tokens: which token may come next.

A sequence begins ``begin Bar TimeSig Position_0 Tempo``; then come notes, positions and bars (``Bar TimeSig``) until
``end``. A note is ``Program Pitch Velocity Duration`` or, for drums, ``Program PitchDrum Velocity``; a position needs a
note. Beyond that order: positions rise inside a bar and stay below its length, the meter is kept, and the end comes
only after the asked number of bars. A learned token is a run of these base tokens, allowed when the whole run is.
"""

from __future__ import annotations

from enum import IntEnum
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.model.tokenizer import METERS, Tokenizer
from motet.music.attributes import Attributes
from motet.music.meter import Meter
from motet.music.score import DRUMS
from motet.music.tempo import TEMPO_WORDS

POSITIONS_PER_BEAT: Final = 12  # of the meter's denominator, as miditok counts


class State(IntEnum):
    """What the last base token was, as far as it decides what may follow."""

    BEGIN = 0
    FIRST_BAR = 1
    FIRST_METER = 2
    FIRST_POSITION = 3
    TEMPO = 4
    BAR = 5
    METER = 6
    POSITION = 7
    PROGRAM = 8
    DRUM_PROGRAM = 9
    PITCH = 10
    DRUM_PITCH = 11
    VELOCITY = 12
    NOTE = 13
    END = 14


COMPLETE: Final = (State.TEMPO, State.METER, State.NOTE)
"""States in which a sequence may stop and still be a valid file."""

_FOLLOWERS: Final[dict[State, dict[str, State]]] = {
    State.BEGIN: {"Bar": State.FIRST_BAR},
    State.FIRST_BAR: {"TimeSig": State.FIRST_METER},
    State.FIRST_METER: {"Position": State.FIRST_POSITION},
    State.FIRST_POSITION: {"Tempo": State.TEMPO},
    State.TEMPO: {"Program": State.PROGRAM, "Position": State.POSITION, "Bar": State.BAR, "EOS": State.END},
    State.BAR: {"TimeSig": State.METER},
    State.METER: {"Position": State.POSITION, "Bar": State.BAR, "EOS": State.END},
    State.POSITION: {"Program": State.PROGRAM},
    State.PROGRAM: {"Pitch": State.PITCH},
    State.DRUM_PROGRAM: {"PitchDrum": State.DRUM_PITCH},
    State.PITCH: {"Velocity": State.VELOCITY},
    State.DRUM_PITCH: {"Velocity": State.NOTE},
    State.VELOCITY: {"Duration": State.NOTE},
    State.NOTE: {"Program": State.PROGRAM, "Position": State.POSITION, "Bar": State.BAR, "EOS": State.END},
    State.END: {},
}


def _advance(state: State, name: str) -> State | None:
    """The state after one base token, or None where the token is not allowed."""
    kind, _, value = name.partition("_")
    if state is State.FIRST_METER and value != "0":  # the tempo holds from the first tick
        return None
    after = _FOLLOWERS[state].get(kind)
    return State.DRUM_PROGRAM if after is State.PROGRAM and value == "-1" else after


class Grammar:
    """Tables over the vocabulary, built once per tokenizer.

    ``V`` tokens; ``next_state`` [states, V] is -1 where a token breaks the order, ``programs`` [V, 129] says which
    programs a token names (drums last).
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        size = len(tokenizer)
        self.meters = tuple(Meter(beats, bottom) for bottom, all_beats in METERS.items() for beats in all_beats)
        self.end_id = tokenizer.end_id
        self.next_state: NDArray[np.int8] = np.full((len(State), size), -1, np.int8)
        self.starts_bar: NDArray[np.bool_] = np.zeros(size, np.bool_)
        self.first_position: NDArray[np.int32] = np.full(size, np.iinfo(np.int32).max, np.int32)
        self.last_position: NDArray[np.int32] = np.full(size, -1, np.int32)
        self.meter: NDArray[np.int16] = np.full(size, -1, np.int16)
        self.tempo_bpm: NDArray[np.float64] = np.full(size, np.nan)
        self.programs: NDArray[np.bool_] = np.zeros((size, 129), np.bool_)
        meter_index = {str(meter): index for index, meter in enumerate(self.meters)}
        for token in range(size):
            names = tokenizer.expansion(token)
            if not names:
                continue
            positions = [int(name.partition("_")[2]) for name in names if name.startswith("Position_")]
            if any(later <= earlier for earlier, later in pairwise(positions)):
                continue
            if positions:
                self.first_position[token], self.last_position[token] = positions[0], positions[-1]
            for name in names:
                kind, _, value = name.partition("_")
                if kind == "Bar":
                    self.starts_bar[token] = True
                elif kind == "TimeSig":
                    self.meter[token] = meter_index[value]
                elif kind == "Tempo":
                    self.tempo_bpm[token] = float(value)
                elif kind == "Program":
                    self.programs[token, int(value)] = True  # -1, drums, is the last column
            for state in State:
                after: State | None = state
                for name in names:
                    after = _advance(after, name) if after is not None else None
                self.next_state[state, token] = -1 if after is None else after
        self.silent: NDArray[np.bool_] = np.logical_not(self.programs.any(axis=1))  # tokens that begin no note
        self.bar_positions: NDArray[np.int32] = np.array(
            [meter.numerator * POSITIONS_PER_BEAT for meter in self.meters], np.int32
        )

    def compliant(self, attributes: Attributes) -> NDArray[np.bool_]:
        """Mask [V] of tokens that do not go against what is asked for.

        - tempo: the token nearest to ``tempo_bpm``, else those in the range of ``tempo_word``.
        - meter: the one asked for, unless the vocabulary cannot write it.
        - instruments: nobody but the ``line_up``, where there is one.
        """
        mask = np.ones(len(self.meter), np.bool_)
        tempos = np.unique(self.tempo_bpm[~np.isnan(self.tempo_bpm)])
        if attributes.tempo_bpm is not None:
            wanted = tempos[[np.argmin(np.abs(np.log(tempos / attributes.tempo_bpm)))]]
        elif attributes.tempo_word is not None:
            low, high = TEMPO_WORDS[attributes.tempo_word]
            wanted = tempos[(tempos >= low) & (tempos <= high)]
        else:
            wanted = tempos
        if len(wanted):
            mask &= np.isnan(self.tempo_bpm) | np.isin(self.tempo_bpm, wanted)
        if attributes.meter is not None and attributes.meter.in_quarters in self.meters:
            mask &= (self.meter < 0) | (self.meter == self.meters.index(attributes.meter.in_quarters))
        line_up = self.line_up(attributes)
        if line_up is not None:
            mask &= ~self.programs[:, ~line_up].any(axis=1)
        elif attributes.drums is False:
            mask &= ~self.programs[:, DRUMS]
        return mask

    def line_up(self, attributes: Attributes) -> NDArray[np.bool_] | None:
        """The programs [129] that play, drums last; None where the caption leaves that open.

        A list of two or more instruments is the whole line-up, and so is a single one where drums are ruled out; drums
        join when they are asked for. A lone instrument otherwise leaves the rest of the band open.
        """
        if len(attributes.instruments) < 2 and not (attributes.instruments and attributes.drums is False):
            return None
        programs = np.zeros(129, np.bool_)
        programs[list(attributes.instruments)] = True
        programs[DRUMS] = bool(attributes.drums)
        return programs


class Parse:
    """Where each of ``B`` sampled rows stands in the grammar.

    Args:
        grammar: the tables.
        rows: B.
    """

    def __init__(self, grammar: Grammar, rows: int) -> None:
        self.grammar = grammar
        self.state: NDArray[np.int8] = np.full(rows, State.BEGIN, np.int8)
        self.position: NDArray[np.int32] = np.full(rows, -1, np.int32)
        self.meter: NDArray[np.int16] = np.full(rows, -1, np.int16)
        self.bars: NDArray[np.int32] = np.zeros(rows, np.int32)
        self.played: NDArray[np.bool_] = np.zeros((rows, 129), np.bool_)

    def select(self, parents: NDArray[np.intp]) -> None:
        """Row i takes over where row ``parents[i]`` stands."""
        for name in ("state", "position", "meter", "bars", "played"):
            setattr(self, name, getattr(self, name)[parents].copy())

    def allowed(self, may_end: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Mask [B, V] of tokens that may come next; ``may_end`` [B] says whether the end token is among them."""
        grammar = self.grammar
        mask = grammar.next_state[self.state] >= 0
        position = np.where(grammar.starts_bar, -1, self.position[:, None])
        mask &= grammar.first_position > position
        # A bar's length is known once its meter is: from the row, or from the token itself.
        meter = np.where(self.meter[:, None] >= 0, self.meter[:, None], grammar.meter)
        mask &= grammar.last_position < np.where(meter >= 0, grammar.bar_positions[meter], np.iinfo(np.int32).max)
        mask &= (grammar.meter < 0) | (grammar.meter == meter)
        mask[:, grammar.end_id] &= may_end
        return mask

    def entering(self, missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Mask [B, V] that leaves the next note to one of the ``missing`` programs [B, 129] of a row, if it has any."""
        grammar = self.grammar
        mask = np.ones((len(self.state), len(grammar.meter)), np.bool_)
        for row in np.flatnonzero(missing.any(axis=1)):
            mask[row] = grammar.silent | grammar.programs[:, missing[row]].any(axis=1)
        return mask

    def accept(self, rows: NDArray[np.intp], tokens: NDArray[np.int64]) -> None:
        """Moves ``rows`` on by one allowed token each."""
        grammar = self.grammar
        self.state[rows] = grammar.next_state[self.state[rows], tokens]
        starts = grammar.starts_bar[tokens]
        self.bars[rows] += starts
        last = grammar.last_position[tokens]
        self.position[rows] = np.where(last >= 0, last, np.where(starts, -1, self.position[rows]))
        meter = grammar.meter[tokens]
        self.meter[rows] = np.where(meter >= 0, meter, self.meter[rows])
        self.played[rows] |= grammar.programs[tokens]
