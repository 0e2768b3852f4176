"""Makes the tables of the harmonic reward from a corpus: where human music stands, and what sets it apart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from motet.model.tokenizer import Tokenizer
from motet.music.error import InvalidInputError
from motet.music.score import DRUMS, Score
from motet.rewards.analysis import analyse
from motet.rewards.grammar import Grammar, events
from motet.rewards.harmony import enough, form
from motet.rewards.harmony_table import JUDGED, LEVELS, REFERENCES, HarmonyTable, alone, features
from motet.rewards.measures import GROUPS, MEASURES, Measures, measure
from motet.training import half
from motet.training.corpus.shard import Shard
from motet.training.harmony.decoy import CORRUPTIONS, DECOYS, Decoy

Report = Callable[[str], None]

_RIDGE: Final = 3.0
_LEAST_SPREAD: Final = 0.05  # of a direction of the correlation: measures that say the same count once


@dataclass(frozen=True, kw_only=True)
class CalibrationConfig:
    """What is sampled.

    Args:
        windows: windows of each length, at least 100.
        bars: lengths in bars, ascending; windows of the corpus hold 16 at most.
        skip: sources left out: those whose melodies are machine-made.
        seed: of the sampling and of the decoys.
    """

    windows: int = 900
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
    """Windows of human music: ``windows[bars]`` of each length, and how many of all came from each source."""

    windows: dict[int, list[Score]]
    sources: Counter[str] = field(default_factory=Counter)


def sample(corpus: Path, split: str, config: CalibrationConfig) -> Sample:
    """Windows of the rewards' half of a split as their tokens sound, pitched notes alone, in turn from every source.

    Of a window of the corpus at most one of each length is taken, from a bar line on; those with fewer pitched notes
    than bars are passed over. Of rare lengths there may be fewer than asked for. Raises NotFoundError without the
    corpus.
    """
    shard, tokenizer = Shard.open(corpus, split), Tokenizer.load(corpus / "tokenizer")
    rng = np.random.default_rng(config.seed)
    drawn = Sample(windows={bars: [] for bars in config.bars})
    for source, window in _in_turn(shard, rng.permutation(half.windows(corpus, split, "reward")), config.skip):
        wanted = [bars for bars, found in drawn.windows.items() if len(found) < config.windows]
        if not wanted:
            break
        if shard.meta(window).bars < wanted[0]:
            continue
        score = tokenizer.decode(shard.tokens(window).tolist())
        score = score.select(score.program != DRUMS)
        lines = score.bar_ticks()
        for bars in wanted:
            if len(lines) - 1 < bars:
                break
            start = int(rng.integers(0, len(lines) - bars))
            part = score.between(int(lines[start]), int(lines[start + bars]))
            if len(part) >= bars:
                drawn.windows[bars].append(part)
                drawn.sources[source] += 1
    return drawn


def spoil(windows: Iterable[Score], kinds: Mapping[str, Decoy], rng: np.random.Generator) -> list[tuple[str, Score]]:
    """A decoy of each window, of a kind drawn at random; those that come out empty are left out."""
    names = list(kinds)
    made = [(names[int(rng.integers(len(names)))], window) for window in windows]
    return [(name, score) for name, window in made if len(score := kinds[name](window, rng))]


def tabulate(drawn: Sample, *, seed: int, report: Report = lambda line: None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The documents of a harmony table and of its grammar (``HarmonyTable.from_json``, ``Grammar.from_json``).

    The evidence is a logistic regression of human windows against corruptions and decoys of theirs, of all lengths
    together, on ``motet.rewards.harmony_table.features``.
    """
    rng = np.random.default_rng(seed)
    lengths = sorted(drawn.windows)
    grammar = Grammar.fit(
        events(found) for bars in lengths for window in drawn.windows[bars] if (found := analyse(window)) is not None
    )
    grammar = Grammar.from_json(_rounded_tables(grammar))

    def measured(scores: Iterable[Score]) -> list[Measures]:
        return [found for score in scores if (found := measure(score, grammar=grammar)) is not None]

    human, corrupted, decoys = {}, {}, {}
    for bars in lengths:
        windows = drawn.windows[bars]
        human[bars] = measured(windows)
        corrupted[bars] = measured(score for _, score in spoil(windows, CORRUPTIONS, rng))
        decoys[bars] = measured(score for _, score in spoil([*windows, *windows], DECOYS, rng))
        report(f"{bars} bars: {len(human[bars])} windows, {len(corrupted[bars])} corrupted, {len(decoys[bars])} decoys")
    table = fit(human, {bars: corrupted[bars] + decoys[bars] for bars in lengths})
    table = refer(table, human, corrupted)
    document = {
        "levels": list(LEVELS),
        "bars": lengths,
        "windows": {str(bars): len(drawn.windows[bars]) for bars in lengths},
        "sources": dict(sorted(drawn.sources.items())),
        "measures": list(MEASURES),
        "base": _rounded(table.base, 4),
        "rise": _rounded(table.rise, 4),
        "bend": _rounded(table.bend, 4),
        "references": {name: _rounded(rows, 4) for name, rows in table.references.items()},
        "quantiles": {name: _rounded(rows, 6) for name, rows in table.quantiles.items()},
        "correlation": _rounded(table.correlation, 3),
    }
    return document, {"windows": document["windows"], "tables": _rounded_tables(grammar)}


