"""Where human music stands: samples windows of a folder of MIDI files and tabulates the quantiles of each measure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motet.music import midi
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.score import Score
from motet.rewards.harmony import LEVELS, HarmonyReward, HarmonyTable
from motet.rewards.measures import MEASURES, measure

_MIN_NOTES_PER_BAR = 1


@dataclass(frozen=True, kw_only=True)
class CalibrationConfig:
    """What is sampled.

    Args:
        windows: windows of each length, at least 100.
        bars: lengths in bars, ascending.
        skip: sources (names of the folders that hold the files) left out, such as machine-made accompaniments.
        seed: of the sampling.
    """

    windows: int = 1500
    bars: tuple[int, ...] = (1, 2, 4, 8, 16)
    skip: tuple[str, ...] = ("mma-synth",)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.windows < 100:
            raise InvalidInputError.of("calibration.windows", "must be at least 100", self.windows)
        if not self.bars or list(self.bars) != sorted(set(self.bars)) or self.bars[0] < 1:
            raise InvalidInputError.of("calibration.bars", "must be ascending and at least 1", self.bars)


@dataclass(kw_only=True)
class Sample:
    """Windows of human music: ``windows[bars]`` of each length, and how many came from each source."""

    windows: dict[int, list[Score]] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0


def sample(folder: Path, config: CalibrationConfig, report: Callable[[str], None] | None = None) -> Sample:
    """Windows that begin on a bar line, each from another file, in turn from every source so that none prevails.

    Windows with fewer pitched notes than bars are passed over. Raises NotFoundError when there are no MIDI files.
    """
    drawn = Sample(windows={bars: [] for bars in config.bars})
    rng = np.random.default_rng(config.seed)
    for source, path in _in_turn(folder, config, rng):
        if all(len(windows) >= config.windows for windows in drawn.windows.values()):
            break
        try:
            score = midi.read(path)
        except InvalidInputError:
            drawn.unreadable += 1
            continue
        score = score.select(score.program >= 0)
        lines = score.bar_ticks()
        used = False
        for bars, windows in drawn.windows.items():
            if len(lines) - 1 < bars or len(windows) >= config.windows:
                continue
            start = int(rng.integers(0, len(lines) - bars))
            window = score.between(int(lines[start]), int(lines[start + bars]))
            if len(window) >= _MIN_NOTES_PER_BAR * bars:
                windows.append(window)
                used = True
        if used:
            drawn.sources[source] = drawn.sources.get(source, 0) + 1
            done = sum(drawn.sources.values())
            if report is not None and done % 200 == 0:
                report(f"{done} files")
    return drawn


def tabulate(drawn: Sample) -> dict[str, Any]:
    """The document of a harmony table (see ``HarmonyTable.from_json``), with what it was made from.

    "reward" holds the quantiles of the reward itself over the same windows, a row for each length.
    """
    lengths = sorted(drawn.windows)
    quantiles: dict[str, list[list[float]]] = {name: [] for name in MEASURES}
    for bars in lengths:
        found = [measured.values for window in drawn.windows[bars] if (measured := measure(window)) is not None]
        for name in MEASURES:
            values = [value for one in found if (value := one[name]) is not None]
            if not values:
                raise InvalidInputError.of("calibration", f"no window of {bars} bars has a {name}", len(found))
            quantiles[name].append([round(float(value), 6) for value in np.quantile(values, LEVELS)])
    table = {"levels": list(LEVELS), "bars": lengths, "quantiles": quantiles}
    reward = HarmonyReward(HarmonyTable.from_json(table))
    rewards = [[reward(window) for window in drawn.windows[bars]] for bars in lengths]
    return {
        "levels": list(LEVELS),
        "bars": lengths,
        "windows": {str(bars): len(drawn.windows[bars]) for bars in lengths},
        "files_by_source": dict(sorted(drawn.sources.items())),
        "unreadable_files": drawn.unreadable,
        "reward": [[round(float(value), 6) for value in np.quantile(values, LEVELS)] for values in rewards],
        "quantiles": quantiles,
    }


def dumps(document: dict[str, Any]) -> str:
    """JSON with one line for each row of numbers."""

    def rows(values: list[list[float]], indent: str) -> str:
        return "[\n" + ",\n".join(f"{indent} {json.dumps(row)}" for row in values) + f"\n{indent}]"

    measures = [f'  "{name}": {rows(values, "  ")}' for name, values in document["quantiles"].items()]
    fields = [
        f' "{name}": {rows(value, " ") if name == "reward" else json.dumps(value)}'
        for name, value in document.items()
        if name != "quantiles"
    ]
    fields.append(' "quantiles": {\n' + ",\n".join(measures) + "\n }")
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _in_turn(folder: Path, config: CalibrationConfig, rng: np.random.Generator) -> Iterator[tuple[str, Path]]:
    """Files in an order that takes one from each source in turn, until all are through."""
    by_source: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.mid")):
        if path.parent.name not in config.skip:
            by_source.setdefault(path.parent.name, []).append(path)
    if not by_source:
        raise NotFoundError("NO_MIDI_FILES", f"there are no .mid files under {folder}", {"path": str(folder)})
    for paths in by_source.values():
        rng.shuffle(paths)
    while by_source:
        for source in sorted(by_source):
            yield source, by_source[source].pop()
            if not by_source[source]:
                del by_source[source]
