"""Windows: runs of bars with one meter and one tempo, cut from a score so that they fit a model's context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from motet.model.tokenizer import HIGHEST_PITCH, LOWEST_PITCH, snapped
from motet.music.error import InvalidInputError
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score

Encode = Callable[[Score, int], list[int]]
"""From a window's score, and the semitones by which it was moved, to its token ids."""

TWINS: Mapping[int, int] = MappingProxyType({5: 4, 37: 36, 39: 38, 49: 48, 51: 50, 63: 62})
"""Second versions of one General MIDI sound (Electric Piano 2 ...) -> the first version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig:
    """How windows are cut and varied.

    Args:
        bars: lengths in bars from which one is drawn uniformly; repeat a length to draw it more often.
        min_bars: shortest window kept.
        max_tokens: longest window kept, in tokens without begin and end.
        max_programs: pitched programs kept in a window, by note-seconds; the rest is left out.
        min_notes: notes below which a window is rejected.
        max_empty_bars: bars without any onset that a window may hold.
        tempo_spread: (fastest / slowest) - 1 up to which a window's tempo map is replaced by its mean.
        min_bpm, max_bpm: tempi in quarters a minute outside of which a window is rejected.
        start_share: share of windows that start at the first bar with notes.
        phrase_share: share of the other windows that start a multiple of four bars after it.
        transpose_share: share of windows that are transposed, by -5 to +6 semitones.
        stretch_share: share of the windows of known tempo whose tempo is changed.
        stretch: largest relative change of tempo.
    """

    bars: tuple[int, ...] = (4, 8, 8, 8, 12, 16)
    min_bars: int = 2
    max_tokens: int = 640
    max_programs: int = 8
    min_notes: int = 12
    max_empty_bars: int = 1
    tempo_spread: float = 0.15
    min_bpm: float = 30.0
    max_bpm: float = 280.0
    start_share: float = 0.5
    phrase_share: float = 0.7
    transpose_share: float = 0.6
    stretch_share: float = 0.3
    stretch: float = 0.12

    def __post_init__(self) -> None:
        if not self.bars or min(self.bars) < self.min_bars:
            raise InvalidInputError.of("window.bars", f"must not be empty, each at least {self.min_bars}", self.bars)
        if self.min_bars < 1:
            raise InvalidInputError.of("window.min_bars", "must be at least 1", self.min_bars)
        if self.max_tokens < 16:
            raise InvalidInputError.of("window.max_tokens", "must be at least 16", self.max_tokens)
        for name in ("start_share", "phrase_share", "transpose_share", "stretch_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InvalidInputError.of(f"window.{name}", "must be from 0 to 1", getattr(self, name))
        if not 0.0 <= self.stretch < 1.0:
            raise InvalidInputError.of("window.stretch", "must be from 0 to below 1", self.stretch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A cut score that starts at tick 0, with one meter and one tempo.

    Args:
        score: the notes.
        start_bar: bar of the piece, from 0, at which it starts.
        bars: its length; the first and the last bar hold onsets.
        ends_piece: whether no note of the piece starts later.
        transposed: semitones by which pitched notes were moved.
        stretched: factor by which the tempo was changed.
        tokens: ids of the score, without begin and end.
    """

    score: Score
    start_bar: int
    bars: int
    ends_piece: bool
    transposed: int
    stretched: float
    tokens: tuple[int, ...]


