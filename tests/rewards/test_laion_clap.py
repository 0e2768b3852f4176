from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import RobertaConfig, RobertaModel

from motet.music import caption
from motet.music.error import InvalidInputError, MotetError, UnavailableError
from motet.rewards import laion_clap
from motet.rewards.calibration import Calibration
from motet.rewards.render import RenderConfig, Renderer
from motet.rewards.sound import Sound
from motet.rewards.text import TextTerm
from tests.rewards.pieces import song
from tests.tiny_clap import SPECIAL, laion_file, save_tokenizer

CALIBRATION = Calibration(matched=(-1.0, 1.0), mismatched=(-1.0, 1.0))
FLUTE = caption.parse("a calm flute piece")
NAME = "music_audioset_epoch_15_esc_90.14.pt"

# As the package is laid out: what it imports for training, the hub's name that it asks for, what its models are called.
PACKAGE = {
    "torchlibrosa/__init__.py": "",
    "laion_clap/__init__.py": "raise RuntimeError('this fetches tokenizers')",
    "laion_clap/clap_module/__init__.py": "from . import factory, model, training",
    "laion_clap/clap_module/training.py": """
import ftfy
import h5py
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score
from torchvision.ops.misc import FrozenBatchNorm2d
from torchvision.transforms import Compose, Normalize
""",
    "laion_clap/clap_module/factory.py": """
_MODEL_CONFIGS = {
    "HTSAT-tiny": {"embed_dim": 96, "audio_cfg": {"sample_rate": 48000, "clip_samples": 480000}, "text_cfg": {}}
}
""",
    "laion_clap/clap_module/model.py": """
import torch
from torch import nn
from transformers import RobertaModel


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(1, 96, 4, 4)


class CLAP(nn.Module):
    def __init__(self, embed_dim, audio_cfg, text_cfg):
        super().__init__()
        assert text_cfg["model_type"] == "roberta"
        self.logit_scale_a = nn.Parameter(torch.tensor(2.0))
        self.audio_branch = Branch()
        self.audio_projection = nn.Linear(embed_dim, 16)
        self.text_branch = RobertaModel.from_pretrained("roberta-base")
        self.text_projection = nn.Linear(self.text_branch.config.hidden_size, 16)

    def get_audio_embedding(self, data):
        image = torch.stack([one["waveform"] for one in data]).view(len(data), 1, 600, 800)
        return self.audio_projection(torch.relu(self.audio_branch.patch_embed.proj(image)).mean((2, 3)))

    def get_text_embedding(self, data):
        return self.text_projection(self.text_branch(**data).pooler_output)
""",
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of laion_clap's shape, found before any real one, and not imported before or after."""
    site = tmp_path / "site"
    for name, text in PACKAGE.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    forget()
    monkeypatch.syspath_prepend(site)
    yield site
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("clap_module", "laion_clap")]:
        del sys.modules[name]


def checkpoint(folder: Path, **extra: object) -> Path:
    """A checkpoint file for ``package``, and the folder of its words."""
    words = folder / laion_clap.TOKENIZER
    config = RobertaConfig(
        vocab_size=save_tokenizer(words),
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=90,
        type_vocab_size=1,
    )
    config.save_pretrained(words)
    module = laion_clap.import_package()
    text = RobertaModel(config)
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.model.RobertaModel, "from_pretrained", lambda name: text)
        model = module.model.CLAP(96, {}, {"model_type": "roberta"})
    state = {f"module.{name}": 3 * value for name, value in model.state_dict().items()}
    state["module.text_branch.embeddings.position_ids"] = torch.arange(90)[None]
    torch.save({"epoch": 15, "state_dict": state, **extra}, folder / NAME)
    return folder / NAME


def tone(hz: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(480_000) / 48000)).astype(np.float32)


@pytest.mark.usefixtures("package")
def test_a_checkpoint_hears_and_reads_by_itself(tmp_path: Path):
    path, known = list(sys.path), set(sys.modules)
    backend = laion_clap.load(checkpoint(tmp_path), CALIBRATION)
    assert (backend.rate_hz, backend.window_s) == (48000, 10.0)
    assert backend.logit_scale == pytest.approx(np.exp(6.0), rel=1e-5)  # the checkpoint has three times what was drawn
    first = backend.audio_vector(tone(440))
    np.testing.assert_array_equal(backend.audio_vector(tone(440)), first)
    assert not np.allclose(backend.audio_vector(tone(220)), first, atol=1e-4)
    assert not np.allclose(backend.text_vector(FLUTE), backend.text_vector(caption.parse("rock")), atol=1e-4)
    assert sys.path == path
    left = {name.partition(".")[0] for name in set(sys.modules) - known}
    absent = {name.partition(".")[0] for name in laion_clap._ABSENT}
    assert not {name for name in left & absent if importlib.util.find_spec(name) is None}
    assert "laion_clap" not in left


