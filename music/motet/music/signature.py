"""Finding the key and the time signature that a text asks for."""

from __future__ import annotations

import re
from typing import Final

from motet.music.key import Key, Mode
from motet.music.meter import Meter
from motet.music.phrase import Found, Vocabulary, Words

_STEPS: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTALS: Final = {"#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
_MODES: Final[dict[str, Mode]] = {
    "major": "major", "maj": "major", "dur": "major", "ionian": "major", "lydian": "major", "mixolydian": "major",
    "minor": "minor", "min": "minor", "moll": "minor", "aeolian": "minor", "dorian": "minor", "phrygian": "minor",
    "m": "minor",
}  # fmt: skip

_TONIC: Final = r"(?<![\w#♯♭/])(?P<step>[A-Ga-g])(?:(?P<sign>[#♯♭b])|[\s-]?(?P<word>sharp|flat)(?![a-z]))?"
_NAMED: Final = re.compile(
    _TONIC + r"[\s-]*(?P<quality>(?:natural|harmonic|melodic)\s+)?(?P<mode>major|minor|maj\b|min\b|moll|dur\b|ionian"
    r"|dorian|phrygian|lydian|mixolydian|aeolian)(?![\w#/])",
    re.IGNORECASE,
)
# "in G", "key of Bb", "in F#m": a bare letter counts only there and only in upper case (but for its flat sign).
_BARE: Final = re.compile(
    r"(?P<lead>\b[Kk]ey(?:\s+(?:of|is)|\s*[:=])?|\b[Ii]n(?:\s+the\s+key\s+of)?)\s+"
    r"(?<![\w#♯♭/])(?P<step>[A-G])(?:(?P<sign>[#♯♭b])|[\s-]?(?P<word>sharp|flat)(?![a-z]))?(?P<mode>m|min)?(?![\w#♯♭/+°])"
)
# "C#m", "bbm": a key where no other chord stands beside it; lower case needs a sign ("cm" is a length), "Am" a list.
_SHORT: Final = re.compile(r"(?<![\w#♯♭/])(?P<step>[A-Ga-g])(?P<sign>[#♯♭b])?(?P<word>)(?P<mode>m)(?![\w#♯♭/+°'’])")
_CHORD: Final = r"[A-G][#♯♭b]?(?:m|maj|min|dim|aug|sus)?\d*"
_CHORD_BEFORE: Final = re.compile(rf"(?<![A-Za-z]){_CHORD}\s*(?:[,\-–|/&]|\band|\bto)?\s*$")
_CHORD_AFTER: Final = re.compile(rf"\s*(?:[,\-–|/&]|and\b|to\b)?\s*(?:and\s+)?(?!A\s+[a-z]){_CHORD}(?![A-Za-z])")
_LOWER_BARE: Final = re.compile(
    r"\b(?:key(?:\s+of|\s+is|\s*[:=])?|in(?:\s+the\s+key\s+of)?)\s+(?<![\w#♯♭/])"
    r"(?P<step>[a-g])(?:(?P<sign>[#♯♭b])|[\s-]?(?P<word>sharp|flat)(?![a-z]))?(?P<mode>m)?(?![\w#♯♭/+°'’])"
)
_ITEM_STARTS: Final = re.compile(r"(?:^|[,;:|(\n])\s*$")
_ITEM_ENDS: Final = re.compile(r"\s*(?:$|[,;|)\n.])")
_LIST_GOES_ON: Final = re.compile(
    r"\s*(?:,|-|–|and\b|to\b|&)\s*(?:and\s+)?[A-G][#♯♭b]?(?:m|maj|min|dim|aug|sus)?\d*(?![a-z])"
)
_CHORDS: Final = re.compile(
    r"\b(?:chords?|progressions?|sequence|harmon(?!ica)\w+|vamp\w*|turnaround)\b", re.IGNORECASE
)
_KEY_LEAD: Final = re.compile(
    r"\b(?:in|key|of|is|to|from|key:|tonality:?|tonic:?|scale:?|set|around)\s+(?:the\s+)?(?:key\s+of\s+)?$",
    re.IGNORECASE,
)
_IN_KEY: Final = re.compile(
    r"(?:\bin\s+(?:the\s+)?(?:(?:overall\s+)?key\s+of\s+)?|\bkey\s*(?:of|is|:)\s*)$", re.IGNORECASE
)
_SENTENCE: Final = re.compile(r"[.;!?](?=\s|$)")

_FRACTION: Final = re.compile(r"(?<![\w/.])(\d{1,2})\s?/\s?(\d{1,2})(?![\w/]|\.\d)")
_METER_WORD: Final = re.compile(
    r"\s*-?\s*(?:time|meter|metre|beat|signature|groove|feel|rhythm|tempo|bar|swing)", re.IGNORECASE
)
_NOTE_VALUE: Final = re.compile(r"\s*-?\s*(?:notes?|steps?|triplets?|tone|quantiz)", re.IGNORECASE)
_SPOKEN: Final = re.compile(
    r"\b(two|three|four|five|six|seven|nine|twelve|[2-9]|12)[\s-](two|four|eight|[248])[\s-]"
    r"(?:time(?:\s+signature)?|meter|metre|beat|signature)\b",
    re.IGNORECASE,
)
# Without "time" the hyphen or "in" tells "three-four" from two numbers.
_SPOKEN_ALONE: Final = re.compile(
    r"(?:\b(two|three|four|five|six)-(four)|\b(six|seven|nine|twelve)-(eight)"
    r"|(?<=\bin )(two|three|four|five|six) (four)|(?<=\bin )(six|seven|nine|twelve) (eight))\b"
    r"(?!\s*-?\s*(?:bars?|measures?|beats?\b|notes?|voices?|parts?|players?|hundred))",
    re.IGNORECASE,
)
_COUNTS: Final = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "twelve": 12,
}  # fmt: skip
_NAMES: Final[Vocabulary[Meter]] = Vocabulary(
    {
        "common time": Meter(4, 4),
        "common meter": Meter(4, 4),
        "quadruple meter": Meter(4, 4),
        "quadruple time": Meter(4, 4),
        "cut time": Meter(2, 2),
        "cut common time": Meter(2, 2),
        "alla breve": Meter(2, 2),
        "waltz time": Meter(3, 4),
        "waltz meter": Meter(3, 4),
        "waltz rhythm": Meter(3, 4),
        "waltz feel": Meter(3, 4),
        "triple meter": Meter(3, 4),
        "triple time": Meter(3, 4),
        "three quarter time": Meter(3, 4),
        "four quarter time": Meter(4, 4),
        "two quarter time": Meter(2, 4),
        "duple meter": Meter(2, 4),
        "march time": Meter(2, 4),
        "compound duple": Meter(6, 8),
        "jig time": Meter(6, 8),
    }
)
_FORMS: Final = {
    "waltz": Meter(3, 4), "mazurka": Meter(3, 4), "minuet": Meter(3, 4), "polonaise": Meter(3, 4),
    "jig": Meter(6, 8), "polka": Meter(2, 4),
}  # fmt: skip


