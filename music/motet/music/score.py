"""A score as flat numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.music.meter import Meter

DRUMS = -1
"""The program number of every note on the General MIDI percussion channel."""

DEFAULT_BPM = 120.0
DEFAULT_METER = Meter(4, 4)


def _ints(name: str, values: object, dtype: type[np.signedinteger]) -> NDArray[np.signedinteger]:
    """A copy of a column, so that freezing it leaves the caller's array alone; refuses what the type cannot hold."""
    given = np.asarray(values)
    limits = np.iinfo(dtype)
    fits = given.ndim == 1 and np.issubdtype(given.dtype, np.integer)
    if given.size and not (fits and given.min() >= limits.min and given.max() <= limits.max):
        raise InvalidInputError.of(f"score.{name}", f"must be a list of integers that fit {np.dtype(dtype)}", values)
    return np.array(given.reshape(-1), dtype=dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """Notes, tempo map and meter map of one piece; ``N`` notes, sorted by (onset, track, pitch).

    All times are ticks; ``ppq`` is the number of ticks in a quarter note.
    Raises InvalidInputError when array lengths differ or a value is outside its range.
    """

    ppq: int
    onset: NDArray[np.int64]  # [N] ticks, >= 0
    duration: NDArray[np.int64]  # [N] ticks, >= 1
    pitch: NDArray[np.int16]  # [N] MIDI pitch or drum key, 0..127
    velocity: NDArray[np.int16]  # [N] 1..127
    program: NDArray[np.int16]  # [N] General MIDI program 0..127, or DRUMS (-1)
    track: NDArray[np.int16]  # [N] index of the track a note belongs to, >= 0
    tempo_tick: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))  # [M] ascending, first 0
    tempo_bpm: NDArray[np.float64] = field(default_factory=lambda: np.full(1, DEFAULT_BPM))  # [M] quarters a minute
    meter_tick: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))  # [K] ascending, first 0
    meters: tuple[Meter, ...] = (DEFAULT_METER,)  # [K]
    track_names: tuple[str, ...] = ()  # by track index; may be shorter than the number of tracks

    def __post_init__(self) -> None:
        if not 1 <= self.ppq <= 32767:
            raise InvalidInputError.of("score.ppq", "must be from 1 to 32767", self.ppq)
        notes = {
            "onset": _ints("onset", self.onset, np.int64),
            "duration": _ints("duration", self.duration, np.int64),
            "pitch": _ints("pitch", self.pitch, np.int16),
            "velocity": _ints("velocity", self.velocity, np.int16),
            "program": _ints("program", self.program, np.int16),
            "track": _ints("track", self.track, np.int16),
        }
        lengths = {len(column) for column in notes.values()}
        if len(lengths) != 1:
            raise InvalidInputError.of("score", "note columns must have one length", sorted(lengths))
        order = np.lexsort((notes["pitch"], notes["track"], notes["onset"]))
        in_order = bool(np.all(order[1:] > order[:-1]))
        for name, column in notes.items():
            ordered = column if in_order else column[order]
            ordered.flags.writeable = False
            object.__setattr__(self, name, ordered)
        for name, low, high in (
            ("onset", 0, None),
            ("duration", 1, None),
            ("pitch", 0, 127),
            ("velocity", 1, 127),
            ("program", DRUMS, 127),
            ("track", 0, None),
        ):
            column = notes[name]
            if len(column) and (column.min() < low or (high is not None and column.max() > high)):
                bounds = f"at least {low}" if high is None else f"from {low} to {high}"
                raise InvalidInputError.of(f"score.{name}", f"must be {bounds}", (int(column.min()), int(column.max())))
        for name, ticks, count in (
            ("tempo", self.tempo_tick, len(self.tempo_bpm)),
            ("meter", self.meter_tick, len(self.meters)),
        ):
            column = _ints(f"{name}_tick", ticks, np.int64)
            if not (len(column) == count >= 1 and column[0] == 0 and bool(np.all(np.diff(column) > 0))):
                raise InvalidInputError.of(f"score.{name}_tick", f"must rise from 0, one for each {name}", ticks)
            column.flags.writeable = False
            object.__setattr__(self, f"{name}_tick", column)
        bpm = np.array(self.tempo_bpm, dtype=np.float64)
        if not bool(np.all(np.isfinite(bpm) & (bpm > 0))):
            raise InvalidInputError.of("score.tempo_bpm", "must be finite and more than 0", self.tempo_bpm)
        bpm.flags.writeable = False
        object.__setattr__(self, "tempo_bpm", bpm)

    def __len__(self) -> int:
        return len(self.onset)

    @classmethod
    def empty(cls, ppq: int = 480) -> Score:
        """A score with no notes, 120 BPM, 4/4."""
        ticks, small = np.zeros(0, np.int64), np.zeros(0, np.int16)
        return cls(ppq, ticks, ticks, small, small, small, small)

    @property
    def end_tick(self) -> int:
        """Tick at which the last note ends; 0 for an empty score."""
        return int((self.onset + self.duration).max()) if len(self) else 0

    @property
    def duration_s(self) -> float:
        """Seconds from tick 0 to the end of the last note."""
        return float(self.seconds(np.array([self.end_tick]))[0])

    def seconds(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Times in seconds of the given ticks (any shape), through the tempo map."""
        seconds_per_tick = 60.0 / (self.tempo_bpm * self.ppq)
        at_change = np.concatenate(([0.0], np.cumsum(np.diff(self.tempo_tick) * seconds_per_tick[:-1])))
        index = np.clip(np.searchsorted(self.tempo_tick, ticks, side="right") - 1, 0, None)
        return np.asarray(at_change[index] + (ticks - self.tempo_tick[index]) * seconds_per_tick[index])

    def bar_ticks(self) -> NDArray[np.int64]:
        """Start tick of every bar up to the end of the last note, plus the end of the last bar: [bars + 1]."""
        end = max(self.end_tick, 1)
        starts: list[NDArray[np.int64]] = []
        bounds = [*self.meter_tick[1:].tolist(), None]
        tick = 0
        for meter, bound in zip(self.meters, bounds, strict=True):
            stop = end if bound is None else min(int(bound), end)
            if tick >= stop:
                continue
            segment = np.arange(tick, stop, meter.bar_ticks(self.ppq), dtype=np.int64)
            starts.append(segment)
            tick = stop if bound is not None and stop == bound else int(segment[-1]) + meter.bar_ticks(self.ppq)
        return np.concatenate([*starts, np.array([max(tick, end)])])

    def select(self, keep: NDArray[np.bool_]) -> Score:
        """The same score with only the notes where ``keep`` [N] is true."""
        return replace(
            self,
            onset=self.onset[keep],
            duration=self.duration[keep],
            pitch=self.pitch[keep],
            velocity=self.velocity[keep],
            program=self.program[keep],
            track=self.track[keep],
        )

    def plus(self, other: Score) -> Score:
        """These notes and those of ``other``, of equal ``ppq``; tempi, meters and track names stay these."""
        return replace(
            self,
            onset=np.concatenate((self.onset, other.onset)),
            duration=np.concatenate((self.duration, other.duration)),
            pitch=np.concatenate((self.pitch, other.pitch)),
            velocity=np.concatenate((self.velocity, other.velocity)),
            program=np.concatenate((self.program, other.program)),
            track=np.concatenate((self.track, other.track)),
        )

    def between(self, start_tick: int, end_tick: int) -> Score:
        """Notes with onset in [start, end), moved so that ``start`` is tick 0; overhanging notes are cut at ``end``.

        The tempo and the meter in force at ``start`` become the first entries of the maps.
        """
        if not 0 <= start_tick < end_tick:
            raise InvalidInputError.of("start_tick, end_tick", "must satisfy 0 <= start < end", (start_tick, end_tick))
        kept = self.select((self.onset >= start_tick) & (self.onset < end_tick))
        duration = np.minimum(kept.duration, end_tick - kept.onset)
        tempos = _window(self.tempo_tick, start_tick, end_tick)
        meters = _window(self.meter_tick, start_tick, end_tick)
        return replace(
            kept,
            onset=kept.onset - start_tick,
            duration=duration,
            tempo_tick=np.maximum(self.tempo_tick[tempos] - start_tick, 0),
            tempo_bpm=self.tempo_bpm[tempos],
            meter_tick=np.maximum(self.meter_tick[meters] - start_tick, 0),
            meters=self.meters[meters],
        )


def _window(changes: NDArray[np.int64], start: int, end: int) -> slice:
    """The entries of a change list in force anywhere in [start, end)."""
    first = max(int(np.searchsorted(changes, start, side="right")) - 1, 0)
    return slice(first, max(int(np.searchsorted(changes, end, side="left")), first + 1))
