"""Scores survive the trip through tokens; merges stay inside bars."""

from pathlib import Path

import numpy as np
import pytest

from motet.model.tokenizer import Tokenizer
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.meter import Meter
from tests.tiny import random_score, tiny_tokenizer


@pytest.mark.parametrize("seed", range(12))
def test_decoding_an_encoding_gives_the_notes_back(seed: int) -> None:
    tokenizer = tiny_tokenizer()
    score = random_score(100 + seed)
    once = tokenizer.decode(tokenizer.encode(score))
    assert tokenizer.encode(once) == tokenizer.encode(score)

    def notes(piece, factor):
        onset = piece.onset * factor // piece.ppq
        return sorted(set(zip(onset.tolist(), piece.pitch.tolist(), piece.program.tolist(), strict=True)))

    assert notes(once, 24) == notes(score, 24)
    assert once.meters == tuple(meter.in_quarters for meter in score.meters)
    assert tokenizer.stands_for(once.tempo_bpm[0], score.tempo_bpm[0])


def test_a_merge_begins_a_bar_or_holds_none() -> None:
    tokenizer = tiny_tokenizer()
    for token in range(len(tokenizer)):
        assert "Bar_None" not in tokenizer.expansion(token)[1:]


def test_learned_tokens_shorten_the_sequence() -> None:
    tokenizer = tiny_tokenizer()
    tokens = tokenizer.encode(random_score(7))
    assert len(tokens) < 0.9 * sum(len(tokenizer.expansion(token)) for token in tokens)


def test_a_saved_tokenizer_reads_back_the_same(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert again.encode(random_score(3)) == tokenizer.encode(random_score(3))
    assert (again.pad_id, again.begin_id, again.end_id) == (0, 1, 2)


def test_bad_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="tokenizer"):
        Tokenizer.load(tmp_path)
    with pytest.raises(InvalidInputError, match="vocabulary"):
        Tokenizer.train([], 10)


def test_meters_and_tempi_of_the_vocabulary() -> None:
    tokenizer = tiny_tokenizer()
    assert tokenizer.supports(Meter(6, 8))
    assert tokenizer.supports(Meter(2, 2))
    assert not tokenizer.supports(Meter(13, 16))
    steps = np.diff(np.log(tokenizer.tempos_bpm))
    assert steps.min() > 0.04
    assert steps.max() < 0.055
