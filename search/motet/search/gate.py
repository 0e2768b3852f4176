"""The gate: whether a rewritten caption may stand in for the original one.

It admits only what it can account for. Every word of the original must still be said, in the same words, in listed
synonyms or as the same value; every word that is new must state a detail that the original leaves open, or mean
nothing. A word that the gate does not know might say anything, so it is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from motet.music import genre
from motet.music.attributes import Attributes
from motet.music.caption import Caption
from motet.music.instrument import SPOKEN_NAMES
from motet.music.key import Key
from motet.music.score import DRUMS
from motet.music.signature import meter_of_form
from motet.music.tempo import PLAIN_WORDS, TEMPO_WORDS
from motet.search import wording
from motet.search.reading import EXACT, NAMED, Reading, Token, close

_PUNCTUATION = re.compile(r"[^\w\s.,;:!?'\"’‘“”()&/#♯♭–—-]")
_SINGLE = ("tempo_bpm", "key", "meter", "bars", "duration_s", "drums", "density")
_MANY = ("genres", "moods")
_SPARE_TOKENS = 40
_VOICES = frozenset((52, 53, 54))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a mutant may stand in for a caption, and if not, what is wrong with it."""

    admitted: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.admitted


def admits(original: Caption, mutant: Caption) -> Verdict:
    """Admits a mutant that says all that the original says and nothing against it.

    Refused are a dropped attribute or word; another value of what the original states, wherever in the mutant it
    stands; a detail that does not go with the rest (a tempo outside the stated tempo word, a player beside those who
    are wanted alone); a denial that is gone or new; parts of the piece in another order; and words that nothing is
    known of. Details that the original leaves open may be added.
    """
    before, after = close(original), close(mutant)
    problems = _problems(original.attributes, mutant.attributes, before, after)
    return next((Verdict(False, problem) for problem in problems), Verdict(True))


def _problems(asked: Attributes, said: Attributes, before: Reading, after: Reading) -> Iterator[str]:
    yield from _lost_attributes(asked, said, before)
    yield from _lost_words(before, after)
    yield from _denials(asked, before, after)
    yield from _order(before, after)
    yield from _strange_words(before, after)
    yield from _tempo(asked, before, after)
    yield from _other_details(asked, before, after)
    yield from _players(asked, said, before, after)


def _lost_attributes(asked: Attributes, said: Attributes, before: Reading) -> Iterator[str]:
    """What the parser reads in the original and not, or not so, in the mutant."""
    for name in _SINGLE:
        wanted, value = getattr(asked, name), getattr(said, name)
        if wanted is not None and wanted != value:
            lost = f"drops {name}: {wanted}"
            yield lost if value is None else f"contradicts {name}: {value} instead of {wanted}"
    for name in _MANY:
        missing = [item for item in getattr(asked, name) if item not in getattr(said, name)]
        if missing:
            yield f"drops {name}: {', '.join(missing)}"
    if asked.tempo_word is not None and said.tempo_word is None:
        yield f"drops tempo_word: {asked.tempo_word}"
    missing_players = set(asked.instruments) - set(said.instruments)
    if missing_players:
        yield f"drops instruments: {_spoken(missing_players)}"


def _lost_words(before: Reading, after: Reading) -> Iterator[str]:
    wanted = Counter(token.name for token in before.tokens)
    given = Counter(token.name for token in after.tokens)
    lost = [name for name, count in wanted.items() if given[name] < (1 if ":" in name else count)]
    if lost:
        yield f"drops words: {', '.join(sorted(lost))}"


