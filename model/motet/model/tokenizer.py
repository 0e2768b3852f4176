"""Scores to token ids and back: a header, then miditok's REMI with byte-pair encoding inside bars.

A sequence is ``Key Genre* Player* [Given bars Write] bars``. Programs share one stream, pitches are relative to the key
(``motet.model.header``). What stands between ``Given`` and ``Write`` is music that is there already: the bars after it
hold only what is to be added to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import symusic  # type: ignore[import-untyped]
from miditok import REMI, TokenizerConfig, TokSequence  # type: ignore[import-untyped]

from motet.model.header import PLAYERS, Header
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score

BEGIN: Final = "BOS_None"
END: Final = "EOS_None"
GIVEN: Final = "Given_None"
WRITE: Final = "Write_None"

LOWEST_PITCH: Final = 21
HIGHEST_PITCH: Final = 108
"""Sounding pitches that can be written, in every key."""

STEPS_PER_QUARTER: Final = 12
"""Onsets are written on this grid: sixteenths and triplets."""

METERS: Final = {4: (1, 2, 3, 4, 5, 6, 7, 8), 8: (3, 4, 5, 6, 7, 8, 9, 12)}
"""Beats a bar by denominator: the meters that the vocabulary holds. Halves are written as quarters (2/2 as 4/4):
twelve positions in a half note could not hold sixteenths."""


def _config(genres: Iterable[str]) -> TokenizerConfig:
    header = [f"Key_{index}" for index in range(24)]
    header += [f"Genre_{name}" for name in sorted(genres)]
    header += [f"Player_{player}" for player in range(PLAYERS)]
    return TokenizerConfig(
        pitch_range=(LOWEST_PITCH - 6, HIGHEST_PITCH + 5 + 1),
        # 12 positions a beat hold sixteenths and triplets alike; long notes are coarser.
        beat_res={(0, 1): 12, (1, 2): 4, (2, 4): 2, (4, 12): 1},
        num_velocities=8,
        special_tokens=["PAD", "BOS", "EOS", "Given", "Write", *header],
        use_tempos=True,
        num_tempos=48,
        tempo_range=(30, 280),
        log_tempos=True,
        use_time_signatures=True,
        time_signature_range={denominator: list(beats) for denominator, beats in METERS.items()},
        use_programs=True,
        # A drum stroke has no length worth a token.
        use_note_duration_programs=list(range(128)),
        one_token_stream_for_programs=True,
        remove_duplicated_notes=True,
        delete_equal_successive_tempo_changes=True,
        delete_equal_successive_time_sig_changes=True,
        encode_ids_split="bar",
    )


class Tokenizer:
    """A REMI vocabulary with learned merges that never cross a bar line.

    Build one with ``train`` or ``load``. Ids 0, 1, 2 are padding, begin and end of sequence; begin and end are left to
    the caller of ``encode`` and ``decode``.
    """

    headed: ClassVar[bool] = True
    """Whether sequences begin with a header, and pitches are relative to its key."""
    timed_drums: ClassVar[bool] = False
    """Whether drum strokes have durations."""
    fills: ClassVar[bool] = True
    """Whether sequences can hold music that is there already, to be added to."""

    def __init__(self, remi: REMI) -> None:
        self._remi = remi
        self._base_names = {index: name for name, index in remi.vocab.items()}
        self._expansions = tuple(self._expand(index) for index in range(len(self)))
        self._ids = {names[0]: index for index, names in enumerate(self._expansions) if len(names) == 1}

    @classmethod
    def train(cls, scores: Iterable[Score], vocabulary: int, genres: Iterable[str] = ()) -> Tokenizer:
        """Learns byte-pair merges on ``scores`` until the vocabulary holds ``vocabulary`` tokens.

        Args:
            scores: music like that to be written, in any key.
            vocabulary: number of tokens, merges and all.
            genres: names that a header can say.
        """
        remi = REMI(_config(genres))
        if vocabulary <= len(remi.vocab):
            raise InvalidInputError.of("vocabulary", f"must exceed the {len(remi.vocab)} base tokens", vocabulary)

        bars: list[list[str]] = []  # miditok writes a base token as one character
        for score in scores:
            relative = _transposed(score, Header.of(score).semitones)
            sequence = remi.encode(_to_symusic(relative), encode_ids=False)
            bars.append(remi._ids_to_bytes([bar.ids for bar in sequence.split_per_bars()], as_one_str=True))
        remi.train(vocab_size=vocabulary, model="BPE", iterator=bars)
        return cls(remi)

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Reads ``tokenizer.json`` from a checkpoint folder; NotFoundError if there is none."""
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise NotFoundError("TOKENIZER_NOT_FOUND", f"tokenizer: no file {path}", {"path": str(path)})
        return cls(REMI(params=path))

    def save(self, folder: Path) -> None:
        """Writes ``tokenizer.json`` into ``folder``, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        self._remi.save(folder, filename="tokenizer.json")

    def __len__(self) -> int:
        return len(self._remi)

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""
        return int(self._remi.pad_token_id)

    @property
    def begin_id(self) -> int:
        """Id with which every sequence starts."""
        return int(self._remi.vocab[BEGIN])

    @property
    def end_id(self) -> int:
        """Id that ends a piece."""
        return int(self._remi.vocab[END])

    @property
    def tempos_bpm(self) -> tuple[float, ...]:
        """The tempi of the vocabulary, ascending, in quarter notes a minute."""
        return tuple(float(bpm) for bpm in self._remi.tempos)

    def stands_for(self, written_bpm: float, bpm: float) -> bool:
        """Whether a score at ``bpm`` may be written with the vocabulary's tempo ``written_bpm``: half a step apart."""
        tempos = self.tempos_bpm
        half_step = 0.5 * math.log(tempos[1] / tempos[0])
        return abs(math.log(bpm / written_bpm)) <= 1.05 * half_step  # steps are rounded to 0.01 BPM

    @property
    def meters(self) -> tuple[Meter, ...]:
        """The meters of the vocabulary."""
        return tuple(Meter(beats, bottom) for bottom, all_beats in METERS.items() for beats in all_beats)

    def supports(self, meter: Meter) -> bool:
        """Whether the vocabulary can write this meter."""
        return meter.in_quarters in self.meters

    def expansion(self, token: int) -> tuple[str, ...]:
        """The base REMI tokens, such as ``("Position_12", "Program_0")``, that ``token`` stands for."""
        return self._expansions[token]

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres that a header can say, sorted."""
        return tuple(name.partition("_")[2] for name in self._ids if name.startswith("Genre_"))

    def token(self, name: str) -> int:
        """Id of a base token such as ``"Key_0"`` or ``"Write_None"``; KeyError if there is none."""
        return self._ids[name]

    def encode_header(self, header: Header) -> list[int]:
        """Token ids of a header; genres that the vocabulary lacks are left out."""
        names = [f"Key_{header.key.index}"]
        names += [f"Genre_{genre}" for genre in header.genres]
        names += [f"Player_{player}" for player in header.players]
        return [self._ids[name] for name in names if name in self._ids]

    def encode_bars(self, score: Score, header: Header) -> list[int]:
        """Token ids of the bars of a score alone.

        Notes outside MIDI pitch 21..108 and meters that the vocabulary lacks are dropped by miditok's own rules.
        """
        relative = _transposed(score, header.semitones)
        return [int(token) for token in self._remi.encode(_to_symusic(relative)).ids]

    def encode(self, score: Score, header: Header | None = None, given: Score | None = None) -> list[int]:
        """Token ids of a whole sequence, without begin and end.

        Args:
            score: the music to be written, all of it or what is missing from ``given``.
            header: of the whole piece; found in the score if None.
            given: music that is there already, with the same tempo and meter.
        """
        header = header or Header.of(score)
        tokens = self.encode_header(header)
        if given is not None:
            tokens += [self._ids[GIVEN], *self.encode_bars(given, header), self._ids[WRITE]]
        return tokens + self.encode_bars(score, header)

    def decode(self, tokens: Sequence[int]) -> Score:
        """The score that ``tokens`` stand for, given music and all; begin, end and padding are skipped.

        Without a key token, pitches are taken as relative to C.
        """
        semitones = 0
        parts: list[list[str]] = [[]]
        for name in (name for token in tokens for name in self._expansions[int(token)]):
            kind, _, value = name.partition("_")
            if kind == "Key":
                semitones = Header(key=Key.from_index(int(value)), players=()).semitones
            elif kind == "Write":
                parts.append([])
            elif kind not in ("PAD", "BOS", "EOS", "Genre", "Player", "Given"):
                parts[-1].append(name)
        scores = [self._decode_bars(names) for names in parts]
        whole = scores[-1] if len(scores) == 1 else merged(*scores)
        return _transposed(whole, -semitones)

    def _decode_bars(self, names: list[str]) -> Score:
        return _from_symusic(self._remi.decode(TokSequence(tokens=names, ids=self._remi._tokens_to_ids(names))))

    def _expand(self, token: int) -> tuple[str, ...]:
        if not self._remi.is_trained:
            return (self._base_names[token],)
        learned = self._remi._model.id_to_token(token)
        return tuple(self._remi._vocab_learned_bytes_to_tokens[learned])


def snapped(score: Score) -> Score:
    """The score with onsets on the tokenizer's grid, counted from the bar line, so that none leaves its bar later."""
    starts = score.bar_ticks()
    start = starts[np.searchsorted(starts, score.onset, side="right") - 1]
    step = score.ppq / STEPS_PER_QUARTER
    return replace(score, onset=start + np.rint(np.rint((score.onset - start) / step) * step).astype(np.int64))


