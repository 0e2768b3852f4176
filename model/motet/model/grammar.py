"""The grammar of a sequence as a state machine over learned tokens: which token may come next.

A sequence begins with a header, ``begin Key Genre* Player+``, genres and players ascending. Music follows: ``Bar
TimeSig Position_0 Tempo``, then notes, positions and bars (``Bar TimeSig``) until ``end``. A note is ``Program Pitch
Velocity Duration`` or, for drums, ``Program PitchDrum Velocity``; a position needs a note. Beyond that order: positions
rise inside a bar and stay below its length, the meter is kept, only players play, and the end comes only after the
asked number of bars. Notes at one position ascend, drums first, then by program and pitch: none comes twice. A learned
token is a run of these base tokens, allowed when the whole run is.

A vocabulary without headers begins with the music: everybody may play, in any order, and pitches are as they sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.model.header import DRUM_PLAYER, PLAYERS
from motet.model.sampling.kernels import ascend, follow
from motet.model.text2midi.vocabulary import Vocabulary
from motet.model.tokenizer import Tokenizer
from motet.music.key import Key

POSITIONS_PER_BEAT: Final = 12  # of the meter's denominator, as miditok counts

SCALES: Final = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10, 11)}
"""Pitch classes of the scales, tonic 0; minor has the natural and the raised seventh."""

_COMMON: Final = frozenset(SCALES["major"]).intersection(SCALES["minor"])


class State(IntEnum):
    """What the last base token was, as far as it decides what may follow."""

    BEGIN = 0
    KEY = 1
    GENRE = 2
    PLAYER = 3
    WRITE = 4
    FIRST_BAR = 5
    FIRST_METER = 6
    FIRST_POSITION = 7
    TEMPO = 8
    BAR = 9
    METER = 10
    POSITION = 11
    PROGRAM = 12
    DRUM_PROGRAM = 13
    PITCH = 14
    DRUM_PITCH = 15
    VELOCITY = 16
    NOTE = 17
    END = 18


COMPLETE: Final = (State.TEMPO, State.METER, State.NOTE)
"""States in which a sequence may stop and still be a valid file."""

_FOLLOWERS: Final[dict[State, dict[str, State]]] = {
    State.BEGIN: {"Key": State.KEY},
    State.KEY: {"Genre": State.GENRE, "Player": State.PLAYER},
    State.GENRE: {"Genre": State.GENRE, "Player": State.PLAYER},
    State.PLAYER: {"Player": State.PLAYER, "Bar": State.FIRST_BAR},
    State.WRITE: {"Bar": State.FIRST_BAR},
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


def _followers(vocabulary: Tokenizer | Vocabulary) -> dict[State, dict[str, State]]:
    result = dict(_FOLLOWERS)
    if not vocabulary.headed:
        result[State.BEGIN] = {"Bar": State.FIRST_BAR}
    if vocabulary.timed_drums:
        result[State.DRUM_PITCH] = {"Velocity": State.VELOCITY}
    return result


def _advance(followers: dict[State, dict[str, State]], state: State, name: str) -> State | None:
    """The state after one base token, or None where the token is not allowed."""
    kind, _, value = name.partition("_")
    if state is State.FIRST_METER and value != "0":  # the tempo holds from the first tick
        return None
    after = followers[state].get(kind)
    return State.DRUM_PROGRAM if after is State.PROGRAM and value == "-1" else after


class Grammar:
    """Tables over the vocabulary, built once per tokenizer.

    ``V`` tokens, ``P`` players; ``next_state`` [states, V] is -1 where a token breaks the order, ``programs`` [V, P]
    says who plays in a token, ``key``, ``genre``, ``player`` and ``meter`` [V] are what a token states, or -1.
    """

    def __init__(self, tokenizer: Tokenizer | Vocabulary) -> None:
        size = len(tokenizer)
        followers = _followers(tokenizer)
        self.headed = tokenizer.headed
        self.meters = tokenizer.meters
        self.genres = tokenizer.genres
        self.end_id = tokenizer.end_id
        self.next_state: NDArray[np.int8] = np.full((len(State), size), -1, np.int8)
        self.starts_bar: NDArray[np.bool_] = np.zeros(size, np.bool_)
        self.first_position: NDArray[np.int32] = np.full(size, np.iinfo(np.int32).max, np.int32)
        self.last_position: NDArray[np.int32] = np.full(size, -1, np.int32)
        self.meter, self.key, self.genre, self.player = np.full((4, size), -1, np.int16)
        self.tempo_bpm: NDArray[np.float64] = np.full(size, np.nan)
        self.programs: NDArray[np.bool_] = np.zeros((size, PLAYERS), np.bool_)
        # Up to the first position or bar in a token: the pitch that it goes on with, the first voice that it names
        # (0 drums, else 1 + program) and that voice's first pitch; -1 where there is none.
        self.pitch_on, self.voice, self.voice_pitch = np.full((3, size), -1, np.int16)
        self.order: list[tuple[tuple[str, int], ...]] = []  # what a token does to the order of notes
        pitch_classes: NDArray[np.bool_] = np.zeros((size, 12), np.bool_)
        meter_index = {str(meter): index for index, meter in enumerate(self.meters)}
        for token in range(size):
            names = tokenizer.expansion(token)
            self.order.append(tuple(_orders(names)))
            self._lead(token)
            positions = [int(name.partition("_")[2]) for name in names if name.startswith("Position_")]
            if not names or any(later <= earlier for earlier, later in pairwise(positions)):
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
                    self.programs[token, DRUM_PLAYER if value == "-1" else int(value)] = True
                elif kind == "Pitch":
                    pitch_classes[token, int(value) % 12] = True
                elif kind == "Key":
                    self.key[token] = int(value)
                elif kind == "Genre":
                    self.genre[token] = self.genres.index(value)
                elif kind == "Player":
                    self.player[token] = int(value)
            for state in State:
                after: State | None = state
                for name in names:
                    after = _advance(followers, after, name) if after is not None else None
                self.next_state[state, token] = -1 if after is None else after
        self._parts = np.ascontiguousarray(self.programs.T, np.float32)  # for products
        # Above these no voice goes on, so that a note that is begun has a pitch left in every scale.
        self.top_drum = max(_pitches(tokenizer, "PitchDrum"))
        self.top_pitch = max(pitch for pitch in _pitches(tokenizer, "Pitch") if pitch % 12 in _COMMON)
        self.voice_top = np.where(self.voice == 0, self.top_drum, self.top_pitch).astype(np.int16)
        self.solo: NDArray[np.bool_] = np.asarray(self.programs.sum(axis=1) == 1)  # tokens in which one plays
        self.silent: NDArray[np.bool_] = np.logical_not(self.programs.any(axis=1))  # tokens that begin no note
        scales = [_scale(Key.from_index(index), relative=self.headed) for index in range(24)]
        self.in_scale: NDArray[np.bool_] = np.stack(  # [24, V] by ``Key.index``
            [~np.delete(pitch_classes, scale, axis=1).any(axis=1) for scale in scales]
        )
        self.bar_positions: NDArray[np.int32] = np.array(
            [meter.numerator * POSITIONS_PER_BEAT for meter in self.meters], np.int32
        )
        stated = self.meter >= 0
        self.bar_limit = np.where(stated, self.bar_positions[self.meter], np.iinfo(np.int32).max).astype(np.int32)

    def _lead(self, token: int) -> None:
        """Fills the tables that the order of notes is checked by."""
        for kind, value in self.order[token]:
            if kind == "voice" and self.voice[token] < 0:
                self.voice[token] = value
            elif kind == "pitch" and self.voice[token] < 0:
                self.pitch_on[token] = value
            elif kind == "pitch":
                self.voice_pitch[token] = value
            if kind == "anew" or self.voice_pitch[token] >= 0:
                return

    def played_by(self, players: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Mask [..., V] of tokens in which nobody but ``players`` [..., P] plays."""
        return np.asarray((~players).astype(np.float32) @ self._parts == 0)


