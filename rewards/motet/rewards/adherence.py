"""Attribute adherence: does the score have the tempo, key, meter, instruments and length that were asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from motet.music import describe, instrument, tempo
from motet.music import key as keys
from motet.music.attributes import Attributes
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.rewards.measures import key_fit

_TEMPO_PLATEAU, _TEMPO_REACH = math.log2(1.02), math.log2(1.25)  # right up to 2 %, wrong from 25 %: octaves are wrong
_LENGTH_PLATEAU, _LENGTH_REACH = math.log2(1.05), math.log2(1.5)
_HEARD_NOTES = 4  # an instrument with fewer notes is only partly there
_FAMILY_CREDIT = 0.5
_FIT_OF_STRANGERS, _FIT_OF_MUSIC = 0.45, 0.80  # key_fit of an unrelated key, and of the lower half of human music


@dataclass(frozen=True, kw_only=True)
class Adherence:
    """How far each attribute that was asked for is met.

    Args:
        value: mean of ``terms``, 0 to 1; None when nothing that can be judged was asked for.
        terms: attribute -> 0 to 1, for the attributes asked for; genre and mood are the business of the text reward.
    """

    value: float | None
    terms: dict[str, float]


def judge(score: Score, asked: Attributes, *, complete: bool = True) -> Adherence:
    """How far ``score`` has the attributes ``asked``.

    Args:
        score: any score; one without notes has none of them.
        asked: tempo_bpm (else tempo_word), key, meter, instruments, drums, bars and duration_s are judged.
        complete: False: the score is a beginning, and its length is not judged.
    """
    terms: dict[str, float] = {}
    found = describe.describe(score)
    if asked.tempo_bpm is not None:
        terms["tempo"] = 0.0 if found.tempo_bpm is None else _tempo(found.tempo_bpm, asked.tempo_bpm, asked.tempo_bpm)
    elif asked.tempo_word is not None:
        low, high = tempo.TEMPO_WORDS[asked.tempo_word]
        terms["tempo"] = 0.0 if found.tempo_bpm is None else _tempo(found.tempo_bpm, low, high)
    if asked.key is not None:
        terms["key"] = 0.0 if found.key is None else _key(score, found.key, asked.key)
    if asked.meter is not None:
        terms["meter"] = 0.0 if found.meter is None else _meter(found.meter, asked.meter)
    if asked.instruments:
        terms["instruments"] = _instruments(score, asked.instruments)
    if asked.drums is not None and len(score):
        share = min(1.0, int((score.program == DRUMS).sum()) / _HEARD_NOTES)
        terms["drums"] = share if asked.drums else float(share == 0)
    elif asked.drums is not None:
        terms["drums"] = 0.0
    if complete and asked.bars is not None:
        bars = len(score.bar_ticks()) - 1 if len(score) else 0
        terms["bars"] = _near(bars, asked.bars, 0.0, _LENGTH_REACH)
    if complete and asked.duration_s is not None:
        terms["duration"] = _near(score.duration_s, asked.duration_s, _LENGTH_PLATEAU, _LENGTH_REACH)
    return Adherence(value=sum(terms.values()) / len(terms) if terms else None, terms=terms)


def _near(value: float, asked: float, plateau: float, reach: float) -> float:
    """1 within ``plateau`` octaves of what was asked, falling evenly to 0 at ``reach`` octaves."""
    if value <= 0:
        return 0.0
    return min(1.0, max(0.0, (reach - abs(math.log2(value / asked))) / (reach - plateau)))


def _tempo(bpm: float, low: float, high: float) -> float:
    """1 within [low, high] quarters a minute, else by the distance to the nearer end."""
    return _near(bpm, min(max(bpm, low), high), _TEMPO_PLATEAU, _TEMPO_REACH)


def _key(score: Score, found: Key, asked: Key) -> float:
    """Half for the relation of the keys, half for how well the pitch classes fit the key asked for.

    The relation: the same 1, relative 0.5, parallel or a fifth away in the same mode 0.25, else 0. The fit: see
    ``motet.rewards.measures.key_fit``, from 0 for a stranger to 1 for ordinary music in its own key.
    """
    if found == asked:
        relation = 1.0
    elif found == asked.relative:
        relation = 0.5
    elif found.tonic == asked.tonic or (found.mode == asked.mode and (found.tonic - asked.tonic) % 12 in (5, 7)):
        relation = 0.25
    else:
        relation = 0.0
    fit = key_fit(keys.correlations(keys.pitch_class_profile(score)), asked.index)
    soft = min(1.0, max(0.0, (fit - _FIT_OF_STRANGERS) / (_FIT_OF_MUSIC - _FIT_OF_STRANGERS)))
    return (relation + soft) / 2


def _meter(found: Meter, asked: Meter) -> float:
    """The same 1; the same length of bar 0.75 and half or double 0.5, if both divide beats by three or neither does."""
    if found == asked:
        return 1.0
    if _is_compound(found) != _is_compound(asked):
        return 0.0
    return {1.0: 0.75, 2.0: 0.5, 0.5: 0.5}.get(found.bar_quarters / asked.bar_quarters, 0.0)


def _is_compound(meter: Meter) -> bool:
    return meter.numerator % 3 == 0 and meter.numerator > 3


def _instruments(score: Score, asked: tuple[int, ...]) -> float:
    """F2 of recall over the instruments asked for and of precision over the time that pitched notes sound.

    Recall counts more (F-measure with beta 2), as captions name the instruments that matter rather than all. Another
    instrument of the family counts half; it stands in for one asked instrument only.
    """
    pitched = score.program != DRUMS
    counts = np.bincount(score.program[pitched], minlength=128)
    ticks = np.bincount(score.program[pitched], weights=score.duration[pitched].astype(np.float64), minlength=128)
    if not counts.any():
        return 0.0
    heard = np.minimum(counts / _HEARD_NOTES, 1.0)
    recall = float(sum(heard[program] for program in asked))
    spare = [program for program in np.flatnonzero(counts).tolist() if program not in asked]
    for program in asked:
        kin = [other for other in spare if instrument.family_of(other) == instrument.family_of(program)]
        if counts[program] == 0 and kin:
            best = max(kin, key=lambda other: heard[other])
            recall += _FAMILY_CREDIT * float(heard[best])
            spare.remove(best)
    recall /= len(asked)
    families = {instrument.family_of(program) for program in asked}
    credit = np.zeros(128)
    for program in np.flatnonzero(counts).tolist():
        credit[program] = _FAMILY_CREDIT if instrument.family_of(program) in families else 0.0
    credit[list(asked)] = 1.0
    precision = float((credit * ticks).sum() / ticks.sum())
    return 5 * recall * precision / (4 * precision + recall) if recall * precision > 0 else 0.0
