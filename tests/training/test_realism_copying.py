from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motet.model.header import Header
from motet.model.tokenizer import merged
from motet.music.score import DRUMS, Score
from motet.training.realism.copying import longest
from motet.training.realism.tune import TuneReader, Tunes
from tests.tiny import random_score, tiny_tokenizer

PIANO, FLUTE = 0, 73


def tune(pitches: list[int], gaps: list[int] | None = None, program: int = PIANO, ppq: int = 24) -> Score:
    """One voice; gaps are twelfths of a quarter before each note but the first."""
    gaps = gaps or [6] * (len(pitches) - 1)
    onset = np.cumsum([0, *gaps]) * ppq // 12
    size = len(pitches)
    return Score(
        ppq=ppq,
        onset=onset,
        duration=np.full(size, ppq // 4),
        pitch=np.array(pitches, np.int16),
        velocity=np.full(size, 80, np.int16),
        program=np.full(size, program, np.int16),
        track=np.zeros(size, np.int16),
    )


def random_tune(seed: int, size: int = 60) -> Score:
    rng = np.random.default_rng(seed)
    return tune(rng.integers(50, 80, size).tolist(), rng.choice([3, 6, 12], size - 1).tolist())


def joined(one: Score, other: Score) -> Score:
    """Both, one after the other, by one player."""
    return merged(one, replace(other, onset=other.onset + one.end_tick))


def shared(score: Score, *music: Score) -> tuple[int, int]:
    found = longest(Tunes.of_scores([score]), 1, [Tunes.of_scores(music)])
    return int(found.notes[0]), int(found.source[0])


def test_a_planted_copy_is_found_in_another_key_at_another_place_by_another_player() -> None:
    music = [random_tune(seed) for seed in range(20)]
    theirs = music[7].select(np.arange(60) < 33)
    copied = replace(theirs, pitch=theirs.pitch + 5, program=np.full(33, FLUTE, np.int16))
    start = replace(random_tune(99, 20), program=np.full(20, FLUTE, np.int16))
    notes, source = shared(joined(start, copied), *music)
    assert source == 7
    assert 33 <= notes <= 35  # chance may add a note


def test_a_whole_copy_is_as_long_as_the_tune_and_silence_is_none() -> None:
    score = random_tune(3)
    assert shared(score, random_tune(2), score) == (60, 1)
    assert shared(score, replace(score, pitch=score.pitch - 12)) == (60, 0)
    assert shared(Score.empty(), score) == (0, -1)
    assert shared(score, Score.empty()) == (0, -1)
    found = longest(Tunes.of_scores([score, Score.empty()]), 2, [])
    assert found.notes.tolist() == [0, 0]
    assert found.source.tolist() == [-1, -1]


def test_random_tunes_share_nothing() -> None:
    tunes = Tunes.of_scores([random_tune(seed) for seed in range(50)])
    music = Tunes.of_scores([random_tune(seed) for seed in range(100, 300)])
    assert longest(tunes, 50, [music]).notes.max() < 12


def test_the_rhythm_must_agree_too() -> None:
    rng = np.random.default_rng(0)
    pitches = rng.integers(50, 80, 30).tolist()
    even, swung = tune(pitches), tune(pitches, [8, 4] * 14 + [8])
    assert shared(even, even)[0] == 30
    assert shared(even, swung) == (0, -1)


def test_another_resolution_is_the_same_rhythm() -> None:
    pitches = np.random.default_rng(0).integers(50, 80, 30).tolist()
    assert shared(tune(pitches, ppq=480), tune(pitches, ppq=24)) == (30, 0)


@pytest.mark.parametrize(
    "pattern",
    [[60], [48, 55], [60, 61], [60, 64, 67], [60, 62, 64, 65, 67, 69, 71, 72]],
    ids=["one note", "oom-pah", "trill", "arpeggio", "scale"],
)
def test_what_is_nobodys_tune_is_no_copy(pattern: list[int]) -> None:
    score = tune(pattern * 6)
    assert shared(score, score) == (0, -1)
    assert shared(joined(random_tune(0, 20), score), score) == (0, -1)


def test_drums_and_lower_voices_are_left_out() -> None:
    score = random_tune(5)
    assert shared(replace(score, program=np.full(60, DRUMS, np.int16)), score) == (0, -1)
    below = replace(random_tune(6), pitch=np.full(60, 20, np.int16), onset=score.onset)
    assert shared(merged(score, below), score) == (60, 0)


def test_a_stretch_does_not_run_on_into_another_player() -> None:
    first, second = random_tune(1, 20), replace(random_tune(2, 20), program=np.full(20, FLUTE, np.int16))
    both = joined(first, second)
    assert shared(both, both)[0] == 20


def test_portions_do_not_matter() -> None:
    music = [random_tune(seed) for seed in range(9)]
    tunes = Tunes.of_scores([music[4], music[8]])
    portions = []
    for start in range(0, 9, 3):
        portion = Tunes.of_scores(music[start : start + 3])
        portions.append(replace(portion, piece=portion.piece + start))
    found = longest(tunes, 2, iter(portions))
    assert found.notes.tolist() == [60, 60]
    assert found.source.tolist() == [4, 8]


def test_tokens_are_read_as_the_tokenizer_decodes_them() -> None:
    tokenizer = tiny_tokenizer()
    encoded = [tokenizer.encode(random_score(seed)) for seed in range(12)]
    for seed in range(12):  # some of the notes given, the rest to be written
        score = random_score(seed)
        given = np.random.default_rng(seed).random(len(score)) < 0.5
        encoded.insert(2 * seed, tokenizer.encode(score.select(~given), Header.of(score), score.select(given)))
    windows = [np.array(tokens, np.uint16) for tokens in encoded]
    read = TuneReader(tokenizer).read(windows)
    decoded = Tunes.of_scores([tokenizer.decode(window.tolist()) for window in windows])
    assert len(read) == len(decoded) > 100
    for name in ("piece", "player", "onset", "moves"):
        assert np.array_equal(getattr(read, name), getattr(decoded, name)), name


def test_hashes_tell_stretches_apart() -> None:
    tunes = Tunes.of_scores([random_tune(seed) for seed in range(100)])
    first = np.flatnonzero(tunes.left >= 8)
    moves = np.stack([tunes.moves[first + step] for step in range(1, 8)], axis=1)
    assert len(np.unique(tunes.hashes(first, 8))) == len(np.unique(moves, axis=0))
