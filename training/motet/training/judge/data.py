"""Training data of the judge: readings of windows and of the same windows spoiled, and captions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from motet.model.tokenizer import Tokenizer
from motet.music.attributes import Attributes
from motet.music.error import CancelledError, InvalidInputError
from motet.music.score import DRUMS, Score
from motet.rewards.judge_reading import CONTENT, MANNER, Reading, read
from motet.training import half
from motet.training.corpus.shard import Shard, StatedCaption
from motet.training.corruption import CORRUPTIONS, corrupt

UNSEEN: Final = ("wandering key", "transposed voice", "late voice", "held notes", "reversed bars", "traded parts")
"""Corruptions that are never trained on: they tell whether the judge learned music or our ways of spoiling it."""
SEEN: Final = tuple(kind for kind in CORRUPTIONS if kind not in UNSEEN)
NOT_HUMAN: Final = frozenset(["mma-synth"])
"""Sources whose melodies are random: they have captions, and are no example of music."""
_FEWEST_NOTES: Final = 12
_MOST_OF_A_SOURCE: Final = 0.25
_STEP: Final = 250


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is read.

    Args:
        windows: training windows, of the judge's half of the songs, a quarter at most from any one source.
        spoilt: corruptions of each window, each at two severities.
        seed: of the choice of windows and corruptions.
    """

    windows: int = 16000
    spoilt: int = 2
    seed: int = 1

    def __post_init__(self) -> None:
        for name, low in (("windows", 16), ("spoilt", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise InvalidInputError.of(f"judge.{name}", f"must be at least {low}", getattr(self, name))


@dataclass(frozen=True, eq=False)
class Readings:
    """``N`` readings as arrays."""

    manner: NDArray[np.float16]  # [N, MANNER]
    content: NDArray[np.float16]  # [N, CONTENT]

    def __len__(self) -> int:
        return len(self.manner)

    def take(self, rows: NDArray[np.intp]) -> Readings:
        """Some of them."""
        return Readings(self.manner[rows], self.content[rows])

    @classmethod
    def empty(cls, count: int) -> Readings:
        """Room for ``count``, all zero."""
        return cls(
            np.zeros((count, MANNER), np.float16),
            np.zeros((count, CONTENT), np.float16),
        )

    def put(self, row: int, reading: Reading) -> None:
        """Writes one."""
        self.manner[row], self.content[row] = reading.manner, reading.content

    @classmethod
    def of(cls, scores: Sequence[Score]) -> Readings:
        """The first reading of each score; zeros for one without notes."""
        out = cls.empty(len(scores))
        for row, score in enumerate(scores):
            readings = read(score)
            if readings:
                out.put(row, readings[0])
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Lessons:
    """What the judge learns from: ``N`` windows.

    Args:
        whole: [N] readings of the windows.
        spoilt: [M, 2, MANNER] the manner of the windows ``owner``: spoiled much, and in the same way less.
        owner: [M] rows of ``whole``.
        attributes, captions: by window.
    """

    whole: Readings
    spoilt: NDArray[np.float16]
    owner: NDArray[np.intp]
    attributes: list[Attributes]
    captions: list[list[StatedCaption]]


def is_music(score: Score, source: str) -> bool:
    """Whether a window serves as an example of music: human, with a dozen pitched notes in two bars or more."""
    pitched = int((score.program != DRUMS).sum())
    return source not in NOT_HUMAN and pitched >= _FEWEST_NOTES and len(score.bar_ticks()) > 2


def choose(shard: Shard, windows: NDArray[np.intp], count: int, seed: int) -> NDArray[np.intp]:
    """``count`` of ``windows`` in random order, a quarter at most from any source; fewer when there are no more."""
    most = Counter[str]()
    chosen: list[int] = []
    for window in np.random.default_rng(seed).permutation(windows):
        source = shard.meta(int(window)).source
        if most[source] < _MOST_OF_A_SOURCE * count and len(chosen) < count:
            most[source] += 1
            chosen.append(int(window))
    return np.array(chosen, np.intp)


def prepare(
    corpus: Path,
    folder: Path,
    config: DataConfig,
    *,
    progress: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Lessons:
    """Reads training windows, whole and spoiled, into ``folder``, or goes on where it was stopped.

    Raises NotFoundError without a corpus, InvalidInputError when the folder holds other data, and CancelledError when
    ``cancelled``; what is read by then is kept.
    """
    shard = Shard.open(corpus, "train")
    chosen = choose(shard, half.windows(corpus, "train", "judge"), config.windows, config.seed)
    plan = {"config": asdict(config), "windows": len(chosen), "sizes": [MANNER, CONTENT]}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "plan.json"
    if path.is_file() and json.loads(path.read_text("utf-8")) != plan:
        raise InvalidInputError.of("out", "must be a new folder, or one made with the same settings", str(folder))
    path.write_text(json.dumps(plan), "utf-8")
    tokenizer = Tokenizer.load(corpus / "tokenizer")
    for start in range(0, len(chosen), _STEP):
        target = folder / f"{start:06}.npz"
        if target.is_file():
            continue
        if cancelled():
            raise CancelledError("CANCELLED", f"cancelled after {start} of {len(chosen)} windows; run again to go on")
        rows = chosen[start : start + _STEP]
        part = _part(shard, tokenizer, rows, config)
        partial = target.with_suffix(".partial")
        with partial.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **part)
        partial.replace(target)
        progress(f"{start + len(rows):,} of {len(chosen):,} windows read")
    return _gathered(shard, chosen, folder)


def _part(shard: Shard, tokenizer: Tokenizer, rows: NDArray[np.intp], config: DataConfig) -> dict[str, NDArray[Any]]:
    scores = [tokenizer.decode(shard.tokens(int(window)).tolist()) for window in rows]
    spoilt: list[Score] = []
    owner: list[int] = []
    for place, (window, score) in enumerate(zip(rows, scores, strict=True)):
        if is_music(score, shard.meta(int(window)).source):
            for mild_and_strong in _spoiled(score, scores[place - 1], int(window), config):
                owner.append(place)
                spoilt += mild_and_strong
    whole, bad = Readings.of(scores), Readings.of(spoilt)
    return {
        "owner": np.array(owner, np.int64),
        "whole_manner": whole.manner,
        "whole_content": whole.content,
        "spoilt_manner": bad.manner,
    }


def _spoiled(score: Score, other: Score, window: int, config: DataConfig) -> Iterator[list[Score]]:
    """The window spoiled in some of the ways that are trained on, each time much and less."""
    rng = np.random.default_rng([config.seed, window])
    for kind in rng.choice(len(SEEN), config.spoilt, replace=False):
        strong = float(rng.uniform(0.3, 1.0))
        mild = strong * float(rng.uniform(0.25, 0.7))
        seed = int(rng.integers(1 << 31))
        yield [
            corrupt(score, SEEN[kind], severity, np.random.default_rng(seed), other=other)
            for severity in (strong, mild)
        ]


def _gathered(shard: Shard, chosen: NDArray[np.intp], folder: Path) -> Lessons:
    parts = [dict(np.load(path, allow_pickle=False)) for path in sorted(folder.glob("*.npz"))]

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([part[name] for part in parts])

    spoilt = joined("spoilt_manner")
    return Lessons(
        whole=Readings(joined("whole_manner"), joined("whole_content")),
        spoilt=spoilt.reshape(-1, 2, MANNER),
        owner=np.concatenate([part["owner"] + place * _STEP for place, part in enumerate(parts)]).astype(np.intp),
        attributes=[shard.attributes(int(window)) for window in chosen],
        captions=[list(shard.captions(int(window))) for window in chosen],
    )
