"""Hypothesis strategies for scores, and MIDI bytes built by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from motet.music.meter import Meter
from motet.music.score import DRUMS, Score

GOLDEN = Path(__file__).parent / "golden"
MIDI_FILES = sorted(GOLDEN.glob("*.mid"))


def score_of(*columns: Any, **fields: Any) -> Score:
    """A score from columns of any integer sequence."""
    return Score(*columns, **fields)


meters = st.builds(Meter, st.integers(1, 13), st.sampled_from([2, 4, 8, 16]))


@st.composite
def _changes(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> tuple[list[int], list[Any]]:
    later = draw(st.sets(st.integers(1, 20_000), max_size=4))
    ticks = [0, *sorted(later)]
    return ticks, draw(st.lists(values, min_size=len(ticks), max_size=len(ticks)))


@st.composite
def scores(draw: st.DrawFn, *, max_tracks: int = 6, min_notes: int = 0, max_notes: int = 40) -> Score:
    """Scores with tempo and meter changes, overlaps and drums; tempos as a MIDI file can hold them."""
    notes = draw(
        st.lists(
            st.tuples(
                st.integers(0, 20_000),
                st.integers(1, 4_000),
                st.integers(0, 127),
                st.integers(1, 127),
                st.integers(DRUMS, 127),
                st.integers(0, max_tracks - 1),
            ),
            min_size=min_notes,
            max_size=max_notes,
        )
    )
    columns = np.array(notes, np.int64).reshape(-1, 6).T
    tempo_tick, microseconds = draw(_changes(st.integers(60_000, 15_000_000)))
    meter_tick, signatures = draw(_changes(meters))
    return score_of(
        draw(st.sampled_from([24, 96, 480, 960])),
        *columns,
        tempo_tick=np.array(tempo_tick),
        tempo_bpm=60e6 / np.array(microseconds, np.float64),
        meter_tick=np.array(meter_tick),
        meters=tuple(signatures),
        track_names=tuple(draw(st.lists(st.text("abc Z9é", max_size=8), max_size=max_tracks))),
    )


def melody(
    pitches: list[int],
    *,
    program: int = 0,
    bpm: float = 120.0,
    meter: Meter | None = None,
    ticks: int = 480,
    velocity: int = 80,
) -> Score:
    """One note after another, ``ticks`` long each, at 480 ticks a quarter."""
    count = len(pitches)
    return score_of(
        480,
        np.arange(count) * ticks,
        np.full(count, ticks),
        np.array(pitches, np.int64),
        np.full(count, velocity),
        np.full(count, program),
        np.zeros(count, np.int64),
        tempo_bpm=np.array([bpm]),
        meters=(meter or Meter(4, 4),),
    )


def together(*parts: Score) -> Score:
    """The notes of several scores at once, one track each; maps of the first."""
    first = parts[0]
    columns = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("onset", "duration", "pitch", "velocity", "program")
    ]
    track = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return score_of(
        first.ppq, *columns, track, tempo_tick=first.tempo_tick, tempo_bpm=first.tempo_bpm, meters=first.meters
    )


def smf(*tracks: bytes, division: int = 480, kind: int = 1) -> bytes:
    """A MIDI file of raw track bodies."""
    head = b"MThd" + (6).to_bytes(4, "big") + b"".join(n.to_bytes(2, "big") for n in (kind, len(tracks), division))
    return head + b"".join(b"MTrk" + len(body).to_bytes(4, "big") + body for body in tracks)
