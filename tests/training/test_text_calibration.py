from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.music.caption import Caption
from motet.music.error import InvalidInputError, NotFoundError
from motet.rewards import text
from motet.rewards.calibration import Calibration
from motet.rewards.render import Renderer
from motet.training import text_calibration, text_calibration_command
from motet.training.corpus.shard import Shard
from motet.training.text_calibration import TextCalibrationConfig, calibrate
from tests.fakes import fake_embed, hash_uniform
from tests.tiny_clap import clap_folder


class Knowing:
    """A backend that knows which captions are whose: right pairs have cosine 0.8, others between -0.2 and 0.2."""

    rate_hz = 22050
    window_s = 2.0
    calibration = Calibration(matched=(-1.0, 1.0), mismatched=(-1.0, 1.0))

    def __init__(self, corpus: Path) -> None:
        shard = Shard.open(corpus, text_calibration.SPLIT)
        self.owner = {one.text: place for place in range(len(shard)) for one in shard.captions(place)}
        self.asked: list[str] = []
        self.heard: list[np.ndarray] = []

    def audio_vector(self, audio: np.ndarray) -> np.ndarray:
        self.heard.append(audio)
        angle = np.arccos(0.8)
        return np.array([np.cos(angle), np.sin(angle)], np.float32)

    def text_vector(self, caption: Caption) -> np.ndarray:
        self.asked.append(caption.text)
        return np.array([1.0, 0.0], np.float32)


def test_the_table_is_of_own_captions_and_of_false_ones(corpus: Path):
    with Renderer() as renderer:
        backend = Knowing(corpus)
        config = TextCalibrationConfig(windows=6, captions=1)
        found = calibrate(backend, renderer, corpus, config, lambda line: None)
        assert set(found.matched) == set(found.mismatched) == {0.8}
        assert len(backend.heard) == len(backend.asked) == 6
        assert all(np.abs(audio).max() > 0.001 for audio in backend.heard)
        again = Knowing(corpus)
        calibrate(again, renderer, corpus, config, lambda line: None)
        assert again.asked == backend.asked
        with pytest.raises(InvalidInputError, match="at least 5000 windows"):
            calibrate(Knowing(corpus), renderer, corpus, TextCalibrationConfig(windows=5000), lambda line: None)


def test_matched_pairs_are_told_from_the_rest(corpus: Path, monkeypatch: pytest.MonkeyPatch):
    class Hashed(Knowing):
        """Draws a vector for each sound, and gives its own captions the same."""

        def audio_vector(self, audio: np.ndarray) -> np.ndarray:
            return self.text_vector_of(self.order.pop(0))

        def text_vector(self, caption: Caption) -> np.ndarray:
            place = self.owner[caption.text]
            if place not in self.order:
                self.order.append(place)
            return self.text_vector_of(place)

        def text_vector_of(self, place: int) -> np.ndarray:
            row = np.array([hash_uniform(place, axis) - 0.5 for axis in range(64)], np.float32)
            return np.asarray(row / np.linalg.norm(row))

        order: list[int] = []  # noqa: RUF012  # one backend only

    with Renderer() as renderer:
        config = TextCalibrationConfig(windows=6, captions=1)
        found = calibrate(Hashed(corpus), renderer, corpus, config, lambda line: None)
    assert min(found.matched) > 0.99
    assert max(found.mismatched) < 0.7


def test_the_command_writes_what_the_backend_is_opened_with(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    torch.set_num_threads(1)
    folder = clap_folder(tmp_path / "clap")
    parser = argparse.ArgumentParser()
    text_calibration_command.register(parser.add_subparsers())
    args = ["text", "--backend", f"clap:{folder}", str(corpus), "--windows", "6", "--captions", "1", "--json"]
    parsed = parser.parse_args(args)
    assert parsed.run(parsed) == 0
    document = json.loads(capsys.readouterr().out)
    opened = text.open(f"clap:{folder}", fake_embed)
    assert list(opened.calibration.matched) == document["matched"]
    assert len(document["mismatched"]) == 65
    parsed = parser.parse_args(["text", "--backend", "builtin", str(corpus)])
    with pytest.raises(InvalidInputError, match="motet train text-audio"):
        parsed.run(parsed)


def test_bad_input_is_refused(tmp_path: Path, corpus: Path):
    for wrong in ({"windows": 3}, {"captions": 0}, {"seed": -1}):
        with pytest.raises(InvalidInputError, match="text_calibration"):
            TextCalibrationConfig(**wrong)
    with Renderer() as renderer, pytest.raises(NotFoundError):
        calibrate(Knowing(corpus), renderer, tmp_path, TextCalibrationConfig(), lambda line: None)
