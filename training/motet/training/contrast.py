"""Symmetric contrast between two towers (InfoNCE): a pair must be nearer than what does not belong together."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def contrast(music: Tensor, text: Tensor, scale: Tensor, ambiguous: Tensor, *, false: Tensor | None = None) -> Tensor:
    """Symmetric InfoNCE of unit vectors [B, D] whose rows match.

    Args:
        music, text: [B, D].
        scale: inverse temperature.
        ambiguous: [B, B] whether caption j may be true of music i: such a pair is no rival. The diagonal always counts.
        false: [B, F, D] captions that are false of the music of their row: further rivals of its own caption.
    """
    logits = scale * music @ text.T
    logits = logits.masked_fill(ambiguous & ~torch.eye(len(logits), dtype=torch.bool), -torch.inf)
    target = torch.arange(len(logits))
    rows = logits
    if false is not None:
        rows = torch.cat([logits, scale * torch.einsum("bd,bfd->bf", music, false)], dim=1)
    return (nn.functional.cross_entropy(rows, target) + nn.functional.cross_entropy(logits.T, target)) / 2
