"""Text2midi's vocabulary: REMI tokens of one stream with programs, without merges; pitches as they sound."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from motet.model.header import Header
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.meter import Meter
from motet.music.score import DEFAULT_BPM, DEFAULT_METER, DRUMS, Score

_T = TypeVar("_T")

FILE: Final = "tokenizer.json"
_TYPE: Final = "text2midi-remi"

_KINDS: Final = {
    "PAD": r"None",
    "BOS": r"None",
    "EOS": r"None",
    "MASK": r"None",
    "Bar": r"None",
    "Pitch": r"\d+",
    "PitchDrum": r"\d+",
    "Velocity": r"\d+",
    "Duration": r"\d+\.\d+\.\d+",
    "Position": r"\d+",
    "Tempo": r"\d+(\.\d+)?",
    "Program": r"-1|\d+",
    "TimeSig": r"\d+/\d+",
}
_NEEDED: Final = ("PAD_None", "BOS_None", "EOS_None", "Bar_None", "Position_0")


class Vocabulary:
    """The tokens by id, and what they mean; used as ``motet.model.tokenizer.Tokenizer`` is, save for learning.

    Args:
        names: base REMI tokens such as ``"Pitch_60"``; InvalidInputError for one of an unknown kind.
    """

    headed: ClassVar[bool] = False
    timed_drums: ClassVar[bool] = True
    fills: ClassVar[bool] = False
    genres: ClassVar[tuple[str, ...]] = ()

    def __init__(self, names: Sequence[str]) -> None:
        for name in names:
            kind, _, value = name.partition("_")
            if kind not in _KINDS or not re.fullmatch(_KINDS[kind], value):
                raise InvalidInputError.of("vocabulary", "must hold REMI tokens that Text2midi knows", name)
        self.names = tuple(names)
        self._ids = {name: index for index, name in enumerate(names)}
        missing = [name for name in _NEEDED if name not in self._ids]
        if missing or len(self._ids) != len(names):
            raise InvalidInputError.of("vocabulary", f"must hold {', '.join(_NEEDED)} and no token twice", missing)
        self.meters = tuple(Meter.parse(value) for value in self._values("TimeSig"))
        durations = [value.split(".") for value in self._values("Duration")]
        if not (self.meters and durations and self.tempos_bpm):
            raise InvalidInputError.of("vocabulary", "must hold meters, durations and tempi", len(names))
        self.positions_per_beat = max(int(steps) for _, _, steps in durations)
        self._durations = {".".join(one): int(one[0]) + int(one[1]) / int(one[2]) for one in durations}  # beats
        self._velocities = {value: float(value) for value in self._values("Velocity")}
        # The coarsest ticks that hold every position in every meter.
        self._ppq = self.positions_per_beat * max(4, *(meter.denominator for meter in self.meters)) // 4

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Reads ``tokenizer.json`` from a checkpoint folder; NotFoundError if there is none."""
        path = folder / FILE
        if not path.is_file():
            raise NotFoundError("TOKENIZER_NOT_FOUND", f"tokenizer: no file {path}", {"path": str(path)})
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or record.get("type") != _TYPE:
            raise InvalidInputError.of("tokenizer", f"must be of the type {_TYPE}", str(path))
        return cls(record["tokens"])

    def save(self, folder: Path) -> None:
        """Writes ``tokenizer.json``."""
        record = {"type": _TYPE, "tokens": self.names}
        (folder / FILE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    def __len__(self) -> int:
        return len(self.names)

    def _values(self, kind: str) -> list[str]:
        return [name.partition("_")[2] for name in self.names if name.startswith(f"{kind}_")]

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""
        return self._ids["PAD_None"]

    @property
    def begin_id(self) -> int:
        """Id with which every sequence starts."""
        return self._ids["BOS_None"]

    @property
    def end_id(self) -> int:
        """Id that ends a piece."""
        return self._ids["EOS_None"]

    @property
    def tempos_bpm(self) -> tuple[float, ...]:
        """The tempi of the vocabulary, ascending, in quarter notes a minute."""
        return tuple(sorted(float(value) for value in self._values("Tempo")))

    def stands_for(self, written_bpm: float, bpm: float) -> bool:
        """Whether a score at ``bpm`` may be written with the tempo ``written_bpm``: half a (linear) step apart."""
        tempos = self.tempos_bpm
        widest = max(np.diff(tempos), default=0.0)
        return abs(bpm - written_bpm) <= 1.05 * 0.5 * widest  # steps are rounded to 0.01 BPM

    def supports(self, meter: Meter) -> bool:
        """Whether the vocabulary can write this meter."""
        return meter.in_quarters in self.meters

    def expansion(self, token: int) -> tuple[str, ...]:
        """The one base token, such as ``("Position_12",)``, that ``token`` is."""
        return (self.names[token],)

    def token(self, name: str) -> int:
        """Id of a token such as ``"Bar_None"``; KeyError if there is none."""
        return self._ids[name]

    def encode_header(self, header: Header) -> list[int]:
        """Nothing: there are no headers."""
        return []

    def encode_bars(self, score: Score, header: Header | None = None) -> list[int]:
        """Token ids of a score's bars, in its first meter and tempo; pitches outside of the vocabulary are left out.

        Args:
            score: in a meter that the vocabulary supports.
            header: of no effect.
        """
        meter = score.meters[0].in_quarters
        beat = 4 * score.ppq / meter.denominator
        where = np.rint(score.onset * self.positions_per_beat / beat).astype(np.int64)
        per_bar = meter.numerator * self.positions_per_beat
        bars = int(where.max()) // per_bar + 1 if len(score) else 1
        notes: list[list[tuple[int, list[str]]]] = [[] for _ in range(bars)]
        for note in np.lexsort((score.pitch, score.program, where)):
            program = int(score.program[note])
            pitch = f"{'PitchDrum' if program == DRUMS else 'Pitch'}_{score.pitch[note]}"
            if pitch in self._ids:
                velocity = _nearest(self._velocities, float(score.velocity[note]))
                duration = _nearest(self._durations, float(score.duration[note]) / beat)
                names = [f"Program_{program}", pitch, f"Velocity_{velocity}", f"Duration_{duration}"]
                notes[where[note] // per_bar].append((int(where[note] % per_bar), names))
        tempo = _nearest({value: float(value) for value in self._values("Tempo")}, float(score.tempo_bpm[0]))
        names = []
        for bar, in_bar in enumerate(notes):
            names += ["Bar_None", f"TimeSig_{meter}"]
            last = -1
            if bar == 0:
                names += ["Position_0", f"Tempo_{tempo}"]
                last = 0
            for position, of_note in in_bar:
                names += ([] if position == last else [f"Position_{position}"]) + of_note
                last = position
        return [self._ids[name] for name in names]

    def decode(self, tokens: Sequence[int]) -> Score:
        """The score that ``tokens`` stand for; whatever is not a whole note, bar, tempo or meter is skipped.

        Positions and durations count in parts of the meter's beat, so an eighth's are half as long as a quarter's.
        """
        names = [self.names[int(token)].partition("_") for token in tokens]
        tempos: dict[int, float] = {0: DEFAULT_BPM}
        meters: dict[int, Meter] = {0: DEFAULT_METER}
        notes: list[tuple[int, int, int, int, int]] = []
        meter, bar_tick, tick, program, begun = DEFAULT_METER, 0, 0, 0, False
        for index, (kind, _, value) in enumerate(names):
            beat_ticks = 4 * self._ppq // meter.denominator
            if kind == "Bar":
                bar_tick += meter.bar_ticks(self._ppq) if begun else 0
                tick, begun = bar_tick, True
            elif kind == "TimeSig":
                meter = Meter.parse(value)
                meters[bar_tick] = meter
            elif kind == "Position":
                tick = bar_tick + int(value) * beat_ticks // self.positions_per_beat
            elif kind == "Tempo":
                tempos[tick] = float(value)
            elif kind == "Program":
                program = int(value)
            elif kind in ("Pitch", "PitchDrum") and [following[0] for following in names[index + 1 : index + 3]] == [
                "Velocity",
                "Duration",
            ]:
                beats, part, parts = (int(number) for number in names[index + 2][2].split("."))
                duration = (beats * parts + part) * beat_ticks // parts
                notes.append((tick, duration, int(value), int(names[index + 1][2]), program))
        columns = np.array(notes, np.int64).reshape(-1, 5).T
        tempo_tick, tempo_bpm = _changes(tempos)
        meter_tick, meters_in_order = _changes(meters)
        return Score(
            ppq=self._ppq,
            onset=columns[0],
            duration=np.maximum(columns[1], 1),
            pitch=columns[2].astype(np.int16),
            velocity=columns[3].astype(np.int16),
            program=columns[4].astype(np.int16),
            track=np.unique(columns[4], return_inverse=True)[1].astype(np.int16),
            tempo_tick=tempo_tick,
            tempo_bpm=np.array(tempo_bpm),
            meter_tick=meter_tick,
            meters=meters_in_order,
        )


def _nearest(values: Mapping[str, float], wanted: float) -> str:
    return min(values, key=lambda name: abs(values[name] - wanted))


def _changes(values: dict[int, _T]) -> tuple[NDArray[np.int64], tuple[_T, ...]]:
    """Ticks, ascending, and values of a tick-to-value map, without those that repeat the one before."""
    ticks = sorted(values)
    changes = [ticks[0], *(tick for before, tick in pairwise(ticks) if values[tick] != values[before])]
    return np.array(changes, np.int64), tuple(values[tick] for tick in changes)