class Cutter:
    """Draws windows from one score.

    Args:
        score: a piece; notes outside pitch 21..108 are left out.
        config: how to cut.
        supports: whether a meter can be written as tokens.
    """

    def __init__(self, score: Score, config: WindowConfig, supports: Callable[[Meter], bool]) -> None:
        self._config = config
        audible = score.select((score.pitch >= LOWEST_PITCH) & (score.pitch <= HIGHEST_PITCH))
        self._score = snapped(without_twins(audible))
        self._starts = self._score.bar_ticks()
        bars = len(self._starts) - 1
        meter_of_bar = np.searchsorted(self._score.meter_tick, self._starts[:-1], side="right") - 1
        self._meters = [self._score.meters[index].in_quarters for index in meter_of_bar]
        whole = np.array(
            [
                meter.bar_ticks(self._score.ppq) == length and supports(meter)
                for meter, length in zip(self._meters, np.diff(self._starts), strict=True)
            ],
            dtype=bool,
        )
        bar_of_note = np.searchsorted(self._starts, self._score.onset, side="right") - 1
        self._onsets = np.bincount(bar_of_note, minlength=bars)[:bars]
        self._run_end = np.zeros(bars, np.int64)  # exclusive end of the run of whole bars of one meter
        for bar in range(bars - 1, -1, -1):
            joins = bar + 1 < bars and whole[bar + 1] and self._meters[bar] == self._meters[bar + 1]
            self._run_end[bar] = 0 if not whole[bar] else self._run_end[bar + 1] if joins else bar + 1
        self._candidates = np.flatnonzero(
            (self._onsets > 0) & (self._run_end - np.arange(bars) >= config.min_bars)
        ).astype(np.int64)

    @property
    def start_bars(self) -> NDArray[np.int64]:
        """Bars at which a window can start."""
        return self._candidates

    def draw(self, rng: np.random.Generator, encode: Encode, *, vary: bool, stretchable: bool) -> Window | None:
        """One random window, varied as the configuration says, or None when the drawn one does not qualify.

        Args:
            rng: source of chance.
            encode: gives the token ids, without begin and end.
            vary: whether to transpose and stretch.
            stretchable: whether the tempo may be changed.
        """
        if not len(self._candidates):
            return None
        start = self._draw_start(rng)
        bars = int(rng.choice(self._config.bars))
        score = self.cut(start, bars)
        if score is None:
            return None
        transposed, stretched = 0, 1.0
        if vary:
            score, transposed = self._transpose(score, rng)
        if vary and stretchable and rng.random() < self._config.stretch_share:
            factor = 1.0 + rng.uniform(-self._config.stretch, self._config.stretch)
            bpm = float(np.clip(score.tempo_bpm[0] * factor, self._config.min_bpm, self._config.max_bpm))
            stretched = bpm / float(score.tempo_bpm[0])
            score = replace(score, tempo_bpm=np.array([bpm]))
        window = self._fit(score, start, transposed, encode)
        return window if window is None else replace(window, stretched=stretched)

    def cut(self, start: int, bars: int) -> Score | None:
        """The notes of ``bars`` bars, or fewer, from bar ``start``, which becomes tick 0.

        Ends earlier where the meter changes or the tempo leaves the allowed spread, and after the last bar with
        onsets. None when too short, too empty or too fast or slow.
        """
        config = self._config
        end = int(min(start + bars, self._run_end[start]))
        end = self._one_tempo(start, end)
        while end > start and self._onsets[end - 1] == 0:
            end -= 1
        if end - start < config.min_bars or np.count_nonzero(self._onsets[start:end] == 0) > config.max_empty_bars:
            return None
        window = self._score.between(int(self._starts[start]), int(self._starts[end]))
        window = _loudest_programs(window, config.max_programs)
        bpm = _mean_bpm(window, int(self._starts[end] - self._starts[start]))
        if len(window) < config.min_notes or not config.min_bpm <= bpm <= config.max_bpm:
            return None
        return replace(
            window,
            tempo_tick=np.zeros(1, np.int64),
            tempo_bpm=np.array([bpm]),
            meter_tick=np.zeros(1, np.int64),
            meters=(self._meters[start],),
            track_names=(),
        )

    def _draw_start(self, rng: np.random.Generator) -> int:
        first = int(self._candidates[0])
        if rng.random() < self._config.start_share:
            return first
        phrases = self._candidates[(self._candidates - first) % 4 == 0]
        pool = phrases if rng.random() < self._config.phrase_share else self._candidates
        return int(rng.choice(pool))

    def _one_tempo(self, start: int, end: int) -> int:
        score = self._score
        while end - start >= self._config.min_bars:
            first = max(int(np.searchsorted(score.tempo_tick, self._starts[start], side="right")) - 1, 0)
            last = max(int(np.searchsorted(score.tempo_tick, self._starts[end], side="left")), first + 1)
            tempos = score.tempo_bpm[first:last]
            if tempos.max() / max(float(tempos.min()), 1e-6) <= 1.0 + self._config.tempo_spread:
                return end
            end -= 1
        return start

    def _transpose(self, score: Score, rng: np.random.Generator) -> tuple[Score, int]:
        pitched = score.program != DRUMS
        if not pitched.any() or rng.random() >= self._config.transpose_share:
            return score, 0
        pitches = score.pitch[pitched].astype(int)
        # Stay where instruments sound well (E1 to E7), or within what the piece uses already.
        down = max(-5, min(0, min(28, int(pitches.min())) - int(pitches.min())))
        up = min(6, max(0, max(100, int(pitches.max())) - int(pitches.max())))
        semitones = int(rng.integers(down, up + 1))
        if semitones == 0:
            return score, 0
        return replace(score, pitch=np.where(pitched, score.pitch + semitones, score.pitch)), semitones

    def _fit(self, score: Score, start: int, transposed: int, encode: Encode) -> Window | None:
        config = self._config
        bar_ticks = score.meters[0].bar_ticks(score.ppq)
        onset_bar = score.onset // bar_ticks
        bars = int(onset_bar.max()) + 1
        while bars >= config.min_bars:
            kept = score.between(0, bars * bar_ticks)
            tokens = encode(kept, transposed)
            if len(tokens) <= config.max_tokens:
                if len(kept) < config.min_notes:
                    return None
                return Window(
                    score=kept,
                    start_bar=start,
                    bars=bars,
                    ends_piece=not self._onsets[start + bars :].any(),
                    transposed=transposed,
                    stretched=1.0,
                    tokens=tuple(tokens),
                )
            shrunk = min(bars - 1, int(bars * config.max_tokens / len(tokens)))
            inside = onset_bar[onset_bar < shrunk]
            bars = int(inside.max()) + 1 if len(inside) else 0
        return None


def without_twins(score: Score) -> Score:
    """The score with each program that no caption can tell from its twin played by the twin."""
    table = np.arange(-1, 128, dtype=np.int16)
    for program, twin in TWINS.items():
        table[program + 1] = twin
    return replace(score, program=table[score.program.astype(np.int64) + 1])


def _mean_bpm(score: Score, length_ticks: int) -> float:
    """The constant tempo at which ``length_ticks`` last as long as under the tempo map."""
    seconds = float(score.seconds(np.array([length_ticks]))[0])
    return 60.0 * length_ticks / score.ppq / seconds if seconds > 0 else 0.0


def note_ticks_by_program(score: Score) -> dict[int, int]:
    """Pitched program -> summed note lengths in ticks, largest first, ties by program."""
    totals = {
        int(program): int(score.duration[score.program == program].sum())
        for program in np.unique(score.program)
        if program != DRUMS
    }
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def _loudest_programs(score: Score, limit: int) -> Score:
    kept = list(note_ticks_by_program(score))[:limit]
    return score.select(np.isin(score.program, [*kept, DRUMS]))