def fit(human: Mapping[int, Sequence[Measures]], wrong: Mapping[int, Sequence[Measures]]) -> HarmonyTable:
    """A table without references (they are 0): quantiles by length, correlation and evidence of all lengths together.

    Raises InvalidInputError when a measure applies to no window of a length.
    """
    lengths = sorted(human)
    quantiles: dict[str, list[NDArray[np.float64]]] = {name: [] for name in JUDGED}
    for bars in lengths:
        for name in JUDGED:
            values = [value for one in human[bars] if (value := one.values[name]) is not None]
            # Not so for lone bars, which have no other bar to be like: any number will do, for it is never looked up.
            quantiles[name].append(np.quantile(values, LEVELS) if values else np.zeros(len(LEVELS)))
    nothing = np.zeros((len(lengths), len(LEVELS)))
    count = len(MEASURES)
    table = HarmonyTable(
        bars=tuple(lengths),
        quantiles={name: np.round(rows, 6) for name, rows in quantiles.items()},
        correlation=np.eye(count),
        base=np.zeros(2),
        rise=np.zeros((2, count)),
        bend=np.zeros((2, count)),
        references=dict.fromkeys(REFERENCES, nothing),
    )
    right = _scores(table, human)
    against = _scores(table, wrong)
    base, rise, bend = zip(
        *(_regress(right[alone(right) == kind], against[alone(against) == kind]) for kind in (False, True)), strict=True
    )
    return replace(
        table,
        correlation=np.round(_correlation(right), 3),
        base=np.round(base, 4),
        rise=np.round(rise, 4),
        bend=np.round(bend, 4),
    )


def refer(
    table: HarmonyTable, human: Mapping[int, Sequence[Measures]], corrupted: Mapping[int, Sequence[Measures]]
) -> HarmonyTable:
    """The same table with its references."""
    rows: dict[str, list[NDArray[np.float64]]] = {name: [] for name in REFERENCES}
    opinions = {bars: [form(table, one) for one in human[bars]] for bars in table.bars}
    for bars in table.bars:
        rows["evidence"].append(np.quantile([one.evidence for one in opinions[bars]], LEVELS))
        for name in GROUPS:
            rows[name].append(np.quantile([one.groups[name] for one in opinions[bars]], LEVELS))
    with_evidence = replace(table, references={**table.references, "evidence": np.round(rows["evidence"], 4)})
    for bars in table.bars:
        bound = enough(with_evidence, bars)
        rows["human"].append(np.quantile([one.raw(bound) for one in opinions[bars]], LEVELS))
        rows["corrupted"].append(np.quantile([form(table, one).raw(bound) for one in corrupted[bars]], LEVELS))
    return replace(table, references={name: np.round(values, 4) for name, values in rows.items()})


def dumps(document: Mapping[str, Any]) -> str:
    """JSON with one line for each row of numbers."""

    def text(value: Any, indent: str) -> str:
        if isinstance(value, dict) and value and not isinstance(next(iter(value.values())), int | float):
            inner = ",\n".join(
                f"{indent} {json.dumps(name)}: {text(each, indent + ' ')}" for name, each in value.items()
            )
            return f"{{\n{inner}\n{indent}}}"
        if isinstance(value, list) and value and isinstance(value[0], list):
            return "[\n" + ",\n".join(f"{indent} {json.dumps(row)}" for row in value) + f"\n{indent}]"
        return json.dumps(value)

    return text(dict(document), "") + "\n"


def _in_turn(shard: Shard, windows: NDArray[np.intp], skip: Sequence[str]) -> Iterable[tuple[str, int]]:
    """Windows in an order that takes one from each source in turn, until all are through."""
    by_source: dict[str, list[int]] = {}
    for window in windows.tolist():
        by_source.setdefault(shard.meta(window).source, []).append(window)
    for source in skip:
        by_source.pop(source, None)
    while by_source:
        for source in sorted(by_source):
            yield source, by_source[source].pop()
            if not by_source[source]:
                del by_source[source]


def _scores(table: HarmonyTable, measured: Mapping[int, Sequence[Measures]]) -> NDArray[np.float64]:
    """Normal scores [windows, J] of all lengths."""
    return np.array([table.scores(one.values, one.bars) for bars in sorted(measured) for one in measured[bars]])


def _correlation(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(scores)
    filled = np.where(known, scores, 0.0)
    together = np.maximum(known.T.astype(float) @ known, 1)
    spread, ways = np.linalg.eigh(filled.T @ filled / together)
    return np.asarray((ways * np.maximum(spread, _LEAST_SPREAD)) @ ways.T)


def _regress(
    right: NDArray[np.float64], wrong: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Ridge logistic regression of right against wrong: base, rise [J] and bend [J]."""
    if not len(right) or not len(wrong):
        return 0.0, np.zeros(right.shape[1]), np.zeros(right.shape[1])
    scores = np.concatenate([right, wrong])
    design = np.column_stack([*features(scores), np.ones(len(scores))])
    sign = np.repeat([1.0, -1.0], [len(right), len(wrong)])

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (design @ parameters)
        value = float(np.logaddexp(0, -margin).sum()) + _RIDGE * float(parameters @ parameters) / 2
        slope = design.T @ (-sign / (1 + np.exp(np.clip(margin, -50, 50)))) + _RIDGE * parameters
        return value, slope

    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    count = scores.shape[1]
    return float(found[-1]), found[:count], found[count : 2 * count]


def _rounded(values: NDArray[np.float64], places: int) -> list[Any]:
    rounded: list[Any] = np.round(values, places).tolist()
    return rounded


def _rounded_tables(grammar: Grammar) -> dict[str, list[float]]:
    return {kind: _rounded(table, 2) for kind, table in grammar.tables.items()}
