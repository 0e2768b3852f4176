from __future__ import annotations

import numpy as np
import pytest

from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.rewards.draft import Draft
from motet.rewards.farm import Farm
from motet.rewards.render import RenderConfig, Renderer
from motet.rewards.sound import Sound
from tests.rewards.pieces import drums, score_of, song


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


def test_missing_windows_are_rendered_once_and_given_in_order(renderer):
    sound = Sound(renderer, window_s=2.0)
    windows = sound.windows(song(2)) + sound.windows(song(3, seed=1)) + sound.windows(song(2))
    audios = sound.audios(windows)
    assert sound.rendered == len({window.digest for window in windows}) < len(windows)
    alone = Sound(renderer, window_s=2.0)
    for window, audio in zip(windows, audios, strict=True):
        np.testing.assert_array_equal(audio, alone.audio(window))
        assert not audio.flags.writeable
    assert sound.audios([]) == []
    # Nothing is kept, everything is given.
    forgetful = Sound(renderer, window_s=2.0, cache_bytes=0)
    for audio, again in zip(audios, forgetful.audios(windows), strict=True):
        np.testing.assert_array_equal(audio, again)


def test_a_farm_gives_the_same_sound(renderer):
    with Farm(workers=2) as farm:
        side_by_side = Sound(farm, window_s=2.0)
        windows = side_by_side.windows(song(3))
        alone = Sound(renderer, window_s=2.0)
        assert [window.digest for window in windows] == [window.digest for window in alone.windows(song(3))]
        for one, other in zip(side_by_side.audios(windows), alone.audios(windows), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_window_of_another_sound_has_another_name():
    players = (Renderer(), Renderer(RenderConfig(rate_hz=16000)), Renderer(RenderConfig(gain=0.4)), Draft())
    names = {Sound(player).windows(song(2))[0].digest for player in players}
    assert len(names) == len(players)


def test_extreme_pieces_have_windows_or_none(renderer):
    sound = Sound(renderer, window_s=2.0)
    assert len(sound.windows(score_of([(0, 1, 60)]))) == 1
    assert len(sound.windows(score_of([(0, 1, 60), (1199, 1, 64)]))) >= 1  # ten minutes, nearly all of it rests
    audio = sound.audios(sound.windows(drums(2)))[0]
    assert np.abs(audio).max() > 0.01


def test_bad_settings_are_refused(renderer):
    for name, value in (("window_s", 0.0), ("window_s", float("nan")), ("most_windows", 0), ("cache_bytes", -1)):
        with pytest.raises(InvalidInputError, match=name):
            Sound(renderer, **{name: value})  # type: ignore[arg-type]