def _denials(asked: Attributes, before: Reading, after: Reading) -> Iterator[str]:
    new = sorted(after.denied - before.denied)
    if new:
        yield f"adds a negation: {', '.join(new)}"
    gone = sorted(before.denied - after.denied)
    if gone:
        yield f"no longer denies: {', '.join(gone)}"
    affirmed = Counter(token.name for token in after.tokens if not token.negated)
    affirmed -= Counter(token.name for token in before.tokens if not token.negated)
    turned = sorted(before.denied & set(affirmed))
    if turned:
        yield f"states what is denied: {', '.join(turned)}"
    if "drums:False" in after.names - before.names and asked.drums is not False:
        yield "adds a negation: drums"
    unwanted = {kind for name in before.denied if (kind := genre.canonical(name))}
    for kind in after.values("genres") - before.values("genres"):
        if any(kind in school and unwanted & school for school in wording.SCHOOLS):
            yield f"states what is denied: {kind}"
    for name in (*EXACT, *NAMED):
        denied = before.values(name, negated=True) - before.values(name)
        if name != "instruments" and denied & after.values(name):
            yield f"states what is denied: {name}"


def _order(before: Reading, after: Reading) -> Iterator[str]:
    """Whether words that belong to each other, or come after each other, have changed places."""
    names = [token.name for token in after.tokens]
    if before.names & wording.ORDERING and not _within([token.name for token in before.tokens], names):
        yield "changes the order of what happens"
    sentences: dict[int, list[Token]] = {}
    for token in before.tokens:
        sentences.setdefault(token.sentence, []).append(token)
    for tokens in sentences.values():
        if _is_bound(before, tokens) and not _within([token.name for token in tokens], names):
            yield "changes what words belong to: " + " ".join(token.name for token in tokens[:6])


def _is_bound(reading: Reading, tokens: list[Token]) -> bool:
    """Whether a sentence gives names of chords, two values of one attribute, or two players words of their own."""
    if any(token.name in wording.CHORDS for token in tokens):
        return True
    inside = {index for token in tokens for index in token.words}
    for name in (*EXACT, "tempo_word", "density"):
        found = [*reading.stated.get(name, ()), *reading.named.get(name, ())]
        if len({one.value for one in found if one.first in inside}) > 1:
            return True
    players = reading.covered("instruments")
    named = sum(one.first in inside for one in reading.named["instruments"])
    if named > 1 and any(token.name in wording.ROLES or token.name in wording.ALONE for token in tokens):
        return True
    starts = {one.first for one in reading.named["instruments"] if not one.negated and one.first in inside}
    described = {
        token.words[0] for token in tokens if token.words[-1] + 1 in starts and token.words[0] not in players
        and not reading.words.gap(token.words[-1]).strip(" -")
    }  # fmt: skip
    return len(described) > 1


def _within(wanted: list[str], given: list[str]) -> bool:
    """Whether ``wanted`` is ``given`` with some items left out."""
    rest = iter(given)
    return all(name in rest for name in wanted)


def _strange_words(before: Reading, after: Reading) -> Iterator[str]:
    signs = set(_PUNCTUATION.findall(after.text)) - set(_PUNCTUATION.findall(before.text))
    if signs:
        yield f"adds signs: {' '.join(sorted(signs))}"
    readable = {index for name in NAMED for index in after.covered(name)}
    known = before.names - wording.CUES - wording.ALONE - wording.ORDERING - set(wording.PARTIES)
    new = Counter(token.name for token in after.tokens) - Counter(token.name for token in before.tokens)
    strange = [
        token.name
        for token in after.tokens
        if new[token.name] and not token.exact and not readable.issuperset(token.words)
        and (token.name not in known or token.name.isdigit())
    ]  # fmt: skip
    if strange:
        yield f"adds words that nothing is known of: {', '.join(dict.fromkeys(strange))}"
    names = [token.name for token in after.tokens]
    if len(names) > 2 * len(before.tokens) + _SPARE_TOKENS or any(
        len(set(names[index : index + 3])) == 1 for index in range(len(names) - 2)
    ):
        yield "repeats itself"


