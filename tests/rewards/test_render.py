from __future__ import annotations

import importlib
import io
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from motet.music.error import InvalidInputError, NotFoundError, UnavailableError
from motet.music.score import DRUMS, Score
from motet.rewards import render
from motet.rewards.render import RenderConfig, Renderer, wav

PPQ = 480


def score_of(*notes: tuple[float, float, int, int], bpm: float = 120.0) -> Score:
    """Notes as (onset in quarters, quarters, pitch, program), each on a track of its own."""
    rows = np.array(notes, dtype=float).reshape(-1, 4)
    return Score(
        PPQ,
        (rows[:, 0] * PPQ).astype(int),
        (rows[:, 1] * PPQ).astype(int),
        rows[:, 2].astype(int),
        np.full(len(rows), 90),
        rows[:, 3].astype(int),
        np.arange(len(rows), dtype=np.int16),
        tempo_bpm=np.array([bpm]),
    )


@pytest.fixture(scope="module")
def renderer():
    with Renderer() as loaded:
        yield loaded


def band_score() -> Score:
    notes = [(float(beat), 1.0, 60 + beat % 5, 0) for beat in range(8)]
    notes += [(beat, 1.0, 40, 33) for beat in range(8)] + [(beat / 2, 0.25, 38, DRUMS) for beat in range(16)]
    return score_of(*notes)


def test_same_score_same_bits_whatever_was_played_before(renderer):
    first = renderer.render(band_score())
    renderer.render(score_of((0, 8, 50, 48), (0, 8, 57, 48)))
    np.testing.assert_array_equal(renderer.render(band_score()), first)
    with Renderer() as other:
        np.testing.assert_array_equal(other.render(band_score()), first)


def test_shape_length_and_tail(renderer):
    audio = renderer.render(band_score())
    assert audio.dtype == np.float32
    assert audio.shape[1] == 2
    assert 4.0 <= len(audio) / 22050 <= 6.1
    assert np.all(np.isfinite(audio))
    assert np.abs(audio).max() > 0.01


def test_empty_score_is_a_short_silence(renderer):
    audio = renderer.render(Score.empty())
    assert 0 < len(audio) < 22050
    assert not audio.any()


def test_window_plays_only_what_sounds_there(renderer):
    score = score_of((0, 1, 60, 0), (8, 1, 72, 40))
    assert not renderer.window(score, 2.0, 3.5, tail_s=0).any()
    early = renderer.window(score, 0.0, 2.0, tail_s=0)
    np.testing.assert_array_equal(early, renderer.window(score_of((0, 1, 60, 0)), 0.0, 2.0, tail_s=0))
    assert len(early) == pytest.approx(2 * 22050, abs=64)


def test_window_strikes_held_notes_again(renderer):
    held = score_of((0, 16, 60, 48))
    assert renderer.window(held, 4.0, 5.0, tail_s=0).any()


def test_plans_of_equal_content_have_equal_digests(renderer):
    longer = score_of((0, 1, 60, 0), (40, 1, 72, 40))
    shorter = score_of((0, 1, 60, 0))
    assert renderer.plan(longer, 0, 8).digest == renderer.plan(shorter, 0, 8).digest
    assert renderer.plan(longer, 0, 8).digest != renderer.plan(shorter, 0, 7).digest
    assert renderer.plan(longer, 16, 24).digest != renderer.plan(shorter, 16, 24).digest


def test_two_hundred_tracks_and_every_program(renderer):
    notes = [(k % 8, 1, 40 + k % 40, k % 128) for k in range(200)] + [(0, 1, 38, DRUMS)]
    audio = renderer.render(score_of(*notes))
    assert np.abs(audio).max() > 0.05
    # The 128th program is heard too, not dropped for want of a channel.
    many = score_of(*[(0, 1, 60, program) for program in range(127)], (4, 2, 60, 40))
    assert renderer.window(many, 2.0, 3.0, tail_s=0).any()


def test_track_order_does_not_matter(renderer):
    score = band_score()
    shuffled = np.random.default_rng(0).permutation(len(score)).astype(np.int16)
    other = Score(
        PPQ,
        score.onset,
        score.duration,
        score.pitch,
        score.velocity,
        score.program,
        shuffled,
        tempo_bpm=score.tempo_bpm,
    )
    np.testing.assert_array_equal(renderer.render(other), renderer.render(score))


