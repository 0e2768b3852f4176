"""How people type: case, punctuation, signs for words, and the odd slip."""

from __future__ import annotations

import re

import numpy as np

from motet.training.corpus.phrase import pick


def typed(text: str, rng: np.random.Generator, *, care: float) -> str:
    """The text as somebody might type it.

    Args:
        text: well-formed.
        rng: source of chance.
        care: 1 changes little, 0 drops capitals and full stops most of the time.
    """
    loose = 1.0 - care
    if rng.random() < 0.12 * loose:
        text = re.sub(r",? and ", pick(rng, (" & ", " + ", ", ")), text)
    if rng.random() < 0.05 * loose:
        text = re.sub(r"\bwith ", "w/ ", text)
    if rng.random() < 0.06 + 0.6 * loose:
        text = text.rstrip(".")
    if rng.random() < 0.2 * loose:
        text = text.replace(",", "")
    case = rng.random()
    if case < 0.08 + 0.45 * loose:
        text = text.lower()
    elif case < 0.09 + 0.45 * loose:
        text = text.upper()
    elif case < 0.11 + 0.45 * loose:
        text = re.sub(r"\b[a-z]", lambda letter: letter[0].upper(), text)
    if rng.random() < 0.03 * loose:
        text = text.rstrip(".") + pick(rng, ("!", "!!", "...", " :)"))
    return text


def slip(text: str, rng: np.random.Generator) -> str:
    """The text with one slip of the fingers in a word of five letters or more, if there is one."""
    words = list(re.finditer(r"\b[a-z]{5,}\b", text))
    if not words:
        return text
    word = words[int(rng.integers(len(words)))]
    at = word.start() + int(rng.integers(1, len(word[0]) - 1))
    kind = rng.random()
    if kind < 0.4:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + (text[at] * 2 if kind < 0.6 else "") + text[at + 1 :]