def _tempo(asked: Attributes, before: Reading, after: Reading) -> Iterator[str]:
    wanted_bpm, wanted_words = before.values("tempo_bpm"), before.values("tempo_word")
    new_bpm = after.values("tempo_bpm") - wanted_bpm
    new_words = after.values("tempo_word") - wanted_words
    if not (new_bpm or new_words):
        return
    if wanted_bpm and new_bpm:
        yield f"contradicts tempo_bpm: {_listed(new_bpm)} beside {_listed(wanted_bpm)}"
    if len(new_bpm) > 1 or len(wanted_bpm) > 1:
        yield "adds a tempo to several"
    for bpm in new_bpm:
        if any(not _inside(bpm, word) for word in wanted_words | new_words):
            yield f"contradicts tempo_word: {bpm:g} bpm is not {_listed(wanted_words | new_words)}"
        if any(_inside(bpm, word) for word in before.values("tempo_word", negated=True)):
            yield f"states what is denied: {bpm:g} bpm"
        problem = _against_character(asked, before, bpm, bpm)
        if problem and not wanted_words:
            yield problem
    for word in new_words:
        if any(not _inside(bpm, word) for bpm in wanted_bpm | new_bpm):
            yield f"contradicts tempo_bpm: {word} beside {_listed(wanted_bpm | new_bpm)}"
        if any(not _together(word, other) for other in (wanted_words | new_words) - {word}):
            yield f"contradicts tempo_word: {word} beside {_listed((wanted_words | new_words) - {word})}"
        if any(_together(word, other) for other in before.values("tempo_word", negated=True)):
            yield f"states what is denied: {word}"
        problem = _against_character(asked, before, *TEMPO_WORDS[word])
        if problem and not wanted_words and not wanted_bpm:
            yield problem


def _against_character(asked: Attributes, before: Reading, low: float, high: float) -> str:
    """Why a tempo that nothing states does not go with a genre, a mood or a hint, or an empty string."""
    hints = before.names & ((wording.HASTE if low < 100 else set()) | (wording.REST if high > 100 else set()))
    if hints:
        return f"contradicts words: {low:g} to {high:g} bpm beside {_listed(set(hints))}"
    for name in asked.genres:
        slowest, fastest = wording.FORM_TEMPI.get(name, (0.0, 1000.0))
        if (low + high) / 2 < slowest or (low + high) / 2 > fastest:
            return f"contradicts genres: {low:g} to {high:g} bpm is no {name}"
    if high > 140 and wording.UNHURRIED & set(asked.moods) and not wording.DRIVEN & set(asked.moods):
        return f"contradicts moods: {high:g} bpm beside {_listed(set(asked.moods))}"
    if low < 70 and wording.DRIVEN & set(asked.moods) and not wording.UNHURRIED & set(asked.moods):
        return f"contradicts moods: {low:g} bpm beside {_listed(set(asked.moods))}"
    return ""


def _inside(bpm: float, word: str) -> bool:
    low, high = TEMPO_WORDS[word]
    return low <= bpm <= high


def _together(word: str, other: str) -> bool:
    """Whether two tempo words can be meant at once: the middle of one lies in the range of the other."""
    if word in PLAIN_WORDS and other in PLAIN_WORDS:
        return word == other
    return _inside(sum(TEMPO_WORDS[word]) / 2, other) or _inside(sum(TEMPO_WORDS[other]) / 2, word)


