"""The built-in mutators: the same wish in other words, or with details that it implies or leaves open.

Each takes a caption and random numbers and gives a text, or None when it has nothing to change. None of them is
trusted: the gate has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import numpy as np

from motet.music import instrument
from motet.music.caption import Caption
from motet.music.instrument import SPOKEN_NAMES
from motet.music.phrase import Words
from motet.search import prior, wording

_SENTENCE_END: Final = re.compile(r"(?<=[.!?;])\s+")
_CLAUSE: Final = re.compile(
    r",\s+(?=(?:with|in|at|for|set in|played|performed|featuring|moving)\b)|\s+(?=(?:for|with|played by|featuring)\b)"
)
_REWORD: Final = 0.6
"""Odds that a phrase that could be said otherwise is."""
_FRAMES: Final = ("Compose the following music: ", "Please write this piece: ", "A piece of music. ", "Play this: ")

_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "meter": (" in {0} time", " in a {0} time signature", " in {0} meter"),
    "key": (" in {0}", " in the key of {0}"),
    "at": ("at {0} bpm", "at {0} beats per minute", "at a tempo of {0} bpm"),
    "bpm": ("{0} bpm", "{0} beats per minute"),
    "bars": ("{0} bars", "{0} measures"),
    "drums": ("without drums", "with no drums"),
}
_RESTATED: Final[dict[str, re.Pattern[str]]] = {
    "meter": re.compile(r"(?<!set) in (?:an? )?(\d{1,2}/\d{1,2})(?: time signature| time| meter)?(?=[\s.,;]|$)"),
    "key": re.compile(
        r" in (?:the key of )?([A-G](?:[#♯♭b]| sharp| flat)? (?:major|minor))(?! (?:key|scale|chord))(?=[\s.,;]|$)"
    ),
    "at": re.compile(r"\bat (\d{2,3}) ?(?:bpm|BPM|beats per minute)\b"),
    "bpm": re.compile(r"(?<![\d.-])(\d{2,3}) ?(?:bpm|BPM|beats per minute)\b"),
    "bars": re.compile(r"(?<![\d.-])(\d{1,3}) (?:bars|measures)\b(?! blues)"),
    "drums": re.compile(r"\b(?:without|with no) drums()(?=[.;]|$)"),
}

_MEANS: Final[dict[str, str]] = {
    "string quartet": "violins, viola and cello",
    "string trio": "violin, viola and cello",
    "string quintet": "violins, viola, cello and double bass",
    "piano trio": "piano, violin and cello",
    "brass quintet": "trumpets, French horn, trombone and tuba",
    "wind quintet": "flute, oboe, clarinet, French horn and bassoon",
    "woodwind quintet": "flute, oboe, clarinet, French horn and bassoon",
}
_IMPLIES: Final[dict[str, str]] = {
    "lullaby": "The tempo is slow.",
    "march": "The time signature is 4/4.",
    "bossa nova": "The time signature is 4/4.",
    "techno": "The time signature is 4/4.",
    "house": "The time signature is 4/4.",
    "disco": "The time signature is 4/4.",
    "reggae": "The time signature is 4/4.",
    "tango": "The time signature is 4/4.",
    "reel": "The time signature is 4/4.",
    "hornpipe": "The time signature is 4/4.",
    "punk": "The tempo is fast.",
}


def make_explicit(caption: Caption, random: np.random.Generator) -> str | None:
    """Says what the caption implies: the meter of its dance, the players of a quartet, that a solo has no drums."""
    asked = caption.attributes
    implied: list[str] = []
    lower = caption.text.lower()
    if asked.meter is not None and str(asked.meter) not in caption.text:
        implied.append(f"The time signature is {asked.meter}.")
    implied += [f"It is played by {players}." for name, players in _MEANS.items() if name in lower]
    if asked.drums is False and "drum" not in lower:
        implied.append("It is played without drums.")
    for genre in asked.genres:
        sentence = _IMPLIES.get(genre, "")
        stated = asked.meter if "signature" in sentence else asked.tempo_bpm or asked.tempo_word
        if sentence and stated is None:
            implied.append(sentence)
    return _append(caption, implied[int(random.integers(len(implied)))]) if implied else None


def state_tempo(caption: Caption, random: np.random.Generator) -> str | None:
    """Adds a tempo in beats per minute: usual for the genre or mood, inside the tempo word if there is one."""
    if caption.attributes.tempo_bpm is not None:
        return None
    return _append(caption, f"The tempo is {prior.tempo(caption.attributes, random)} bpm.")


def state_key(caption: Caption, random: np.random.Generator) -> str | None:
    """Adds a key that is usual for the genre and mood."""
    if caption.attributes.key is not None:
        return None
    return _append(caption, f"It is in the key of {prior.key(caption.attributes, random)}.")


def state_meter(caption: Caption, random: np.random.Generator) -> str | None:
    """Adds the time signature that nearly all music of the genre has."""
    if caption.attributes.meter is not None:
        return None
    usual = prior.meter(caption.attributes)
    return None if usual is None else _append(caption, f"The time signature is {usual}.")


def state_instruments(caption: Caption, random: np.random.Generator) -> str | None:
    """Adds a line-up that is usual for the genre when no player is asked for."""
    asked = caption.attributes
    if asked.instruments or asked.drums is not None:
        return None
    names = ["drums" if one == prior.DRUM_PLAYER else SPOKEN_NAMES[one] for one in prior.players(asked, random)]
    if not names:
        return None
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return _append(caption, f"It is played by {listed}.")


def paraphrase(caption: Caption, random: np.random.Generator) -> str | None:
    """Says some of the attributes in other words: "fast" as "quick", "3/4" as "3/4 time"."""
    text = caption.text
    for name, pattern in _RESTATED.items():
        wordings = _VALUES[name]
        chosen, kept = wordings[int(random.integers(len(wordings)))], random.random() >= _REWORD
        if not kept:
            text = pattern.sub(lambda match, chosen=chosen: chosen.format(match[1]), text)  # type: ignore[misc]
    for start, end, word in reversed(list(_synonyms(text, random))):
        text = text[:start] + word + text[end:]
    return text if text != caption.text else None


def _synonyms(text: str, random: np.random.Generator) -> Iterator[tuple[int, int, str]]:
    """Places of phrases and what to put there instead, from left to right."""
    groups = {group[0]: group for group in wording.SYNONYMS}
    words = Words(text)
    within = {index: one for one in instrument.find(words).phrases for index in range(one.first, one.last + 1)}
    for found in wording.SAME.find(words):
        player = within.get(found.first)
        if player is not None and (player.first, player.last) != (found.first, found.last):
            continue  # "synth" of "synth strings"
        old = text[found.start : found.end]
        others = [phrase for phrase in groups[found.value] if phrase.replace("-", " ") != old.lower().replace("-", " ")]
        drawn, odds = others[int(random.integers(len(others)))], random.random()
        before = text[: found.start].rstrip().lower()
        article = re.search(r"(?:^|\s)(an?)$", before)
        unlike = article is not None and (article[1] == "an") != (drawn[0] in "aeiou")
        plural = old.lower() in ("bar", "second", "minute", "measure") or text[found.end : found.end + 1] == "-"
        if odds < _REWORD and not unlike and not plural and drawn not in ("sec", "secs", "min", "mins", "bar"):
            yield found.start, found.end, drawn[0].upper() + drawn[1:] if old[0].isupper() else drawn


def reorder(caption: Caption, random: np.random.Generator) -> str | None:
    """The same sentences, or the clauses of the only one, in another order."""
    text = caption.text.strip()
    sentences = _SENTENCE_END.split(text)
    if len(sentences) > 1:
        if sentences[-1][-1] not in ".!?;":
            sentences[-1] += "."
        return " ".join(sentences[index] for index in random.permutation(len(sentences)))
    end = text[-1] if text[-1] in ".!?" else ""
    clauses = [clause for clause in _CLAUSE.split(text.removesuffix(end)) if clause]
    if len(clauses) < 2:
        return None
    head, moved = clauses[0], clauses.pop(int(random.integers(1, len(clauses))))
    head = head[0].lower() + head[1:] if re.match(r"An?\s", head) else head
    rest = text.removesuffix(end)
    rest = rest[: rest.rindex(moved)].rstrip(" ,") + rest[rest.rindex(moved) + len(moved) :]
    return f"{moved[0].upper()}{moved[1:]}: {head}{rest[len(head) :]}{end}"


def frame(caption: Caption, random: np.random.Generator) -> str | None:
    """The caption after a short phrase that asks for music."""
    return f"{_FRAMES[int(random.integers(len(_FRAMES)))]}{caption.text.strip()}"


def _append(caption: Caption, sentence: str) -> str:
    text = caption.text.strip()
    return f"{text} {sentence}" if text[-1] in ".!?" else f"{text}. {sentence}"
