from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.music.error import CancelledError, InvalidInputError
from motet.music.score import Score
from motet.rewards.render import Renderer
from motet.rewards.sound import Sound
from motet.rewards.spectrum import Spectrum
from motet.training.text_audio import clips
from tests.rewards.pieces import song
from tests.training.text_audio_material import SPECTRUM

pytestmark = pytest.mark.usefixtures("one_thread")


def rendered(folder: Path, scores, *, every: bool = True, processes: int = 0, cancelled=lambda: False):
    return clips.render(
        [partial(lambda score: score, score) for score in scores],
        folder,
        SPECTRUM,
        ["default"],
        every=every,
        seed=0,
        processes=processes,
        progress=lambda line: None,
        cancelled=cancelled,
    )


def test_clips_are_what_the_reward_hears(tmp_path: Path):
    scores = [song(2, seed=1), Score.empty(), song(4, seed=2)]
    made = rendered(tmp_path, scores)
    assert set(made.piece.tolist()) == {0, 2}
    with Renderer() as renderer:
        sound = Sound(renderer, window_s=SPECTRUM.window_s)
        windows = sound.windows(scores[2])
        mine = np.flatnonzero(made.piece == 2)
        assert made.share[mine].tolist() == pytest.approx([window.share for window in windows])
        audio = np.array(sound.audio(windows[0]))[: SPECTRUM.samples]
        mel, tone, band = Spectrum(SPECTRUM)(torch.from_numpy(audio)[None])
    for image, part in zip(made.heard(mine[:1], 0), (mel, tone, band), strict=True):
        np.testing.assert_allclose(image[0], part[0].numpy(), atol=0.01)
    both = made.joined(made, 3)
    assert both.piece.tolist() == [*made.piece.tolist(), *(made.piece + 3).tolist()]
    again = rendered(tmp_path, scores, cancelled=lambda: True)  # nothing is left to render
    np.testing.assert_array_equal(again.mel, made.mel)
    with pytest.raises(InvalidInputError, match="same settings"):
        rendered(tmp_path, scores[:2])


def test_rendering_goes_on_where_it_was_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clips, "_STEP", 1)
    scores = [song(4, seed=seed) for seed in range(3)]
    with pytest.raises(CancelledError, match="run again"):
        rendered(tmp_path, scores, every=False, cancelled=lambda: True)
    assert 0 < len(list(tmp_path.glob("clips-*.npz"))) <= 3
    assert rendered(tmp_path, scores, every=False).piece.tolist() == [0, 1, 2]


def test_processes_render_the_same(tmp_path: Path):
    scores = [song(2, seed=seed) for seed in range(2)]
    apart, here = rendered(tmp_path / "apart", scores, processes=1), rendered(tmp_path / "here", scores)
    np.testing.assert_array_equal(apart.mel, here.mel)
    assert apart.piece.tolist() == here.piece.tolist()
