import json
from pathlib import Path

import pytest
import torch

from motet.music import caption as captions
from motet.music.error import UnavailableError
from motet.search import answer, mutators
from motet.search.language_model import LanguageModel
from motet.search.mutation import Mutators

ORIGINAL = captions.parse("a slow waltz for piano")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model and a byte-level tokenizer trained on a few lines, in the layout that checkpoints have."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    place = tmp_path_factory.mktemp("model")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([answer.INSTRUCTION, ORIGINAL.text], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")  # noqa: S106
    fast.save_pretrained(place)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(place, safe_serialization=True)
    return place


def load(folder: Path) -> LanguageModel:
    return LanguageModel.load(folder, most_tokens=12)


def proposals(model: LanguageModel, seed: int, count: int = 1) -> list[str]:
    return list(model.propose(ORIGINAL, count, seed=seed, settled=lambda stated: stated))


def test_it_writes_the_same_for_the_same_seed(folder: Path) -> None:
    first, second = load(folder), load(folder)
    written = proposals(first, 1)
    assert written
    assert written == proposals(second, 1)
    assert written != proposals(first, 2)
    assert all("\n" not in text for text in written)


def test_random_numbers_of_others_are_left_alone(folder: Path) -> None:
    model = load(folder)
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    proposals(model, 1)
    assert torch.equal(state, torch.random.get_rng_state())


def test_what_it_babbles_does_not_pass_the_gate(folder: Path) -> None:
    built_in = mutators.load("builtin")
    mixed = Mutators([load(folder), *built_in.sources])
    assert mixed.mutate(ORIGINAL, 2, seed=4) == built_in.mutate(ORIGINAL, 2, seed=4)


def test_it_is_opened_by_its_folder(folder: Path) -> None:
    assert isinstance(mutators.load(f"builtin, lm:{folder}").sources[1], LanguageModel)


def test_a_chat_template_is_used(folder: Path) -> None:
    model = load(folder)
    model._tokenizer.chat_template = "{% for m in messages %}[{{ m['content'] }}]{% endfor %}"
    told = model._tokenizer.decode(model._prompt(ORIGINAL.text))
    assert told.startswith("[Rewrite")
    assert told.endswith(f"{ORIGINAL.text}]")


def test_a_long_caption_fits_its_window(folder: Path) -> None:
    model = load(folder)
    assert len(model._prompt("waltz " * 300)) < 1024


def spoil(folder: Path, name: str, content: bytes | None) -> Path:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("config.json", None, r"no config\.json"),
        ("model.safetensors", None, "safetensors"),
        ("model.safetensors", b"not weights", "cannot be loaded"),
        ("config.json", json.dumps({"model_type": "nothing"}).encode(), "cannot be loaded"),
        ("config.json", b"{", "cannot be loaded"),
    ],
)
def test_a_broken_folder_is_told(folder: Path, tmp_path: Path, name: str, content: bytes | None, why: str) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UnavailableError, match=why) as caught:
        LanguageModel.load(spoil(copy, name, content))
    assert caught.value.metadata["field"] == "mutator"


def test_pickled_weights_are_not_read(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UnavailableError, match="pickled ones are not read"):
        LanguageModel.load(tmp_path)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('"a slow waltz"', ["a slow waltz"]),
        ("1. a waltz\n2) “a polka”\n\n- **a jig**", ["a waltz", "a polka", "a jig"]),
        ("Rewritten: a waltz in 3/4", ["a waltz in 3/4"]),
        ("\n \n", []),
        ("x" * 2001, []),
    ],
)
def test_answers_are_cleaned(given: str, kept: list[str]) -> None:
    assert answer.cleaned(given) == kept
