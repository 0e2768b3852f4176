"""Reading and writing MIDI files: round trips, other readers' view, bad input."""

from __future__ import annotations

import io
import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pretty_midi  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.music import midi
from motet.music.error import InvalidInputError, MotetError, NotFoundError
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from tests.music.scores import MIDI_FILES, melody, score_of, scores, smf, together

NOTE = b"\x00\x90\x3c\x40\x60\x80\x3c\x00"
END = b"\x00\xff\x2f\x00"


def _rows(score: Score) -> list[tuple[int, ...]]:
    return sorted(zip(*(getattr(score, n).tolist() for n in ("onset", "pitch", "velocity", "program")), strict=True))


@given(scores())
def test_writing_and_reading_keeps_the_notes(score: Score) -> None:
    back = midi.read(midi.write(score))
    assert _rows(back) == _rows(score)
    assert back.ppq == score.ppq
    assert np.all(back.duration >= 1)
    assert back.end_tick <= score.end_tick
    assert back.meters == score.meters
    assert np.array_equal(back.meter_tick, score.meter_tick)
    assert np.array_equal(back.tempo_tick, score.tempo_tick)
    assert np.allclose(back.tempo_bpm, score.tempo_bpm)


@given(scores(max_tracks=1, max_notes=12))
def test_durations_survive_where_notes_do_not_overlap(score: Score) -> None:
    apart = score_of(
        score.ppq,
        np.arange(len(score)) * 4_000,
        score.duration,
        score.pitch,
        score.velocity,
        score.program,
        score.track,
    )
    back = midi.read(midi.write(apart))
    assert np.array_equal(back.duration, apart.duration)
    assert np.array_equal(back.pitch, apart.pitch)


@given(scores())
def test_the_same_score_gives_the_same_bytes(score: Score) -> None:
    data = midi.write(score)
    assert midi.write(score) == data
    assert midi.write(midi.read(data)) == data


@given(st.integers(0, 127), st.integers(1, 50), st.integers(1, 50))
def test_overlaps_on_one_key_are_cut(pitch: int, late: int, length: int) -> None:
    ones = np.ones(2, np.int64)
    score = score_of(480, [0, late], [100, length], ones * pitch, ones * 80, ones * 0, ones * 0)
    back = midi.read(midi.write(score))
    assert back.duration.tolist() == [late, length]


def test_drums_are_on_channel_10_and_nothing_else_is() -> None:
    parts = [melody([60, 62], program=program) for program in range(30)]
    score = together(*parts, melody([36, 38], program=DRUMS))
    data = midi.write(score)
    back = midi.read(data)
    assert _rows(back) == _rows(score)
    channels = _note_channels(data)
    assert [track for track, used in enumerate(channels) if 9 in used] == [30]
    assert all(len(used) == 1 for used in channels)


def test_sixteen_tracks_of_two_programs_share_two_channels() -> None:
    score = together(*(melody([60 + i], program=40 if i % 2 else 0) for i in range(20)))
    channels = _note_channels(midi.write(score))
    assert {frozenset(used) for used in channels} == {frozenset({0}), frozenset({1})}
    assert _rows(midi.read(midi.write(score))) == _rows(score)


def test_programs_beyond_fifteen_share_with_their_family() -> None:
    score = together(
        *(melody([60] * 3, program=8 * family) for family in range(16)),
        melody([60], program=1),
        melody([60], program=41),
    )
    channels = _note_channels(midi.write(score))
    assert channels[16] == channels[0]
    assert channels[17] == channels[5]


def _note_channels(data: bytes) -> list[set[int]]:
    """Channels of the note events of each track, as pretty_midi's parser (mido) sees them."""
    import mido  # type: ignore[import-untyped]

    file = mido.MidiFile(file=io.BytesIO(data))
    found = [{message.channel for message in track if message.type == "note_on"} for track in file.tracks]
    return [used for used in found if used]


@pytest.mark.filterwarnings("ignore:Tempo, Key or Time signature")
@pytest.mark.parametrize("path", MIDI_FILES, ids=lambda path: path.stem)
def test_real_files_read_as_another_reader_reads_them(path: Path) -> None:
    score = midi.read(path)
    other = pretty_midi.PrettyMIDI(str(path))
    expected = sorted(
        (round(note.start, 3), note.pitch, note.velocity, DRUMS if part.is_drum else part.program)
        for part in other.instruments
        for note in part.notes
    )
    starts = np.round(score.seconds(score.onset), 3).tolist()
    columns = (score.pitch.tolist(), score.velocity.tolist(), score.program.tolist())
    found = sorted(zip(starts, *columns, strict=True))
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine == pytest.approx(theirs, abs=0.002)


