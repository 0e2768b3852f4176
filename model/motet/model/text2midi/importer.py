"""Turns Text2midi's published files into a checkpoint folder of ours: safetensors and JSON, nothing pickled."""

from __future__ import annotations

import math
import pickle
import re
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from motet.model.text2midi.config import EncoderConfig, Text2midiConfig
from motet.model.text2midi.network import Text2midi
from motet.model.text2midi.pickled import read_vocabulary
from motet.model.text2midi.text import FILE as TEXT_TOKENIZER
from motet.model.text2midi.text import encoder_of, read_text_tokenizer
from motet.model.text2midi.vocabulary import Vocabulary
from motet.music.error import InvalidInputError, NotFoundError

WEIGHTS_IN: Final = "pytorch_model.bin"
VOCABULARY_IN: Final = "vocab_remi.pkl"
WEIGHTS_OUT: Final = "model.safetensors"
HEADS: Final = 8
"""Of the published model; nothing in its tensors tells."""

_ENCODER: Final = "encoder."
_SHARED: Final = "encoder.shared.weight"
_EMBED_TOKENS: Final = "encoder.encoder.embed_tokens.weight"
_POSITIONS: Final = "pos_encoder.pe"


@dataclass(frozen=True, kw_only=True)
class Import:
    """What was imported.

    Args:
        folder: the new checkpoint.
        config: sizes, read off the tensors.
        parameters: numbers in the new checkpoint's tensors.
        left_out: numbers of the published file that nothing reads: rows of the position table after the first.
        encoder_std: standard deviation of the encoder's embedding.
        initial_std: what it would be, had the encoder been initialised anew and never trained.
        text_tokenizer_size: word pieces of the text tokenizer.
    """

    folder: Path
    config: Text2midiConfig
    parameters: int
    left_out: int
    encoder_std: float
    initial_std: float
    text_tokenizer_size: int

    @property
    def encoder_is_random(self) -> bool:
        """Whether the encoder's embedding looks as if it had never been trained."""
        return abs(self.encoder_std / self.initial_std - 1) < 0.02

    @property
    def verdict(self) -> str:
        """One sentence on what the encoder is."""
        measured = f"the encoder's embedding has a standard deviation of {self.encoder_std:.4g}"
        if self.encoder_is_random:
            return (
                f"{measured}, that of a Xavier initialisation ({self.initial_std:.4g}): the encoder is random and was "
                "never trained, so that the decoder knows captions by random features alone"
            )
        return f"{measured}, not that of a Xavier initialisation ({self.initial_std:.4g}): a trained T5 encoder"


