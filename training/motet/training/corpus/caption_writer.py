"""Captions written from attributes, in many wordings, each stating only what is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from motet.music.attributes import Attributes
from motet.music.signature import meter_of_form
from motet.music.tempo import TEMPO_WORDS
from motet.training.corpus import brief, clause, prose, truth, typist
from motet.training.corpus.label import MAX_INSTRUMENTS
from motet.training.corpus.phrase import pick
from motet.training.corpus.shard import StatedCaption

Form = Callable[[Attributes, np.random.Generator], str]

_DRAFTS: Final = 12
_SLIPS: Final = 0.03
"""Share of the captions with a typing error."""


@dataclass(frozen=True, slots=True)
class _Style:
    """A way of wording: how often it comes, how carefully it is typed, and the share of the facts that it states."""

    form: Form
    weight: float
    care: float
    keep: float


_STYLES: Final = (
    _Style(prose.write, 0.32, 0.95, 0.7),
    _Style(brief.few_words, 0.27, 0.3, 0.3),
    _Style(brief.phrased, 0.13, 0.6, 0.6),
    _Style(brief.requested, 0.11, 0.7, 0.5),
    _Style(brief.tagged, 0.11, 0.6, 0.65),
    _Style(brief.instructed, 0.06, 0.85, 0.6),
)
_WEIGHTS: Final = np.cumsum([style.weight for style in _STYLES])
_MISSING: Final = 0.03
"""Share of the drafts that say which instrument is not to play."""
_SOLO: Final = 0.25
"""Share of the captions in few words, of music for one player alone, that say so."""


def write(attributes: Attributes, rng: np.random.Generator) -> StatedCaption:
    """A caption that states a random part of ``attributes``, and which part that is.

    The wording is drawn from full sentences, phrases, a few words, requests, instructions and tags, as neatly or as
    carelessly typed as people do. A draft counts only when the parser reads in it what it means to state, and nothing
    that is not true; with no attributes at all, or none that can be worded, it says "A piece of music."
    """
    for _ in range(_DRAFTS):
        style = _STYLES[min(int(np.searchsorted(_WEIGHTS, rng.random() * _WEIGHTS[-1])), len(_STYLES) - 1)]
        stated = _choose(attributes, style.keep, rng)
        if stated == Attributes():
            continue
        form = style.form
        if form is brief.few_words and _alone(attributes) and rng.random() < _SOLO:
            form, stated = brief.solo, replace(stated, instruments=attributes.instruments, drums=False)
        text = form(stated, rng)
        if len(attributes.instruments) < MAX_INSTRUMENTS and rng.random() < _MISSING:
            text = f"{text.rstrip('.')}, {clause.missing(attributes, rng)}".rstrip(", ")
        text = typist.typed(text.replace("..", "."), rng, care=style.care)
        checked = _checked(text, stated, attributes)
        if checked is not None:
            return _with_slip(checked, attributes, rng)
    return StatedCaption(text="A piece of music.", stated=Attributes())


def _with_slip(caption: StatedCaption, known: Attributes, rng: np.random.Generator) -> StatedCaption:
    if rng.random() >= _SLIPS:
        return caption
    text = typist.slip(caption.text, rng)
    # The slip may hide a fact from the parser, but must not make another of it.
    return caption if truth.read(text, known)[1] else replace(caption, text=text)


def _checked(text: str, stated: Attributes, known: Attributes) -> StatedCaption | None:
    """The caption with all that it states, or None when it says what is not true, or not what it means to."""
    read, false = truth.read(text, known)
    if false or not 0 < len(text) <= 2000:
        return None
    for name in ("tempo_bpm", "tempo_word", "key", "bars", "drums"):
        if getattr(read, name) != getattr(stated, name):
            return None
    if any(not set(getattr(stated, name)) <= set(getattr(read, name)) for name in ("instruments", "genres", "moods")):
        return None
    if stated.meter is None and meter_of_form(stated.genres) is not None:
        stated = replace(stated, meter=read.meter)  # a waltz is in 3/4
    return StatedCaption(text=text, stated=stated) if read.meter == stated.meter else None


def _alone(known: Attributes) -> bool:
    return len(known.instruments) == 1 and known.drums is False


def _choose(attributes: Attributes, share: float, rng: np.random.Generator) -> Attributes:
    """The part of the attributes that a caption states: each with p = ``share``, at least one."""

    def keep(factor: float = 1.0) -> bool:
        return bool(rng.random() < share * factor)

    instruments = attributes.instruments if keep() else ()
    if instruments and rng.random() < 0.4:
        instruments = instruments[: int(rng.integers(1, len(instruments) + 1))]
    drums = attributes.drums if keep() else None
    if drums is False and rng.random() < 0.7:
        drums = None  # people seldom say what is missing
    bpm, word = attributes.tempo_bpm, attributes.tempo_word
    tempo = rng.random()
    if not keep():
        bpm, word = None, None
    elif word is not None and tempo < 0.45:
        bpm, word = None, _tempo_word(bpm, word, rng)
    elif bpm is not None and tempo < 0.85:
        word = None
    elif word is not None:
        word = _tempo_word(bpm, word, rng)
    stated = replace(
        attributes,
        tempo_bpm=bpm,
        tempo_word=word,
        key=attributes.key if keep() else None,
        meter=attributes.meter if keep(0.9) else None,
        instruments=instruments,
        drums=drums,
        genres=_some(attributes.genres, 2, rng) if keep(1.1) else (),
        moods=_some(attributes.moods, 3 if share > 0.5 else 2, rng) if keep() else (),
        bars=attributes.bars if keep(0.35) else None,
        duration_s=None,
    )
    return stated if stated.tempo_bpm is None else replace(stated, tempo_bpm=float(round(stated.tempo_bpm)))


def _tempo_word(bpm: float | None, word: str, rng: np.random.Generator) -> str:
    """A tempo word in whose range ``bpm`` lies, Italian or plain."""
    if bpm is None or rng.random() < 0.4:
        return word
    fitting = [name for name, (low, high) in TEMPO_WORDS.items() if low <= bpm <= high]
    return pick(rng, fitting) if fitting else word


def _some(names: tuple[str, ...], most: int, rng: np.random.Generator) -> tuple[str, ...]:
    if not names:
        return ()
    count = int(rng.integers(1, min(most, len(names)) + 1))
    chosen = sorted(rng.choice(len(names), size=count, replace=False).tolist())
    return tuple(names[index] for index in chosen)
