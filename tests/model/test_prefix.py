"""Seed music stays as it is: continued after its end, or with a hole that is filled and nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.model.controls import Controls
from motet.model.decoder import Batch, Decoder, Prompt
from motet.model.header import DRUM_PLAYER
from motet.model.prefix import Prefix
from motet.model.seed import Seed
from motet.music.error import InvalidInputError
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from tests.tiny import random_score, tiny_checkpoint


@lru_cache
def decoder() -> Decoder:
    return Decoder(tiny_checkpoint())


def opened(seed: Seed, *, random: int = 0, **controls: object) -> Batch:
    prompt = Prompt("a tune", Controls(seed=seed, temperature=1.0, top_p=0.98, **controls))  # type: ignore[arg-type]
    return decoder().open([prompt, prompt], seed=random, max_tokens=500)


def notes(score: Score, ticks: int) -> set[tuple[int, ...]]:
    """(onset, pitch, length, velocity, program) in units of ``ticks``."""
    columns = (score.onset * ticks // score.ppq, score.pitch, score.duration * ticks // score.ppq, score.velocity)
    return set(zip(*(column.tolist() for column in (*columns, score.program)), strict=True))


def fine_score(number: int) -> Score:
    """Notes off the tokenizer's grid, with velocities that it cannot write."""
    score = random_score(number)
    rng = np.random.default_rng(number)
    onset = np.maximum(score.onset * 20 + rng.integers(-3, 4, len(score)), 0)
    return replace(score, ppq=480, onset=onset, duration=score.duration * 20, tempo_bpm=np.array([101.37]))


@settings(max_examples=12, deadline=None)
@given(number=st.integers(0, 200), random=st.integers(0, 1000))
def test_a_continuation_keeps_every_note_and_adds_bars(number: int, random: int) -> None:
    seed = Seed(score=fine_score(number))
    batch = opened(seed, random=random, bars=seed.length_bars + 2)
    assert batch.token_counts.tolist() == [0, 0]
    batch.advance(2)
    for row in range(2):
        score = batch.score(row)
        assert notes(seed.score, 480) <= notes(score, 480)
        new = notes(score, 480) - notes(seed.score, 480)
        assert all(onset >= seed.length_bars * seed.bar_ticks for onset, *_ in new)
        assert score.tempo_bpm.tolist() == [101.37]
        assert score.meters == seed.score.meters


