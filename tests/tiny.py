"""A random checkpoint of the real layout, small enough to build in a test."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch

from motet.model import artifact
from motet.model.checkpoint import Checkpoint
from motet.model.config import MotetConfig
from motet.model.network import MotetForConditionalGeneration
from motet.model.tokenizer import Tokenizer
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score

GENRES = ("folk", "jazz", "waltz")
METERS = (Meter(4, 4), Meter(3, 4), Meter(6, 8), Meter(2, 2))


def random_score(seed: int, bars: int = 4) -> Score:
    """A piece for three instruments and drums on a sixteenth and triplet grid; every bar has notes."""
    rng = np.random.default_rng(seed)
    meter = METERS[seed % len(METERS)]
    bar = meter.bar_ticks(24)
    notes = bars * 10
    onset = np.concatenate([np.arange(bars) * bar, rng.integers(0, bars * bar // 2, notes) * 2])
    size = len(onset)
    program = rng.choice(np.array([0, 33, 73, DRUMS]), size)
    return Score(
        ppq=24,
        onset=onset,
        duration=rng.integers(1, 12, size) * 2,
        pitch=np.where(program == DRUMS, rng.integers(35, 51, size), rng.integers(40, 84, size)),
        velocity=rng.integers(30, 120, size).astype(np.int16),
        program=program,
        track=np.searchsorted(np.unique(program), program).astype(np.int16),
        tempo_bpm=np.array([float(rng.integers(60, 180))]),
        meters=(meter,),
    )


@lru_cache
def tiny_tokenizer() -> Tokenizer:
    """Merges learned on random pieces."""
    return Tokenizer.train([random_score(seed) for seed in range(60)], 1000, GENRES)


def tiny_network(seed: int = 0) -> MotetForConditionalGeneration:
    """Two layers, width 32, random."""
    tokenizer = tiny_tokenizer()
    torch.manual_seed(seed)
    network = MotetForConditionalGeneration(
        MotetConfig(
            vocab_size=len(tokenizer),
            width=32,
            layers=2,
            heads=4,
            kv_heads=2,
            hidden=48,
            max_tokens=512,
        )
    )
    network.train(False)
    return network


@lru_cache
def tiny_folder() -> Path:
    """The checkpoint on disk."""
    folder = Path(mkdtemp(prefix="motet-tiny-"))
    artifact.save(tiny_network(), tiny_tokenizer(), folder, torch.float32)
    return folder


@lru_cache
def tiny_checkpoint() -> Checkpoint:
    """The checkpoint, loaded."""
    return Checkpoint.load(tiny_folder())
