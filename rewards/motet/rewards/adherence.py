"""Attribute adherence: does the score have the tempo, key, meter, players, density and length that were asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from motet.music import density, describe, instrument, tempo
from motet.music import key as keys
from motet.music.attributes import Attributes
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.rewards.measures import key_fit
from motet.rewards.pulse import felt_bpm

_TEMPO_PLATEAU, _TEMPO_REACH = math.log2(1.02), math.log2(1.25)  # right up to 2 %, wrong from 25 %: octaves are wrong
_LENGTH_PLATEAU, _LENGTH_REACH = math.log2(1.05), math.log2(1.5)
_DENSITY_PLATEAU, _DENSITY_REACH = math.log2(1.05), 1.0  # words for a range: wrong from half or double of its end
_HEARD_NOTES = 4  # an instrument with fewer notes is only partly there,
_HEARD_SHARE = 0.2  # unless these sound for a good part of the piece,
_HEARD_BARS = 0.25  # and so is one that is heard in fewer bars: of 100 players that human music names, one is
_FAMILY_CREDIT = 0.5
_FIT_OF_STRANGERS, _FIT_OF_MUSIC = 0.45, 0.80  # key_fit of an unrelated key, and of the lower half of human music
_AS_CLEAR = 0.06  # keys whose correlations differ by no more are equally well found
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10, 11)}


@dataclass(frozen=True, kw_only=True)
class Adherence:
    """How far each attribute that was asked for is met.

    Args:
        value: mean of ``terms``, 0 to 1; None when nothing that can be judged was asked for.
        terms: attribute -> 0 to 1, for the attributes asked for; genre and mood are the business of the text reward.
        details: what was found instead, as "attribute.what".
        bars: attribute -> 0 to 1 for each bar, for those that a bar can have.
    """

    value: float | None
    terms: dict[str, float]
    details: dict[str, float] = field(default_factory=dict)
    bars: dict[str, tuple[float, ...]] = field(default_factory=dict)


def judge(score: Score, asked: Attributes, *, complete: bool = True) -> Adherence:
    """How far ``score`` has the attributes ``asked``.

    Args:
        score: any score; one without notes has none of them.
        asked: tempo_bpm (else tempo_word), key, meter, instruments, drums, density, bars and duration_s are judged.
        complete: False: the score is a beginning, and its length is not judged.
    """
    if not len(score):
        return _nothing(asked, complete)
    terms: dict[str, float] = {}
    details: dict[str, float] = {}
    bars: dict[str, NDArray[np.float64]] = {}
    grid = _Grid(score)
    range_ = tempo_range(asked)
    if range_ is not None:
        found = describe.median_bpm(score)
        terms["tempo"] = _tempo(found, *range_)
        details["tempo.found_bpm"] = found
        felt = felt_bpm(score)
        if felt is not None:
            details["tempo.felt_bpm"] = felt
        places = np.searchsorted(score.tempo_tick, grid.starts, side="right") - 1
        bars["tempo"] = np.array([_tempo(float(score.tempo_bpm[place]), *range_) for place in places])
    if asked.key is not None:
        terms["key"], details["key.fit"] = _key(score, asked.key)
        bars["key"] = grid.in_scale(asked.key)
    if asked.meter is not None:
        terms["meter"] = _meter(describe.dominant_meter(score), asked.meter)
        places = np.searchsorted(score.meter_tick, grid.starts, side="right") - 1
        bars["meter"] = np.array([_meter(score.meters[place], asked.meter) for place in places])
    if asked.instruments:
        line_up = _LineUp(score, asked, grid)
        terms["instruments"] = line_up.value
        details |= {"instruments.recall": line_up.recall, "instruments.precision": line_up.precision}
        bars["instruments"] = np.mean([grid.sounds(wish.accepted) for wish in line_up.wishes], axis=0)
    if asked.drums is not None:
        drummed = grid.sounds((DRUMS,))
        strokes = int((score.program == DRUMS).sum())
        there = min(1.0, strokes / _HEARD_NOTES) * min(1.0, float(drummed.mean()) / _HEARD_BARS)
        terms["drums"] = there if asked.drums else float(strokes == 0)
        bars["drums"] = drummed if asked.drums else 1 - drummed
    if asked.density is not None:
        low, high = density.DENSITY_WORDS[asked.density]
        onsets = density.onsets_per_second(score)
        terms["density"] = _within(onsets, low, high, _DENSITY_PLATEAU, _DENSITY_REACH)
        details["density.onsets_per_second"] = onsets
        rates = grid.onsets_per_second()
        bars["density"] = np.array([_within(rate, low, high, _DENSITY_PLATEAU, _DENSITY_REACH) for rate in rates])
    if complete and asked.bars is not None:
        begun = int(grid.last_onset) + 1
        terms["bars"] = max(_near(count, asked.bars, 0.0, _LENGTH_REACH) for count in range(begun, grid.count + 1))
        details["bars.found"] = float(min(max(asked.bars, begun), grid.count))
    if complete and asked.duration_s is not None:
        terms["duration"] = _near(score.duration_s, asked.duration_s, _LENGTH_PLATEAU, _LENGTH_REACH)
        details["duration.found_s"] = score.duration_s
    return Adherence(
        value=sum(terms.values()) / len(terms) if terms else None,
        terms=terms,
        details=details,
        bars={name: tuple(row.tolist()) for name, row in bars.items()},
    )


def _nothing(asked: Attributes, complete: bool) -> Adherence:
    """Silence has nothing of what was asked for."""
    stated = {
        "tempo": asked.tempo_bpm is not None or asked.tempo_word is not None,
        "key": asked.key is not None,
        "meter": asked.meter is not None,
        "instruments": bool(asked.instruments),
        "drums": asked.drums is not None,
        "density": asked.density is not None,
        "bars": complete and asked.bars is not None,
        "duration": complete and asked.duration_s is not None,
    }
    terms = {name: 0.0 for name, is_asked in stated.items() if is_asked}
    return Adherence(value=0.0 if terms else None, terms=terms)


def tempo_range(asked: Attributes) -> tuple[float, float] | None:
    """The tempi asked for; the ends of what can be asked for (10, 400) stand for all beyond them."""
    if asked.tempo_bpm is not None:
        low = high = asked.tempo_bpm
    elif asked.tempo_word is not None:
        low, high = tempo.TEMPO_WORDS[asked.tempo_word]
    else:
        return None
    return (0.0 if low <= tempo.MIN_BPM else low), (math.inf if high >= tempo.MAX_BPM else high)


def _near(value: float, asked: float, plateau: float, reach: float) -> float:
    """1 within ``plateau`` octaves of what was asked, falling evenly to 0 at ``reach`` octaves."""
    if value <= 0:
        return 0.0
    return min(1.0, max(0.0, (reach - abs(math.log2(value / asked))) / (reach - plateau)))


def _within(value: float, low: float, high: float, plateau: float, reach: float) -> float:
    """1 within [low, high], else by the distance to the nearer end."""
    return 1.0 if low <= value <= high else _near(value, low if value < low else high, plateau, reach)


def _tempo(bpm: float, low: float, high: float) -> float:
    return _within(bpm, low, high, _TEMPO_PLATEAU, _TEMPO_REACH)


def _key(score: Score, asked: Key) -> tuple[float, float]:
    """Half for the relation of the keys, half for how well the pitch classes fit the key asked for; and that fit.

    The relation: the same 1, relative 0.5, parallel or a fifth away in the same mode 0.25, else 0. The same is, among
    keys that are found equally well, the one that was asked for. The fit: see ``motet.rewards.measures.key_fit``,
    from 0 for a stranger to 1 for ordinary music in its own key.
    """
    found = keys.find(score)
    if found is None:
        return 0.0, 0.0
    correlations = keys.correlations(keys.pitch_class_profile(score))
    if correlations[asked.index] >= correlations[found.index] - _AS_CLEAR:
        relation = 1.0
    elif found == asked.relative:
        relation = 0.5
    elif found.tonic == asked.tonic or (found.mode == asked.mode and (found.tonic - asked.tonic) % 12 in (5, 7)):
        relation = 0.25
    else:
        relation = 0.0
    fit = key_fit(correlations, asked.index)
    soft = min(1.0, max(0.0, (fit - _FIT_OF_STRANGERS) / (_FIT_OF_MUSIC - _FIT_OF_STRANGERS)))
    return (relation + soft) / 2, fit


def _meter(found: Meter, asked: Meter) -> float:
    """The same 1; the same length of bar 0.75 and half or double 0.5, if both divide beats by three or neither does."""
    if found == asked:
        return 1.0
    if _is_compound(found) != _is_compound(asked):
        return 0.0
    return {1.0: 0.75, 2.0: 0.5, 0.5: 0.5}.get(found.bar_quarters / asked.bar_quarters, 0.0)


def _is_compound(meter: Meter) -> bool:
    return meter.numerator % 3 == 0 and meter.numerator > 3


@dataclass(frozen=True)
class _Wish:
    """One instrument that was asked for: the programs that were named for it, and all those that it may be."""

    named: tuple[int, ...]
    accepted: tuple[int, ...]


class _LineUp:
    """Who was asked for and who plays.

    ``value`` is the F2 measure of ``recall`` over the instruments asked for and of ``precision`` over the time that
    pitched notes sound; recall counts more, as captions name the instruments that matter rather than all. A word for a
    family ("guitar") is met by any of its instruments. Else another instrument of the General MIDI family counts half,
    and stands in for one asked instrument only. A single instrument, where drums are not ruled out, leaves the rest of
    the band open: it is enough that it has its share of the time.
    """

    def __init__(self, score: Score, asked: Attributes, grid: _Grid) -> None:
        self.wishes = _wishes(asked)
        pitched = score.program != DRUMS
        programs = score.program[pitched]
        counts = np.bincount(programs, minlength=128)
        lengths = score.duration[pitched].astype(np.float64)
        ticks: NDArray[np.float64] = np.bincount(programs, weights=lengths, minlength=128).astype(np.float64)
        self.recall = self.precision = 0.0
        if counts.any():
            heard = np.minimum(np.maximum(counts / _HEARD_NOTES, ticks / (_HEARD_SHARE * score.end_tick)), 1.0)
            for program in np.flatnonzero(counts).tolist():
                heard[program] *= min(1.0, float(grid.sounds((program,)).mean()) / _HEARD_BARS)
            self.recall = self._recall(heard)
            own = self._precision(ticks, 0.0)
            if len(self.wishes) == 1 and asked.drums is not False and own > 0:
                self.precision = min(1.0, own * int((counts > 0).sum()))
            else:
                self.precision = self._precision(ticks, _FAMILY_CREDIT)
        both = 4 * self.precision + self.recall
        self.value = 5 * self.recall * self.precision / both if self.recall * self.precision > 0 else 0.0

    def _recall(self, heard: NDArray[np.float64]) -> float:
        spare = [int(program) for program in np.flatnonzero(heard)]
        met = []
        for wish in sorted(self.wishes, key=lambda wish: len(wish.accepted)):  # the particular ones choose first
            choice = [program for program in spare if program in wish.accepted]
            if choice:
                best = max(choice, key=lambda program: heard[program])
                spare.remove(best)
                met.append(float(heard[best]))
        missing = len(self.wishes) - len(met)
        for wish in self.wishes:
            families = {instrument.family_of(program) for program in wish.named}
            kin = [program for program in spare if instrument.family_of(program) in families]
            if missing and kin and not any(heard[program] > 0 for program in wish.accepted):
                best = max(kin, key=lambda program: heard[program])
                spare.remove(best)
                met.append(_FAMILY_CREDIT * float(heard[best]))
                missing -= 1
        return sum(met) / len(self.wishes)

    def _precision(self, ticks: NDArray[np.float64], credit_of_kin: float) -> float:
        families = {instrument.family_of(program) for wish in self.wishes for program in wish.named}
        credit = np.array([credit_of_kin if instrument.family_of(one) in families else 0.0 for one in range(128)])
        credit[[program for wish in self.wishes for program in wish.accepted]] = 1.0
        return float((credit * ticks).sum() / ticks.sum())


def _wishes(asked: Attributes) -> list[_Wish]:
    families = [_Wish(named, meant) for named, meant in asked.families if set(named) <= set(asked.instruments)]
    spoken_for = {program for wish in families for program in wish.named}
    return [*(_Wish((one,), (one,)) for one in asked.instruments if one not in spoken_for), *families]


class _Grid:
    """The bars of a score that has notes, up to the end of its last note, and which note sounds in which."""

    def __init__(self, score: Score) -> None:
        self._score = score
        self._ticks = score.bar_ticks()
        self.starts = self._ticks[:-1]
        self.count = len(self.starts)
        self._first = np.searchsorted(self._ticks, score.onset, side="right") - 1
        self._last = np.searchsorted(self._ticks, score.onset + score.duration, side="left") - 1
        self.last_onset = int(self._first.max())

    def _sounding(self, which: NDArray[np.bool_]) -> NDArray[np.int64]:
        """[bars] how many of the notes ``which`` [N] sound in each bar."""
        changes = np.bincount(self._first[which], minlength=self.count + 1)
        changes -= np.bincount(self._last[which] + 1, minlength=self.count + 1)
        return np.cumsum(changes[: self.count])

    def sounds(self, programs: tuple[int, ...]) -> NDArray[np.float64]:
        """[bars] 1 where any of the programs sounds, else 0."""
        return (self._sounding(np.isin(self._score.program, programs)) > 0).astype(np.float64)

    def in_scale(self, key: Key) -> NDArray[np.float64]:
        """[bars] share of the pitched notes in the scale, the raised seventh of minor included; 1 without any."""
        pitched = self._score.program != DRUMS
        inside = np.isin((self._score.pitch - key.tonic) % 12, _SCALES[key.mode])
        all_ = self._sounding(pitched)
        share = np.ones(self.count)
        np.divide(self._sounding(pitched & inside), all_, out=share, where=all_ > 0)
        return share

    def onsets_per_second(self) -> list[float]:
        """[bars] distinct onsets a second."""
        bars = np.searchsorted(self._ticks, np.unique(self._score.onset), side="right") - 1
        rates = np.bincount(bars, minlength=self.count) / np.diff(self._score.seconds(self._ticks))
        return [float(rate) for rate in rates]
