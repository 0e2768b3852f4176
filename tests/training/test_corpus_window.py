from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.training.corpus import label
from motet.training.corpus.manifest import Piece
from motet.training.corpus.window import TWINS, Cutter, Window, WindowConfig

PPQ = 480
CONFIG = WindowConfig()
FOUR = Meter(4, 4)
C_MAJOR = (60, 64, 67, 72, 71, 67, 65, 62)


def scale_score(bars: int, meter: Meter = FOUR, *, lead_in: int = 0, drums: bool = True) -> Score:
    """Eighths in C major on a piano over a bass, with a drum on every quarter, after ``lead_in`` empty bars."""
    length = meter.bar_ticks(PPQ)
    notes: list[tuple[int, int, int, int]] = []
    for bar in range(lead_in, lead_in + bars):
        start = bar * length
        for place, tick in enumerate(range(0, length, PPQ // 2)):
            notes.append((start + tick, PPQ // 2, C_MAJOR[place % 8], 0))
        notes.append((start, length, 36, 33))
        if drums:
            notes += [(start + tick, 60, 38, DRUMS) for tick in range(0, length, PPQ)]
    onset, duration, pitch, program = np.array(notes).T
    return Score(
        PPQ,
        onset,
        duration,
        pitch,
        np.full(len(notes), 80),
        program,
        np.unique(program, return_inverse=True)[1].astype(np.int16),
        meters=(meter,),
    )


def encode(score: Score, transposed: int) -> list[int]:
    return list(range(3 * len(score)))


def cutter(score: Score, config: WindowConfig = CONFIG) -> Cutter:
    return Cutter(score, config, lambda meter: meter.denominator in (4, 8))


def draw(score: Score, seed: int, config: WindowConfig = CONFIG, *, vary: bool = True) -> Window | None:
    return cutter(score, config).draw(np.random.default_rng(seed), encode, vary=vary, stretchable=vary)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), lead_in=st.integers(0, 5), meter=st.sampled_from([Meter(3, 4), Meter(6, 8)]))
def test_a_window_starts_at_zero_with_one_tempo_and_meter_and_fits(seed: int, lead_in: int, meter: Meter) -> None:
    score = scale_score(30, meter, lead_in=lead_in)
    window = draw(score, seed)
    assert window is not None
    bar = meter.bar_ticks(PPQ)
    assert 2 <= window.bars <= 16
    assert len(window.tokens) <= CONFIG.max_tokens
    assert window.score.onset[0] == 0
    assert (window.bars - 1) * bar <= window.score.onset[-1] < window.bars * bar
    assert window.score.end_tick <= window.bars * bar
    assert window.score.meters == (meter,)
    assert len(window.score.tempo_bpm) == 1
    assert 120 * 0.88 <= window.score.tempo_bpm[0] <= 120 * 1.12
    assert lead_in <= window.start_bar
    assert window.ends_piece == (window.start_bar + window.bars == lead_in + 30)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_transposition_moves_notes_and_key_and_leaves_drums(seed: int) -> None:
    score = scale_score(20)
    window = draw(score, seed, replace(CONFIG, transpose_share=1.0))
    assert window is not None
    assert -5 <= window.transposed <= 6
    plain = cutter(score).cut(window.start_bar, window.bars)
    assert plain is not None
    pitched = plain.program != DRUMS
    moved = window.score.pitch - plain.pitch
    assert np.all(moved[pitched] == window.transposed)
    assert np.all(moved[~pitched] == 0)
    piece = Piece(id="a", path="a.mid", source="s", licence="l", group="a", key=Key(0, "major"))
    assert label.key_of(piece, window.score, window.transposed) == Key(window.transposed % 12, "major")


def test_held_out_windows_are_not_varied() -> None:
    for seed in range(20):
        window = draw(scale_score(20), seed, vary=False)
        assert window is not None
        assert window.transposed == 0
        assert window.score.tempo_bpm[0] == 120.0


def test_half_of_the_windows_start_where_the_notes_do() -> None:
    starts = [window.start_bar for seed in range(400) if (window := draw(scale_score(40, lead_in=2), seed)) is not None]
    assert 0.4 < np.mean(np.array(starts) == 2) < 0.65
    assert np.mean((np.array(starts) - 2) % 4 == 0) > 0.7


def test_a_window_ends_where_the_meter_changes() -> None:
    score = replace(scale_score(12), meter_tick=np.array([0, 5 * 1920]), meters=(Meter(4, 4), Meter(3, 4)))
    cut = cutter(score).cut(0, 16)
    assert cut is not None
    assert cut.end_tick == 5 * 1920
    assert cut.meters == (Meter(4, 4),)
    later = cutter(score).cut(5, 4)
    assert later is not None
    assert later.meters == (Meter(3, 4),)


def test_a_bar_that_a_meter_change_cuts_short_is_left_out() -> None:
    score = replace(scale_score(12), meter_tick=np.array([0, 4 * 1920 + 480]), meters=(Meter(4, 4), Meter(4, 4)))
    starts = cutter(score).start_bars
    assert 4 not in starts
    assert {0, 5} <= set(starts.tolist())


def test_halves_are_written_as_quarters() -> None:
    score = replace(scale_score(8), meters=(Meter(2, 2),))
    cut = cutter(score).cut(0, 4)
    assert cut is not None
    assert cut.meters == (Meter(4, 4),)
    assert cut.end_tick == 4 * 1920


def test_small_changes_of_tempo_become_their_mean_by_time_and_large_ones_end_the_window() -> None:
    wavering = replace(scale_score(12), tempo_tick=np.array([0, 1920]), tempo_bpm=np.array([100.0, 110.0]))
    cut = cutter(wavering).cut(0, 2)
    assert cut is not None
    assert cut.tempo_bpm.tolist() == pytest.approx([8 / (4 / 100 + 4 / 110)])
    sudden = replace(scale_score(12), tempo_tick=np.array([0, 3 * 1920]), tempo_bpm=np.array([100.0, 140.0]))
    cut = cutter(sudden).cut(0, 8)
    assert cut is not None
    assert cut.end_tick == 3 * 1920
    assert cut.tempo_bpm.tolist() == [100.0]
    assert cutter(sudden).cut(2, 8) is None


def test_onsets_are_on_the_grid_of_the_tokens() -> None:
    score = scale_score(8, drums=False)
    late = replace(score, onset=np.where(score.onset % 1920 == 1680, score.onset + 230, score.onset))
    cut = cutter(late).cut(0, 4)
    assert cut is not None
    assert np.all(cut.onset % (PPQ // 12) == 0)
    assert cut.onset[-1] < 4 * 1920


def test_windows_shrink_until_they_fit() -> None:
    window = draw(scale_score(40), 1, replace(CONFIG, bars=(16,), max_tokens=130))
    assert window is not None
    assert len(window.tokens) <= 130
    assert window.bars == 3
    assert draw(scale_score(40), 1, replace(CONFIG, max_tokens=40)) is None


def test_twin_programs_and_too_many_programs() -> None:
    score = scale_score(8)
    twin, first = next(iter(TWINS.items()))
    cut = cutter(replace(score, program=np.where(score.program == 0, twin, score.program))).cut(0, 4)
    assert cut is not None
    assert set(cut.program.tolist()) == {first, 33, DRUMS}
    few = cutter(score, replace(CONFIG, max_programs=1)).cut(0, 4)
    assert few is not None
    assert set(few.program.tolist()) == {0, DRUMS}


@pytest.mark.parametrize("score", [Score.empty(), scale_score(1), scale_score(8, Meter(5, 16))])
def test_pieces_without_a_window(score: Score) -> None:
    assert draw(score, 0) is None


@pytest.mark.parametrize(
    "values",
    [{"bars": ()}, {"bars": (1,)}, {"max_tokens": 2}, {"start_share": 1.5}, {"stretch": 1.0}, {"min_bars": 0}],
)
def test_configuration_is_checked(values: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError, match="window"):
        replace(CONFIG, **values)  # type: ignore[arg-type]