@pytest.mark.parametrize("path", MIDI_FILES, ids=lambda path: path.stem)
def test_real_files_survive_a_round_trip(path: Path) -> None:
    score = midi.read(path)
    data = midi.write(score)
    back = midi.read(data)
    assert _rows(back) == _rows(score)
    assert back.meters == score.meters
    assert midi.write(back) == data
    assert back.track_names == score.track_names


def test_bytes_and_path_give_the_same_score() -> None:
    path = MIDI_FILES[0]
    assert midi.write(midi.read(path)) == midi.write(midi.read(path.read_bytes()))


def test_missing_tempo_and_meter_mean_120_and_common_time() -> None:
    score = midi.read(smf(NOTE + END))
    assert (score.tempo_tick.tolist(), score.tempo_bpm.tolist(), score.meters) == ([0], [120.0], (Meter(4, 4),))


def test_a_late_first_tempo_leaves_120_before_it() -> None:
    score = midi.read(smf(b"\x81\x00\xff\x51\x03\x0f\x42\x40" + NOTE + END))
    assert score.tempo_tick.tolist() == [0, 128]
    assert score.tempo_bpm.tolist() == [120.0, 60.0]


def test_a_tempo_of_zero_microseconds_is_clamped() -> None:
    score = midi.read(smf(b"\x00\xff\x51\x03\x00\x00\x00" + NOTE + END))
    assert score.tempo_bpm.tolist() == [midi.MAX_BPM]
    assert score.duration_s > 0


def test_notes_of_no_length_get_one_tick() -> None:
    score = midi.read(smf(b"\x00\x90\x3c\x40\x00\x80\x3c\x00" + END))
    assert score.duration.tolist() == [1]


def test_a_note_that_never_ends_is_left_out() -> None:
    assert len(midi.read(smf(b"\x00\x90\x3c\x40" + END))) == 0


def test_running_status_goes_on_after_a_meta_event() -> None:
    body = b"\x00\x90\x3c\x40\x60\xff\x01\x02hi\x00\x3c\x00\x00\x40\x50\x60\x40\x00" + END
    assert midi.read(smf(body)).pitch.tolist() == [60, 64]


def test_a_track_without_an_end_event_is_read() -> None:
    assert len(midi.read(smf(NOTE))) == 1


def test_names_that_are_not_utf8_are_read_as_latin() -> None:
    score = midi.read(smf(b"\x00\xff\x03\x04Fl\xf6t" + NOTE + END))
    assert score.track_names == ("Flöt",)


def test_odd_events_are_passed_over() -> None:
    odd = (
        b"\x00\xff\x59\x02\x63\x09"  # a key signature of 99 sharps
        b"\x00\xff\x58\x04\x00\x02\x18\x08"  # 0/4
        b"\x00\xff\x58\x02\x04\x02"  # a time signature that is too short
        b"\x00\xff\x51\x02\x07\xa1"  # a tempo that is too short
        b"\x00\xf0\x03\x7e\x7f\xf7"  # system exclusive
        b"\x00\xff\x7f\x02\x00\x00"
        b"\x00\xc0\x28\x00\xd0\x10\x00\xe0\x00\x40\x00\xb0\x07\x64"
    )
    score = midi.read(smf(odd + NOTE + END))
    assert score.program.tolist() == [40]
    assert score.meters == (Meter(4, 4),)


def test_program_changes_split_a_track() -> None:
    body = b"\x00\xc0\x00" + NOTE + b"\x00\xc0\x28" + NOTE + b"\x00\x99\x24\x40\x60\x89\x24\x00" + END
    score = midi.read(smf(body))
    assert sorted(zip(score.program.tolist(), score.pitch.tolist(), strict=True)) == [(-1, 36), (0, 60), (40, 60)]
    assert len(set(score.track.tolist())) == 3


