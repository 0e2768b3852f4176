"""Degenerate pieces: rules by which anybody would say that something went wrong.

Each limit is set where human music almost never is; the report shows how often it is there all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from motet.training.realism.excerpt import Excerpt

FEWEST_NOTES: Final = 8
"""Two bars of a slow tune; windows of the corpus hold at least twelve."""
STUCK_PITCH: Final = 0.6
"""Share of the pitched notes of the commonest pitch: drones and recitation stay below it."""
STUCK_CHORD: Final = 0.75
"""Share of the chords that are the commonest one, where there are at least eight: a vamp has two."""
FEWEST_CHORDS: Final = 8
EMPTY_BARS: Final = 0.5
"""Share of bars without an onset; windows of the corpus hold at most one such bar."""
EARLY_BARS: Final = 2
"""Whole bars of silence at the end: a last note may ring for some bars, a rest does not last so long."""
LOOP_BARS: Final = 4
"""Bars from which on one and the same bar throughout is a loop; drums alone may do it, and are not looked at."""
PILE: Final = 24
"""Notes at once: more than two hands and a band."""


def _few_notes(excerpt: Excerpt) -> bool:
    return len(excerpt.score) < FEWEST_NOTES


def _stuck_pitch(excerpt: Excerpt) -> bool:
    pitch = excerpt.score.pitch[excerpt.pitched]
    return len(pitch) >= FEWEST_NOTES and int(np.bincount(pitch).max()) > STUCK_PITCH * len(pitch)


def _stuck_chord(excerpt: Excerpt) -> bool:
    score = excerpt.score.select(excerpt.pitched)
    _, first = np.unique(score.onset, return_index=True)
    chords = [tuple(np.unique(part)) for part in np.split(score.pitch, first[1:])]
    chords = [chord for chord in chords if len(chord) >= 2]
    return len(chords) >= FEWEST_CHORDS and max(map(chords.count, set(chords))) > STUCK_CHORD * len(chords)


def _mostly_empty(excerpt: Excerpt) -> bool:
    return len(np.unique(excerpt.bar)) < (1 - EMPTY_BARS) * excerpt.bars


def _ends_early(excerpt: Excerpt) -> bool:
    return excerpt.score.end_tick <= int(excerpt.edges[max(excerpt.bars - EARLY_BARS, 0)])


def _loop(excerpt: Excerpt) -> bool:
    if excerpt.bars < LOOP_BARS or not excerpt.pitched.any():
        return False
    score, bar, place = (
        excerpt.score.select(excerpt.pitched),
        excerpt.bar[excerpt.pitched],
        excerpt.place[excerpt.pitched],
    )
    played = (score.program.astype(np.int64) * 2**12 + place) * 128 + score.pitch
    return len({tuple(np.unique(played[bar == each])) for each in range(excerpt.bars)}) == 1


def _pile(excerpt: Excerpt) -> bool:
    score = excerpt.score.select(excerpt.pitched)
    ends = np.sort(score.onset + score.duration)
    ended = np.searchsorted(ends, score.onset, side="right")
    started = np.searchsorted(score.onset, score.onset, side="right")
    return bool(np.any(started - ended > PILE))


RULES: Final[dict[str, Callable[[Excerpt], bool]]] = {
    f"fewer than {FEWEST_NOTES} notes": _few_notes,
    f"one pitch is over {STUCK_PITCH:.0%} of the notes": _stuck_pitch,
    f"one chord is over {STUCK_CHORD:.0%} of the chords": _stuck_chord,
    f"no onset in over {EMPTY_BARS:.0%} of the bars": _mostly_empty,
    f"silent for the last {EARLY_BARS} bars": _ends_early,
    f"one bar throughout, {LOOP_BARS} bars or more": _loop,
    f"over {PILE} notes at once": _pile,
}
"""Each says whether an excerpt is degenerate in one way."""


def found(excerpt: Excerpt) -> frozenset[str]:
    """The names of the rules that an excerpt breaks; empty for a good one."""
    return frozenset(name for name, rule in RULES.items() if rule(excerpt))
