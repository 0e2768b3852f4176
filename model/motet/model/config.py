"""The shape of the transformer, as a ``transformers`` configuration.

Letters used for shapes everywhere in this package: B batch rows, T tokens, S memory positions, D width, H query heads,
G key-value heads, C channels a head, L layers, V vocabulary.
"""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedConfig


class MotetConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Sizes of ``MotetForConditionalGeneration``.

    Args:
        vocab_size: V, tokens of the tokenizer.
        width: D, size of the residual stream.
        layers: L, decoder layers.
        heads: H, query heads; ``width`` must be a multiple.
        kv_heads: G, key-value heads (grouped-query attention); divides ``heads``.
        hidden: inner size of the SwiGLU feed-forward.
        max_tokens: longest sequence, begin token included.
        text_width: size of the sentence encoder's states.
        rope_base: base of the rotary position angles.
        dropout: probability used in training only.
    """

    model_type = "motet"

    def __init__(
        self,
        vocab_size: int = 2560,
        width: int = 256,
        layers: int = 6,
        heads: int = 4,
        kv_heads: int = 2,
        hidden: int = 704,
        max_tokens: int = 1024,
        text_width: int = 384,
        rope_base: float = 10_000.0,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if width % heads or (width // heads) % 2:
            raise ValueError(f"width must be an even multiple of heads (received width {width}, heads {heads})")
        if heads % kv_heads:
            raise ValueError(f"kv_heads must divide heads (received {kv_heads} and {heads})")
        self.vocab_size = vocab_size
        self.width = width
        self.layers = layers
        self.heads = heads
        self.kv_heads = kv_heads
        self.hidden = hidden
        self.max_tokens = max_tokens
        self.text_width = text_width
        self.rope_base = rope_base
        self.dropout = dropout
        super().__init__(**kwargs)

    @property
    def head_width(self) -> int:
        """C, channels of one attention head."""
        return self.width // self.heads