BAD = {
    "empty": (b"", "must not be empty"),
    "text": (b"hello, I am a text file" * 9, "MThd"),
    "wave": (b"RIFF\x00\x00\x00\x00WAVEfmt ", "MThd"),
    "half a header": (smf(NOTE + END)[:11], "truncated"),
    "no tracks present": (smf(NOTE + END)[:14], "truncated"),
    "half a track": (smf(NOTE + END)[:-6], "truncated"),
    "a missing track": (smf(NOTE + END, NOTE + END)[: -len(NOTE + END) - 8], "truncated"),
    "half an event": (smf(b"\x00\x90\x3c"), "damaged"),
    "half a meta event": (smf(b"\x00\xff\x03\x7fabc"), "damaged"),
    "a meta event without a length": (smf(b"\x00\xff\x03"), "damaged"),
    "data without a status": (smf(b"\x00\x3c\x40"), "damaged"),
    "a real-time event": (smf(b"\x00\xf8" + END), "damaged"),
    "an endless number": (smf(b"\xff\xff\xff\xff\xff\xff"), "damaged"),
    "a note above 127": (smf(b"\x00\x90\xbc\x40" + END), "damaged"),
    "division 0": (smf(NOTE + END, division=0), "ticks per quarter"),
    "time code": (smf(NOTE + END, division=0xE728), "ticks per quarter"),
    "format 7": (smf(NOTE + END, kind=7), "format"),
    "for ever": (smf(b"\x00\x90\x3c\x40" + b"\xff\xff\xff\x7f\x80\x3c\x00" + END, division=1), "must last at most"),
    "past 2^31 ticks": (smf(b"\xff\xff\xff\x7f\xb0\x07\x00" * 9 + NOTE + END), "must"),
}


@pytest.mark.parametrize(("data", "rule"), BAD.values(), ids=BAD)
def test_bad_files_give_one_line(data: bytes, rule: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        midi.read(data)
    message = caught.value.message
    assert message.startswith("midi: ")
    assert rule in message
    assert "received" in message
    assert "\n" not in message
    assert len(message) < 300


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.mid"):
        with pytest.raises(NotFoundError) as caught:
            midi.read(path)
        assert str(path) in caught.value.message


def test_too_many_notes_are_refused() -> None:
    data = smf(NOTE * 1_001 + END)
    with pytest.raises(InvalidInputError, match=r"at most 1,000 notes \(received '1,001 notes'\)"):
        midi.read(data, limits=midi.Limits(max_notes=1_000))
    assert len(midi.read(data, limits=midi.Limits(max_notes=1_001))) == 1_001


def test_ten_million_notes_are_refused_before_they_are_parsed(tmp_path: Path) -> None:
    path = tmp_path / "huge.mid"
    path.write_bytes(smf(b"\x00\x90\x3c\x40" + b"\x01\x3c\x00\x00\x3c\x40" * 10_000_000 + END))
    with pytest.raises(
        InvalidInputError, match=r"must hold at most 16,777,216 bytes \(received '60,000,0\d\d bytes'\)"
    ):
        midi.read(path)


def test_too_many_tracks_and_bars_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="at most 2 tracks"):
        midi.read(smf(*[NOTE + END] * 3), limits=midi.Limits(max_tracks=2))
    with pytest.raises(InvalidInputError, match="at most 3 bars"):
        midi.read(midi.write(melody([60] * 13)), limits=midi.Limits(max_bars=3))
    assert len(midi.read(midi.write(melody([60] * 12)), limits=midi.Limits(max_bars=3))) == 12


@pytest.mark.parametrize("name", ["max_bytes", "max_notes", "max_tracks", "max_bars", "max_duration_s"])
def test_limits_must_be_positive(name: str) -> None:
    with pytest.raises(InvalidInputError, match=name):
        midi.Limits(**{name: 0})


def test_damaged_files_are_read_or_refused_and_never_end_the_process() -> None:
    rng = random.Random(5)  # noqa: S311 (not for secrets)
    originals = [path.read_bytes() for path in MIDI_FILES]
    outcomes = {"read": 0, "refused": 0}
    for _ in range(1_500):
        data = bytearray(rng.choice(originals))
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        for _ in range(rng.randint(0, 3)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            score = midi.read(bytes(data))
        except MotetError:
            outcomes["refused"] += 1
        else:
            midi.read(midi.write(score))
            outcomes["read"] += 1
    assert min(outcomes.values()) > 100


@given(st.binary(max_size=300))
def test_random_tracks_are_read_or_refused(body: bytes) -> None:
    with suppress(InvalidInputError):
        midi.write(midi.read(smf(body + END)))
