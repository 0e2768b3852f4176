"""The report of the bench: a table of all groups, verdicts in words, and targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from motet.rewards.gain import Gain
from motet.training.search_bench import comparison
from motet.training.search_bench.arm import COIN, RESULTS, SAMPLE
from motet.training.search_bench.comparison import JUDGE, REWARD, Comparison
from motet.training.search_bench.group import Difference, Group, difference, grouped
from motet.training.search_bench.near_copies import COPIED
from motet.training.search_bench.row import PREFILLED, Case, Row
from motet.training.search_bench.target import Target, targets

_COLUMNS: Final[dict[str, tuple[str, Callable[[float], str]]]] = {
    "reward": (REWARD, "{:.3f}".format),
    "text": ("reward.text", "{:.3f}".format),
    "harmony": ("reward.harmony", "{:.3f}".format),
    "adherence": ("reward.adherence", "{:.3f}".format),
    "judge": (JUDGE, "{:.3f}".format),
    "alignment": ("judge.alignment", "{:.3f}".format),
    "musicality": ("judge.musicality", "{:.3f}".format),
    "TB": ("control.tempo bin (TB)", "{:.0%}".format),
    "TBT": ("control.tempo bin ± 1 (TBT)", "{:.0%}".format),
    "CK": ("control.key (CK)", "{:.0%}".format),
    "CKD": ("control.key or relative (CKD)", "{:.0%}".format),
    "families F1": ("control.instrument families, F1", "{:.2f}".format),
    "ln p/token": ("log_probability", "{:.2f}".format),
    "bars": ("bars", "{:.1f}".format),
    "empty bars": ("empty_bars", "{:.1%}".format),
    "degenerate": ("degenerate", "{:.1%}".format),
    "mutated": ("mutated", "{:.0%}".format),
    "diversity": ("diversity", "{:.3f}".format),
    "results": ("results", "{:.0%}".format),
    "tokens": ("tokens", "{:.0f}".format),
    "fed again": ("prefilled", "{:.0f}".format),
    "seconds": ("seconds", "{:.2f}".format),
    "decoding s": ("profile.decoding", "{:.2f}".format),
    "scoring s": ("profile.scoring", "{:.2f}".format),
    "waiting s": ("profile.waiting", "{:.2f}".format),
    "tree s": ("profile.tree", "{:.3f}".format),
}


@dataclass(frozen=True, kw_only=True)
class SearchReport:
    """Everything that the rows say; made by ``of``.

    Args:
        rows: all of one model, one reward and one length.
        groups: of the rows.
        shares: by arm and budget, the judge's share of the gain over plain samples.
        over_plain: by arm, budget and measure, the gain over plain samples.
        family: comparisons that were fixed beforehand.
        others: further comparisons.
        targets: of the search.
        copies: longest stretch shared with training music by search; None if nobody looked.
    """

    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
    shares: Mapping[tuple[str, int], Gain | None]
    over_plain: Mapping[tuple[str, int, str], Difference | None]
    family: tuple[Comparison, ...]
    others: tuple[Comparison, ...]
    targets: tuple[Target, ...]
    copies: Mapping[Case, int] | None = None

    @classmethod
    def of(cls, rows: Sequence[Row], copies: Mapping[Case, int] | None = None) -> SearchReport:
        """The report of at least one row."""
        groups = grouped(rows)
        plain = next((group for group in groups if group.arm == SAMPLE), None)
        searched = [group for group in groups if group.arm != SAMPLE]
        made = comparison.family(groups)
        return cls(
            rows=tuple(rows),
            groups=tuple(groups),
            shares={
                (group.arm, group.candidates): None if plain is None else comparison.share(group, plain)
                for group in searched
            },
            over_plain={
                (group.arm, group.candidates, name): None if plain is None else difference(group, plain, name)
                for group in searched
                for name in (REWARD, JUDGE)
            },
            family=tuple(made),
            others=tuple(comparison.others(groups)),
            targets=tuple(targets(groups, made)),
            copies=copies,
        )

    @property
    def heading(self) -> str:
        """What was measured, in a line."""
        case = self.rows[-1].case
        captions = len({row.case.caption for row in self.rows})
        seeds = len({row.case.seed for row in self.rows})
        return (
            f"{len(self.rows)} searches: {captions} captions, {seeds} seed{'s' * (seeds > 1)}; model {case.model}, "
            f"rewards {case.reward}, weights {case.weights or 'default'}"
        )

    def table(self) -> str:
        """Markdown: targets, the groups, verdicts, and how to read them."""
        return "\n\n".join(
            [
                self.heading,
                "## Targets",
                _markdown(
                    ("target", "wanted", "found (95 % interval)", ""),
                    [(one.name, one.wanted, one.found, one.verdict) for one in self.targets],
                ),
                "## Fixed beforehand",
                _list(one.line() for one in self.family),
                "## Over one plain sample of the same caption",
                _list(self._over_plain()),
                "## All arms",
                self._groups(),
                "Means over captions, each the mean of its seeds. TB, TBT, CK, CKD, families F1: of captions that "
                "state a tempo, a key, instruments. ln p/token: of the result, by the model. diversity: mean distance "
                f"in the judge's ear among the first {RESULTS} results; results: share of those asked for that there "
                f"were, near-copies of better ones left out. Cost: tokens, and {PREFILLED:g} for each that is fed "
                f"again. {COIN}: the default strategy climbing a coin, without scoring. near-copies: those that share "
                f"{COPIED} notes of a tune, in any key and tempo, with training music. Intervals: 95 %, paired "
                "bootstrap over captions.",
                "## Further comparisons",
                _markdown(
                    ("arm", "baseline", "at", "by", "difference (95 % interval)", "wins", ""),
                    [one.cells() for one in self.others if one.difference is not None],
                ),
            ]
        )

    def _over_plain(self) -> list[str]:
        lines = []
        for (arm, candidates), share in self.shares.items():
            reward, judge = (self.over_plain[arm, candidates, name] for name in (REWARD, JUDGE))
            if reward is None or judge is None:
                continue
            reading = share.line() if share is not None else "no share"
            gains = (
                f"{name} {one.estimate.value:+.4f} ({one.estimate.low:+.4f} to {one.estimate.high:+.4f}), "
                f"wins {one.wins:.0%}"
                for name, one in (("reward", reward), ("judge", judge))
            )
            lines.append(f"{arm} at {candidates}: {'; '.join(gains)}; in standard deviations of samples: {reading}")
        return lines

    def _groups(self) -> str:
        shown = {
            title: (name, write)
            for title, (name, write) in _COLUMNS.items()
            if any(name in group.columns for group in self.groups)
        }
        rows = []
        for group in self.groups:
            means = {title: group.mean(name) for title, (name, _) in shown.items()}
            cells = ["–" if value is None else shown[title][1](value) for title, value in means.items()]
            copied = () if self.copies is None else (f"{self._copied(group, self.copies):.1%}",)
            rows.append((group.arm, str(group.candidates), str(len(group.captions)), *cells, *copied))
        copied_title = () if self.copies is None else ("near-copies",)
        return _markdown(("arm", "at", "n", *shown, *copied_title), rows)

    @staticmethod
    def _copied(group: Group, copies: Mapping[Case, int]) -> float:
        notes = [copies[row.case] for row in group.rows]
        return sum(one >= COPIED for one in notes) / len(notes)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "heading": self.heading,
            "rows": len(self.rows),
            "targets": [one.record() for one in self.targets],
            "family": [one.record() | {"line": one.line()} for one in self.family],
            "others": [one.record() | {"line": one.line()} for one in self.others],
            "groups": [self._group(group) for group in self.groups],
        }

    def _group(self, group: Group) -> dict[str, Any]:
        key = (group.arm, group.candidates)
        share = self.shares.get(key)
        gains = {
            name: {
                "value": one.estimate.value,
                "low": one.estimate.low,
                "high": one.estimate.high,
                "n": one.estimate.n,
                "wins": one.wins,
                "p": one.p,
            }
            for name in (REWARD, JUDGE)
            if (one := self.over_plain.get((*key, name))) is not None
        }
        return {
            "arm": group.arm,
            "candidates": group.candidates,
            "settings": group.rows[-1].case.settings,
            "captions": len(group.captions),
            "rows": len(group.rows),
            "means": {name: group.mean(name) for name in sorted(group.columns)},
            "counts": {
                name: len(column) for name, column in sorted(group.columns.items()) if name.startswith("control.")
            },
            "over_sample": gains,
            "judge_share": None if share is None else share.record(),
            "near_copies": None if self.copies is None else self._copied(group, self.copies),
        }


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in (
        head, *rows)]  # fmt: skip
    return "\n".join([lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]])


def _list(lines: Any) -> str:
    return "\n".join(f"- {line}" for line in lines) or "- nothing yet"
