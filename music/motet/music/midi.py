"""Standard MIDI Files: reading and writing scores, with symusic underneath.

symusic is fast but trusts its input: a damaged file can end the process. So every file first goes through
``motet.music.smf.sanitized``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import symusic  # type: ignore[import-untyped]
from numpy.typing import NDArray

from motet.music.error import InvalidInputError, NotFoundError
from motet.music.instrument import family_of
from motet.music.meter import Meter
from motet.music.score import DEFAULT_BPM, DEFAULT_METER, DRUMS, Score
from motet.music.smf import clean_name, end_of_number, sanitized, shown

MIN_BPM = 4.0
"""Tempos are clamped to this on reading: the slowest that the file format holds is 3.58."""
MAX_BPM = 1000.0
"""Tempos are clamped to this on reading: a tempo event of 0 microseconds would be infinitely fast."""

_DRUM_CHANNEL = 9
_PITCHED_CHANNELS = tuple(channel for channel in range(16) if channel != _DRUM_CHANNEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a MIDI file may be; a file beyond any limit is refused with one line.

    Args:
        max_bytes: size of the file in bytes, at least 1.
        max_notes: notes, drums included, at least 1.
        max_tracks: tracks that hold notes (one per track, channel and program), 1 to 32767.
        max_bars: bars from the start to the end of the last note, at least 1.
        max_duration_s: seconds from the start to the end of the last note, more than 0.
    """

    max_bytes: int = 16 * 2**20
    max_notes: int = 1_000_000
    max_tracks: int = 1024
    max_bars: int = 100_000
    max_duration_s: float = 24 * 3600.0

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_notes", "max_tracks", "max_bars", "max_duration_s"):
            if not getattr(self, name) > 0:
                raise InvalidInputError.of(f"limits.{name}", "must be more than 0", getattr(self, name))
        if self.max_tracks > 32767:
            raise InvalidInputError.of("limits.max_tracks", "must be at most 32767", self.max_tracks)


def read(source: Path | bytes, *, limits: Limits | None = None) -> Score:
    """Reads a Standard MIDI File (format 0, 1 or 2, ticks per quarter).

    Tracks without notes are left out and the others are numbered from 0; a track that plays several programs or
    channels becomes one track for each. Notes of no length get 1 tick; tempos are clamped to 4 to 1000 BPM; without
    tempo or meter events, 120 BPM and 4/4 hold.

    Args:
        source: a path, or the bytes of a file.
        limits: None for ``Limits()``.

    Raises:
        NotFoundError: there is no such file.
        InvalidInputError: not a MIDI file, damaged, or beyond a limit.
    """
    limits = limits or Limits()
    data = _load(source, limits)
    clean = sanitized(data)
    try:
        parsed = symusic.Score.from_midi(clean)
    except (RuntimeError, ValueError) as error:
        raise InvalidInputError.of("midi", f"must be a Standard MIDI File ({error})", shown(data)) from error
    tracks = [track for track in parsed.tracks if len(track.notes)]
    notes = sum(len(track.notes) for track in tracks)
    if notes > limits.max_notes:
        raise InvalidInputError.of("midi", f"must hold at most {limits.max_notes:,} notes", f"{notes:,} notes")
    if len(tracks) > limits.max_tracks:
        raise InvalidInputError.of("midi", f"must have at most {limits.max_tracks:,} tracks", f"{len(tracks):,} tracks")
    columns = [track.notes.numpy() for track in tracks]
    counts = [len(track.notes) for track in tracks]
    onset = _joined([column["time"] for column in columns])
    duration = np.maximum(_joined([column["duration"] for column in columns]), 1)
    if notes and (onset.min() < 0 or (onset + duration).max() >= 2**31):
        raise InvalidInputError.of("midi", "must end before tick 2,147,483,648", shown(data))
    programs = [DRUMS if track.is_drum else int(track.program) for track in tracks]
    tempo_tick, tempo_bpm = _tempo_map(parsed)
    meter_tick, meters = _meter_map(parsed)
    score = Score(
        ppq=parsed.ticks_per_quarter,
        onset=onset,
        duration=duration,
        pitch=_joined([column["pitch"] for column in columns]).astype(np.int16),
        velocity=np.clip(_joined([column["velocity"] for column in columns]), 1, 127).astype(np.int16),
        program=np.repeat(np.array(programs, np.int16), counts),
        track=np.repeat(np.arange(len(tracks), dtype=np.int16), counts),
        tempo_tick=tempo_tick,
        tempo_bpm=tempo_bpm,
        meter_tick=meter_tick,
        meters=meters,
        track_names=tuple(track.name for track in tracks),
    )
    _check_length(score, limits)
    return score