@pytest.mark.usefixtures("package")
def test_pieces_are_judged_end_to_end(tmp_path: Path):
    backend = laion_clap.load(checkpoint(tmp_path), CALIBRATION)
    with Renderer(RenderConfig(rate_hz=48000)) as renderer:
        judge = TextTerm(backend, Sound(renderer, window_s=10.0)).judge
        [one, other, again] = judge([song(8, seed=3), song(4, seed=1), song(8, seed=3)], FLUTE, complete=True)
    assert one == again != other


@pytest.mark.usefixtures("package")
def test_the_checkpoint_is_read_as_tensors_and_numbers_only(tmp_path: Path):
    file = checkpoint(tmp_path, accuracy=np.float64(0.9), steps=np.int64(3))
    old = tmp_path / "old.pt"  # as NumPy 1 named what restores a number
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(old, "w", zipfile.ZIP_STORED) as target:
        for entry in source.namelist():
            target.writestr(entry, source.read(entry).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    expected = laion_clap.load(file, CALIBRATION).text_vector(FLUTE)
    np.testing.assert_array_equal(laion_clap.load(old, CALIBRATION).text_vector(FLUTE), expected)
    checkpoint(tmp_path, anything=Path("an object"))
    with pytest.raises(InvalidInputError, match="plain tensors") as error:
        laion_clap.load(file, CALIBRATION)
    assert one_line(error.value)


@pytest.mark.usefixtures("package")
def test_what_is_missing_is_named_with_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UnavailableError, match=r"there is no file .*lukewys/laion_clap") as error:
        laion_clap.load(tmp_path / NAME, CALIBRATION)
    assert one_line(error.value)
    file = checkpoint(tmp_path)
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "laion_clap" else found(name))
    with pytest.raises(UnavailableError, match="laion_clap is missing; `pip install"):
        laion_clap.load(file, CALIBRATION)
    (tmp_path / laion_clap.TOKENIZER / "config.json").unlink()
    with pytest.raises(UnavailableError, match=r"has no config\.json; download .*roberta-base") as error:
        laion_clap.load(file, CALIBRATION)
    assert one_line(error.value)


@pytest.mark.usefixtures("package")
def test_files_that_do_not_belong_together_are_refused(tmp_path: Path):
    file = checkpoint(tmp_path)
    state = torch.load(file, weights_only=True)["state_dict"]
    words = tmp_path / laion_clap.TOKENIZER

    def refused(saved: object, match: str) -> None:
        torch.save(saved, file)
        with pytest.raises(InvalidInputError, match=match) as error:
            laion_clap.load(file, CALIBRATION)
        assert one_line(error.value)

    refused({"state_dict": {**state, "module.audio_branch.patch_embed.fusion_model.x": torch.ones(1)}}, "fusion")
    refused({"state_dict": {"module.a": torch.ones(1)}}, "must hold an HTSAT-tiny")
    refused({"state_dict": {**state, "module.other": torch.ones(1)}}, "must be of one laion_clap model")
    refused([torch.ones(1)], "named tensors")
    torch.save({"state_dict": state}, file)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (words / name).unlink()
    (words / "vocab.json").write_text(json.dumps({token: place for place, token in enumerate(SPECIAL)}))
    (words / "merges.txt").write_text("#version: 0.2\n")
    refused({"state_dict": state}, "tokens that the model knows.*received 5")


def test_a_package_that_cannot_be_imported_is_one_line(package: Path, tmp_path: Path):
    file = checkpoint(tmp_path)
    (package / "laion_clap/clap_module/training.py").write_text("raise OSError('libc10_cuda.so\\nis not there')")
    shutil.rmtree(package / "laion_clap/clap_module/__pycache__", ignore_errors=True)
    forget()
    importlib.invalidate_caches()
    with pytest.raises(UnavailableError, match=r"cannot be imported: libc10_cuda\.so") as error:
        laion_clap.load(file, CALIBRATION)
    assert one_line(error.value)
    assert "clap_module" not in sys.modules


def one_line(error: MotetError) -> bool:
    return "\n" not in error.message and len(error.message) < 600


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("laion_clap", "torchlibrosa")),
    reason="the package is not installed: pip install torchlibrosa && pip install --no-deps laion-clap",
)
def test_the_real_package_agrees_with_a_real_layout(tmp_path: Path):
    file = laion_file(tmp_path)
    backend = laion_clap.load(file, CALIBRATION)
    with Renderer(RenderConfig(rate_hz=48000)) as renderer:
        judge = TextTerm(backend, Sound(renderer, window_s=10.0)).judge
        [one, other, again] = judge([song(4, seed=3), song(2, seed=1), song(4, seed=3)], FLUTE, complete=True)
    assert one == again != other
    whole = (tone(440) * 32767).astype(np.int16) / 32767
    with torch.inference_mode():
        features = [{"waveform": torch.from_numpy(whole.astype(np.float32))}]
        expected = backend._towers._model.get_audio_embedding(features)[0].numpy()  # type: ignore[attr-defined]
    np.testing.assert_allclose(backend.audio_vector(tone(440)), expected, atol=1e-6)
