"""Text2midi once more, in numpy and double precision, without a cache: every step computes the whole sequence anew."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def softmax(scores: Array) -> Array:
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Array = weights / weights.sum(axis=-1, keepdims=True)
    return result


def layer_norm(x: Array, w: Mapping[str, Array], name: str) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    result: Array = scaled * w[f"{name}.weight"] + w[f"{name}.bias"]
    return result


def rms_norm(x: Array, weight: Array) -> Array:
    result: Array = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6) * weight
    return result


def bucket(distance: int) -> int:
    """T5's: 32 buckets, half for keys that come later; 8 exact, then logarithmic up to 128."""
    base, distance = (16, distance) if distance > 0 else (0, -distance)
    if distance < 8:
        return base + distance
    return base + min(15, 8 + int(math.log(distance / 8) / math.log(128 / 8) * 8))


def caption_states(w: Mapping[str, Array], pieces: list[int]) -> Array:
    """What the T5 encoder makes of one caption: [S, D]."""
    x = w["encoder.encoder.embed_tokens.weight"][pieces]
    size = len(pieces)
    table = w["encoder.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    bias = np.array([[table[bucket(key - query)] for key in range(size)] for query in range(size)])  # [S, S, heads]
    heads, block = table.shape[1], 0
    while (name := f"encoder.encoder.block.{block}.layer") + ".0.layer_norm.weight" in w:
        normed = rms_norm(x, w[f"{name}.0.layer_norm.weight"])
        q, k, v = (np.split(normed @ w[f"{name}.0.SelfAttention.{part}.weight"].T, heads, axis=1) for part in "qkv")
        mixed = [softmax(q[h] @ k[h].T + bias[:, :, h]) @ v[h] for h in range(heads)]  # not scaled
        x = x + np.concatenate(mixed, axis=1) @ w[f"{name}.0.SelfAttention.o.weight"].T
        normed = rms_norm(x, w[f"{name}.1.layer_norm.weight"])
        gate, up = (normed @ w[f"{name}.1.DenseReluDense.wi_{part}.weight"].T for part in (0, 1))
        gelu = 0.5 * gate * (1 + np.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3)))
        x = x + (gelu * up) @ w[f"{name}.1.DenseReluDense.wo.weight"].T
        block += 1
    return rms_norm(x, w["encoder.encoder.final_layer_norm.weight"])


def block_attention(x: Array, qkv: Array, heads: int) -> Array:
    """The self-attention as it is: n tokens laid end to end, cut into as many runs as there are heads."""
    n, width = x.shape
    q, k, v = (part.reshape(heads, n, width // heads) for part in np.split(x @ qkv.T, 3, axis=1))
    scores = q @ k.transpose(0, 2, 1) / math.sqrt(width // heads)
    scores = np.where(np.tri(n, dtype=bool), scores, -np.inf)
    return (softmax(scores) @ v).reshape(n, width)


def cross_attention(x: Array, text: Array, w: Mapping[str, Array], name: str, heads: int) -> Array:
    rows, bias = np.split(w[f"{name}.in_proj_weight"], 3), np.split(w[f"{name}.in_proj_bias"], 3)
    q, k, v = (np.split(source @ rows[i].T + bias[i], heads, axis=1) for i, source in enumerate((x, text, text)))
    mixed = [softmax(q[h] @ k[h].T / math.sqrt(q[h].shape[1])) @ v[h] for h in range(heads)]
    return np.concatenate(mixed, axis=1) @ w[f"{name}.out_proj.weight"].T + w[f"{name}.out_proj.bias"]


def logits(w: Mapping[str, Array], tokens: list[int], text: Array, heads: int) -> Array:
    """[n, V] for one sequence of n tokens, alone in its batch."""
    x = w["input_emb.weight"][tokens] * math.sqrt(text.shape[1]) + w["pos_encoder.pe"][0, 0]
    layer = 0
    while (name := f"decoder.layers.{layer}") + ".linear1.weight" in w:
        attended = block_attention(x, w[f"{name}.self_attn.to_qkv.weight"], heads)
        x = layer_norm(x + attended @ w[f"{name}.self_attn.to_out.weight"].T, w, f"{name}.norm1")
        x = layer_norm(x + cross_attention(x, text, w, f"{name}.multihead_attn", heads), w, f"{name}.norm2")
        hidden = np.maximum(0, x @ w[f"{name}.linear1.weight"].T + w[f"{name}.linear1.bias"])
        x = layer_norm(x + hidden @ w[f"{name}.linear2.weight"].T + w[f"{name}.linear2.bias"], w, f"{name}.norm3")
        layer += 1
    return layer_norm(x, w, "decoder.norm") @ w["projection.weight"].T + w["projection.bias"]


def stepwise_upstream(w: Mapping[str, Array], tokens: list[int], text: Array, heads: int) -> Array:
    """[n, V]: row t is the last row for tokens 0..t, as the authors' ``generate`` computes it."""
    return np.array([logits(w, tokens[: step + 1], text, heads)[-1] for step in range(len(tokens))])


def stepwise_train(w: Mapping[str, Array], tokens: list[int], text: Array, heads: int, length: int) -> Array:
    """[n, V]: row t is row t for tokens 0..t padded to ``length``, as in training."""
    return np.array(
        [logits(w, tokens[: step + 1] + [0] * (length - step - 1), text, heads)[step] for step in range(len(tokens))]
    )