def find_key(words: Words) -> Key | None:
    """The key that a text states: "F# minor", "D-flat major", "in the key of G", "in Am"; never a chord of a list.

    Dorian, Phrygian and Aeolian count as minor, the other church modes as major.
    """
    return next((found.value for found in key_phrases(words) if not found.negated), None)


def key_phrases(words: Words) -> list[Found[Key]]:
    """All phrases that name a key, see ``find_key``, the one that counts first, negated ones included."""
    text = words.text
    ranked: list[tuple[int, Found[Key]]] = []

    def add(rank: int, match: re.Match[str]) -> None:
        ranked.append((rank, words.found(_key(match), match.start("step"), match.end())))

    for match in _NAMED.finditer(text):
        if not _is_article(text, match) and not _is_chord(text, match):
            add(0 if _IN_KEY.search(text, 0, match.start()) else 1, match)
    for match in _BARE.finditer(text):
        goes_on = _LIST_GOES_ON.match(text, match.end()) is not None
        spelled = _NAMED.match(text, match.start("step")) is not None
        sure = "key" in match["lead"].lower() or _ends_there(text, match.end())
        if sure and not goes_on and not spelled:
            add(2, match)
    for match in _LOWER_BARE.finditer(text):
        # "in a" is an article; any other small letter counts where the phrase ends.
        clear = match["sign"] or match["word"] or match["mode"] or (match["step"] != "a" and match["step"] != "b")
        spelled = _NAMED.match(text, match.start("step")) is not None
        if clear and not spelled and _ends_there(text, match.end()):
            add(2, match)
    for match in _SHORT.finditer(text):
        if _stands_alone(text, match):
            add(3, match)
    return [found for _, found in sorted(ranked, key=lambda item: (item[0], item[1].start))]


