from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel, ClapProcessor

from motet.music import caption
from motet.music.error import InvalidInputError, MotetError, UnavailableError
from motet.rewards import clap
from motet.rewards.calibration import Calibration
from motet.rewards.render import RenderConfig, Renderer
from motet.rewards.sound import Sound
from motet.rewards.text import TextTerm
from tests.rewards.pieces import song
from tests.tiny_clap import SPECIAL, clap_folder

CALIBRATION = Calibration(matched=(-1.0, 1.0), mismatched=(-1.0, 1.0))
FLUTE = caption.parse("a calm flute piece")
ROCK = caption.parse("a fast rock song with drums")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clap_folder(tmp_path_factory.mktemp("clap"))


@pytest.fixture(scope="module")
def backend(folder: Path) -> clap.Clap:
    return clap.load(folder, CALIBRATION)


def tone(hz: float, seconds: float = 10.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * 48000)) / 48000)).astype(np.float32)


def test_the_same_sound_always_has_the_same_vector(backend: clap.Clap, folder: Path):
    assert (backend.rate_hz, backend.window_s) == (48000, 10.0)
    first = backend.audio_vector(tone(440))
    backend.audio_vector(tone(220))
    np.random.seed(1)  # noqa: NPY002  # the generator that the library would crop with
    np.testing.assert_array_equal(backend.audio_vector(tone(440)), first)
    np.testing.assert_array_equal(clap.load(folder, CALIBRATION).audio_vector(tone(440)), first)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(backend.audio_vector(tone(220)), first, atol=1e-3)


def test_where_the_sound_lies_in_memory_does_not_show(backend: clap.Clap):
    memory = np.zeros(480_008, np.float32)
    found = []
    for offset in range(8):
        memory[offset : offset + 480_000] = tone(440)
        found.append(backend.audio_vector(memory[offset : offset + 480_000]))
    assert all(np.array_equal(one, found[0]) for one in found)


def test_nothing_is_cropped_at_random(backend: clap.Clap):
    long = np.concatenate([tone(440), tone(220)])
    np.testing.assert_array_equal(backend.audio_vector(long), backend.audio_vector(long[:480_000]))


