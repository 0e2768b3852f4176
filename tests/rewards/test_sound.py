from __future__ import annotations

import numpy as np
import pytest

from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.rewards.render import Renderer
from motet.rewards.sound import Sound
from tests.rewards.pieces import score_of, song


@pytest.fixture(scope="module")
def renderer():
    with Renderer() as loaded:
        yield loaded


def test_a_piece_that_grew_is_rendered_only_where_it_is_new(renderer):
    sound = Sound(renderer, window_s=4.0)
    long = song(8, seed=1)  # 16 s
    lines = long.bar_ticks()
    beginning = long.between(0, int(lines[4]))
    first = [sound.audio(window) for window in sound.windows(beginning)]
    assert sound.rendered == len(first) == 2
    both = [sound.audio(window) for window in sound.windows(long)]
    assert len(both) == 4
    assert sound.rendered == len({window.plan.digest for window in sound.windows(long)}) > 2
    for kept, now in zip(first, both, strict=False):
        np.testing.assert_array_equal(kept, now)


def test_windows_know_how_full_they_are_and_skip_rests(renderer):
    sound = Sound(renderer, window_s=4.0)
    windows = sound.windows(score_of([(0, 2, 60), (24, 4, 62)]))  # at 120 BPM: 0 to 1 s and 12 to 14 s
    assert [window.share for window in windows] == [1.0, 0.5]
    assert sound.windows(Score.empty()) == []


def test_long_pieces_are_heard_in_evenly_spread_windows(renderer):
    sound = Sound(renderer, window_s=2.0, most_windows=3)
    assert len(sound.windows(song(16))) == 3


def test_the_cache_is_bounded_and_forgets_the_least_recently_used(renderer):
    size = len(Sound(renderer, window_s=2.0).audio(Sound(renderer, window_s=2.0).windows(song(1))[0])) * 4
    sound = Sound(renderer, window_s=2.0, cache_bytes=2 * size)
    windows = sound.windows(song(4, seed=2))
    for place in (0, 1, 0, 2):  # 1 is forgotten for 2
        sound.audio(windows[place])
    assert sound.rendered == 3
    sound.audio(windows[0])
    assert sound.rendered == 3
    sound.audio(windows[1])
    assert sound.rendered == 4


def test_bad_settings_are_refused(renderer):
    for name, value in (("window_s", 0.0), ("window_s", float("nan")), ("most_windows", 0), ("cache_bytes", -1)):
        with pytest.raises(InvalidInputError, match=name):
            Sound(renderer, **{name: value})  # type: ignore[arg-type]
