"""Mutated captions: the same wish in other words, or with details that the original leaves open.

A mutated caption is an arm of the search: pieces are sampled for it, and judged against the original. Mutators are
offline, seeded and built on the attribute parser. ``admits`` is the gate that every mutant has to pass.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from motet.music import caption as captions
from motet.music.attributes import Attributes
from motet.music.caption import Caption
from motet.music.tempo import TEMPO_WORDS
from motet.search import prior

_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+")
_FRAGMENT_END = re.compile(r"[.!?;,]\s+|\s+(?:and|then|but|or)\s+", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9#/♯♭.']*[a-z0-9#♯♭]")
_NEGATIONS = frozenset(("no", "not", "without", "never", "except", "instead", "neither", "nor", "lacking"))
_ALONE = frozenset(("solo", "only", "just", "alone", "unaccompanied", "cappella", "nothing"))
_EMPTY_WORDS = re.compile(
    r"a|an|the|and|or|with|in|of|to|for|at|is|are|was|it|its|this|that|by|on|as|from|has|have|be|there|where|which|while"
    r"|into|around|about|please|write|compose|make|create|generate|give|me|piece|music|song|tune|track"
)
"""Words that a mutant may lose: they carry no wish."""
_SINGLE = ("tempo_bpm", "tempo_word", "key", "meter", "bars", "duration_s", "drums", "density")
_MANY = ("instruments", "genres", "moods")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a mutant may stand in for a caption, and if not, what is wrong with it."""

    admitted: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.admitted


def admits(original: Caption, mutant: Caption) -> Verdict:
    """Admits a mutant that says all that the original says and nothing against it.

    Refused are a dropped attribute or content word; another value of an attribute that the original states, wherever
    in the mutant it stands; a tempo outside the stated tempo word; a new negation; and instruments or drums beside
    ones that the original wants alone. Details that the original leaves open may be added.
    """
    asked, said = original.attributes, mutant.attributes
    for name in (*_SINGLE, *_MANY):
        problem = _compare(name, getattr(asked, name), getattr(said, name))
        if problem:
            return Verdict(False, problem)
    within = [captions.parse_attributes(fragment) for fragment in sorted(_fragments(original.text))]
    for fragment in sorted(_fragments(mutant.text) - _fragments(original.text)):
        found = captions.parse_attributes(fragment)
        for name in _SINGLE:
            # A fragment may be read differently from the whole, so what a fragment of the original says is no news.
            allowed = {getattr(asked, name), None, *(getattr(part, name) for part in within)}
            if getattr(asked, name) is not None and getattr(found, name) not in allowed:
                return Verdict(False, f"contradicts {name}: {getattr(found, name)} beside {getattr(asked, name)}")
        new_word = found.tempo_word not in {None, asked.tempo_word, *(part.tempo_word for part in within)}
        if new_word and asked.tempo_bpm and not _within(asked.tempo_bpm, str(found.tempo_word)):
            return Verdict(False, f"contradicts tempo_bpm: {found.tempo_word} beside {asked.tempo_bpm:g}")
    if asked.tempo_word and not asked.tempo_bpm and said.tempo_bpm and not _within(said.tempo_bpm, asked.tempo_word):
        return Verdict(False, f"contradicts tempo_word: {said.tempo_bpm:g} bpm is not {asked.tempo_word}")
    before, after = _words(original.text), _words(mutant.text)
    lost = {word: count - after[word] for word, count in before.items() if count > after[word]}
    dropped = sorted(word for word in lost if not _EMPTY_WORDS.fullmatch(word))
    if dropped:
        return Verdict(False, f"drops words: {', '.join(dropped)}")
    negated = sorted(word for word in _NEGATIONS if after[word] > before[word])
    if negated:
        return Verdict(False, f"adds a negation: {', '.join(negated)}")
    alone = any(before[word] for word in _ALONE) and asked.instruments
    if alone and (set(said.instruments) - set(asked.instruments) or (said.drums and not asked.drums)):
        return Verdict(False, "adds instruments to ones that are wanted alone")
    return Verdict(True)


def _compare(name: str, wanted: object, value: object) -> str:
    """What is wrong with an attribute of the mutant, or an empty string."""
    if isinstance(wanted, tuple) and isinstance(value, tuple):
        missing = [item for item in wanted if item not in value]
        return f"drops {name}: {', '.join(map(str, missing))}" if missing else ""
    if wanted is None or wanted == value:
        return ""
    return f"drops {name}: {wanted}" if value is None else f"contradicts {name}: {value} instead of {wanted}"


