"""A corpus of random windows, written as ``motet corpus build`` writes it, in a second instead of a minute."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.music.describe import describe
from motet.music.score import DRUMS
from motet.training.corpus import caption_writer, catalogue, shard
from motet.training.corpus.shard import Meta, Record
from tests.tiny import random_score, tiny_tokenizer

WINDOWS = {"train": 24, "valid": 6, "test": 8}


def record(seed: int, bars: int) -> Record:
    """A window and two captions that are true of its tokens; every third has no drums, every fourth ends its piece."""
    score = random_score(seed, bars)
    if seed % 3 == 0:
        score = score.select(score.program != DRUMS)
    tokens = tiny_tokenizer().encode(score)
    attributes = replace(describe(tiny_tokenizer().decode(tokens)), genres=("rock", "waltz"), bars=bars)
    rng = np.random.default_rng(seed)
    return Record(
        tokens=np.array(tokens, np.uint16),
        meta=Meta(
            piece=f"piece-{seed}",
            source="tiny",
            licence="CC0-1.0",
            start_bar=0,
            bars=bars,
            transposed=0,
            ends_piece=seed % 4 == 0,
        ),
        attributes=attributes,
        captions=tuple(caption_writer.write(attributes, rng) for _ in range(2)),
    )


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Windows of 2 and 4 bars to train on, of 4 bars in the held-out splits."""
    folder = tmp_path_factory.mktemp("corpus")
    tiny_tokenizer().save(folder / "tokenizer")
    for place, (split, count) in enumerate(WINDOWS.items()):
        short = 2 if split == "train" else 4
        shard.write(folder, split, [record(1000 * place + row, (4, short)[row % 2]) for row in range(count)])
    sources = [{"source": "tiny", "repository": "some/where", "licence": "CC0-1.0", "pieces": 24, "windows": 1024}]
    (folder / "sources.json").write_text(json.dumps(sources))
    names = {
        f"piece-{1000 * place + row}": split for place, split in enumerate(WINDOWS) for row in range(WINDOWS[split])
    }
    with lzma.open(folder / catalogue.FILE, "wt", encoding="utf-8") as lines:
        for name, split in names.items():
            line = {"id": name, "source": "tiny", "licence": "CC0-1.0", "song": name, "split": split, "digest": name}
            lines.write(json.dumps(line) + "\n")
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny tensors on a busy machine: threads that wait for each other are the slow part."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