def _orders(names: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Voices and pitches that base tokens name, and where their order begins anew."""
    for name in names:
        kind, _, value = name.partition("_")
        if kind in ("Bar", "Position"):
            yield "anew", 0
        elif kind == "Program":
            yield "voice", int(value) + 1
        elif kind in ("Pitch", "PitchDrum"):
            yield "pitch", int(value)


def _pitches(tokenizer: Tokenizer | Vocabulary, kind: str) -> list[int]:
    """Values of all single tokens of a kind."""
    singles = (tokenizer.expansion(token) for token in range(len(tokenizer)))
    return [int(names[0].partition("_")[2]) for names in singles if len(names) == 1 and names[0].startswith(f"{kind}_")]


def _scale(key: Key, *, relative: bool) -> list[int]:
    """The pitch classes of a key's scale, counted from its tonic if ``relative``."""
    tonic = 0 if relative else key.tonic
    return [(tonic + step) % 12 for step in SCALES[key.mode]]


_PER_ROW: Final = ("state", "key", "genres", "players", "position", "meter", "bars", "heard", "voice", "pitch")


class Parse:
    """Where each of ``B`` rows stands in the grammar.

    Args:
        grammar: the tables.
        rows: B.
    """

    def __init__(self, grammar: Grammar, rows: int) -> None:
        self.grammar = grammar
        self.state: NDArray[np.int8] = np.full(rows, State.BEGIN, np.int8)
        self.key: NDArray[np.int16] = np.full(rows, -1, np.int16)
        self.genres: NDArray[np.bool_] = np.zeros((rows, len(grammar.genres)), np.bool_)
        self.players: NDArray[np.bool_] = np.full((rows, PLAYERS), not grammar.headed)
        self.position: NDArray[np.int32] = np.full(rows, -1, np.int32)
        self.meter: NDArray[np.int16] = np.full(rows, -1, np.int16)
        self.bars: NDArray[np.int32] = np.zeros(rows, np.int32)
        self.heard: NDArray[np.int32] = np.zeros((rows, PLAYERS), np.int32)  # the bar of their last note, from 1
        self.voice: NDArray[np.int16] = np.full(rows, -1, np.int16)  # of the last note at the position
        self.pitch: NDArray[np.int16] = np.full(rows, -1, np.int16)  # its pitch; -1 while it is to come

    def select(self, parents: NDArray[np.intp]) -> None:
        """Row i takes over where row ``parents[i]`` stands; there may be more or fewer rows than before."""
        for name in _PER_ROW:
            setattr(self, name, getattr(self, name)[parents].copy())

    def restart(self, row: int) -> None:
        """Puts a row back to the beginning."""
        empty = Parse(self.grammar, 1)
        for name in _PER_ROW:
            getattr(self, name)[row] = getattr(empty, name)[0]

    def excuse(self, row: int, rest: int) -> None:
        """Nobody has rested for more than ``rest`` bars yet."""
        self.heard[row] = np.maximum(self.heard[row], self.bars[row] - rest)

    @property
    def in_header(self) -> NDArray[np.bool_]:
        """[B] whether a row has not begun its first bar."""
        return np.asarray((self.state <= State.PLAYER) & self.grammar.headed)

    def allowed(self, rows: NDArray[np.intp], may_end: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Mask [n, V] of tokens that may come next in ``rows``; ``may_end`` [n]: whether the end is among them."""
        grammar = self.grammar
        mask: NDArray[np.bool_] = np.empty((len(rows), len(grammar.meter)), np.bool_)
        meter = self.meter[rows]
        follow(
            self.state[rows],
            self.position[rows],
            grammar.bar_positions[meter],  # known once the meter is: from the row, or from the token itself
            grammar.next_state,
            grammar.starts_bar,
            grammar.first_position,
            grammar.last_position,
            meter,
            grammar.meter,
            grammar.bar_limit,
            mask,
        )
        mask[:, grammar.end_id] &= may_end
        if grammar.headed:
            voice, pitch = self.voice[rows], self.pitch[rows]
            ascend(voice, pitch, grammar.pitch_on, grammar.voice, grammar.voice_pitch, grammar.voice_top, mask)
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
        self.heard[rows] = np.where(grammar.programs[tokens], self.bars[rows, None], self.heard[rows])
        for row, token in zip(rows, tokens, strict=True):
            for kind, value in grammar.order[token]:
                if kind == "pitch":
                    self.pitch[row] = value
                elif kind == "anew" or value != self.voice[row]:
                    self.voice[row], self.pitch[row] = (value, -1) if kind == "voice" else (-1, -1)
            if grammar.key[token] >= 0:
                self.key[row] = grammar.key[token]
            elif grammar.genre[token] >= 0:
                self.genres[row, grammar.genre[token]] = True
            elif grammar.player[token] >= 0:
                self.players[row, grammar.player[token]] = True
