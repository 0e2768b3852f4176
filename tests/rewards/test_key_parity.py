"""The key finder against music21's Krumhansl-Schmuckler, an implementation of its own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from motet.music import key, midi
from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.score import Score
from tests.rewards.pieces import song, windows

music21 = pytest.importorskip("music21")


def music21_key(score: Score) -> Key:
    stream = music21.stream.Stream()
    for onset, duration, pitch in zip(score.onset, score.duration, score.pitch, strict=True):
        note = music21.note.Note(int(pitch), quarterLength=float(duration) / score.ppq)
        stream.insert(float(onset) / score.ppq, note)
    found = music21.analysis.discrete.KrumhanslSchmuckler().getSolution(stream)
    return Key(found.tonic.pitchClass, found.mode)


def agree(score: Score) -> bool:
    return key.find(score) == music21_key(score)


def test_the_key_is_that_of_music21():
    for score in [*windows(), *[song(4, seed=seed) for seed in range(4)]]:
        assert agree(score)


@pytest.mark.slow
def test_the_key_is_that_of_music21_in_a_thousand_pieces():
    """Opening notes of 1,000 files drawn from the folder that MOTET_MIDI_FOLDER names."""
    folder = os.environ.get("MOTET_MIDI_FOLDER")
    if not folder:
        pytest.skip("set MOTET_MIDI_FOLDER to a folder with MIDI files")
    paths = sorted(Path(folder).rglob("*.mid"))
    found: list[bool] = []
    for place in np.random.default_rng(0).permutation(len(paths)):
        try:
            score = midi.read(paths[place])
        except InvalidInputError:
            continue
        score = score.select(score.program >= 0)
        if len(score) >= 16:
            found.append(agree(score.select(np.arange(len(score)) < 100)))
        if len(found) == 1000:
            break
    assert found
    assert np.mean(found) >= 0.99, f"{np.mean(found):.2%} of {len(found)}"