@settings(max_examples=20, deadline=None)
@given(data=st.data(), number=st.integers(0, 200), random=st.integers(0, 1000))
def test_a_hole_is_filled_and_the_rest_untouched(data: st.DataObject, number: int, random: int) -> None:
    score = fine_score(number)
    length = Seed(score=score).length_bars
    first = data.draw(st.integers(1, length))
    bars = data.draw(st.none() | st.tuples(st.just(first), st.integers(first, length)))
    players = tuple(data.draw(st.sets(st.sampled_from([0, 33, 73, 40, DRUM_PLAYER]), min_size=0 if bars else 1)))
    seed = Seed(score=score, bars=bars, players=players)
    batch = opened(seed, random=random, bars=length)
    batch.advance(length)
    assert batch.finished.all()
    for row in range(2):
        result = batch.score(row)
        assert notes(seed.kept, 480) <= notes(result, 480)
        cells = seed.open(length)
        for onset, *_, program in notes(result, 480) - notes(seed.kept, 480):
            assert cells[onset // seed.bar_ticks, DRUM_PLAYER if program == DRUMS else program]
        assert result.meters == score.meters
        lost = {onset // seed.bar_ticks for onset, *_ in notes(score, 480) - notes(seed.kept, 480)}
        new = {onset // seed.bar_ticks for onset, *_ in notes(result, 480) - notes(seed.kept, 480)}
        assert lost <= new or batch.token_counts[row] + len(batch._prefixes[row].tokens) == 500  # no bar falls silent


def test_required_players_come_into_the_hole() -> None:
    for random in range(6):
        seed = Seed(score=random_score(8), players=(40,))
        batch = opened(seed, random=random, bars=4, required=(40,))
        batch.advance(4)
        assert all(40 in batch.score(row).program for row in range(2))


def test_a_long_seed_is_heard_in_part_and_kept_whole() -> None:
    score = random_score(4, bars=40)
    seed = Seed(score=score)
    batch = opened(seed, bars=seed.length_bars + 1)
    assert batch.bars_done[0] == seed.length_bars
    batch.advance(1)
    assert notes(score, 24) <= notes(batch.score(0), 24)
    assert batch.bars_done[0] == seed.length_bars + 1
    hole = Seed(score=score, bars=(20, 21))
    batch = opened(hole, bars=seed.length_bars)
    batch.advance(64)
    assert batch.bars_done.tolist() == [21, 21]
    assert notes(hole.kept, 24) <= notes(batch.score(1), 24)


def test_the_log_probability_counts_what_was_written_only() -> None:
    batch = opened(Seed(score=random_score(2)), bars=6)
    assert batch.log_probability(0) == 0.0
    batch.advance(2)
    assert batch.log_probability(0) < 0


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"score": Score.empty()}, "seed"),
        ({"score": random_score(0), "bars": (3, 2)}, "seed.bars"),
        ({"score": random_score(0), "bars": (1, 99)}, "seed.bars"),
        ({"score": random_score(0), "players": (200,)}, "seed.players"),
        (
            {"score": replace(random_score(0), meter_tick=np.array([0, 96]), meters=(Meter(4, 4), Meter(3, 4)))},
            "time signature",
        ),
    ],
)
def test_bad_seeds_are_named(options: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInputError, match=field):
        Seed(**options)  # type: ignore[arg-type]


def test_what_cannot_be_written_is_named() -> None:
    with pytest.raises(InvalidInputError, match="bars"):
        opened(Seed(score=random_score(0)), bars=4)
    with pytest.raises(InvalidInputError, match="time signature"):
        opened(Seed(score=replace(random_score(0), meters=(Meter(13, 16),))), bars=9)
    with pytest.raises(InvalidInputError, match="must fit"):
        opened(Seed(score=random_score(0, bars=60), players=(0,)), bars=60)


def test_tracks_stay_and_held_notes_are_not_cut() -> None:
    """Two hands on one program, a name each, and a note that is held over the hole."""
    ticks = np.array([0, 0, 48, 96, 192])
    score = Score(
        ppq=24,
        onset=ticks,
        duration=np.array([384, 24, 24, 24, 24]),
        pitch=np.array([60, 48, 50, 52, 53]),
        velocity=np.full(5, 80, np.int16),
        program=np.zeros(5, np.int16),
        track=np.array([0, 1, 1, 1, 1]),
        track_names=("right", "left"),
    )
    prefix = Prefix(seed=Seed(score=score, bars=(2, 2)), tokens=np.zeros(0, np.int32), bars=3)
    written = Score(
        ppq=24,
        onset=np.array([96, 120, 144, 150]),
        duration=np.array([12, 999, 12, 12]),
        pitch=np.array([60, 60, 62, 40]),
        velocity=np.full(4, 70, np.int16),
        program=np.array([0, 73, 0, 73]),
        track=np.array([0, 1, 0, 1]),
    )
    joined = prefix.joined(written)
    assert joined.track_names == ("right", "left")
    assert (joined.onset + joined.duration).max() == 384  # the kept note; the written one ends with its bars
    assert joined.duration[joined.onset == 120].tolist() == [288 - 120]
    found = set(zip(joined.onset.tolist(), joined.pitch.tolist(), joined.track.tolist(), strict=True))
    assert found == {(0, 60, 0), (0, 48, 1), (48, 50, 1), (192, 53, 1), (120, 60, 2), (144, 62, 0), (150, 40, 2)}
