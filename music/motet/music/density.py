"""Density: how many notes begin in a second, the words for it, and finding what a text asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from motet.music.phrase import Found, Vocabulary, Words
from motet.music.score import Score

DENSITY_WORDS: Final[dict[str, tuple[float, float]]] = {
    "very sparse": (0.0, 1.6),
    "sparse": (0.0, 3.0),
    "moderate": (3.0, 5.6),
    "dense": (5.6, float("inf")),
    "very dense": (8.3, float("inf")),
}
"""Canonical word to (lowest, highest) onsets a second, see ``onsets_per_second``.

The bounds are the 5th, 25th, 75th and 95th percentile of 5,000 windows drawn from the training corpus (median 4.2).
Onsets rather than notes, as they hardly depend on the number of players: the medians are 3.7 for one player and 4.2 for
eight, those of notes a second 6.4 and 20.6.
"""

CHORD_S: Final = 0.03
"""Notes that begin within so many seconds are heard as one chord: players are not exact."""

_PHRASES: Final = {
    "very sparse": "very sparse|extremely sparse|really sparse|very few notes|extremely thin|very thin|almost empty"
    "|hardly any notes|barely any notes|ultra sparse|as few notes as possible|very low note density|bare bones",
    "sparse": "sparse|sparsely|few notes|a few notes|fewer notes|thin|thinly|thin texture|light texture|sparse texture"
    "|uncluttered|low density|low note density|minimal texture|minimal arrangement|spare texture"
    "|spare arrangement",
    "moderate": "moderate density|medium density|moderately dense|moderately busy|moderate note density"
    "|medium note density|moderate texture|medium texture|fairly dense|fairly busy|moderately sparse",
    "dense": "dense|densely|busy|many notes|lots of notes|a lot of notes|plenty of notes|full of notes|note heavy"
    "|packed with notes|high density|high note density|thick texture|thick arrangement|more notes|crowded texture"
    "|rich in notes|flurry of notes|flurries of notes|notey",
    "very dense": "very dense|extremely dense|really dense|very busy|extremely busy|really busy|super dense|super busy"
    "|very many notes|an awful lot of notes|as many notes as possible|very high note density|wall of notes"
    "|torrent of notes|ultra dense",
    "": "thin sound|thin tone|thin sounding|thin voice|busy street|busy streets|busy city",
}  # the last line: phrases that say nothing about the notes
_VOCABULARY: Final[Vocabulary[str]] = Vocabulary(
    {phrase: word for word, phrases in _PHRASES.items() for phrase in phrases.split("|")}
)


def onsets_per_second(score: Score) -> float:
    """Distinct onsets a second (a chord counts once) from the first to the end of the last note; 0 without notes."""
    if not len(score):
        return 0.0
    times = score.seconds(score.onset)
    span = score.duration_s - float(times[0])
    count, last = 0, -CHORD_S
    for time in np.unique(times).tolist():
        if time - last >= CHORD_S:
            count, last = count + 1, time
    return count / span


def word_of(onsets: float) -> str:
    """The narrowest word for a number of onsets a second."""
    for word in ("very sparse", "sparse", "moderate"):
        if onsets < DENSITY_WORDS[word][1]:
            return word
    return "dense" if onsets < DENSITY_WORDS["very dense"][0] else "very dense"


def find(words: Words, *, players: Sequence[Found[Any]] = ()) -> list[Found[str]]:
    """The phrases that say how dense the whole music is, each with its canonical word, negated ones included.

    Args:
        words: of the text.
        players: the instruments found in it; what stands directly before one of several ("busy drums") is left out.
    """
    starts = {player.first for player in players} if len(players) > 1 else set()
    return [found for found in _VOCABULARY.find(words) if found.value and found.last + 1 not in starts]