def write(score: Score) -> bytes:
    """The score as a Standard MIDI File, format 1: the same score gives the same bytes.

    One MIDI track for each (track, program), in that order; drums on channel 10. Every program has its own channel
    while there are at most 15; the programs with the fewest notes beyond that share the channel of a program of their
    family where there is one. A note that would overlap a later one of the same track, program and pitch ends where
    the later one starts, because a file cannot tell the two apart.

    Raises:
        InvalidInputError: a time beyond tick 2,147,483,647.
    """
    if score.end_tick >= 2**31 or score.tempo_tick[-1] >= 2**31 or score.meter_tick[-1] >= 2**31:
        raise InvalidInputError.of("score", "must end before tick 2,147,483,648", score.end_tick)
    file = symusic.Score(score.ppq)
    microseconds = np.clip(np.rint(60e6 / score.tempo_bpm), 1, 2**24 - 1).astype(np.int64)
    for tick, mspq in zip(score.tempo_tick.tolist(), microseconds.tolist(), strict=True):
        file.tempos.append(symusic.Tempo(time=tick, mspq=mspq))
    for tick, meter in zip(score.meter_tick.tolist(), score.meters, strict=True):
        file.time_signatures.append(symusic.TimeSignature(tick, meter.numerator, meter.denominator))
    group = score.track.astype(np.int64) * 256 + score.program + 1
    groups = np.unique(group)
    duration = _without_overlaps(score, group)
    for value in groups.tolist():
        index, program = value // 256, value % 256 - 1
        inside = group == value
        name = clean_name(score.track_names[index]) if index < len(score.track_names) else ""
        track = symusic.Track(name=name, program=max(program, 0), is_drum=program == DRUMS)
        track.notes = symusic.Note.from_numpy(
            time=score.onset[inside].astype(np.int32),
            duration=duration[inside].astype(np.int32),
            pitch=score.pitch[inside].astype(np.int8),
            velocity=score.velocity[inside].astype(np.int8),
        )
        file.tracks.append(track)
    if not len(groups):
        file.tracks.append(symusic.Track())  # without any track, symusic leaves the maps unsorted
    data: bytes = file.dumps_midi()
    if len(groups) <= len(_PITCHED_CHANNELS):
        return data  # symusic gave every track a channel of its own, 10 to the drums
    return _with_channels(data, [value % 256 - 1 for value in groups.tolist()], _channels(score))


# --- reading -----------------------------------------------------------------------------------------------------


def _load(source: Path | bytes, limits: Limits) -> bytes:
    """The bytes of a source, refused before they are read when there are too many."""
    if isinstance(source, bytes):
        data = source
        size = len(data)
    else:
        if not source.is_file():
            raise NotFoundError(
                "FILE_NOT_FOUND", f"midi: must be an existing file (received {str(source)!r})", {"path": str(source)}
            )
        size = source.stat().st_size
    if size > limits.max_bytes:
        raise InvalidInputError.of("midi", f"must hold at most {limits.max_bytes:,} bytes", f"{size:,} bytes")
    if not isinstance(source, bytes):
        try:
            data = source.read_bytes()
        except OSError as error:
            raise InvalidInputError.of("midi", f"must be readable ({error.strerror})", str(source)) from error
    if not data:
        raise InvalidInputError.of("midi", "must not be empty", "0 bytes")
    return data


def _joined(columns: list[NDArray[np.integer]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *columns]).astype(np.int64)


def _tempo_map(parsed: symusic.core.ScoreTick) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    at: dict[int, float] = {0: DEFAULT_BPM}
    for tempo in sorted(parsed.tempos, key=lambda tempo: int(tempo.time)):
        at[max(int(tempo.time), 0)] = min(max(60e6 / max(int(tempo.mspq), 1), MIN_BPM), MAX_BPM)
    return np.array(list(at), np.int64), np.array(list(at.values()), np.float64)