def test_vectors_are_those_of_the_library(backend: clap.Clap, folder: Path):
    processor = ClapProcessor(ClapFeatureExtractor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
    model = ClapModel.from_pretrained(folder).eval()
    short = tone(440, 3.0)
    with torch.inference_mode():
        sound = model.get_audio_features(**processor(audio=short, sampling_rate=48000, return_tensors="pt"))
        words = model.get_text_features(**processor(text=[FLUTE.text, ROCK.text], padding=True, return_tensors="pt"))
    ours = backend.audio_vector(np.concatenate([short, np.zeros(336_000, np.float32)]))
    np.testing.assert_allclose(ours, sound.pooler_output[0].numpy(), atol=1e-5)
    for row, asked in enumerate((FLUTE, ROCK)):
        np.testing.assert_allclose(backend.text_vector(asked), words.pooler_output[row].numpy(), atol=1e-5)


def test_any_sound_and_any_caption_can_be_judged(backend: clap.Clap):
    loud = 5 * tone(440)
    np.testing.assert_array_equal(backend.audio_vector(loud), backend.audio_vector(np.clip(loud, -1, 1)))
    for audio in (np.zeros(480_000, np.float32), np.zeros(0, np.float32), tone(440, 0.001)):
        assert np.linalg.norm(backend.audio_vector(audio)) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(backend.text_vector(FLUTE), backend.text_vector(ROCK), atol=1e-4)
    for text in ("x" * 2000, "word " * 400, "ħ 音楽 🎵"):
        assert np.linalg.norm(backend.text_vector(caption.parse(text))) == pytest.approx(1, abs=1e-5)


def test_short_sound_is_repeated_as_often_as_it_fits():
    sound = np.arange(1, 4, dtype=np.float32)
    assert clap.filled(sound, 10).tolist() == [1, 2, 3, 1, 2, 3, 1, 2, 3, 0]
    assert clap.filled(np.concatenate([sound, np.zeros(4, np.float32)]), 7).tolist() == [1, 2, 3, 1, 2, 3, 0]
    assert clap.filled(np.zeros(3, np.float32), 4).tolist() == [0, 0, 0, 0]


def test_pieces_are_judged_end_to_end(backend: clap.Clap):
    with Renderer(RenderConfig(rate_hz=48000)) as renderer:
        pieces = [song(8, seed=3), song(4, seed=1)]
        first = TextTerm(backend, Sound(renderer, window_s=10.0)).judge(pieces, FLUTE, complete=True)
        second = TextTerm(backend, Sound(renderer, window_s=10.0)).judge(pieces[::-1], FLUTE, complete=True)
    assert first == second[::-1]
    assert first[0].value != first[1].value
    assert all(0 <= one.value <= 1 for one in first)


def test_a_fusion_model_is_as_deterministic(tmp_path: Path):
    fused = clap.load(clap_folder(tmp_path, enable_fusion=True), CALIBRATION)
    np.testing.assert_array_equal(fused.audio_vector(tone(440)), fused.audio_vector(tone(440)))


def test_no_hub_is_asked(folder: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def connect(self: socket.socket, address: object) -> None:
        asked.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    clap.load(folder, CALIBRATION)
    assert asked == []


def one_line(error: MotetError) -> bool:
    return "\n" not in error.message and len(error.message) < 500


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_named_with_where_to_get_it(folder: Path, tmp_path: Path, name: str):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).unlink()
    with pytest.raises(UnavailableError, match=f"has no {name}.*laion/larger_clap_music_and_speech") as error:
        clap.load(copy, CALIBRATION)
    assert one_line(error.value)
    with pytest.raises(UnavailableError, match="there is no folder"):
        clap.load(tmp_path / "nowhere", CALIBRATION)


def test_missing_weights_are_refused_where_the_library_would_draw_them_at_random(folder: Path, tmp_path: Path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = load_file(copy / "model.safetensors")
    del weights["audio_projection.linear1.weight"]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(InvalidInputError, match=r"every weight.*audio_projection\.linear1\.weight") as error:
        clap.load(copy, CALIBRATION)
    assert one_line(error.value)


def test_a_tokenizer_without_its_words_is_refused(folder: Path, tmp_path: Path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "tokenizer.json").unlink()
    (copy / "vocab.json").write_text(json.dumps({token: place for place, token in enumerate(SPECIAL)}))
    (copy / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(InvalidInputError, match=r"tokens that the model knows.*received 5") as error:
        clap.load(copy, CALIBRATION)
    assert one_line(error.value)
    (copy / "vocab.json").unlink()
    with pytest.raises(UnavailableError, match=r"has no tokenizer.json or vocab.json"):
        clap.load(copy, CALIBRATION)


class Pickled:
    """An object that leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.trace,)


def test_older_weights_are_read_as_tensors_only(backend: clap.Clap, folder: Path, tmp_path: Path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    torch.save(weights, copy / "pytorch_model.bin")
    np.testing.assert_array_equal(clap.load(copy, CALIBRATION).text_vector(FLUTE), backend.text_vector(FLUTE))
    torch.save({**weights, "more": Pickled(tmp_path / "trace")}, copy / "pytorch_model.bin")
    with pytest.raises(InvalidInputError, match="holds no CLAP model") as error:
        clap.load(copy, CALIBRATION)
    assert one_line(error.value)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_file_is_one_clear_line(folder: Path, tmp_path: Path, name: str):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).write_bytes(b"\x00 damaged")
    with pytest.raises(InvalidInputError, match="holds no CLAP model") as error:
        clap.load(copy, CALIBRATION)
    assert one_line(error.value)
