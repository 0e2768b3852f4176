"""Scorebooks: what every reward says of every entry, kept in a file so that a bench that stopped goes on."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

import motet.rewards.reward
from motet.music.caption import Caption
from motet.music.error import InternalError
from motet.music.score import Score
from motet.rewards.reward import PlainReward, Reward
from motet.training.reward_bench.contest import COLUMNS, Column, Entry
from motet.training.reward_bench.journal import Journal

FILE: Final = "scores.jsonl"
SILENT: Final = 0.5
"""What counts for an entry that a reward does not judge."""

JUDGES: Final[Mapping[Column, str]] = MappingProxyType(
    {"alignment": "judge (alignment)", "musicality": "judge (musicality)"}
)
"""Names of the judge's two opinions, each in its column."""

Scorer = Callable[[Sequence[Score], Caption], Sequence[float | None]]
"""From scores and a caption to a number for each, None where it judges nothing."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Something that gives entries a number.

    Args:
        name: in tables.
        version: changes when its numbers may.
        score: gives the numbers; higher is better.
        columns: in which it is asked.
    """

    name: str
    version: str
    score: Scorer
    columns: tuple[Column, ...] = COLUMNS

    @classmethod
    def of(cls, name: str, reward: Reward) -> Source:
        """A registered reward; its version is that of all files of ``motet.rewards`` and of its own module."""

        def score(scores: Sequence[Score], caption: Caption) -> list[float | None]:
            return [None if one is None else one.value for one in reward.judge(scores, caption, complete=True)]

        maker = reward.function if isinstance(reward, PlainReward) else type(reward)
        return cls(name=name, version=version_of(maker), score=score)


def version_of(maker: Callable[..., object]) -> str:
    """A digest of the files of ``motet.rewards``, weights and all, and of the module of a class or a function."""
    folder = Path(motet.rewards.reward.__file__).parent
    files = {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    own = getattr(sys.modules.get(maker.__module__), "__file__", None)
    if own is not None:
        files.add(Path(own))
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


Book = Mapping[str, Mapping[str, float]]
"""Name of a reward -> key of an entry -> its number, NaN where the reward does not judge it."""


def fill(
    sources: Sequence[Source], entries: Mapping[str, Entry], folder: Path | None, progress: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """The numbers of all sources for all entries.

    Args:
        sources: that are asked.
        entries: by their keys.
        folder: keeps the numbers, and those that it has already are not asked for again; None keeps nothing.
        progress: is told how far it is.

    Raises InternalError for a number that is not finite.
    """
    versions = {source.name: source.version for source in sources}
    journal = Journal(None if folder is None else folder / FILE)
    book: dict[str, dict[str, float]] = {source.name: {} for source in sources}
    for name, version, key, value in journal.rows:
        if versions.get(name) == version and key in entries:
            book[name][key] = math.nan if value is None else value
    groups: dict[str, list[str]] = {}
    for key, entry in entries.items():
        groups.setdefault(entry.caption.text, []).append(key)
    for turn, keys in enumerate(groups.values(), 1):
        rows = []
        for source in sources:
            missing = [key for key in keys if key not in book[source.name]]
            if missing:
                found = source.score([entries[key].score for key in missing], entries[missing[0]].caption)
                for key, value in zip(missing, found, strict=True):
                    if value is not None and not math.isfinite(value):
                        raise InternalError("REWARD_NOT_FINITE", f"the reward {source.name!r} gave {value}")
                    book[source.name][key] = math.nan if value is None else float(value)
                    rows.append([source.name, source.version, key, value])
        journal.add(rows)
        if rows and (turn % 10 == 0 or turn == len(groups)):
            progress(f"\rscored {turn} of {len(groups)} captions ")
    return book


def blend(book: Book, weights: Mapping[str, float], keys: Sequence[str]) -> NDArray[np.float64]:
    """The total of ``motet.rewards.composite`` from numbers that are known: [len(keys)], NaN where nothing judges."""
    wanted = [name for name, weight in weights.items() if weight > 0]
    values = np.array([[book[name][key] for key in keys] for name in wanted]).reshape(len(wanted), len(keys))
    amounts = np.array([weights[name] for name in wanted])[:, None] * ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray((np.nan_to_num(values) * amounts).sum(axis=0) / amounts.sum(axis=0))