def _fragments(text: str) -> set[str]:
    """Clauses of a text, without the marks around them."""
    return {fragment.strip(" .,;:!?\n") for fragment in _FRAGMENT_END.split(text)} - {""}


def _within(bpm: float, tempo_word: str) -> bool:
    low, high = TEMPO_WORDS[tempo_word]
    return low <= bpm <= high


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.lower()))


Mutator = Callable[[Caption, np.random.Generator], str | None]
"""Rewrites a caption with the given random numbers; None when it has nothing to change."""


def reorder(caption: Caption, random: np.random.Generator) -> str | None:
    """The same sentences in another order."""
    sentences = _SENTENCE_END.split(caption.text.strip())
    if len(sentences) < 2:
        return None
    if sentences[-1][-1] not in ".!?;":
        sentences[-1] += "."
    return " ".join(sentences[index] for index in random.permutation(len(sentences)))


def frame(caption: Caption, random: np.random.Generator) -> str | None:
    """The caption inside a short phrase that asks for music."""
    before, after = prior.FRAMES[int(random.integers(len(prior.FRAMES)))]
    return f"{before}{caption.text.strip()}{after}"


def state_tempo(caption: Caption, random: np.random.Generator) -> str | None:
    """Adds a tempo in beats per minute: within the tempo word if there is one, else usual for the genre."""
    asked = caption.attributes
    if asked.tempo_bpm is not None:
        return None
    low, high = TEMPO_WORDS[asked.tempo_word] if asked.tempo_word else prior.tempo_range(asked)
    middle = (low + high) / 2
    bpm = round(float(np.clip(random.normal(middle, (high - low) / 6), low, high)))
    return _append(caption, f"The tempo is {bpm} bpm.")


def state_key(caption: Caption, random: np.random.Generator) -> str | None:
    """Adds a key that is common, minor more often for dark moods."""
    if caption.attributes.key is not None:
        return None
    return _append(caption, f"It is in the key of {prior.key(caption.attributes, random)}.")


def state_meter(caption: Caption, random: np.random.Generator) -> str | None:
    """Adds the time signature that is usual for the genre."""
    if caption.attributes.meter is not None:
        return None
    return _append(caption, f"The time signature is {prior.meter(caption.attributes)}.")


def state_instruments(caption: Caption, random: np.random.Generator) -> str | None:
    """Adds a usual line-up for the genre when no instrument is asked for."""
    asked = caption.attributes
    if asked.instruments or asked.drums is not None:
        return None
    players = prior.instruments(asked)
    return _append(caption, f"It is played by {players}.") if players else None


def _append(caption: Caption, sentence: str) -> str:
    text = caption.text.strip()
    return f"{text} {sentence}" if text[-1] in ".!?" else f"{text}. {sentence}"


MUTATORS: tuple[Mutator, ...] = (state_tempo, state_key, state_meter, state_instruments, reorder, frame)
"""In the order in which they are applied: details first, then their order, then the frame."""

_ATTEMPTS = 12


Settled = Callable[[Attributes], Attributes]
"""What holds for a piece whose words state the given attributes."""


def mutate(caption: Caption, count: int, *, seed: int, settled: Settled = lambda stated: stated) -> tuple[Caption, ...]:
    """Up to ``count`` different mutants of a caption, each admitted by the gate; fewer when it admits no more.

    Args:
        caption: the original.
        count: how many are wanted, >= 0.
        seed: 0 or more; the same caption, count and seed give the same mutants.
        settled: adds what holds whatever the words say, so that no mutant states something else.
    """
    random = np.random.default_rng([seed, 1])
    mutants: dict[str, Caption] = {}
    for _ in range(_ATTEMPTS * count):
        if len(mutants) == count:
            break
        text = _rewrite(caption, random, settled)
        if text != caption.text and text not in mutants and len(text) <= captions.MAX_CHARACTERS:
            mutant = captions.parse(text)
            if admits(caption, mutant):
                mutants[text] = mutant
    return tuple(mutants.values())


def _rewrite(caption: Caption, random: np.random.Generator, settled: Settled) -> str:
    """Applies each mutator with even odds."""

    def read(text: str) -> Caption:
        return Caption(text, settled(captions.parse_attributes(text)))

    current = read(caption.text)
    for mutator, applied in zip(MUTATORS, random.random(len(MUTATORS)) < 0.5, strict=True):
        text = mutator(current, random) if applied else None
        if text is not None and len(text) <= captions.MAX_CHARACTERS:
            current = read(text)
    return current.text
