from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from motet.music import caption
from motet.music.error import InvalidInputError, UnavailableError
from motet.rewards import text_audio
from motet.rewards.calibration import Calibration
from motet.rewards.spectrum import BANDS, Spectrum, SpectrumConfig
from motet.rewards.text_audio import TextAudioScorer
from motet.rewards.towers import Towers, TowersConfig
from tests.fakes import fake_embed

SPECTRUM = SpectrumConfig(window_s=2.0, mels=32, tones=24, lowest_tone=48)
CALIBRATION = Calibration(matched=(-0.2, 0.5, 1.0), mismatched=(-1.0, 0.0, 0.6))


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny tensors on a busy machine: threads that wait for each other are the slow part."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def scorer(**options) -> TextAudioScorer:
    torch.manual_seed(0)
    towers = Towers(TowersConfig(width=16, channels=(4, 8, 8), trunk=16, text_hidden=16), SPECTRUM)
    return TextAudioScorer(towers, SPECTRUM, CALIBRATION, options.get("embed", fake_embed))


def tone(hz: float, seconds: float = 2.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * 22050)) / 22050)).astype(np.float32)


def test_spectrograms_have_the_stated_shapes_and_find_the_pitch():
    mel, semitones, bands = Spectrum(SPECTRUM)(torch.from_numpy(np.stack([tone(440.0), np.zeros(44100, np.float32)])))
    assert mel.shape == (2, SPECTRUM.mels, SPECTRUM.mel_frames)
    assert semitones.shape == (2, SPECTRUM.tones, SPECTRUM.tone_frames)
    assert bands.shape == (2, BANDS, SPECTRUM.band_frames)
    assert int(semitones[0].mean(-1).argmax()) == 69 - SPECTRUM.lowest_tone
    assert torch.all(mel[1] == mel[1, 0, 0])
    assert torch.isfinite(mel).all()


def test_every_filter_takes_some_of_the_spectrum():
    spectrum = Spectrum(SpectrumConfig())
    assert (spectrum.get_buffer("_mel_bank").sum(1) > 0.5).all()
    assert (spectrum.get_buffer("_tone_bank").sum(1) > 0.5).all()
    assert (spectrum.get_buffer("_band_bank").sum(1) >= 1).all()
    assert (spectrum.get_buffer("_band_bank").sum(0) <= 1).all()


def test_vectors_are_unit_and_do_not_depend_on_company():
    loaded = scorer()
    vector = loaded.audio_vector(tone(440.0))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    loaded.audio_vector(tone(300.0))
    np.testing.assert_array_equal(loaded.audio_vector(tone(440.0)), vector)
    assert np.linalg.norm(loaded.text_vector(caption.parse("a piano piece"))) == pytest.approx(1, abs=1e-5)


def test_scores_are_shares_of_any_sound():
    loaded = scorer()
    stereo = np.stack([tone(440.0, 5.0)] * 2, axis=1)
    asked = caption.parse("a piece")
    values = loaded.score([tone(440.0, 5.0), stereo, np.zeros(44100, np.float32), np.zeros(0, np.float32)], asked)
    assert values[0] == pytest.approx(values[1], abs=1e-6)
    assert values[3] == 0
    assert all(0 <= value <= 1 for value in values)


def test_a_scorer_survives_its_folder(tmp_path: Path):
    before = scorer()
    before.save(tmp_path / "scorer")
    after = TextAudioScorer.load(tmp_path / "scorer", embed=fake_embed)
    asked = caption.parse("a flute")
    assert after.score([tone(440.0)], asked) == before.score([tone(440.0)], asked)
    assert {path.name for path in (tmp_path / "scorer").iterdir()} == {"config.json", "text_audio.safetensors"}


def test_missing_and_damaged_folders_are_one_clear_line(tmp_path: Path):
    with pytest.raises(UnavailableError, match="motet train text-audio"):
        TextAudioScorer.load(tmp_path, embed=fake_embed)
    scorer().save(tmp_path)
    (tmp_path / "text_audio.safetensors").write_bytes(b"not tensors")
    with pytest.raises(InvalidInputError, match="holds no text reward") as error:
        TextAudioScorer.load(tmp_path, embed=fake_embed)
    assert "\n" not in str(error.value)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InvalidInputError, match="holds no text reward"):
        TextAudioScorer.load(tmp_path, embed=fake_embed)


def test_a_wrong_embedding_is_refused():
    with pytest.raises(InvalidInputError, match="embed"):
        scorer(embed=lambda captions: np.zeros((1, 3), np.float32)).text_vector(caption.parse("a piece"))


def test_the_shipped_scorer_loads_and_is_small():
    shipped = TextAudioScorer.load(embed=fake_embed)
    [value] = shipped.score([tone(440.0, 8.0)], caption.parse("a piece"))
    assert 0 <= value <= 1
    assert sum(parameter.numel() for parameter in shipped.towers.parameters()) < 1_500_000
    folder = Path(text_audio.__file__).parent / "weights" / "text_audio"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 6_500_000
