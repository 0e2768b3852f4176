from __future__ import annotations

import numpy as np
import pytest

from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.rewards.farm import Farm
from motet.rewards.render import RenderConfig, Renderer
from motet.rewards.sound import Sound, Window
from tests.rewards.pieces import drums, score_of, song, together


@pytest.fixture(scope="module")
def renderer():
    with Renderer() as loaded:
        yield loaded


def test_a_piece_that_grew_is_rendered_only_where_it_is_new(renderer):
    sound = Sound(renderer, window_s=8.0)
    long = song(24, seed=1)  # 48 s
    lines = long.bar_ticks()
    spent = []
    for bars in range(3, 25, 3):  # 6 s more each time
        before = sound.rendered_s
        kept = sound.audios(sound.windows(long.between(0, int(lines[bars]))))
        spent.append(sound.rendered_s - before)
    anew = Sound(renderer, window_s=8.0)
    # It sounds as if it had never been shorter, and no chunk cost more than twice what its bars cost at first.
    for one, other in zip(kept, anew.audios(anew.windows(long)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert max(spent) < 2 * spent[0]
    before = sound.rendered_s
    sound.audios(sound.windows(long))
    assert sound.rendered_s == before


def test_a_window_is_the_sum_of_its_parts(renderer):
    for piece in (song(4, seed=2), together(song(3), drums(3))):
        sound = Sound(renderer, window_s=8.0)
        window = sound.windows(piece)[0]
        parts, whole = sound.audio(window), renderer.play(window.plan).mean(axis=1)
        assert parts.shape == whole.shape
        assert np.mean((parts - whole) ** 2) < 1e-3 * np.mean(whole**2)
    # A key struck again lets go of what it struck two seconds before; one part is the whole itself, bit by bit.
    again = renderer.plan(score_of([(0, 16, 60), (5, 2, 60), (6, 8, 60)], program=48), 0, 8)
    parts, whole = (
        Sound(renderer).audio(Window(start_s=0.0, plan=again, share=1.0, digest=b"")),
        renderer.play(again).mean(axis=1),
    )
    assert np.mean((parts - whole) ** 2) < 1e-3 * np.mean(whole**2)
    plan = renderer.plan(together(song(3), drums(3)), 0, 6, tail_s=1.0)
    ((_, one),) = plan.parts(10_000, blocks_per_s=22050 / 64)
    same = renderer.play(plan)
    np.testing.assert_array_equal(renderer.play(one)[: len(same)], same)


def test_windows_know_how_full_they_are_and_skip_rests(renderer):
    sound = Sound(renderer, window_s=4.0)
    windows = sound.windows(score_of([(0, 2, 60), (24, 4, 62)]))  # at 120 BPM: 0 to 1 s and 12 to 14 s
    assert [window.share for window in windows] == [1.0, 0.5]
    assert sound.windows(Score.empty()) == []


def test_long_pieces_are_heard_in_evenly_spread_windows(renderer):
    sound = Sound(renderer, window_s=2.0, most_windows=3)
    assert len(sound.windows(song(16))) == 3


def test_the_cache_is_bounded_and_forgets_the_least_recently_used(renderer):
    pieces = [score_of([(0, 1, pitch)], program=16) for pitch in (60, 62, 64)]  # an organ: all ring for as long
    once = Sound(renderer)
    once.audios(once.windows(pieces[0]))
    size = round(once.rendered_s * once.rate_hz) * 4
    sound = Sound(renderer, cache_bytes=5 * size // 2)

    def costs(place: int) -> bool:
        before = sound.rendered_s
        sound.audios(sound.windows(pieces[place]))
        return sound.rendered_s > before

    assert [costs(place) for place in (0, 1, 0, 2)] == [True, True, False, True]  # 1 is forgotten for 2
    assert [costs(place) for place in (0, 1)] == [False, True]


def test_missing_windows_are_rendered_once_and_given_in_order(renderer):
    sound = Sound(renderer, window_s=2.0)
    windows = sound.windows(song(2)) + sound.windows(song(3, seed=1)) + sound.windows(song(2))
    audios = sound.audios(windows)
    once = sound.rendered_s
    sound.audios(windows)
    assert sound.rendered_s == once < len(windows) * 2.0 * 2
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
    players = (Renderer(), Renderer(RenderConfig(rate_hz=16000)), Renderer(RenderConfig(gain=0.4)))
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