def test_a_note_that_ends_does_not_cut_a_later_one_of_its_pitch(renderer):
    both = renderer.render(score_of((0, 2, 60, 48), (1, 4, 60, 48)))
    assert np.abs(both[int(1.6 * 22050) : int(2.2 * 22050)]).max() > 0.01


def test_too_long_and_bad_windows_are_refused(renderer):
    with pytest.raises(InvalidInputError, match="1200 seconds"):
        renderer.render(score_of((0, 4 * 60 * 20, 60, 0), bpm=60))
    for window in ((1.0, 1.0), (-1.0, 2.0), (float("nan"), 2.0)):
        with pytest.raises(InvalidInputError, match="start_s"):
            renderer.window(band_score(), *window)


def test_effects_and_rate_are_heeded():
    with Renderer(RenderConfig(effects=True, rate_hz=44100)) as wet, Renderer(RenderConfig(rate_hz=44100)) as dry:
        a, b = wet.render(band_score()), dry.render(band_score())
    size = min(len(a), len(b))
    assert size > 4 * 44100
    assert np.abs(a[:size] - b[:size]).max() > 1e-3


def test_threads_share_one_renderer(renderer):
    expected = renderer.render(band_score())
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(renderer.render(band_score()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for audio in results:
        np.testing.assert_array_equal(audio, expected)


def test_wav_is_16_bit_pcm_and_never_clips():
    loud = np.full((1000, 2), 3.0, np.float32)
    data, rate = soundfile.read(io.BytesIO(wav(loud, 22050)))
    assert rate == 22050
    assert data.shape == (1000, 2)
    assert data.max() <= 1.0
    assert soundfile.info(io.BytesIO(wav(loud, 22050))).subtype == "PCM_16"
    assert wav(loud, 22050) == wav(loud, 22050)


@pytest.mark.parametrize("content", [b"", b"not a soundfont", b"RIFF\x10\x00\x00\x00sfbkLIST"])
def test_a_bad_soundfont_is_one_clear_line(tmp_path: Path, content: bytes):
    path = tmp_path / "bad.sf2"
    path.write_bytes(content)
    with pytest.raises(UnavailableError, match="cannot read the soundfont"):
        Renderer(RenderConfig(soundfont=path))


def test_missing_and_changed_soundfonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(NotFoundError, match="no soundfont at"):
        Renderer(RenderConfig(soundfont=tmp_path / "none.sf2"))
    changed = tmp_path / "TimGM6mb.sf2"
    changed.write_bytes(b"other")
    monkeypatch.setattr(render, "default_soundfont", lambda: changed)
    with pytest.raises(UnavailableError, match="not the expected soundfont"):
        Renderer()


def test_missing_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    def refuse(name: str):
        raise ImportError("Couldn't find the FluidSynth library.")

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(UnavailableError, match=r"apt-get install libfluidsynth3.*brew install"):
        Renderer()


def test_versions_name_the_content_of_the_soundfont_not_its_place(tmp_path: Path):
    default = render.default_soundfont()
    copy, other = tmp_path / "copy.sf2", tmp_path / "other.sf2"
    copy.write_bytes(default.read_bytes())
    other.write_bytes(default.read_bytes()[:-2] + b"xx")
    versions = [RenderConfig(soundfont=path).version for path in (None, copy, other)]
    assert versions[0] == versions[1] != versions[2]
    assert len({RenderConfig().version, RenderConfig(effects=True).version, RenderConfig(rate_hz=16000).version}) == 3
    with pytest.raises(NotFoundError, match="no soundfont at"):
        _ = RenderConfig(soundfont=tmp_path / "none.sf2").version


def test_closed_renderer_and_bad_config():
    loaded = Renderer()
    loaded.close()
    loaded.close()
    with pytest.raises(UnavailableError, match="closed"):
        loaded.render(band_score())
    with pytest.raises(InvalidInputError, match="rate_hz"):
        RenderConfig(rate_hz=100)
    with pytest.raises(InvalidInputError, match="gain"):
        RenderConfig(gain=float("nan"))
