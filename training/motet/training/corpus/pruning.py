"""A copy of the text encoder for the captions of one corpus: only the word pieces that occur, in half precision."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from motet.model.text import PRUNED, WEIGHTS_SHA256

_WORDS: Final = "embeddings.word_embeddings.weight"
_BATCH: Final = 10_000


def prune(source: Path, captions: Iterable[str], out: Path) -> int:
    """Writes the encoder of ``source`` into ``out`` for ``captions`` and returns the number of its word pieces.

    The captions are encoded as by the whole encoder, but for rounding (states differ by less than 1e-2): a word is cut
    into the longest pieces that there are, and those of these words are all kept. Other words may come out as unknown.
    """
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    used: set[int] = set(tokenizer.all_special_ids)
    texts = sorted(set(captions))
    for start in range(0, len(texts), _BATCH):
        for ids in tokenizer(texts[start : start + _BATCH], truncation=False)["input_ids"]:
            used.update(ids)
    kept = sorted(used)
    places = {old: new for new, old in enumerate(kept)}
    out.mkdir(parents=True, exist_ok=True)
    weights = load_file(source / "model.safetensors")
    weights[_WORDS] = weights[_WORDS][kept]
    # Position ids are whole numbers: only the weights are halved.
    halved = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    save_file({name: value.contiguous() for name, value in halved.items()}, out / "model.safetensors")
    config = _json(source / "config.json")
    _write(out / "config.json", {**config, "vocab_size": len(kept)})
    _write(out / "tokenizer.json", _fewer_words(_json(source / "tokenizer.json"), places))
    _write(out / "tokenizer_config.json", _json(source / "tokenizer_config.json"))
    digest = hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()
    _write(out / PRUNED, {"of": WEIGHTS_SHA256, "sha256": digest, "words": len(kept)})
    return len(kept)


def _fewer_words(stored: dict[str, Any], places: dict[int, int]) -> dict[str, Any]:
    """A stored tokenizer with only the words in ``places`` (old id -> new id)."""
    vocabulary = {word: places[index] for word, index in stored["model"]["vocab"].items() if index in places}
    special = stored["post_processor"]["special_tokens"]
    return {
        **stored,
        "model": {**stored["model"], "vocab": vocabulary},
        "added_tokens": [{**token, "id": places[token["id"]]} for token in stored["added_tokens"]],
        "post_processor": {
            **stored["post_processor"],
            "special_tokens": {
                name: {**token, "ids": [places[index] for index in token["ids"]]} for name, token in special.items()
            },
        },
    }


def _json(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return value


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")
