"""What is usual in music where a caption leaves it open, measured on the training corpus.

The table is written by ``motet calibrate captions``.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from motet.music.attributes import Attributes
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.tempo import TEMPO_WORDS

TABLE: Final = Path(__file__).parent / "tables" / "prior.json"
DRUM_PLAYER: Final = 128
_LIKELY: Final = (0.2, 0.8)
"""Quantiles between which a tempo is drawn: it binds the pieces that are written, so it should not be far out."""
_LIKELY_METER: Final = 0.8
"""A meter is usual for a caption when at least this share of the pieces like it have it."""


@cache
def table() -> dict[str, Any]:
    """The measured table; see ``motet.training.caption_prior.measure`` for what it holds."""
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


def rows(asked: Attributes) -> list[dict[str, Any]]:
    """Rows of the genres of a caption, first to last; those of its moods when it names no genre that is known."""
    known = table()
    genres = [known["genres"][name] for name in asked.genres if name in known["genres"]]
    return genres or [known["moods"][name] for name in asked.moods if name in known["moods"]]


def tempo(asked: Attributes, random: np.random.Generator) -> int:
    """A usual tempo in quarter notes a minute: for the genre or mood, inside the tempo word when there is one."""
    row = next(iter(rows(asked)), table()["all"])
    levels, bpm = np.asarray(table()["quantiles"]), np.asarray(row["tempo"], np.float64)
    low, high = TEMPO_WORDS[asked.tempo_word] if asked.tempo_word else (bpm[0], bpm[-1])
    low, high = max(low, 30.0), min(high, 220.0)
    bpm = bpm + np.arange(len(bpm)) * 1e-6  # strictly increasing
    first, last = np.clip(np.interp([low, high], bpm, levels), *_LIKELY)
    if last - first > 0.05:
        drawn = float(np.interp(random.uniform(first, last), levels, bpm))
    else:  # the genre hardly knows such a tempo
        drawn = random.uniform(0.75 * low + 0.25 * high, 0.25 * low + 0.75 * high)
    return round(float(np.clip(drawn, np.ceil(low), np.floor(high))))


def key(asked: Attributes, random: np.random.Generator) -> Key:
    """A usual key: minor as often as in pieces of the genre, more or less often where the mood says so."""
    known = table()
    odds = [_odds(known["genres"][name]["minor"]) for name in asked.genres if name in known["genres"]]
    overall = _odds(known["all"]["minor"])
    total = float(np.mean(odds)) if odds else overall
    total += sum(_odds(known["moods"][name]["minor"]) - overall for name in asked.moods if name in known["moods"])
    minor = random.random() < 1 / (1 + np.exp(-total))
    shares = np.asarray(known["keys"]["minor" if minor else "major"])
    return Key(int(random.choice(12, p=shares / shares.sum())), "minor" if minor else "major")


def meter(asked: Attributes) -> Meter | None:
    """The time signature that nearly all pieces like it have, None when several are common."""
    for row in rows(asked):
        name, share = next(iter(row["meters"].items()))
        if share >= _LIKELY_METER:
            return Meter.parse(name)
    return None


def players(asked: Attributes, random: np.random.Generator) -> tuple[int, ...]:
    """A usual line-up for the genre or mood, General MIDI programs with drums as 128; empty when none is known."""
    line_ups = [(tuple(names), count) for row in rows(asked) for names, count in row["line_ups"]]
    if not line_ups:
        return ()
    # By squares: players that are asked for have to come in, so rare ones should be rare. In held-out music the line-up
    # then is there in 4 of 10 cases; in proportion it would be in 3 of 10.
    odds = np.square([count for _, count in line_ups], dtype=np.float64)
    return line_ups[int(random.choice(len(line_ups), p=odds / odds.sum()))][0]


def _odds(share: float) -> float:
    """Log odds, kept finite."""
    held = min(max(share, 0.02), 0.98)
    return float(np.log(held / (1 - held)))
