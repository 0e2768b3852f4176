"""Words for clips: captions that are true of them, captions with one attribute made false, and their embeddings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from motet.model.text import TextEncoder
from motet.music.attributes import Attributes
from motet.music.caption import parse_attributes
from motet.rewards import statement
from motet.training.corpus import caption_writer, truth
from motet.training.corpus.shard import StatedCaption
from motet.training.swap import SWAPS

_OTHERS = 400  # pieces that lend false attributes
_DRAFTS = 5
_BATCH = 128


@dataclass(frozen=True, kw_only=True, eq=False)
class Wording:
    """What is said of ``N`` pieces: ``C`` true captions each, ``F`` false ones, and ``W`` false attributes.

    Args:
        known: [N] attributes of each piece, without its length.
        stated: [N * C] what the true captions state, piece by piece.
        true, false: [N, C, A] and [N, F, A] vectors of what captions state, see ``motet.rewards.statement``.
        true_sentences, false_sentences: [N, C, 384] and [N, F, 384] embeddings.
        right: [N, A] all that is known of each piece.
        wrong: [N, W, A] the same with one attribute made false.
    """

    known: list[Attributes]
    stated: list[Attributes]
    true: NDArray[np.float16]
    false: NDArray[np.float16]
    true_sentences: NDArray[np.float16]
    false_sentences: NDArray[np.float16]
    right: NDArray[np.float16]
    wrong: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.known)

    def joined(self, other: Wording) -> Wording:
        """Both, ``other`` after this one."""
        arrays = ("true", "false", "true_sentences", "false_sentences", "right", "wrong")
        return Wording(
            known=self.known + other.known,
            stated=self.stated + other.stated,
            **{name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in arrays},
        )


def audible(attributes: Attributes) -> Attributes:
    """What can be heard in a clip: everything but the length of the whole."""
    return replace(attributes, bars=None, duration_s=None)


def word(
    attributes: Sequence[Attributes],
    captions: Sequence[Sequence[StatedCaption]],
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
    *,
    true: int,
    false: int,
    wrong: int,
    seed: int,
) -> Wording:
    """Words for pieces.

    Args:
        attributes: of each piece.
        captions: wordings of each that there are; further ones are written to make ``true``.
        embed: see ``embedded``.
        true, false, wrong: how many of each a piece has.
        seed: of what is written and made false.
    """
    known = [audible(one) for one in attributes]
    draw = np.random.default_rng(seed)
    others = [known[int(place)] for place in draw.choice(len(known), min(_OTHERS, len(known)), replace=False)]
    said: list[StatedCaption] = []
    lies: list[str] = []
    right, lists = [], []
    for place, one in enumerate(known):
        rng = np.random.default_rng([seed, place])
        some = list(captions[place])[:true]
        said += [*some, *(caption_writer.write(one, rng) for _ in range(true - len(some)))]
        lies += [_lie(one, others, rng) for _ in range(false)]
        if rng.random() < 0.5:
            one = replace(one, tempo_bpm=None)  # the word alone: a range
        right.append(statement.vector(one))
        lists.append([statement.vector(_false(one, others, rng)) for _ in range(wrong)])
    texts = [caption.text for caption in said]
    sentences = embed([*texts, *lies]).astype(np.float16)
    count = len(known)
    return Wording(
        known=known,
        stated=[caption.stated for caption in said],
        true=_statements(texts).reshape(count, true, -1),
        false=_statements(lies).reshape(count, false, -1),
        true_sentences=sentences[: len(texts)].reshape(count, true, -1),
        false_sentences=sentences[len(texts) :].reshape(count, false, -1),
        right=np.array(right, np.float16),
        wrong=np.array(lists, np.float16),
    )


def embedded(captions: Sequence[str], encoder: TextEncoder, progress: Callable[[str], None]) -> NDArray[np.float32]:
    """Sentence embeddings [len(captions), 384], in batches of like length, equal captions once.

    In bfloat16 where that is faster: half the time, and embeddings whose cosine with the exact ones is above 0.9999.
    """
    order = sorted(set(captions), key=lambda text: (len(text), text))
    rows = {text: row for row, text in enumerate(order)}
    out = np.zeros((len(order), encoder.width), np.float32)
    for start in range(0, len(order), _BATCH):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out[start : start + _BATCH] = encoder.pooled(order[start : start + _BATCH]).float().numpy()
        if start // _BATCH % 40 == 39:
            progress(f"{start + _BATCH:,} of {len(order):,} captions embedded")
    return out[[rows[text] for text in captions]]


def embedded_once(
    captions: Sequence[str], encoder: TextEncoder, folder: Path, progress: Callable[[str], None]
) -> NDArray[np.float32]:
    """The embeddings of ``embedded``, kept in ``folder`` under a name made from the captions."""
    digest = hashlib.sha256("\n".join(captions).encode()).hexdigest()[:12]
    path = folder / f"sentences-{digest}.npy"
    if path.is_file():
        return np.asarray(np.load(path, allow_pickle=False))
    vectors = embedded(captions, encoder, progress)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(path, vectors, allow_pickle=False)
    return vectors


def _statements(texts: Sequence[str]) -> NDArray[np.float16]:
    """What a scorer will read in captions: the parser's reading, not what the writer knew."""
    return np.array([statement.vector(parse_attributes(text)) for text in texts], np.float16)


def _false(known: Attributes, others: Sequence[Attributes], rng: np.random.Generator) -> Attributes:
    """The attributes with one of them made false; as they are when none can be."""
    for name in rng.permutation(list(SWAPS)):
        options = SWAPS[str(name)](known, others, rng)
        if options:
            return options[0]
    return known


def _lie(known: Attributes, others: Sequence[Attributes], rng: np.random.Generator) -> str:
    """A caption that says something false of a piece; the last draft if none is found that does."""
    text = ""
    for _ in range(_DRAFTS):
        text = caption_writer.write(_false(known, others, rng), rng).text
        if truth.read(text, known)[1]:
            break
    return text
