"""The published files become a folder of ours, and nothing in them is run."""

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from motet.client import command as client
from motet.model import command
from motet.model.text2midi import checkpoint
from motet.model.text2midi.importer import import_checkpoint
from motet.model.text2midi.pickled import read_vocabulary
from motet.music.error import InvalidInputError, NotFoundError
from tests.model.text2midi.published import (
    PIECES,
    WIDTH,
    imported,
    published,
    remi,
    tensors,
    text_tokenizer,
    write,
)


def motet(*arguments: str) -> int:
    return client.main(arguments, registrars=[command.register])


def copy(tmp_path: Path) -> Path:
    """Published files to spoil."""
    return Path(shutil.copytree(published(64), tmp_path / "published", ignore=shutil.ignore_patterns("train", "up*")))


def test_every_number_that_is_used_comes_over() -> None:
    ours, theirs = load_file(imported(64, "train") / "model.safetensors"), tensors(64)
    torch.testing.assert_close(ours.pop("position"), theirs["pos_encoder.pe"][0, 0], rtol=0, atol=0)
    assert theirs.keys() - ours.keys() == {"pos_encoder.pe", "encoder.encoder.embed_tokens.weight"}
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=0)


def test_sizes_are_read_off_the_tensors() -> None:
    network, vocabulary, captions = checkpoint.load(imported(64, "upstream"))
    assert network.config.max_tokens == 63
    assert network.config.layout == "upstream"
    assert network.config.encoder.head_width == 6
    assert len(vocabulary) == network.config.vocab_size == 524
    assert captions.width == WIDTH
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in network.parameters())


def test_only_plain_files_are_written() -> None:
    names = {path.name for path in imported(64, "train").iterdir()}
    assert names == {"README.md", "config.json", "model.safetensors", "text_tokenizer.json", "tokenizer.json"}


def test_the_command_reports_what_came_over(tmp_path: Path, capsys: Any) -> None:
    assert motet("model", "import", "text2midi", str(published(64)), str(tmp_path / "out")) == 0
    out, _ = capsys.readouterr()
    assert "vocabulary      524 tokens" in out
    assert "text tokenizer of 32,100 pieces" in out
    assert "a trained T5 encoder" in out
    assert "a trained T5 encoder" in (tmp_path / "out" / "README.md").read_text()

    assert motet("model", "info", str(tmp_path / "out"), "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["architecture"] == "text2midi"
    assert record["vocabulary"] == 524
    numbers = sum(tensor.numel() for name, tensor in tensors(64).items() if "embed_tokens" not in name)
    assert record["parameters"] == numbers - 63 * WIDTH
    assert record["sizes"]["encoder.layers"] == 2
    assert motet("model", "info", str(tmp_path / "out")) == 0
    assert "architecture    text2midi" in capsys.readouterr().out


def test_an_encoder_that_was_never_trained_is_told(tmp_path: Path) -> None:
    source = copy(tmp_path)
    state = tensors(64)
    for name in ("encoder.shared.weight", "encoder.encoder.embed_tokens.weight"):
        state[name] = torch.nn.init.xavier_uniform_(torch.empty(PIECES, WIDTH))
    torch.save(state, source / "pytorch_model.bin")
    done = import_checkpoint(source, tmp_path / "out", text_tokenizer=source)
    assert done.encoder_is_random
    assert "never trained" in done.verdict


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match="empty"):
        import_checkpoint(published(64), tmp_path, text_tokenizer=published(64))