def _meter_map(parsed: symusic.core.ScoreTick) -> tuple[NDArray[np.int64], tuple[Meter, ...]]:
    at: dict[int, Meter] = {0: DEFAULT_METER}
    for signature in sorted(parsed.time_signatures, key=lambda signature: int(signature.time)):
        at[max(int(signature.time), 0)] = Meter(int(signature.numerator), int(signature.denominator))
    return np.array(list(at), np.int64), tuple(at.values())


def _check_length(score: Score, limits: Limits) -> None:
    """Refuses a score that is too long, by arithmetic alone: a bar grid of a huge file would fill the memory."""
    end = score.end_tick
    edges = np.append(score.meter_tick, max(end, int(score.meter_tick[-1])))
    bars = sum(
        -(-max(min(int(stop), end) - int(start), 0) // meter.bar_ticks(score.ppq))
        for start, stop, meter in zip(edges[:-1], edges[1:], score.meters, strict=True)
    )
    if bars > limits.max_bars:
        raise InvalidInputError.of("midi", f"must last at most {limits.max_bars:,} bars", f"{bars:,} bars")
    if score.duration_s > limits.max_duration_s:
        rule = f"must last at most {limits.max_duration_s:,.0f} seconds"
        raise InvalidInputError.of("midi", rule, f"{score.duration_s:,.0f} seconds")


# --- writing -----------------------------------------------------------------------------------------------------


def _without_overlaps(score: Score, group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Durations [N] with which no note lasts into a later one of the same group and pitch."""
    if not len(score):
        return score.duration
    order = np.lexsort((score.onset, score.pitch, group))
    onset = score.onset[order]
    line = group[order] * 128 + score.pitch[order]
    first = np.concatenate(([True], (line[1:] != line[:-1]) | (onset[1:] != onset[:-1])))
    starts = np.flatnonzero(first)  # of the runs of notes that start together on one line
    later = np.append(line[starts][1:] == line[starts][:-1], False)
    limit = np.where(later, np.append(onset[starts][1:], 0), np.iinfo(np.int64).max)[np.cumsum(first) - 1]
    duration = np.empty(len(score), np.int64)
    duration[order] = np.minimum(onset + score.duration[order], limit) - onset
    return duration


def _channels(score: Score) -> dict[int, int]:
    """MIDI channel (0..15) of every program, most played programs first."""
    programs, counts = np.unique(score.program, return_counts=True)
    order = sorted(
        (int(program) for program in programs if program != DRUMS),
        key=lambda program: (-int(counts[programs == program][0]), program),
    )
    channels = {DRUMS: _DRUM_CHANNEL}
    for place, program in enumerate(order):
        if place < len(_PITCHED_CHANNELS):
            channels[program] = _PITCHED_CHANNELS[place]
            continue
        kin = [other for other in order[: len(_PITCHED_CHANNELS)] if family_of(other) == family_of(program)]
        channels[program] = channels[kin[-1] if kin else order[len(_PITCHED_CHANNELS) - 1]]
    return channels


def _with_channels(data: bytes, programs: list[int], channels: dict[int, int]) -> bytes:
    """The file with every note track on the channel of its program (symusic deals channels out by track number)."""
    out, note_track = [data[:14]], 0
    for body in _track_bodies(data):
        moved = bytearray(body)
        position, running, has_notes = 0, 0, False
        while position < len(body):
            position = end_of_number(body, position)
            if body[position] == 0xFF:
                start = end_of_number(body, position + 2)
                length = 0
                for byte in body[position + 2 : start]:
                    length = length << 7 | byte & 0x7F
                position = start + length
                continue
            if body[position] & 0x80:
                running = body[position]
                moved[position] = running & 0xF0 | channels[programs[note_track]]
                position += 1
            has_notes = True
            position += 1 if running & 0xE0 == 0xC0 else 2
        note_track += has_notes
        out += [b"MTrk", len(moved).to_bytes(4, "big"), bytes(moved)]
    return b"".join(out)


def _track_bodies(data: bytes) -> Iterator[bytes]:
    position = 14
    while position < len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "big")
        yield data[position + 8 : position + 8 + length]
        position += 8 + length