def import_checkpoint(
    source: Path, folder: Path, *, text_tokenizer: Path, layout: str = "train", heads: int = HEADS
) -> Import:
    """Reads ``pytorch_model.bin`` and ``vocab_remi.pkl`` in ``source`` and writes the checkpoint ``folder``.

    Args:
        source: folder with the two published files.
        folder: to be made; must not exist or be empty.
        text_tokenizer: folder with FLAN-T5's ``tokenizer.json`` or ``spiece.model``, which the checkpoint lacks.
        layout: ``Text2midiConfig.layout``.
        heads: ``Text2midiConfig.heads``.

    Raises NotFoundError when a file is missing, and InvalidInputError when one is not what it should be. Nothing in
    the pickles is run: tensors are read with ``weights_only``, the vocabulary by ``motet.model.text2midi.pickled``.
    """
    for name in (WEIGHTS_IN, VOCABULARY_IN):
        if not (source / name).is_file():
            raise NotFoundError("MODEL_NOT_FOUND", f"source: no file {source / name}", {"path": str(source)})
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInputError.of("folder", "must not exist yet, or be empty", str(folder))
    vocabulary = Vocabulary(read_vocabulary(source / VOCABULARY_IN))
    tokenizer = read_text_tokenizer(text_tokenizer)
    published = _read_tensors(source / WEIGHTS_IN)
    config = infer(published, layout=layout, heads=heads)
    if config.vocab_size != len(vocabulary):
        raise InvalidInputError.of(
            "vocabulary", f"must have as many tokens as the model, {config.vocab_size}", len(vocabulary)
        )
    if tokenizer.get_vocab_size() > config.encoder.vocab_size:
        raise InvalidInputError.of(
            "text_tokenizer",
            f"must have at most as many word pieces as the encoder, {config.encoder.vocab_size}",
            tokenizer.get_vocab_size(),
        )
    weights = _ours(published)
    _check_shapes(weights, config)

    shared = weights[_SHARED]
    parameters = sum(tensor.numel() for tensor in weights.values())
    result = Import(
        folder=folder,
        config=config,
        parameters=parameters,
        left_out=sum(tensor.numel() for name, tensor in published.items() if name != _EMBED_TOKENS) - parameters,
        encoder_std=float(shared.std()),
        initial_std=math.sqrt(2 / sum(shared.shape)),
        text_tokenizer_size=tokenizer.get_vocab_size(),
    )
    partial = folder.with_name(f"{folder.name}.part")  # what is cut short must not look like a checkpoint
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    config.save(partial)
    vocabulary.save(partial)
    tokenizer.save(str(partial / TEXT_TOKENIZER))
    save_file(weights, partial / WEIGHTS_OUT, {"format": "pt"})
    (partial / WEIGHTS_OUT).chmod(0o644)  # safetensors keeps its files private, a server may run as somebody else
    (partial / "README.md").write_text(card(result), encoding="utf-8")
    if folder.exists():
        folder.rmdir()
    partial.rename(folder)
    return result


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """The state dict, its tensors left in the file until they are used."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise InvalidInputError.of("weights", "must be a PyTorch file of tensors alone", str(path)) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InvalidInputError.of("weights", "must be one mapping from names to tensors", str(path))
    return {str(name): tensor for name, tensor in state.items()}


def _count(names: Mapping[str, Tensor], pattern: str) -> int:
    """How many layers the names number."""
    return len({match[1] for name in names if (match := re.match(pattern, name))})


def infer(published: Mapping[str, Tensor], *, layout: str, heads: int) -> Text2midiConfig:
    """The sizes that the published tensors have; InvalidInputError names a tensor that is missing."""
    block = "encoder.encoder.block.0.layer"
    try:
        vocab_size, width = published["input_emb.weight"].shape
        buckets, encoder_heads = published[f"{block}.0.SelfAttention.relative_attention_bias.weight"].shape
        gated = f"{block}.1.DenseReluDense.wi_0.weight" in published
        encoder = EncoderConfig(
            vocab_size=published[_SHARED].shape[0],
            width=published[_SHARED].shape[1],
            hidden=published[f"{block}.1.DenseReluDense.{'wi_0' if gated else 'wi'}.weight"].shape[0],
            layers=_count(published, r"encoder\.encoder\.block\.(\d+)\."),
            heads=encoder_heads,
            head_width=published[f"{block}.0.SelfAttention.q.weight"].shape[0] // encoder_heads,
            buckets=buckets,
            gated=gated,
        )
        return Text2midiConfig(
            vocab_size=vocab_size,
            width=width,
            heads=heads,
            layers=_count(published, r"decoder\.layers\.(\d+)\."),
            hidden=published["decoder.layers.0.linear1.weight"].shape[0],
            max_tokens=published[_POSITIONS].shape[0] - 1,  # a training sequence without its last token
            encoder=encoder,
            layout=layout,
        )
    except (KeyError, ValueError) as error:
        raise InvalidInputError.of("weights", "must be Text2midi's tensors", str(error)) from error


def _ours(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that are used, by our names: the published ones, except for the positions, of which one row is."""
    weights = {name: tensor for name, tensor in published.items() if name not in (_POSITIONS, _EMBED_TOKENS)}
    # The two are one parameter in the published model, and the one that is loaded last holds.
    weights[_SHARED] = published.get(_EMBED_TOKENS, published[_SHARED])
    weights["position"] = published[_POSITIONS][0, 0].clone()
    return {name: tensor.float().contiguous() for name, tensor in weights.items()}


def _check_shapes(weights: Mapping[str, Tensor], config: Text2midiConfig) -> None:
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in Text2midi(config).state_dict().items()}
    for name, tensor in encoder_of(config.encoder).state_dict().items():
        expected[_ENCODER + name] = tuple(tensor.shape)
    expected.pop(_EMBED_TOKENS, None)
    for name in sorted(expected.keys() | weights.keys()):
        received = tuple(weights[name].shape) if name in weights else None
        if received != expected.get(name):
            rule = f"{name} must have the shape {expected[name]}" if name in expected else f"must not hold {name}"
            raise InvalidInputError.of("weights", rule, received)


def split(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of a checkpoint as state dicts of ``Text2midi`` and of its T5 encoder."""
    decoder = {name: tensor for name, tensor in weights.items() if not name.startswith(_ENCODER)}
    encoder = {name.removeprefix(_ENCODER): tensor for name, tensor in weights.items() if name.startswith(_ENCODER)}
    encoder["encoder.embed_tokens.weight"] = encoder["shared.weight"]
    return decoder, encoder


def card(imported: Import) -> str:
    """The model card of an imported checkpoint."""
    config = imported.config
    layout = {
        "train": f"as in training (a sequence of {config.max_tokens} tokens), so that past keys and values are kept",
        "upstream": "anew for each length, as the authors' `generate` does, so that every step is computed in full",
    }[config.layout]
    return f"""---
license: apache-2.0
---
# Text2midi, imported

The checkpoint [amaai-lab/text2midi](https://huggingface.co/amaai-lab/text2midi) (Bhandari et al., *Text2midi:
Generating Symbolic Music from Captions*, AAAI 2025, arXiv 2412.16526), turned into safetensors and JSON by
`motet model import text2midi`. The weights are the authors'; their licence and terms hold.

{imported.parameters / 1e6:.1f} M parameters: a T5 encoder of {config.encoder.layers} layers and a decoder of \
{config.layers} layers of width {config.width}, vocabulary {config.vocab_size}.
The blocks of the decoder's self-attention are cut {layout} (`layout` in `config.json`).

On import, {imported.verdict}.
"""
