"""Captions written from attributes, in many wordings, each stating only what is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from motet.music.attributes import Attributes
from motet.music.tempo import TEMPO_WORDS
from motet.training.corpus import phrase
from motet.training.corpus.phrase import pick
from motet.training.corpus.shard import StatedCaption

_KEEP = 0.7
_NOUNS = ("song", "piece", "track", "composition", "tune", "instrumental")


def write(attributes: Attributes, rng: np.random.Generator) -> StatedCaption:
    """A caption that states a random part of ``attributes``, and which part that is.

    The form is drawn from full sentences (as in MidiCaps), a single phrase, a list, and a request. Tempo is a number
    or, when ``tempo_word`` is given, a word, or both. Raises nothing: with no attributes at all it says "a piece".
    """
    stated = _choose(attributes, rng)
    form = rng.random()
    if form < 0.55:
        text = _sentences(stated, rng)
    elif form < 0.80:
        text = _phrase(stated, rng)
    elif form < 0.90:
        text = _list(stated, rng)
    else:
        text = _request(stated, rng)
    return StatedCaption(text=text, stated=stated)


def _choose(attributes: Attributes, rng: np.random.Generator) -> Attributes:
    """The part of the attributes that a caption states: each with p = 0.7, at least one."""

    def keep() -> bool:
        return bool(rng.random() < _KEEP)

    instruments = attributes.instruments if keep() else ()
    if instruments and rng.random() < 0.4:
        instruments = instruments[: int(rng.integers(1, len(instruments) + 1))]
    drums = attributes.drums if keep() else None
    if drums is False and rng.random() < 0.75:
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
        meter=attributes.meter if keep() else None,
        instruments=instruments,
        drums=drums,
        genres=_some(attributes.genres, 2, rng) if keep() else (),
        moods=_some(attributes.moods, 3, rng) if keep() else (),
        bars=attributes.bars if rng.random() < 0.25 else None,
        duration_s=None,
    )
    if stated == Attributes():
        stated = replace(attributes, duration_s=None)
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


def _instruments(stated: Attributes, rng: np.random.Generator) -> list[str]:
    """Names of the stated instruments, drums among them, without two of the same name."""
    names = list(dict.fromkeys(phrase.instrument(program, rng) for program in stated.instruments))
    if rng.random() < 0.25:
        names = [names[index] for index in rng.permutation(len(names))]
    if stated.drums:
        names.insert(int(rng.integers(max(0, len(names) - 1), len(names) + 1)), pick(rng, phrase.DRUM_WORDS))
    return names


def _head(stated: Attributes, rng: np.random.Generator, *, tempo_word: bool) -> str:
    """ "slow, dark rock ballad": moods, maybe the tempo word, genres and a noun, without an article."""
    adjectives = [phrase.mood(name, rng) for name in stated.moods]
    if tempo_word and stated.tempo_word is not None and _plain_word(stated):
        adjectives.insert(0, pick(rng, phrase.TEMPO_ADJECTIVES[stated.tempo_word]))
    genres = [phrase.genre(name, rng) for name in stated.genres]
    last = stated.genres[-1] if stated.genres else ""
    complete = last == "art song" or (last in phrase.NOUN_GENRES and rng.random() < 0.7)
    noun = "" if complete else pick(rng, _NOUNS)
    words = [phrase.joined(adjectives) if len(adjectives) > 1 and rng.random() < 0.5 else ", ".join(adjectives)]
    words += [pick(rng, (" ", " ", " and ") if noun else (" ",)).join(genres) if len(genres) < 3 else ", ".join(genres)]
    return " ".join(word for word in (*words, noun) if word)


def _tempo(stated: Attributes, rng: np.random.Generator, *, said: bool) -> str:
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


def _clauses(stated: Attributes, rng: np.random.Generator, *, tempo_said: bool) -> dict[str, str]:
    """Fact -> words that can follow a noun or "It is"."""
    clauses: dict[str, str] = {}
    if stated.key is not None:
        key = phrase.key(stated.key, rng)
        forms = (f"in {key}", f"in {key}", f"in the key of {key}", f"set in {key}", f"written in {key}")
        clauses["key"] = pick(rng, forms)
    if stated.meter is not None:
        meter = phrase.meter(stated.meter)
        meters = (f"in {meter}", f"in {meter} time", f"with a {meter} time signature", f"in a {meter} time signature")
        clauses["meter"] = pick(rng, meters)
    tempo = _tempo(stated, rng, said=tempo_said)
    if tempo.startswith("tempo of"):
        number = tempo.removeprefix("tempo of ")
        clauses["tempo"] = pick(rng, (f"at {number}", f"with a tempo of {number}", f"at a tempo of {number}"))
    elif tempo:
        clauses["tempo"] = pick(rng, ("at ", "with ")) + phrase.with_article(tempo)
    if stated.bars is not None:
        bars = f"{stated.bars} bar{'s' if stated.bars > 1 else ''}"
        clauses["bars"] = pick(rng, (f"lasting {bars}", f"{bars} long"))
    if stated.drums is False:
        clauses["drums"] = pick(rng, ("without drums", "with no drums", "without any drums"))
    return clauses


def _featuring(names: list[str], rng: np.random.Generator) -> str:
    verb = pick(rng, ("featuring", "featuring", "with", "played by", "performed by", "built around"))
    return f"{verb} {phrase.joined(names)}"


def _phrase(stated: Attributes, rng: np.random.Generator) -> str:
    """ "sad piano waltz in C minor, 90 bpm": one phrase."""
    tempo_said = _plain_word(stated) and stated.tempo_bpm is None and bool(rng.random() < 0.7)
    head = _head(stated, rng, tempo_word=tempo_said)
    clauses = _clauses(stated, rng, tempo_said=tempo_said)
    names = _instruments(stated, rng)
    if len(names) == 1 and not head.endswith("art song") and rng.random() < 0.5:
        first, _, noun = head.rpartition(" ")
        head = " ".join(word for word in (first, names[0], noun) if word)
    elif names:
        clauses["instruments"] = _featuring(names, rng)
    order = [list(clauses)[index] for index in rng.permutation(len(clauses))]
    separator = pick(rng, (" ", ", "))
    text = separator.join([head, *(clauses[name] for name in order)])
    if rng.random() < 0.5:
        text = phrase.with_article(text)
    style = rng.random()
    if style < 0.5:
        text = text[0].upper() + text[1:]
    return text + ("." if style < 0.35 else "")


def _request(stated: Attributes, rng: np.random.Generator) -> str:
    """ "Write me a slow rock song with drums": a request."""
    head = _head(stated, rng, tempo_word=True)
    clauses = _clauses(stated, rng, tempo_said=_plain_word(stated))
    names = _instruments(stated, rng)
    if names:
        clauses["instruments"] = pick(rng, ("with ", "featuring ", "for ", "using ")) + phrase.joined(names)
    order = [list(clauses)[index] for index in rng.permutation(len(clauses))]
    start = pick(rng, ("Write", "Make", "Create", "Compose", "Generate", "I want", "I need", "Give me", "Please write"))
    joined = pick(rng, (" ", ", ")).join([phrase.with_article(head), *(clauses[name] for name in order)])
    return f"{start} {joined}{pick(rng, ('.', '.', ''))}"


def _list(stated: Attributes, rng: np.random.Generator) -> str:
    """ "rock, dark, electric guitar, drums, 120 bpm, E minor": a list of tags, or of named fields."""
    fields: list[tuple[str, str]] = []
    if stated.genres:
        fields.append(("Genre", ", ".join(phrase.genre(name, rng) for name in stated.genres)))
    if stated.moods:
        fields.append(("Mood", ", ".join(phrase.mood(name, rng) for name in stated.moods)))
    names = _instruments(stated, rng)
    if names:
        fields.append(("Instruments", ", ".join(names)))
    if stated.drums is False:
        fields.append(("Drums", "none"))
    if stated.key is not None:
        fields.append(("Key", phrase.key(stated.key, rng)))
    if stated.tempo_bpm is not None or stated.tempo_word is not None:
        number = phrase.bpm(stated.tempo_bpm, rng) if stated.tempo_bpm is not None else ""
        word = stated.tempo_word or ""
        fields.append(("Tempo", f"{word} ({number})" if word and number else word or number))
    if stated.meter is not None:
        fields.append(("Time signature", phrase.meter(stated.meter)))
    if stated.bars is not None:
        fields.append(("Length", f"{stated.bars} bars"))
    if not fields:
        return "A piece of music."
    fields = [fields[index] for index in rng.permutation(len(fields))]
    if rng.random() < 0.3:
        return pick(rng, (". ", "; ", "\n")).join(f"{name}: {value}" for name, value in fields)
    tags = [f"{value} tempo" if value == stated.tempo_word else value for _, value in fields]
    return ", ".join(tags)


def _plain_word(stated: Attributes) -> bool:
    return stated.tempo_word in phrase.TEMPO_ADJECTIVES


def _sentences(stated: Attributes, rng: np.random.Generator) -> str:
    """One to four sentences in the manner of MidiCaps."""
    tempo_said = _plain_word(stated) and stated.tempo_bpm is None and bool(rng.random() < 0.5)
    opening_moods = stated.moods if rng.random() < 0.7 else ()
    head = _head(replace(stated, moods=opening_moods), rng, tempo_word=tempo_said)
    names = _instruments(stated, rng)
    tempo = _tempo(stated, rng, said=tempo_said)
    facts: dict[str, Callable[[], str]] = {}
    if names:
        facts["instruments"] = lambda: _instrument_sentence(names, rng)
    if stated.moods and not opening_moods:
        facts["mood"] = lambda: _mood_sentence([phrase.mood(name, rng) for name in stated.moods], rng)
    if stated.key is not None or stated.meter is not None or tempo:
        facts["frame"] = lambda: _frame_sentence(stated, tempo, rng)
    if stated.bars is not None:
        bars = f"{stated.bars} bars"
        facts["bars"] = lambda: pick(rng, (f"It is {bars} long.", f"It lasts {bars}.", f"The length is {bars}."))
    if stated.drums is False:
        facts["drums"] = lambda: pick(rng, ("There are no drums.", "It has no drums.", "It is played without drums."))
    first = pick(rng, ("{a}", "{a}", "{a}", "This is {a}", "This {h}"))
    opening = phrase.with_article(head)
    order = [list(facts)[index] for index in rng.permutation(len(facts))]
    if first == "This {h}":
        return _this_sentence(head, names, order, facts, rng)
    text = first.format(a=opening)
    tail = ""
    if "instruments" in order and rng.random() < 0.7:
        order.remove("instruments")
        tail = ", " + _featuring(names, rng) if rng.random() < 0.5 else " " + _featuring(names, rng)
    if "frame" in order and rng.random() < 0.4:
        order.remove("frame")
        clauses = _clauses(replace(stated, bars=None, drums=None), rng, tempo_said=tempo_said)
        framed = pick(rng, (" ", ", ")).join(clauses[name] for name in clauses)
        tail = f" {framed}{tail}" if rng.random() < 0.5 else f"{tail}, {framed}"
    sentences = [text[0].upper() + text[1:] + tail + "."]
    sentences += [facts[name]() for name in order]
    return " ".join(sentences)


def _this_sentence(
    head: str, names: list[str], order: list[str], facts: dict[str, Callable[[], str]], rng: np.random.Generator
) -> str:
    if names:
        order.remove("instruments")
        verb = pick(rng, ("features", "is played by", "is built around", "combines", "brings together"))
        if len(names) == 1 and verb in ("combines", "brings together"):
            verb = "features"
        opening = f"This {head} {verb} {phrase.joined(names)}."
    else:
        opening = f"This is {phrase.with_article(head)}."
    return " ".join([opening, *(facts[name]() for name in order)])


def _instrument_sentence(names: list[str], rng: np.random.Generator) -> str:
    listed = phrase.joined(names)
    forms = [f"It features {listed}.", f"The instruments are {listed}.", f"The instrumentation includes {listed}."]
    if len(names) > 1:
        forms += [
            f"{listed[0].upper()}{listed[1:]} come together in the arrangement.",
            f"It is led by {names[0]}, supported by {phrase.joined(names[1:])}.",
        ]
    return pick(rng, forms)


def _mood_sentence(moods: list[str], rng: np.random.Generator) -> str:
    listed = phrase.joined(moods)
    forms = (
        f"The mood is {listed}.",
        f"It evokes {phrase.with_article(listed)} atmosphere.",
        f"The atmosphere is {listed}.",
        f"It has {phrase.with_article(listed)} feel.",
    )
    return pick(rng, forms)


def _frame_sentence(stated: Attributes, tempo: str, rng: np.random.Generator) -> str:
    """Key, meter and tempo in one sentence."""
    key = phrase.key(stated.key, rng) if stated.key is not None else ""
    meter = phrase.meter(stated.meter) if stated.meter is not None else ""
    paced = phrase.with_article(tempo) if tempo else ""
    subject = pick(rng, ("it", "the piece", "the music", "the song"))
    forms: tuple[str, ...]
    if key and meter and tempo:
        forms = (
            f"Set in {key} with a {meter} time signature, {subject} moves at {paced}.",
            f"With {paced} and a {meter} time signature, {subject} is in the key of {key}.",
            f"Set in the key of {key}, {subject} has {paced} and a {meter} time signature.",
            f"{subject.capitalize()} is in {key}, has {paced}, and follows a {meter} time signature.",
        )
    elif key and meter:
        forms = (
            f"Set in {key}, {subject} is in {meter} time.",
            f"{subject.capitalize()} is in the key of {key} with a {meter} time signature.",
        )
    elif key and tempo:
        forms = (
            f"Set in the key of {key}, {subject} moves at {paced}.",
            f"{subject.capitalize()} is in {key} and has {paced}.",
        )
    elif meter and tempo:
        forms = (
            f"{subject.capitalize()} has {paced} and a {meter} time signature.",
            f"It maintains {paced} in {meter} time.",
        )
    elif key:
        forms = (f"{subject.capitalize()} is in {key}.", f"The key is {key}.", f"It is set in the key of {key}.")
    elif meter:
        forms = (f"The time signature is {meter}.", f"It is in {meter} time.", f"{subject.capitalize()} is in {meter}.")
    else:
        forms = (f"It moves at {paced}.", f"{subject.capitalize()} has {paced}.", f"It is played at {paced}.")
    return pick(rng, forms)
