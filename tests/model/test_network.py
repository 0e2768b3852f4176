"""The cached step equals the whole pass; a checkpoint comes back as it was saved."""

import json
from pathlib import Path

import pytest
import torch

from motet.model import artifact
from motet.model.checkpoint import Checkpoint
from motet.model.config import MotetConfig
from motet.model.network import attend
from motet.music.error import InvalidInputError, NotFoundError
from tests.tiny import tiny_checkpoint, tiny_folder, tiny_network, tiny_tokenizer


def conditions(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    text = torch.randn(rows, 5, 384, generator=generator)
    return text, torch.arange(5) < torch.arange(1, rows + 1).clamp(max=5)[:, None]


@torch.inference_mode()
def test_steps_with_a_cache_equal_one_pass() -> None:
    network = tiny_network()
    tokens = torch.randint(0, 700, (3, 20), generator=torch.Generator().manual_seed(0))
    whole = network(tokens, *conditions(3))
    memory, cache = network.remember(*conditions(3)), network.allocate(3, 24)
    for position in range(20):
        logits = network.step(tokens[:, position], torch.full((3,), position), cache, memory)
        torch.testing.assert_close(logits, whole[:, position], atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_rows_at_different_positions_do_not_disturb_each_other() -> None:
    network = tiny_network()
    tokens = torch.randint(0, 700, (2, 12), generator=torch.Generator().manual_seed(3))
    whole = network(tokens, *conditions(2))
    memory, cache = network.remember(*conditions(2)), network.allocate(2, 16)
    for lead in range(5):  # row 0 runs ahead; row 1 repeats its first token
        network.step(torch.stack((tokens[0, lead], tokens[1, 0])), torch.tensor([lead, 0]), cache, memory)
    for step in range(1, 7):
        logits = network.step(
            torch.stack((tokens[0, 4 + step], tokens[1, step])), torch.tensor([4 + step, step]), cache, memory
        )
        torch.testing.assert_close(logits[0], whole[0, 4 + step], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(logits[1], whole[1, step], atol=1e-5, rtol=1e-4)


def test_masked_memory_has_no_influence() -> None:
    network = tiny_network()
    tokens = torch.randint(0, 700, (1, 8))
    text, text_mask = conditions(1)
    text_mask[:, 2:] = False
    expected = network(tokens, text, text_mask)
    text[:, 2:] += 100
    torch.testing.assert_close(network(tokens, text, text_mask), expected)


@torch.inference_mode()
def test_a_filled_cache_equals_steps() -> None:
    network = tiny_network()
    tokens = torch.randint(0, 700, (2, 9), generator=torch.Generator().manual_seed(4))
    memory = network.remember(*conditions(2))
    stepped, filled = network.allocate(2, 12), network.allocate(2, 12)
    for position in range(9):
        network.step(tokens[:, position], torch.full((2,), position), stepped, memory)
    for row in range(2):
        network.prefill(tokens[row], row, filled, memory.take(torch.tensor([row])))
    torch.testing.assert_close(filled.keys, stepped.keys, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(filled.values, stepped.values, atol=1e-5, rtol=1e-4)


def test_the_words_matter() -> None:
    network = tiny_network()
    tokens = torch.randint(0, 700, (2, 8))
    text, mask = conditions(2)
    logits = network(tokens, text, mask)
    assert not torch.allclose(network(tokens, text + 1, mask), logits)
    nothing = torch.zeros_like(mask)
    torch.testing.assert_close(network(tokens, text + 1, nothing), network(tokens, text, nothing))


@pytest.mark.parametrize("causal", [True, False])
def test_attention_in_training_equals_the_fused_kernel(causal: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 4, 7, 8, generator=generator)
    keys, values = torch.randn(2, 2, 2, 7, 8, generator=generator)
    mask = None if causal else torch.arange(7) < torch.tensor([[[[3]]], [[[7]]]])
    fused = attend(query, keys, values, mask)
    trained = attend(query.requires_grad_(), keys, values, mask)
    assert trained.requires_grad
    torch.testing.assert_close(trained, fused, atol=1e-6, rtol=1e-5)


def test_a_checkpoint_comes_back_and_has_a_version(tmp_path: Path) -> None:
    artifact.save(tiny_network(5), tiny_tokenizer(), tmp_path / "five", torch.float32)
    loaded = Checkpoint.load(tmp_path / "five")
    for name, weight in tiny_network(5).state_dict().items():
        torch.testing.assert_close(loaded.network.state_dict()[name], weight)
    assert loaded.name == "five"
    assert loaded.version != tiny_checkpoint().version
    assert len(loaded.version) == 12


def test_half_precision_files_load_as_float32(tmp_path: Path) -> None:
    artifact.save(tiny_network(), tiny_tokenizer(), tmp_path, torch.bfloat16)
    assert Checkpoint.load(tmp_path).network.dtype == torch.float32


def test_a_folder_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"config\.json"):
        Checkpoint.load(tmp_path)


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for file in tiny_folder().iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 9}))
    with pytest.raises(InvalidInputError, match="vocab_size"):
        Checkpoint.load(tmp_path)


def test_impossible_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="kv_heads"):
        MotetConfig(heads=4, kv_heads=3)
    with pytest.raises(ValueError, match="width"):
        MotetConfig(width=30, heads=4)
