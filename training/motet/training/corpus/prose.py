"""Captions as full sentences, in the manner of MidiCaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from motet.music.attributes import Attributes
from motet.training.corpus import clause, phrase
from motet.training.corpus.phrase import pick


def write(stated: Attributes, rng: np.random.Generator) -> str:
    """One to four sentences that state all of ``stated``."""
    tempo_said = clause.is_plain(stated) and stated.tempo_bpm is None and bool(rng.random() < 0.5)
    opening_moods = stated.moods if rng.random() < 0.7 else ()
    head = clause.head(replace(stated, moods=opening_moods), rng, tempo_word=tempo_said)
    names = clause.players(stated, rng)
    tempo = clause.tempo(stated, rng, said=tempo_said)
    facts: dict[str, Callable[[], str]] = {}
    if names:
        facts["instruments"] = lambda: _instrument_sentence(names, rng)
    if stated.moods and not opening_moods:
        facts["mood"] = lambda: _mood_sentence([phrase.mood(name, rng) for name in stated.moods], rng)
    if stated.key is not None or stated.meter is not None or tempo:
        facts["frame"] = lambda: _frame_sentence(stated, tempo, rng)
    if stated.bars is not None:
        bars = phrase.bars(stated.bars, rng)
        forms = (f"It is {bars} long.", f"It lasts {bars}.", f"The length is {bars}.", f"It runs for {bars}.")
        facts["bars"] = lambda: pick(rng, forms)
    if stated.drums is False:
        none = ("There are no drums.", "It has no drums.", "It is played without drums.", "There is no percussion.")
        facts["drums"] = lambda: pick(rng, none)
    first = pick(rng, ("{a}", "{a}", "{a}", "{a}", "This is {a}", "This is {a}", "This {h}", "{h}", "players"))
    opening = phrase.with_article(head)
    order = [list(facts)[index] for index in rng.permutation(len(facts))]
    if first == "This {h}":
        return _this_sentence(head, names, order, facts, rng)
    if first == "players" and names:
        verbs = ("play", "come together in", "are heard in") if len(names) > 1 else ("can be heard in", "carries")
        order.remove("instruments")
        opening = f"{phrase.joined(names)} {pick(rng, verbs)} {opening}"
    text = opening if first == "players" else first.format(a=opening, h=head)
    tail = ""
    if "instruments" in order and rng.random() < 0.7:
        order.remove("instruments")
        tail = ", " + clause.featuring(names, rng) if rng.random() < 0.5 else " " + clause.featuring(names, rng)
    if "frame" in order and rng.random() < 0.4:
        order.remove("frame")
        clauses = clause.clauses(replace(stated, bars=None, drums=None), rng, tempo_said=tempo_said)
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
        verb = pick(rng, ("features", "is played by", "is built around", "combines", "brings together", "is scored for",
                          "uses", "is for"))  # fmt: skip
        if len(names) == 1 and verb in ("combines", "brings together"):
            verb = "features"
        opening = f"This {head} {verb} {phrase.joined(names)}."
    else:
        opening = f"This is {phrase.with_article(head)}."
    return " ".join([opening, *(facts[name]() for name in order)])


def _instrument_sentence(names: list[str], rng: np.random.Generator) -> str:
    listed = phrase.joined(names)
    forms = [
        f"It features {listed}.",
        f"The instruments are {listed}.",
        f"The instrumentation includes {listed}.",
        f"You can hear {listed}.",
        f"The line-up: {listed}.",
        f"It is played by {listed}.",
        f"The arrangement uses {listed}.",
    ]
    if len(names) > 1:
        capital = f"{listed[0].upper()}{listed[1:]}"
        forms += [
            f"{capital} come together in the arrangement.",
            f"{capital} make up the ensemble.",
            f"{names[0][0].upper()}{names[0][1:]} is joined by {phrase.joined(names[1:])}.",
        ]
    return pick(rng, forms)


def _mood_sentence(moods: list[str], rng: np.random.Generator) -> str:
    listed = phrase.joined(moods)
    forms = (
        f"The mood is {listed}.",
        f"It evokes {phrase.with_article(listed)} atmosphere.",
        f"The atmosphere is {listed}.",
        f"It has {phrase.with_article(listed)} feel.",
        f"It feels {listed}.",
        f"It sounds {listed}.",
        f"The overall mood is {listed}.",
        f"The result is {phrase.with_article(listed)} sound.",
    )
    return pick(rng, forms)


def _frame_sentence(stated: Attributes, tempo: str, rng: np.random.Generator) -> str:
    """Key, meter and tempo in one sentence."""
    key = phrase.key(stated.key, rng) if stated.key is not None else ""
    meter = phrase.meter(stated.meter) if stated.meter is not None else ""
    paced = phrase.with_article(tempo) if tempo else ""
    time = phrase.time(stated.meter, rng) if stated.meter is not None else ""
    subject = pick(rng, ("it", "it", "the piece", "the music", "the song", "the tune", "the track"))
    capital = subject.capitalize()
    forms: tuple[str, ...]
    if key and meter and tempo:
        forms = (
            f"Set in {key} with a {meter} time signature, {subject} moves at {paced}.",
            f"With {paced} and a {meter} time signature, {subject} is in the key of {key}.",
            f"Set in the key of {key}, {subject} has {paced} and a {meter} time signature.",
            f"{capital} is in {key}, has {paced}, and follows a {meter} time signature.",
            f"{capital} is in {key} and in {time}, at {paced}.",
            f"Written in {key} and {time}, {subject} unfolds at {paced}.",
        )
    elif key and meter:
        forms = (
            f"Set in {key}, {subject} is in {time}.",
            f"{capital} is in the key of {key} with a {meter} time signature.",
            f"The key is {key}, the time signature {meter}.",
            f"{capital} is in {time} and in {key}.",
        )
    elif key and tempo:
        forms = (
            f"Set in the key of {key}, {subject} moves at {paced}.",
            f"{capital} is in {key} and has {paced}.",
            f"With {paced}, {subject} is in {key}.",
            f"{capital} goes along at {paced} in {key}.",
        )
    elif meter and tempo:
        forms = (
            f"{capital} has {paced} and a {meter} time signature.",
            f"It maintains {paced} in {time}.",
            f"In {time}, {subject} keeps {paced}.",
            f"{capital} flows at {paced} in {meter}.",
        )
    elif key:
        forms = (
            f"{capital} is in {key}.",
            f"The key is {key}.",
            f"It is set in the key of {key}.",
            f"{capital} was written in {key}.",
        )
    elif meter:
        forms = (
            f"The time signature is {meter}.",
            f"It is in {time}.",
            f"{capital} is in {time}.",
            f"{capital} has a {meter} time signature.",
        )
    else:
        forms = (
            f"It moves at {paced}.",
            f"{capital} has {paced}.",
            f"It is played at {paced}.",
            f"{capital} keeps {paced}.",
        )
    return pick(rng, forms)
