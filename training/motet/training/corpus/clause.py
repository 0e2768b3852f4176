"""The parts that captions are put together from: a noun with its adjectives, players, and facts as clauses."""

from __future__ import annotations

import numpy as np

from motet.music.attributes import Attributes
from motet.training.corpus import phrase, truth
from motet.training.corpus.phrase import pick

_NOUNS = ("song", "piece", "track", "composition", "tune", "instrumental", "melody")
_DEGREES = ("very", "very", "really", "quite", "rather", "a bit", "slightly", "kind of", "so", "pretty")
_FAMILY_SHARE = 0.12
_MISSED = ("piano", "guitar", "bass", "strings", "brass", "choir", "sax", "organ", "synth")


def players(stated: Attributes, rng: np.random.Generator) -> list[str]:
    """Names of the stated instruments, drums among them, without two of the same name.

    Now and then one word speaks for all players of a family: "guitars".
    """
    left = list(stated.instruments)
    names: list[str] = []
    if rng.random() < _FAMILY_SHARE:
        words = [word for word in truth.FAMILY_WORDS if truth.covers(word, stated.instruments)]
        if words:
            word = pick(rng, words)
            covered = truth.covers(word, stated.instruments)
            names.append(word)
            left = [program for program in left if program not in covered]
    names += [phrase.instrument(program, rng) for program in left]
    names = list(dict.fromkeys(names))
    if rng.random() < 0.25:
        names = [names[index] for index in rng.permutation(len(names))]
    if stated.drums:
        names.insert(int(rng.integers(max(0, len(names) - 1), len(names) + 1)), pick(rng, phrase.DRUM_WORDS))
    return names


def head(stated: Attributes, rng: np.random.Generator, *, tempo_word: bool, noun: bool = True) -> str:
    """ "slow, dark rock ballad": moods, maybe the tempo word, genres and a noun, without an article.

    Without ``noun`` only "slow, dark rock", which may be "".
    """
    adjectives = [phrase.mood(name, rng) for name in stated.moods]
    if adjectives and rng.random() < 0.08:
        adjectives[-1] = f"{pick(rng, _DEGREES)} {adjectives[-1]}"
    if tempo_word and stated.tempo_word is not None and is_plain(stated):
        adjectives.insert(
            0 if rng.random() < 0.7 else len(adjectives), pick(rng, phrase.TEMPO_ADJECTIVES[stated.tempo_word])
        )
    genres = [phrase.genre(name, rng) for name in stated.genres]
    last = stated.genres[-1] if stated.genres else ""
    complete = last == "art song" or (last in phrase.NOUN_GENRES and rng.random() < 0.7)
    thing = "" if complete or not noun else pick(rng, _NOUNS)
    joined = phrase.joined(adjectives) if len(adjectives) > 1 and rng.random() < 0.5 else ""
    words = [joined or pick(rng, (", ", ", ", " ")).join(adjectives)]
    words += [
        pick(rng, (" ", " ", " and ") if thing else (" ",)).join(genres) if len(genres) < 3 else ", ".join(genres)
    ]
    return " ".join(word for word in (*words, thing) if word)


def is_plain(stated: Attributes) -> bool:
    """Whether the stated tempo word is plain English and not Italian."""
    return stated.tempo_word in phrase.TEMPO_ADJECTIVES


def tempo(stated: Attributes, rng: np.random.Generator, *, said: bool) -> str:
    """ "Adagio tempo of 67 bpm" without an article, or "" when there is nothing (more) to say."""
    word = None if said else stated.tempo_word
    plain = word in phrase.TEMPO_ADJECTIVES
    shown = (word if plain or rng.random() < 0.3 else word.capitalize()) if word is not None else ""
    number = phrase.bpm(stated.tempo_bpm, rng) if stated.tempo_bpm is not None else ""
    noun = pick(rng, ("tempo", "tempo", "tempo", "pace"))
    if shown and number:
        return f"{shown} tempo of {number}"
    if number:
        return f"tempo of {number}"
    return f"{shown} {noun}" if shown else ""


def clauses(stated: Attributes, rng: np.random.Generator, *, tempo_said: bool) -> dict[str, str]:
    """Fact -> words that can follow a noun or "It is"."""
    found: dict[str, str] = {}
    if stated.key is not None:
        key = phrase.key(stated.key, rng)
        forms = (f"in {key}", f"in {key}", f"in {key}", f"in the key of {key}", f"set in {key}", f"written in {key}")
        found["key"] = pick(rng, forms)
    if stated.meter is not None:
        meter, time = phrase.meter(stated.meter), phrase.time(stated.meter, rng)
        found["meter"] = pick(
            rng, (f"in {time}", f"in {time}", f"with a {meter} time signature", f"in a {meter} time signature")
        )
    paced = tempo(stated, rng, said=tempo_said)
    if paced.startswith("tempo of"):
        number = paced.removeprefix("tempo of ")
        found["tempo"] = pick(rng, (f"at {number}", f"with a tempo of {number}", f"at a tempo of {number}"))
    elif paced:
        found["tempo"] = pick(rng, ("at ", "with ")) + phrase.with_article(paced)
    if stated.bars is not None:
        bars = phrase.bars(stated.bars, rng)
        found["bars"] = pick(rng, (f"lasting {bars}", f"{bars} long", f"of {bars}", f"for {bars}"))
    if stated.drums is False:
        found["drums"] = no_drums(rng)
    return found


def no_drums(rng: np.random.Generator) -> str:
    """Words that rule out a drum kit."""
    return pick(rng, ("without drums", "with no drums", "without any drums", "no drums", "without percussion"))


def missing(known: Attributes, rng: np.random.Generator) -> str:
    """Words that rule out a family of instruments of which nothing is in the line-up, or ""."""
    absent = [word for word in _MISSED if not truth.FAMILY_WORDS[word][0].intersection(known.instruments)]
    return f"{pick(rng, ('no', 'without'))} {pick(rng, absent)}" if absent else ""


def featuring(names: list[str], rng: np.random.Generator) -> str:
    """ "featuring piano and violin"."""
    verbs = ("featuring", "featuring", "with", "with", "played by", "performed by", "built around", "for", "played on")
    return f"{pick(rng, verbs)} {phrase.joined(names)}"


def shuffled(items: list[str], rng: np.random.Generator) -> list[str]:
    """The items in random order."""
    return [items[index] for index in rng.permutation(len(items))]
