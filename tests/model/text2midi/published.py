"""A random checkpoint with the tensor names, shapes and files of the published one, in small."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import torch
from miditok import REMI, TokenizerConfig  # type: ignore[import-untyped]
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import Unigram
from torch import Tensor

from motet.model.text2midi.importer import import_checkpoint

WIDTH, HEADS, LAYERS, HIDDEN, VOCABULARY = 32, 8, 2, 48, 524
ENCODER_LAYERS, ENCODER_HEADS, HEAD_WIDTH, ENCODER_HIDDEN, BUCKETS, PIECES = 2, 4, 6, 40, 32, 32128
CAPTIONS = ("a sad piano waltz", "fast drums and bass", "a")


def remi() -> REMI:
    """The authors' settings, in which today's miditok makes the 524 tokens that theirs made."""
    return REMI(
        TokenizerConfig(
            pitch_range=(21, 108),
            drums_pitch_range=(27, 87),
            beat_res={(0, 1): 12, (1, 2): 4, (2, 4): 2, (4, 8): 1},
            num_velocities=32,
            special_tokens=["PAD", "BOS", "EOS", "MASK"],
            use_tempos=True,
            num_tempos=32,
            tempo_range=(40, 250),
            use_time_signatures=True,
            time_signature_range={8: [3, 12, 6], 4: [5, 6, 3, 2, 1, 4]},
            use_programs=True,
            one_token_stream_for_programs=True,
        )
    )


def tensors(positions: int, seed: int = 0) -> OrderedDict[str, Tensor]:
    """A state dict with ``positions`` rows in its position table."""
    generator = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, generator=generator).mul(columns**-0.5)

    def vector(size: int, mean: float = 0.0) -> Tensor:
        return mean + 0.2 * torch.randn(size, generator=generator)

    state = OrderedDict()
    state["input_emb.weight"] = matrix(VOCABULARY, WIDTH)
    state["pos_encoder.pe"] = torch.randn(positions, 1, WIDTH, generator=generator)
    shared = torch.randn(PIECES, WIDTH, generator=generator)
    state["encoder.shared.weight"] = shared
    state["encoder.encoder.embed_tokens.weight"] = shared
    for index in range(ENCODER_LAYERS):
        block = f"encoder.encoder.block.{index}.layer"
        for name in "qkv":
            state[f"{block}.0.SelfAttention.{name}.weight"] = matrix(ENCODER_HEADS * HEAD_WIDTH, WIDTH)
        state[f"{block}.0.SelfAttention.o.weight"] = matrix(WIDTH, ENCODER_HEADS * HEAD_WIDTH)
        if index == 0:
            bias = torch.randn(BUCKETS, ENCODER_HEADS, generator=generator)
            state[f"{block}.0.SelfAttention.relative_attention_bias.weight"] = bias
        state[f"{block}.0.layer_norm.weight"] = vector(WIDTH, 1)
        state[f"{block}.1.DenseReluDense.wi_0.weight"] = matrix(ENCODER_HIDDEN, WIDTH)
        state[f"{block}.1.DenseReluDense.wi_1.weight"] = matrix(ENCODER_HIDDEN, WIDTH)
        state[f"{block}.1.DenseReluDense.wo.weight"] = matrix(WIDTH, ENCODER_HIDDEN)
        state[f"{block}.1.layer_norm.weight"] = vector(WIDTH, 1)
    state["encoder.encoder.final_layer_norm.weight"] = vector(WIDTH, 1)
    for index in range(LAYERS):
        layer = f"decoder.layers.{index}"
        state[f"{layer}.self_attn.to_qkv.weight"] = matrix(3 * WIDTH, WIDTH) * 1.5
        state[f"{layer}.self_attn.to_out.weight"] = matrix(WIDTH, WIDTH)
        state[f"{layer}.multihead_attn.in_proj_weight"] = matrix(3 * WIDTH, WIDTH) * 1.5
        state[f"{layer}.multihead_attn.in_proj_bias"] = vector(3 * WIDTH)
        state[f"{layer}.multihead_attn.out_proj.weight"] = matrix(WIDTH, WIDTH)
        state[f"{layer}.multihead_attn.out_proj.bias"] = vector(WIDTH)
        for name, rows, columns in (("linear1", HIDDEN, WIDTH), ("linear2", WIDTH, HIDDEN)):
            state[f"{layer}.{name}.weight"] = matrix(rows, columns)
            state[f"{layer}.{name}.bias"] = vector(rows)
        for name in ("norm1", "norm2", "norm3"):
            state[f"{layer}.{name}.weight"] = vector(WIDTH, 1)
            state[f"{layer}.{name}.bias"] = vector(WIDTH)
    state["decoder.norm.weight"], state["decoder.norm.bias"] = vector(WIDTH, 1), vector(WIDTH)
    state["projection.weight"], state["projection.bias"] = matrix(VOCABULARY, WIDTH), vector(VOCABULARY)
    return state


def pieces() -> list[tuple[str, float]]:
    """A unigram vocabulary of T5's size: single letters, a few words, and fillers."""
    letters = [("▁", -3.0), *((letter, -5.0) for letter in "abcdefghijklmnopqrstuvwxyz")]
    words = [("▁piano", -4.0), ("▁waltz", -4.5), ("an", -4.2)]
    known = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *letters, *words]
    return known + [(f"<filler_{index}>", -20.0) for index in range(32_000 - len(known))]


def text_tokenizer() -> Tokenizer:
    """What FLAN-T5's tokenizer.json holds, in kind."""
    tokenizer = Tokenizer(Unigram(pieces() + [(f"<extra_id_{99 - index}>", 0.0) for index in range(100)], unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def write(folder: Path, positions: int, seed: int = 0) -> Path:
    """The published files, and the text tokenizer beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(tensors(positions, seed), folder / "pytorch_model.bin")
    (folder / "vocab_remi.pkl").write_bytes(pickle.dumps(remi()))
    text_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


@lru_cache
def published(positions: int) -> Path:
    """A folder of published files."""
    return write(Path(mkdtemp(prefix="motet-text2midi-")), positions)


@lru_cache
def imported(positions: int, layout: str) -> Path:
    """The checkpoint folder made of them."""
    source = published(positions)
    folder = source / layout
    import_checkpoint(source, folder, text_tokenizer=source, layout=layout)
    return folder
