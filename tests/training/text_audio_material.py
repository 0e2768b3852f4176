"""Clips and words for the tests of the text reward: a band of energy tells the instrument, and captions name it."""

from __future__ import annotations

import numpy as np
import torch

from motet.music.attributes import Attributes
from motet.music.key import Key
from motet.music.meter import Meter
from motet.rewards.calibration import Calibration
from motet.rewards.spectrum import BANDS, SpectrumConfig
from motet.rewards.text_audio import TextAudioScorer
from motet.rewards.towers import Towers, TowersConfig
from motet.training.text_audio.clips import Clips
from motet.training.text_audio.wording import Wording, word
from tests.fakes import fake_embed

SPECTRUM = SpectrumConfig(window_s=2.0, mels=32, tones=24, lowest_tone=48)
PIANO, FLUTE = 0, 73


def known(count: int) -> list[Attributes]:
    """Attributes of pieces: even ones are for piano, odd ones for flute."""
    return [
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
        for row in range(count)
    ]


def clips(count: int = 48) -> Clips:
    """One clip of each piece under two fonts; the band of energy tells odd from even."""
    rng = np.random.default_rng(0)
    shapes = {
        "mel": (SPECTRUM.mels, SPECTRUM.mel_frames),
        "tone": (SPECTRUM.tones, SPECTRUM.tone_frames),
        "band": (BANDS, SPECTRUM.band_frames),
    }
    images = {name: rng.normal(-3, 0.3, (count, 2, *shape)).astype(np.float16) for name, shape in shapes.items()}
    for row in range(count):
        images["mel"][row, :, (row % 2) * 16 : (row % 2) * 16 + 8] += 3
    return Clips(
        **images,
        piece=np.arange(count),
        share=np.ones(count),
        loudness=rng.normal(-20, 3, (count, 2)).astype(np.float32),
    )


def wording(count: int = 48) -> Wording:
    """Two true captions and one false one of each piece."""
    return word(known(count), [()] * count, fake_embed, true=2, false=1, wrong=2, seed=0)


def towers() -> Towers:
    """Small ones, always the same."""
    torch.manual_seed(1)
    return Towers(TowersConfig(width=16, channels=(4, 8, 8), trunk=16, text_hidden=16), SPECTRUM)


def scorer(trained: Towers) -> TextAudioScorer:
    """A scorer whose calibration is only a start."""
    return TextAudioScorer(trained, SPECTRUM, Calibration(matched=(0.0, 1.0), mismatched=(-1.0, 0.0)), fake_embed)
