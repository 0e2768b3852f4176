"""Captions as people type them into a box: a phrase, a few words, tags, a request, instructions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from motet.music.attributes import Attributes
from motet.training.corpus import clause, phrase
from motet.training.corpus.phrase import pick

_STARTS = (
    "Write", "Write me", "Make", "Make me", "Create", "Compose", "Generate", "I want", "I need", "Give me", "I'd like",
    "I would like", "Looking for", "I'm looking for", "Need", "Play me", "Let me hear", "Let's have", "Please write",
    "Please make", "Produce", "Show me", "Hey, write me", "Hi, I need", "How about", "Can you make me", "Can you write",
    "Could you make", "Could you write me",
)  # fmt: skip
_NAMES = {
    "genres": ("Genre", "Genre", "Style"),
    "moods": ("Mood", "Mood", "Feel", "Vibe"),
    "players": ("Instruments", "Instruments", "Instrumentation", "Ensemble"),
    "drums": ("Drums",),
    "key": ("Key",),
    "tempo": ("Tempo",),
    "meter": ("Time signature", "Meter", "Time"),
    "bars": ("Length",),
}


def phrased(stated: Attributes, rng: np.random.Generator) -> str:
    """ "sad piano waltz in C minor, 90 bpm": one phrase that states everything."""
    tempo_said = clause.is_plain(stated) and stated.tempo_bpm is None and bool(rng.random() < 0.7)
    head = clause.head(stated, rng, tempo_word=tempo_said)
    facts = clause.clauses(stated, rng, tempo_said=tempo_said)
    names = clause.players(stated, rng)
    if len(names) == 1 and not head.endswith("art song") and rng.random() < 0.5:
        head = _before_noun(head, names[0])
    elif names:
        facts["players"] = clause.featuring(names, rng)
    text = pick(rng, (" ", ", ")).join([head, *clause.shuffled(list(facts.values()), rng)])
    text = phrase.with_article(text) if rng.random() < 0.5 else text
    return _capital(text) + "." if rng.random() < 0.4 else text


def few_words(stated: Attributes, rng: np.random.Generator) -> str:
    """ "sad piano waltz", "slow blues, guitar and harmonica", "something like a lullaby for music box"."""
    tempo_said = clause.is_plain(stated) and bool(rng.random() < 0.9)
    noun = bool(stated.moods or stated.genres) and rng.random() < (0.25 if stated.genres else 0.5)
    head = clause.head(stated, rng, tempo_word=tempo_said, noun=noun)
    names = clause.players(stated, rng)
    listed = _listed(names, rng)
    rest = _fragments(stated, rng, tempo_said=tempo_said)
    if not names:
        text = head if noun else _about(head, stated, rng) if head else ""
    elif not head:
        text = pick(rng, (listed, f"{listed} piece", f"something for {listed}", f"{listed} music", f"some {listed}",
                          f"a bit of {listed}", f"piece for {listed}", f"tune for {listed}"))  # fmt: skip
    elif len(names) == 1:
        text = pick(rng, (_before_noun(head, names[0]), _before_noun(head, names[0]), f"{head} for {listed}",
                          f"{head} on {listed}", f"{listed}, {head}", f"{head} {listed}", f"{head}, {listed}",
                          f"{head} with {listed}"))  # fmt: skip
    else:
        text = pick(rng, (f"{head}, {listed}", f"{head} for {listed}", f"{head} with {listed}", f"{listed}: {head}",
                          f"{listed} playing {phrase.with_article(head)}", f"{head}: {listed}", f"{listed}, {head}",
                          f"something like {phrase.with_article(head)} for {listed}"))  # fmt: skip
    parts = [text, *rest] if text else rest
    if len(parts) > 1 and rng.random() < 0.15:
        parts = [*parts[1:], parts[0]]
    return pick(rng, (", ", ", ", " ")).join(parts)


def solo(stated: Attributes, rng: np.random.Generator) -> str:
    """ "sad waltz for solo piano", of music with one player and no drums."""
    name = phrase.instrument(stated.instruments[0], rng)
    bare = replace(stated, instruments=(), drums=None)
    head = clause.head(bare, rng, tempo_word=False, noun=bool(rng.random() < 0.6))
    rest = _fragments(bare, rng, tempo_said=False)
    forms = (
        f"solo {name}",
        f"unaccompanied {name}",
        f"{name} only",
        f"{name} alone",
        f"{name}, no drums",
        f"just {name} without drums",
    )
    alone = pick(rng, (forms[0], *forms))
    if not head:
        text = alone
    elif alone == forms[0]:
        text = pick(rng, (f"{head} for {alone}", f"{alone}, {head}", f"{head} {alone}", f"{head}, {alone}"))
    else:
        text = pick(rng, (f"{head}, {alone}", f"{alone}, {head}"))
    return ", ".join([text, *rest])


def requested(stated: Attributes, rng: np.random.Generator) -> str:
    """ "Write me a slow rock song with drums": a request in one sentence."""
    head = clause.head(stated, rng, tempo_word=True)
    facts = clause.clauses(stated, rng, tempo_said=clause.is_plain(stated))
    names = clause.players(stated, rng)
    if names:
        facts["players"] = pick(rng, ("with ", "featuring ", "for ", "using ", "played by ")) + phrase.joined(names)
    if stated.bars is not None and rng.random() < 0.3:
        facts.pop("bars")
        head = f"{phrase.bars(stated.bars, rng)} of {head}"
    else:
        head = pick(rng, ("some ", "something like ")) + head if rng.random() < 0.05 else phrase.with_article(head)
    text = pick(rng, (" ", " ", ", ")).join([head, *clause.shuffled(list(facts.values()), rng)])
    start = pick(rng, _STARTS)
    if start.startswith(("Can", "Could", "How")):
        return f"{start} {text}?"
    return f"{start} {text}{pick(rng, ('.', '.', '', '', ', please.', ' please', '!', '. Thanks!', ' thanks'))}"


def instructed(stated: Attributes, rng: np.random.Generator) -> str:
    """ "Write a waltz. Make it sad. Use piano and violin.": a request and instructions."""
    inside = replace(
        stated,
        moods=stated.moods if rng.random() < 0.4 else (),
        tempo_word=None, tempo_bpm=None, key=None, meter=None, bars=None, drums=None, instruments=(),
    )  # fmt: skip
    first = f"{pick(rng, _STARTS[:24])} {phrase.with_article(clause.head(inside, rng, tempo_word=False))}."
    orders: list[str] = []
    if stated.moods and not inside.moods:
        moods = phrase.joined([phrase.mood(name, rng) for name in stated.moods])
        orders.append(
            pick(rng, (f"Make it {moods}.", f"It should sound {moods}.", f"It should be {moods}.", f"Keep it {moods}."))
        )
    names = clause.players(stated, rng)
    if names:
        listed = phrase.joined(names)
        orders.append(pick(rng, (f"Use {listed}.", f"I want {listed}.", f"Instruments: {listed}.", f"For {listed}.",
                                 f"It should have {listed}.", f"{_capital(listed)}.")))  # fmt: skip
    if stated.drums is False:
        orders.append(pick(rng, ("No drums.", "No drums, please.", "Without drums.", "It should have no drums.")))
    if stated.key is not None:
        key = phrase.key(stated.key, rng)
        orders.append(
            pick(
                rng,
                (f"Key of {key}.", f"Put it in {key}.", f"It should be in {key}.", f"In {key}.", f"The key is {key}."),
            )
        )
    if stated.meter is not None:
        time = phrase.time(stated.meter, rng)
        orders.append(
            pick(
                rng,
                (
                    f"In {time}.",
                    f"It should be in {time}.",
                    f"Time signature {stated.meter}.",
                    f"Make it {stated.meter}.",
                ),
            )
        )
    if stated.tempo_bpm is not None:
        bpm = phrase.bpm(stated.tempo_bpm, rng)
        orders.append(
            pick(
                rng,
                (
                    f"Keep it at {bpm}.",
                    f"At {bpm}.",
                    f"Tempo: {bpm}.",
                    f"The tempo should be {bpm}.",
                    f"{_capital(bpm)}.",
                ),
            )
        )
    if stated.tempo_word is not None:
        if clause.is_plain(stated):
            word = pick(rng, phrase.TEMPO_ADJECTIVES[stated.tempo_word])
            forms = (f"Make it {word}.", f"It should be {word}.", f"{_capital(word)}.", f"Keep it {word}.")
        else:
            word = stated.tempo_word
            forms = (f"{_capital(word)} tempo.", f"Tempo: {word}.", f"{_capital(word)}.", f"Play it {word}.")
        orders.append(pick(rng, forms))
    if stated.bars is not None:
        bars = phrase.bars(stated.bars, rng)
        orders.append(
            pick(
                rng,
                (
                    f"{_capital(bars)}.",
                    f"Make it {bars} long.",
                    f"It should last {bars}.",
                    f"{_capital(bars)} will do.",
                ),
            )
        )
    return " ".join([first, *clause.shuffled(orders, rng)])


def tagged(stated: Attributes, rng: np.random.Generator) -> str:
    """ "rock, dark, electric guitar, drums, 120 bpm, E minor": tags, or named fields."""
    fields: dict[str, str] = {}
    named = rng.random() < 0.3
    if stated.genres:
        fields["genres"] = ", ".join(phrase.genre(name, rng) for name in stated.genres)
    if stated.moods:
        fields["moods"] = ", ".join(phrase.mood(name, rng) for name in stated.moods)
    names = clause.players(stated, rng)
    if names:
        fields["players"] = ", ".join(names)
    if stated.drums is False:
        fields["drums"] = pick(rng, ("none", "no")) if named else "no drums"
    if stated.key is not None:
        fields["key"] = phrase.key(stated.key, rng, short=0.2)
    number = phrase.bpm(stated.tempo_bpm, rng) if stated.tempo_bpm is not None else ""
    word = stated.tempo_word or ""
    if number or word:
        fields["tempo"] = f"{word} ({number})" if word and number else number or (word if named else f"{word} tempo")
    if stated.meter is not None:
        fields["meter"] = phrase.meter(stated.meter) if named else phrase.time(stated.meter, rng)
    if stated.bars is not None:
        fields["bars"] = phrase.bars(stated.bars, rng)
    order = clause.shuffled(list(fields), rng)
    if not named:
        return pick(rng, (", ", ", ", ", ", " / ", " | ", "; ", " - ", "\n")).join(fields[name] for name in order)
    colon = pick(rng, (": ", ": ", ": ", " = ", "="))
    return pick(rng, (". ", "; ", "\n", "\n", ", ")).join(
        f"{pick(rng, _NAMES[name])}{colon}{fields[name]}" for name in order
    )


def _fragments(stated: Attributes, rng: np.random.Generator, *, tempo_said: bool) -> list[str]:
    """Loose facts to put behind the first words, in random order."""
    parts: list[str] = []
    if stated.key is not None:
        key = phrase.key(stated.key, rng, short=0.3)
        parts.append(pick(rng, (f"in {key}", f"in {key}", key, f"key of {key}")))
    if stated.tempo_bpm is not None:
        bpm = phrase.bpm(stated.tempo_bpm, rng)
        parts.append(
            pick(rng, (bpm, bpm, f"at {bpm}", phrase.mark(stated.tempo_bpm, rng), f"at {round(stated.tempo_bpm)}"))
        )
    if stated.tempo_word is not None and not tempo_said:
        parts.append(
            pick(rng, (stated.tempo_word, stated.tempo_word, f"{stated.tempo_word} tempo", f"{stated.tempo_word} pace"))
        )
    if stated.meter is not None:
        time = phrase.time(stated.meter, rng)
        parts.append(pick(rng, (f"in {time}", time, phrase.meter(stated.meter))))
    if stated.bars is not None:
        parts.append(phrase.bars(stated.bars, rng))
    if stated.drums is False:
        parts.append(clause.no_drums(rng))
    return clause.shuffled(parts, rng)


def _about(head: str, stated: Attributes, rng: np.random.Generator) -> str:
    """A few words around adjectives and genres, without players."""
    forms = [head, head, head, f"{head} music", f"some {head}", f"something {head}", f"{head} vibe", f"{head} feel"]
    if stated.genres:
        forms += [
            f"{head} style",
            f"something like {phrase.with_article(head)}",
            f"a bit of {head}",
            f"instrumental {head}",
        ]
    else:
        forms += [
            f"something that sounds {head}",
            f"{head} mood",
            f"{head} background",
            f"{phrase.with_article(head)} one",
        ]
    return pick(rng, forms)


def _listed(names: list[str], rng: np.random.Generator) -> str:
    if len(names) > 1 and rng.random() < 0.35:
        return pick(rng, (", ", ", ", " + ", " & ")).join(names)
    return phrase.joined(names)


def _before_noun(head: str, name: str) -> str:
    """ "sad waltz" and "piano" -> "sad piano waltz"."""
    first, _, noun = head.rpartition(" ")
    return " ".join(word for word in (first, name.removeprefix("a "), noun) if word)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
