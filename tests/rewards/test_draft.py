from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from motet.music.error import InvalidInputError, NotFoundError, UnavailableError
from motet.music.score import DRUMS, Score
from motet.rewards.draft import Draft
from motet.rewards.render import RenderConfig, Renderer
from tests.rewards.pieces import drums, score_of, song, together


@pytest.fixture(scope="module")
def draft() -> Iterator[Draft]:
    with Draft() as loaded:
        yield loaded


def test_same_plan_same_bits_whatever_was_played_before(draft: Draft):
    plan = draft.plan(song(4), 0, 6, tail_s=1.0)
    first = draft.play(plan)
    draft.render(song(2, seed=1))
    np.testing.assert_array_equal(draft.play(plan), first)


def test_sounds_when_and_about_as_loud_as_fluidsynth(draft: Draft):
    with Renderer() as sure:
        for piece in (song(4, seed=3), drums(4), together(song(4), drums(4))):
            plan = sure.plan(piece, 1.0, 7.0)
            ours, theirs = draft.play(plan), sure.play(plan)
            assert ours.shape == theirs.shape
            assert 0.4 < np.sqrt(np.mean(ours**2) / np.mean(theirs**2)) < 2.5
            loud = [
                np.abs(audio[:130200]).reshape(62, -1).mean(axis=1) for audio in (ours, theirs)
            ]  # tenths of seconds
            assert np.corrcoef(*loud)[0, 1] > 0.4


def test_a_rest_is_silent_and_a_second_instrument_is_heard(draft: Draft):
    two = together(score_of([(0, 1, 60)]), score_of([(8, 1, 72)], program=40))
    assert not draft.window(two, 2.5, 3.5, tail_s=0).any()
    assert draft.window(two, 4.0, 5.0, tail_s=0).any()


def test_extreme_pieces(draft: Draft):
    many = together(*[score_of([(k % 8, 1, 30 + k % 60)], program=k % 128) for k in range(200)])
    overlapping = score_of([(0, 4, 60), (1, 1, 60), (1, 4, 60), (2, 0.001, 60)])
    for piece in (Score.empty(), many, overlapping, score_of([(0, 1, 0)], program=DRUMS), score_of([(1199, 1, 127)])):
        audio = draft.render(piece)
        assert audio.dtype == np.float32
        assert np.all(np.isfinite(audio))
        assert len(audio) >= piece.duration_s * 22050 - 64


def test_players_are_told_apart(draft: Draft):
    with Renderer() as sure, Draft(RenderConfig(gain=0.4)) as softer:
        assert len({sure.version, draft.version, softer.version}) == 3


def test_what_it_cannot_do_is_one_clear_line(tmp_path: Path):
    bad = tmp_path / "bad.sf2"
    bad.write_bytes(b"not a soundfont")
    with pytest.raises(UnavailableError, match="cannot read the soundfont"):
        Draft(RenderConfig(soundfont=bad))
    with pytest.raises(NotFoundError, match="no soundfont at"):
        Draft(RenderConfig(soundfont=tmp_path / "none.sf2"))
    with pytest.raises(InvalidInputError, match="effects"):
        Draft(RenderConfig(effects=True))
    closed = Draft()
    closed.close()
    with pytest.raises(UnavailableError, match="closed"):
        closed.render(song(1))
