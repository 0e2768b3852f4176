"""Does searching pay? Every caption is searched, and the result compared with its own first plain sample.

A gain in the reward that was searched for says little by itself: beside it stands what a judge says that the
search never saw.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.rewards.composite import Weights
from motet.rewards.gain import Gain, gain
from motet.search.request import SearchRequest
from motet.search.run import Searcher

JUDGED = "total"
"""The name of a referee's number that stands for the whole of its opinion."""

Referee = Callable[[Score, str], Mapping[str, float]]
"""A piece and its caption to what an independent judge says of it, by name, each in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One search of the bench; its fields identify it in a file of finished rows.

    Args:
        caption: what to search for.
        strategy: how.
        seed: of the search.
        candidates: pieces decoded side by side (``sample`` uses one).
        bars: length, or None for what the caption says.
        model: name and version of the checkpoint.
        weights: of the rewards, as ``NAME=NUMBER,...``; empty for the default ones.
    """

    caption: str
    strategy: str
    seed: int
    candidates: int
    bars: int | None
    model: str
    weights: str = ""

    def request(self) -> SearchRequest:
        """The search to run; raises what ``SearchRequest`` raises."""
        return SearchRequest(
            caption=self.caption,
            strategy=self.strategy,
            seed=self.seed,
            candidates=self.candidates,
            bars=self.bars,
            weights=Weights.parse(self.weights) if self.weights else Weights(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one search of the bench gave.

    Args:
        case: which search.
        total: composite reward of the result, in [0, 1].
        terms: its terms.
        plain_total: the same of the first plain sample.
        plain_terms: its terms.
        arm: caption arm of the result, 0 for the original.
        tokens: decoded.
        seconds: whole search.
        judge: what the judge says of the result, by name; empty without a judge.
        plain_judge: the same of the plain sample.
    """

    case: Case
    total: float
    terms: dict[str, float]
    plain_total: float
    plain_terms: dict[str, float]
    arm: int
    tokens: int
    seconds: float
    judge: dict[str, float] = field(default_factory=dict)
    plain_judge: dict[str, float] = field(default_factory=dict)

    @property
    def wins(self) -> bool:
        """Whether the result has a higher reward than the plain sample; equal is no win."""
        return self.total > self.plain_total

    @classmethod
    def from_json(cls, line: str) -> Row:
        """Reads what ``to_json`` wrote; raises InvalidInputError for anything else."""
        try:
            content = json.loads(line)
            return cls(case=Case(**content.pop("case")), **content)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise InvalidInputError.of("out", f"must hold rows of this bench ({error})", line.strip()) from error

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One strategy over all its searches; means unless said otherwise.

    Args:
        strategy: its name.
        searches: how many.
        captions: how many different ones.
        seeds: how many different ones.
        wins: searches with a higher reward than their own first plain sample.
        total: composite reward of the results.
        plain_total: the same of the plain samples.
        terms: terms of the results, each over the captions that have it.
        plain_terms: the same of the plain samples.
        mutated: share of the results that were sampled for a mutated caption.
        tokens: decoded in a search.
        seconds: of a search.
        judge: what the judge says of the results, by name.
        plain_judge: the same of the plain samples.
        gain: the judge's share of the gain in reward, over captions; None without a judge or where nothing differs.
    """

    strategy: str
    searches: int
    captions: int
    seeds: int
    wins: int
    total: float
    plain_total: float
    terms: dict[str, float]
    plain_terms: dict[str, float]
    mutated: float
    tokens: float
    seconds: float
    judge: dict[str, float]
    plain_judge: dict[str, float]
    gain: Gain | None

    def verdict(self) -> str:
        """The result in one line."""
        many = "captions" if self.seeds == 1 else f"searches ({self.captions} captions × {self.seeds} seeds)"
        line = f"{self.strategy} beats the first plain sample on {self.wins} of {self.searches} {many}"
        return line if self.gain is None or self.gain.share is None else f"{line}; {self.gain.line()}"


def read_captions(path: Path, limit: int | None = None) -> list[str]:
    """Captions of a text file, one a line; blank lines and lines that begin with # do not count.

    Raises InvalidInputError when the file is missing, is not UTF-8 or holds no caption.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError.of("captions", f"must be a readable UTF-8 file ({error})", str(path)) from error
    captions = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")][:limit]
    if not captions:
        raise InvalidInputError.of("captions", "must hold at least one caption", str(path))
    return captions


def read_rows(path: Path) -> dict[Case, Row]:
    """Finished rows of an earlier run; an unfinished last line (a run that was killed) is left out."""
    if not path.exists():
        return {}
    rows = [
        Row.from_json(line) for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line[-1] == "\n"
    ]
    return {row.case: row for row in rows}


def run(
    searcher: Searcher,
    cases: Sequence[Case],
    *,
    out: Path | None,
    on_row: Callable[[int, Row], None],
    referee: Referee | None = None,
) -> Iterator[Row]:
    """Yields a row for each case, in order; rows found in ``out`` are not searched again, new ones are appended to it.

    All cases are validated before the first search. The referee hears results and plain samples when all is decided.
    """
    requests = [case.request() for case in cases]
    done = read_rows(out) if out else {}
    for index, (case, request) in enumerate(zip(cases, requests, strict=True)):
        row = done.get(case)
        if row is None:
            row = _search(searcher, case, request, referee)
            if out:
                _append(out, row)
        on_row(index, row)
        yield row


def _search(searcher: Searcher, case: Case, request: SearchRequest, referee: Referee | None) -> Row:
    result = searcher.run(request)
    judge, plain_judge = (
        {} if referee is None else dict(referee(one.score, case.caption)) for one in (result.best, result.plain)
    )
    return Row(
        case=case,
        total=result.best.breakdown.total,
        terms=dict(result.best.breakdown.terms),
        plain_total=result.plain.breakdown.total,
        plain_terms=dict(result.plain.breakdown.terms),
        arm=result.best.arm,
        tokens=result.tokens,
        seconds=result.elapsed_s,
        judge=judge,
        plain_judge=plain_judge,
    )


def _append(path: Path, row: Row) -> None:
    """Adds a line, and cuts off the torn last line of a run that was killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        file.write(row.to_json().encode() + b"\n")


def summarise(rows: Iterable[Row]) -> list[Summary]:
    """One summary for each strategy, in the order of their first rows."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.case.strategy, []).append(row)
    return [_summary(name, group) for name, group in groups.items()]


def _summary(strategy: str, rows: list[Row]) -> Summary:
    return Summary(
        strategy=strategy,
        searches=len(rows),
        captions=len({row.case.caption for row in rows}),
        seeds=len({row.case.seed for row in rows}),
        wins=sum(row.wins for row in rows),
        total=fmean(row.total for row in rows),
        plain_total=fmean(row.plain_total for row in rows),
        terms=_mean_terms([row.terms for row in rows]),
        plain_terms=_mean_terms([row.plain_terms for row in rows]),
        mutated=fmean(row.arm > 0 for row in rows),
        tokens=fmean(row.tokens for row in rows),
        seconds=fmean(row.seconds for row in rows),
        judge=_mean_terms([row.judge for row in rows]),
        plain_judge=_mean_terms([row.plain_judge for row in rows]),
        gain=_gain(rows),
    )


def _gain(rows: Sequence[Row]) -> Gain | None:
    """The gain of reward and judge by caption, means over seeds."""
    if not all(JUDGED in row.judge for row in rows):
        return None
    by_caption: dict[str, list[tuple[float, float, float, float]]] = {}
    for row in rows:
        numbers = (row.plain_total, row.total, row.plain_judge[JUDGED], row.judge[JUDGED])
        by_caption.setdefault(row.case.caption, []).append(numbers)
    columns = np.array([np.mean(numbers, axis=0) for numbers in by_caption.values()]).T
    if len(by_caption) < 2 or not columns[::2].std(axis=1).all():
        return None
    return gain(*columns, seed=0)


def _mean_terms(terms: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in terms for name in row)
    return {name: fmean(row[name] for row in terms if name in row) for name in names}


def table(summaries: Sequence[Summary]) -> str:
    """The summaries side by side: reward, terms and judge of the results, those of the plain samples in brackets."""
    terms = list(dict.fromkeys(name for summary in summaries for name in summary.terms))
    verdicts = list(dict.fromkeys(name for summary in summaries for name in summary.judge))
    header = [
        "strategy",
        "searches",
        "wins",
        "reward (plain)",
        *(f"{name} (plain)" for name in terms),
        *(f"judge: {name} (plain)" for name in verdicts),
        "tokens",
        "seconds",
    ]
    lines = [
        header,
        *(
            [
                summary.strategy,
                str(summary.searches),
                str(summary.wins),
                f"{summary.total:.3f} ({summary.plain_total:.3f})",
                *(_pair(summary.terms.get(name), summary.plain_terms.get(name)) for name in terms),
                *(_pair(summary.judge.get(name), summary.plain_judge.get(name)) for name in verdicts),
                f"{summary.tokens:.0f}",
                f"{summary.seconds:.2f}",
            ]
            for summary in summaries
        ),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _pair(searched: float | None, plain: float | None) -> str:
    return "-" if searched is None or plain is None else f"{searched:.3f} ({plain:.3f})"


def to_json(summaries: Sequence[Summary]) -> dict[str, Any]:
    """The same figures for programs."""
    return {"strategies": [asdict(summary) | {"verdict": summary.verdict()} for summary in summaries]}