class Hostile:
    """Pickles as a call of ``os.system``."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_hostile_vocabulary_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    mark, path = tmp_path / "mark", tmp_path / "vocab_remi.pkl"
    tokenizer = remi()
    tokenizer.hidden = Hostile(mark)
    path.write_bytes(pickle.dumps(tokenizer, protocol))
    with pytest.raises(InvalidInputError, match=r"must name nothing but a miditok REMI tokenizer"):
        read_vocabulary(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # noqa: S301 - the file does what it should not
    assert mark.exists()


def test_hostile_weights_are_refused_and_not_run(tmp_path: Path) -> None:
    source = copy(tmp_path)
    torch.save({"input_emb.weight": Hostile(tmp_path / "mark")}, source / "pytorch_model.bin")
    with pytest.raises(InvalidInputError, match="tensors alone"):
        import_checkpoint(source, tmp_path / "out", text_tokenizer=source)
    assert not (tmp_path / "mark").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("reach", ["os.system", "builtins.eval", "builtins.getattr", "miditok.classes.__builtins__"])
def test_a_name_alone_is_refused(tmp_path: Path, reach: str) -> None:
    module, _, name = reach.rpartition(".")
    path = tmp_path / "vocab_remi.pkl"
    path.write_bytes(f"c{module}\n{name}\n.".encode())
    with pytest.raises(InvalidInputError, match="must name nothing but"):
        read_vocabulary(path)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_the_vocabulary_is_read_whatever_the_protocol(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "vocab_remi.pkl"
    path.write_bytes(pickle.dumps(remi(), protocol))
    names = read_vocabulary(path)
    first = {"PAD": 0, "Bar": 4, "Pitch": 5, "Velocity": 93, "Duration": 125, "Position": 149, "PitchDrum": 293}
    first |= {"Tempo": 354, "Program": 386, "TimeSig": 515}
    for kind, index in first.items():  # the ids of the published file
        assert names[index].startswith(f"{kind}_")
        assert not names[index - 1].startswith(f"{kind}_")
    assert len(names) == 524


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a pickle", "must be a pickle"),
        (b"", "must be a pickle"),
        (pickle.dumps({"Pitch_60": 0}), "must be a tokenizer"),
        (pickle.dumps([1, 2]), "must be a tokenizer"),
    ],
)
def test_a_file_without_a_vocabulary_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "vocab_remi.pkl"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        read_vocabulary(path)


def test_a_vocabulary_with_gaps_or_merges_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocab_remi.pkl"
    tokenizer = remi()
    tokenizer._vocab_base["Pitch_60"] = 5000
    path.write_bytes(pickle.dumps(tokenizer))
    with pytest.raises(InvalidInputError, match="without gaps"):
        read_vocabulary(path)
    tokenizer = remi()
    tokenizer._vocab_learned_bytes_to_tokens = {"ab": ["Bar_None", "Pitch_60"]}
    path.write_bytes(pickle.dumps(tokenizer))
    with pytest.raises(InvalidInputError, match="merges"):
        read_vocabulary(path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "vocab_remi.pkl", "tokenizer.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    source = copy(tmp_path)
    (source / name).unlink()
    with pytest.raises(NotFoundError, match=name):
        import_checkpoint(source, tmp_path / "out", text_tokenizer=source)


def test_a_tensor_that_is_missing_or_too_many_is_named(tmp_path: Path) -> None:
    source = copy(tmp_path)
    for spoil, named in (
        (lambda state: state.pop("decoder.layers.1.norm2.bias"), r"decoder\.layers\.1\.norm2\.bias must have"),
        (lambda state: state.update({"decoder.layers.0.moe.gate": torch.zeros(2)}), r"must not hold decoder.*moe"),
        (lambda state: state.pop("pos_encoder.pe"), "pos_encoder"),
        (lambda state: state.update({"projection.bias": torch.zeros(9)}), r"projection\.bias must have"),
    ):
        state = tensors(64)
        spoil(state)
        torch.save(state, source / "pytorch_model.bin")
        with pytest.raises(InvalidInputError, match=named):
            import_checkpoint(source, tmp_path / "out", text_tokenizer=source)


def test_a_tiny_text_tokenizer_is_refused(tmp_path: Path) -> None:
    source = copy(tmp_path)
    record = json.loads(text_tokenizer().to_str())
    record["model"]["vocab"] = record["model"]["vocab"][:40]
    (source / "tokenizer.json").write_text(json.dumps(record))
    with pytest.raises(InvalidInputError, match="at least 32000 word pieces"):
        import_checkpoint(source, tmp_path / "out", text_tokenizer=source)
    (source / "tokenizer.json").write_text("{}")
    with pytest.raises(InvalidInputError, match="fast tokenizer"):
        import_checkpoint(source, tmp_path / "out", text_tokenizer=source)


def test_a_text_tokenizer_that_does_not_end_captions_is_refused(tmp_path: Path) -> None:
    source = copy(tmp_path)
    record = json.loads(text_tokenizer().to_str())
    record["post_processor"] = None
    (source / "tokenizer.json").write_text(json.dumps(record))
    with pytest.raises(InvalidInputError, match="</s>"):
        import_checkpoint(source, tmp_path / "out", text_tokenizer=source)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "published", 64)
    torch.save({"a": torch.zeros(2)}, tmp_path / "published" / "pytorch_model.bin")
    with pytest.raises(InvalidInputError, match="Text2midi's tensors"):
        import_checkpoint(tmp_path / "published", tmp_path / "out", text_tokenizer=tmp_path / "published")
