"""Contests: some entries, each a piece under a caption, with what is known of their order and votes between them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

from motet.music.caption import Caption
from motet.music.error import InvalidInputError
from motet.music.score import Score

Column = Literal["alignment", "musicality"]
COLUMNS: Final[tuple[Column, ...]] = ("alignment", "musicality")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A piece under a caption.

    Args:
        score: the piece.
        caption: that it is judged against.
    """

    score: Score
    caption: Caption

    @property
    def key(self) -> str:
        """Equal for equal notes, tempi, meters and words, and for no others: 32 hexadecimal digits."""
        digest = hashlib.sha256()
        score = self.score
        for column in (score.onset, score.duration, score.pitch, score.velocity, score.program, score.track):
            digest.update(column.tobytes() + b"|")
        digest.update(score.tempo_tick.tobytes() + score.tempo_bpm.tobytes() + score.meter_tick.tobytes())
        digest.update(f"{score.ppq}|{[str(meter) for meter in score.meters]}|{self.caption.text}".encode())
        return digest.hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Vote:
    """A comparison of two entries of a contest.

    Args:
        first, second: places of the entries.
        preference: 1 for the first, 0 for the second, one half for neither.
    """

    first: int
    second: int
    preference: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contest:
    """Entries to be ranked.

    Args:
        column: what is asked: alignment with the caption or musicality.
        task: which of the bench's tasks it belongs to, such as "swaps".
        kind: what the task is divided into, such as the attribute that is swapped.
        song: what it depends on; intervals are from draws of whole songs.
        entries: two or more.
        levels: what the entries are worth, as far as is known; higher is better.
        votes: comparisons that are counted.
        controls: where the words alone might tell: the entries with the music of another song, else empty.
        family: of kinds, such as "near"; empty for none.
    """

    column: Column
    task: str
    kind: str
    song: str
    entries: tuple[Entry, ...]
    levels: tuple[float, ...]
    votes: tuple[Vote, ...]
    controls: tuple[Entry, ...] = ()
    family: str = ""

    def __post_init__(self) -> None:
        if len(self.entries) != len(self.levels):
            raise InvalidInputError.of("contest.levels", "must be one for each entry", len(self.levels))
        if self.controls and len(self.controls) != len(self.entries):
            raise InvalidInputError.of("contest.controls", "must be none or one for each entry", len(self.controls))


def every_pair(levels: Sequence[float]) -> tuple[Vote, ...]:
    """A vote for the better one of every two entries that are not worth the same; the earlier entry comes first."""
    pairs = combinations(range(len(levels)), 2)
    return tuple(Vote(a, b, float(levels[a] > levels[b])) for a, b in pairs if levels[a] != levels[b])


def all_entries(contests: Iterable[Contest]) -> dict[str, Entry]:
    """Every entry of the contests and their controls once, by its key."""
    return {entry.key: entry for contest in contests for entry in (*contest.entries, *contest.controls)}
