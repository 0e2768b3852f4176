"""Transfer: a new network that starts from what an earlier one has learned, whatever tokens that one wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor

from motet.model.artifact import WEIGHTS
from motet.model.network import MotetForConditionalGeneration
from motet.model.vocabulary import AnyVocabulary, Vocabulary, expansions
from motet.music.error import InvalidInputError, NotFoundError

_BY_TOKEN: Final = ("embedding.weight", "head.weight")


@torch.no_grad()
def transfer(network: MotetForConditionalGeneration, tokenizer: AnyVocabulary, source: Path) -> float:
    """Copies into ``network`` every weight of the checkpoint folder ``source`` that has a place there.

    Layers are copied as they are. Rows that belong to tokens go to the tokens of the same meaning; a merge that the
    source lacks starts as the mean of its parts on the way in, and as its first part on the way out, which is what it
    has to compete with. Returns the share of the network's weights that were copied.

    Raises NotFoundError without such a checkpoint, InvalidInputError when its layers have other sizes.
    """
    if not (source / WEIGHTS).is_file():
        raise NotFoundError("MODEL_NOT_FOUND", f"from: no file {source / WEIGHTS}", {"path": str(source)})
    weights = load_file(source / WEIGHTS)
    rows: dict[tuple[str, ...], int] = {}
    for token, names in enumerate(expansions(Vocabulary.load(source))):
        rows.setdefault(names, token)
    copied = 0
    for name, target in network.state_dict().items():
        origin = weights.get(name)
        if origin is None:
            continue
        if name in _BY_TOKEN:
            for token, names in enumerate(expansions(tokenizer)):
                row = _row(origin.float(), rows, names, whole=name == _BY_TOKEN[0])
                if row is not None:
                    target[token] = row
                    copied += row.numel()
        elif origin.shape != target.shape:
            raise InvalidInputError.of("from", f"{name} must have the shape {tuple(target.shape)}", tuple(origin.shape))
        else:
            target.copy_(origin)
            copied += origin.numel()
    return copied / sum(weight.numel() for weight in network.parameters())


def _row(origin: Tensor, rows: dict[tuple[str, ...], int], names: tuple[str, ...], *, whole: bool) -> Tensor | None:
    """The row of a token in ``origin``, made of its parts where the source has no such token; None without parts."""
    if names in rows:
        return origin[rows[names]]
    parts = [rows[name,] for name in names if (name,) in rows]
    if not parts:
        return None
    return origin[parts].mean(0) if whole else origin[parts[0]]