def _other_details(asked: Attributes, before: Reading, after: Reading) -> Iterator[str]:
    for name in ("key", "meter", "bars", "density"):
        wanted = before.values(name) | ({getattr(asked, name)} - {None})
        new = after.values(name) - wanted
        if new and (wanted or len(new) > 1):
            yield f"contradicts {name}: {_listed(new)} beside {_listed(wanted or new)}"
        reason = _unfit(name, next(iter(new)), asked, before) if new else ""
        if reason:
            yield f"contradicts {reason}: {_listed(new)}"
    forms = [form for name in after.values("genres") - before.values("genres") if (form := meter_of_form((name,)))]
    if asked.meter is not None and any(form != asked.meter for form in forms):
        yield f"contradicts meter: {_listed(set(forms))} beside {asked.meter}"
    spoken = {index for found in after.stated["meter"] for index in range(found.first, found.last + 1)}
    for found in after.named["genres"]:
        if found.value in before.values("genres") or spoken.issuperset(range(found.first, found.last + 1)):
            continue
        if asked.genres and not any({found.value, *asked.genres} <= school for school in wording.SCHOOLS):
            yield f"contradicts genres: {found.value} beside {_listed(set(asked.genres))}"
    added = after.values("genres") - before.values("genres")
    soft = wording.UNHURRIED & set(asked.moods) or asked.tempo_word in ("slow", "very slow")
    hard = wording.DRIVEN & set(asked.moods) or asked.tempo_word in ("fast", "very fast")
    if (soft and added & wording.HARSH) or (hard and added & wording.SOFT):
        yield f"contradicts the character: {_listed(added)}"
    for new in after.values("moods") - before.values("moods"):
        for one, other in wording.OPPOSED:
            if (new in one and other & set(asked.moods)) or (new in other and one & set(asked.moods)):
                yield f"contradicts moods: {new} beside {_listed(set(asked.moods))}"
        yield from _mood_against_tempo(new, asked)


def _mood_against_tempo(mood: str, asked: Attributes) -> Iterator[str]:
    low, high = (asked.tempo_bpm,) * 2 if asked.tempo_bpm else TEMPO_WORDS.get(asked.tempo_word or "", (80, 110))
    if (mood in wording.UNHURRIED and low >= 118) or (mood in wording.DRIVEN and high <= 80):
        yield f"contradicts tempo: {mood} beside {asked.tempo_word or asked.tempo_bpm}"


def _unfit(name: str, value: object, asked: Attributes, before: Reading) -> str:
    """What a new value does not go with, or an empty string."""
    if isinstance(value, Key) and ({"major", "minor"} & before.names) - {value.mode}:
        return "the mode"
    if name == "meter" and before.names & wording.IRREGULAR:
        return "the rhythm"
    if name == "bars" and (asked.duration_s is not None or before.names & wording.LENGTHS):
        return "the length"
    return ""


def _players(asked: Attributes, said: Attributes, before: Reading, after: Reading) -> Iterator[str]:
    phrases = [found for found in after.named["instruments"] if not found.negated]
    drums = any(DRUMS in found.value for found in phrases)
    if drums and asked.drums is False:
        yield "adds drums to a piece without them"
    known = {program for found in before.named["instruments"] if not found.negated for program in before.meant(found)}
    known.update(asked.instruments, *(family for _, family in asked.families))
    banned = {program for found in before.named["instruments"] if found.negated for program in before.meant(found)}
    new = {program for found in phrases for program in found.value} | set(said.instruments)
    new -= known | {DRUMS}
    if banned & new:
        yield f"adds players that are ruled out: {_spoken(banned & new)}"
    loud = drums and not asked.drums
    if not (before.names & (wording.ALONE | set(wording.PARTIES)) and (new or loud)):
        return
    party = max((wording.PARTIES[name] for name in before.names & set(wording.PARTIES)), default=1)
    sung = {"cappella", "capella", "acapella"} & before.names
    closed = asked.instruments or asked.drums or (sung and not new <= _VOICES) or (sung and loud)
    if closed or len(new) + loud > party:
        yield f"adds players to ones that are wanted alone: {_spoken(new) or 'drums'}"


def _spoken(programs: set[int]) -> str:
    return ", ".join(SPOKEN_NAMES[program] for program in sorted(programs - {DRUMS}))


def _listed(values: set[Any]) -> str:
    return ", ".join(sorted(f"{value:g}" if isinstance(value, float) else str(value) for value in values))
