"""Captions: validated text, and the attributes that it asks for."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from motet.music import density, genre, instrument, length, mood, signature, tempo
from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError
from motet.music.phrase import Words

MAX_CHARACTERS: Final = 2000

_LAYOUT: Final = frozenset("\t\n\r")
# Instrument phrases that name a genre as well: their words count for both.
_ALSO_GENRES: Final = frozenset(["jazz", "blues", "flamenco", "metal", "funk", "gospel", "drum"])


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and what it asks for; made by ``parse``.

    Args:
        text: the caption as given, without white space around it.
        attributes: the attributes that the text states.
    """

    text: str
    attributes: Attributes


def parse(text: str) -> Caption:
    """A validated caption with its attributes; raises what ``check`` raises."""
    check(text)
    text = text.strip()
    return Caption(text, parse_attributes(text))


def check(text: str) -> None:
    """Makes sure that a text can be a caption.

    Raises:
        InvalidInputError: not a string, blank, longer than 2000 characters, not encodable as UTF-8 (lone surrogates),
            or with control characters other than tab and line ends.
    """
    if not isinstance(text, str):
        raise InvalidInputError.of("caption", "must be text", text)
    if not text.strip():
        raise InvalidInputError.of("caption", "must not be empty", text, reason="CAPTION_EMPTY")
    if len(text) > MAX_CHARACTERS:
        rule = f"must have at most {MAX_CHARACTERS} characters"
        raise InvalidInputError.of("caption", rule, f"{len(text)} characters", reason="CAPTION_TOO_LONG")
    for position, character in enumerate(text):
        category = unicodedata.category(character)
        if category == "Cs" or (category == "Cc" and character not in _LAYOUT):
            rule = "must be valid UTF-8 text without control characters"
            shown = f"U+{ord(character):04X} at character {position}"
            raise InvalidInputError.of("caption", rule, shown, reason="CAPTION_NOT_TEXT")


def parse_attributes(text: str) -> Attributes:
    """The attributes that a text states; what it does not state, or denies ("no drums" apart), is left open.

    A dance implies its meter unless another is stated: a waltz is in 3/4.
    """
    words = Words(unicodedata.normalize("NFC", text))
    instruments = instrument.find(words)
    spoken_for: set[int] = set()  # words of longer phrases: "bright piano" is no mood, "church organ" no genre
    for player in instruments.phrases:
        inside = range(player.first, player.last + 1)
        if len(inside) > 1 and not _ALSO_GENRES & set(words.lower[player.first : player.last + 1]):
            spoken_for.update(inside)
    kinds = genre.find(words, skip=spoken_for)
    for kind in kinds:
        if kind.last > kind.first:
            spoken_for.update(range(kind.first, kind.last + 1))
    textures = density.find(words, players=instruments.phrases)
    thickness = {index for one in textures for index in range(one.first, one.last + 1)}  # "moderate density"
    genres = tuple(dict.fromkeys(kind.value for kind in kinds))
    return Attributes(
        tempo_bpm=tempo.find_bpm(words),
        tempo_word=tempo.find_word(words, skip=thickness),
        key=signature.find_key(words),
        meter=signature.find_meter(words) or signature.meter_of_form(genres),
        instruments=instruments.programs,
        drums=instruments.drums,
        density=next((one.value for one in textures if not one.negated), None),
        genres=genres,
        moods=mood.find(words, skip=spoken_for),
        bars=length.find_bars(words),
        duration_s=length.find_duration_s(words),
        families=instruments.families,
    )