def merged(given: Score, written: Score) -> Score:
    """Both scores sounding together, tracks by program, with the tempo and meter of ``given``; of equal ``ppq``."""
    both = given.plus(written)
    return replace(both, track=np.unique(both.program, return_inverse=True)[1].astype(np.int16), track_names=())


def _transposed(score: Score, semitones: int) -> Score:
    """The score with all but its drums moved; what would leave MIDI's range is left out."""
    moves = score.program != DRUMS
    pitch = score.pitch.astype(np.int64) + np.where(moves, semitones, 0)
    inside = (pitch >= 0) & (pitch <= 127)
    return replace(score, pitch=np.clip(pitch, 0, 127)).select(inside)


def _to_symusic(score: Score) -> symusic.Score:
    result = symusic.Score(score.ppq)
    for program in np.unique(score.program):
        of_program = score.select(score.program == program)
        track = symusic.Track(program=max(int(program), 0), is_drum=bool(program == DRUMS))
        track.notes = symusic.Note.from_numpy(
            time=of_program.onset.astype(np.int32),
            duration=of_program.duration.astype(np.int32),
            pitch=of_program.pitch.astype(np.int8),
            velocity=of_program.velocity.astype(np.int8),
        )
        result.tracks.append(track)
    for tick, bpm in zip(score.tempo_tick, score.tempo_bpm, strict=True):
        result.tempos.append(symusic.Tempo(int(tick), float(bpm)))
    for tick, meter in zip(score.meter_tick, score.meters, strict=True):
        written = meter.in_quarters
        result.time_signatures.append(symusic.TimeSignature(int(tick), written.numerator, written.denominator))
    return result


def _from_symusic(decoded: symusic.Score) -> Score:
    tracks = [track for track in decoded.tracks if len(track.notes)]
    columns = [track.notes.numpy() for track in tracks]

    def column(name: str) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.int64), *(notes[name] for notes in columns)])

    lengths = [len(track.notes) for track in tracks]
    programs = [DRUMS if track.is_drum else track.program for track in tracks]
    score = Score(
        ppq=decoded.ticks_per_quarter,
        onset=column("time"),
        duration=np.maximum(column("duration"), 1),
        pitch=column("pitch"),
        velocity=np.maximum(column("velocity"), 1),
        program=np.repeat(np.array(programs, np.int16), lengths),
        track=np.repeat(np.arange(len(tracks), dtype=np.int16), lengths),
        meter_tick=np.array([signature.time for signature in decoded.time_signatures], np.int64),
        meters=tuple(Meter(signature.numerator, signature.denominator) for signature in decoded.time_signatures),
    )
    if not len(decoded.tempos):
        return score
    return replace(
        score,
        tempo_tick=np.array([tempo.time for tempo in decoded.tempos], np.int64),
        tempo_bpm=np.array([tempo.qpm for tempo in decoded.tempos], np.float64),
    )
