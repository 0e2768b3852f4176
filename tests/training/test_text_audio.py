from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from motet.model.text import TextEncoder
from motet.music.attributes import Attributes
from motet.music.error import CancelledError, InvalidInputError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.rewards.spectrum import SpectrumConfig
from motet.rewards.towers import Towers, TowersConfig
from motet.training.corpus import caption_writer
from motet.training.swap import SWAPS
from motet.training.text_audio import Facts, TextAudioConfig, contrast, train
from motet.training.text_audio_data import Clips, without_length
from motet.training.text_audio_report import calibrate, card, facts, measure
from tests.fakes import fake_embed

SPECTRUM = SpectrumConfig(window_s=2.0, mels=32, tones=24, lowest_tone=48)
PIANO, FLUTE = 0, 73
SOURCES = [{"source": "folk", "licence": "CC0-1.0", "repository": "someone/folk"}]


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny tensors on a busy machine: threads that wait for each other are the slow part."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class FakeEncoder:
    """The part of ``motet.model.text.TextEncoder`` that training uses."""

    width = 384

    def pooled(self, captions):
        return torch.from_numpy(fake_embed(captions))


def clips(count: int = 48) -> Clips:
    """Clips whose band of energy tells the instrument, with captions that name it."""
    rng = np.random.default_rng(0)
    mel = rng.normal(-3, 0.3, (count, 2, SPECTRUM.mels, SPECTRUM.mel_frames)).astype(np.float16)
    tone = rng.normal(-3, 0.3, (count, 2, SPECTRUM.tones, SPECTRUM.tone_frames)).astype(np.float16)
    known = []
    for row in range(count):
        mel[row, :, (row % 2) * 16 : (row % 2) * 16 + 8] += 3
        known.append(
            Attributes(
                instruments=((PIANO, FLUTE)[row % 2],),
                drums=row % 4 < 2,
                key=Key(row % 12, ("major", "minor")[row % 2]),
                meter=Meter(3 + row % 2, 4),
                tempo_bpm=60.0 + row,
                genres=(("classical", "rock")[row % 2],),
                moods=(("calm", "happy")[row % 2],),
                bars=8,
            )
        )
    captions = [
        [caption_writer.write(without_length(one), np.random.default_rng([row, k])) for k in range(2)]
        for row, one in enumerate(known)
    ]
    return Clips(mel=mel, tone=tone, attributes=known, captions=captions)


def towers() -> Towers:
    torch.manual_seed(1)
    return Towers(TowersConfig(width=16, channels=(4, 8, 8), text_hidden=16), SPECTRUM)


def fit(folder: Path, *, epochs: int = 4, cancelled=lambda: False, into: Towers | None = None):
    data = clips()
    fitted = into or towers()
    sentences = fake_embed([caption.text for captions in data.captions for caption in captions])
    config = TextAudioConfig(epochs=epochs, batch=16, rate=5e-3)
    losses = train(fitted, data, sentences, config, folder, progress=lambda line: None, cancelled=cancelled)
    return fitted, losses


def test_training_learns_and_is_reproducible(tmp_path: Path):
    first, losses = fit(tmp_path / "a", epochs=6)
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    second, again = fit(tmp_path / "b", epochs=6)
    assert again == losses
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_training_goes_on_where_it_was_cancelled(tmp_path: Path):
    whole, losses = fit(tmp_path / "whole")
    calls = iter([False] * 7 + [True])
    with pytest.raises(CancelledError, match="run again"):
        fit(tmp_path / "parts", cancelled=lambda: next(calls))
    resumed, again = fit(tmp_path / "parts")
    assert again == pytest.approx(losses)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    with pytest.raises(InvalidInputError, match="same settings"):
        fit(tmp_path / "parts", epochs=9)


def test_ambiguous_pairs_do_not_count():
    vectors = torch.nn.functional.normalize(torch.randn(3, 8, generator=torch.manual_seed(0)), dim=-1)
    same = torch.stack([vectors[0], vectors[0], vectors[1]])
    everything, nothing = torch.ones(3, 3, dtype=torch.bool), torch.zeros(3, 3, dtype=torch.bool)
    scale = torch.tensor(10.0)
    assert float(contrast(same, same, scale, everything)) == pytest.approx(0, abs=1e-6)
    twins = nothing.clone()
    twins[0, 1] = twins[1, 0] = True
    assert float(contrast(same, same, scale, twins)) < float(contrast(same, same, scale, nothing))


def test_facts_tell_which_captions_are_true_of_which_windows():
    windows = Facts(
        [Attributes(tempo_bpm=120, key=Key(0, "major"), instruments=(0, 40), drums=True, meter=Meter(4, 4))]
    )
    said = [
        Attributes(),
        Attributes(instruments=(40,)),
        Attributes(instruments=(41,)),
        Attributes(tempo_bpm=122),
        Attributes(tempo_bpm=60),
        Attributes(tempo_word="allegro"),
        Attributes(tempo_word="slow"),
        Attributes(key=Key(9, "minor")),
        Attributes(drums=False),
        Attributes(meter=Meter(4, 4), drums=True),
        Attributes(genres=("jazz",)),
    ]
    true = Facts(said).true_of(windows, np.array([0]), np.arange(len(said)))
    assert true[0].tolist() == [True, True, False, True, False, True, False, False, False, True, False]


def test_the_report_has_every_figure_and_the_card_the_command(tmp_path: Path):
    fitted, losses = fit(tmp_path)
    encoder = cast(TextEncoder, FakeEncoder())
    report = measure(fitted, clips(), encoder, seed=0, progress=lambda line: None)
    assert set(report.swaps) == set(SWAPS) - {"instruments near"}  # one piano and one flute
    assert set(report.retrieval) == {"default", "second"}
    assert report.record()["swap_control"]["n"] == sum(share.n for share in report.swaps.values())
    text = card(report, facts(TextAudioConfig(), TextAudioConfig(), SPECTRUM, losses, 1), SOURCES)
    assert "motet eval text-audio" in text
    assert "| swap of key mode |" in text
    assert "someone/folk" in text
    calibration = calibrate(fitted, clips(), encoder, lambda line: None)
    assert calibration(1.0) == 1.0


def test_bad_settings_are_refused():
    bad: list[tuple[str, Any]] = [("epochs", 0), ("batch", 2), ("rate", 0.0), ("loudness", -1.0)]
    for name, value in bad:
        with pytest.raises(InvalidInputError, match=name):
            TextAudioConfig(**{name: value})