def find_meter(words: Words) -> Meter | None:
    """The time signature that a text states: "6/8", "six-eight time", "common time", "waltz time"."""
    return next((found.value for found in meter_phrases(words) if not found.negated), None)


def meter_phrases(words: Words) -> list[Found[Meter]]:
    """All phrases that state a time signature, see ``find_meter``, the surest first, negated ones included."""
    text = words.text
    sure: list[Found[Meter]] = []
    unsure: list[Found[Meter]] = []
    for match in _FRACTION.finditer(text):
        numerator, denominator = int(match[1]), int(match[2])
        if _NOTE_VALUE.match(text, match.end()):
            continue
        if not 1 <= numerator <= 64 or denominator not in (1, 2, 4, 8, 16, 32):
            continue
        named = _METER_WORD.match(text, match.end()) or re.search(
            r"(?:signature|meter|metre|time)\W+(?:of\s+|is\s+|in\s+)?$", text[: match.start()], re.IGNORECASE
        )
        if named or (numerator >= 2 and denominator >= 2):
            group = sure if named else unsure
            group.append(words.found(Meter(numerator, denominator), match.start(), match.end()))
    for pattern in (_SPOKEN, _SPOKEN_ALONE):
        for match in pattern.finditer(text):
            top, bottom = (int(part) if part.isdigit() else _COUNTS[part.lower()] for part in match.groups() if part)
            sure.append(words.found(Meter(top, bottom), match.start(), match.end()))
    return [*sure, *_NAMES.find(words), *unsure]


def meter_of_form(genres: tuple[str, ...]) -> Meter | None:
    """The time signature that a dance implies (a waltz is in 3/4), None when no genre implies one."""
    return next((_FORMS[genre] for genre in genres if genre in _FORMS), None)


def _key(match: re.Match[str]) -> Key:
    sign = match["sign"] or match["word"]
    mode = _MODES[match["mode"].lower()] if match["mode"] else "major"
    return Key((_STEPS[match["step"].lower()] + _ACCIDENTALS.get((sign or "").lower(), 0)) % 12, mode)


def _is_article(text: str, match: re.Match[str]) -> bool:
    """Whether the "tonic" is the article "a": "in a minor key", "a major role"."""
    if match["step"].lower() != "a" or match["sign"] or match["word"]:
        return False
    if _ITEM_STARTS.search(text[: match.start()]) and _ITEM_ENDS.match(text, match.end()):
        return False  # "piano, a minor, slow"
    following = re.match(r"\s*(\w+)", text[match.end() :])
    noun = following is not None and re.match(
        r"(?:key|scale|mode|tonality|chord|sound|feel|mood|role|part|hit|setback|change|tone|third|seventh|melody|shift"
        r"|variation|influence|element|twist|label|theme)s?$",
        following[1],
    )
    if match["step"] == "a":
        return bool(noun) or not _KEY_LEAD.search(text[: match.start()])
    starts_sentence = re.search(r"(?:^|[.!?\n])\s*$", text[: match.start()]) is not None
    return bool(noun) and starts_sentence


def _is_chord(text: str, match: re.Match[str]) -> bool:
    """Whether a named key stands in a list of chords."""
    before = text[: match.start()]
    ends = [end.end() for end in _SENTENCE.finditer(before)]
    clause = before[ends[-1] :] if ends else before
    if re.match(r"\s*(?:chords?|triads?)\b", text[match.end() :], re.IGNORECASE):
        return True
    if re.match(r"\s*(?:key|tonality)\b", text[match.end() :], re.IGNORECASE):
        return False
    return _CHORDS.search(clause) is not None and _IN_KEY.search(clause) is None


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    """Whether a short name such as "C#m" is a key: no chord stands beside it, and its clause speaks of no chords."""
    if _CHORDS.search(text) or _CHORD_AFTER.match(text, match.end()) or _CHORD_BEFORE.search(text[: match.start()]):
        return False
    if match["step"].islower() and not match["sign"]:
        return False
    if match["step"] + (match["sign"] or "") == "A":  # "Am I happy?"
        return re.match(r"\s*(?:$|[,;:|)\n.]|\d|at\b|in\b)", text[match.end() :]) is not None
    return True


def _ends_there(text: str, end: int) -> bool:
    """Whether a phrase is over at ``end``: punctuation, the end, or a word that cannot go on with a bare letter."""
    return (
        re.match(
            r"\s*(?:$|[.,;:!?)\n]|(?:at|with|for|and|in|featuring|by|about|on|around|is|that|which|to|played|using)\b)",
            text[end:],
        )
        is not None
    )
