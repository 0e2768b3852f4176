"""Weightings: which weights of the rewards in the total agree best with the contests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.rewards.composite import DEFAULT_WEIGHTS
from motet.training.reward_bench.contest import Contest
from motet.training.reward_bench.scorebook import SILENT, Book, blend
from motet.training.reward_bench.statistic import agreement

Weighting = Mapping[str, float]


def grid(names: Sequence[str], parts: int = 10) -> list[Weighting]:
    """All ways to share ``parts`` equal parts of one among the names, none left over."""
    shares = (share for share in product(range(parts + 1), repeat=len(names)) if sum(share) == parts)
    return [{name: one / parts for name, one in zip(names, share, strict=True)} for share in shares]


class Grader:
    """Grades weightings on contests.

    Args:
        contests: with votes.
        book: numbers of the rewards that weightings name, for every entry.
    """

    def __init__(self, contests: Sequence[Contest], book: Book) -> None:
        missing = [name for name in DEFAULT_WEIGHTS if name not in book]
        if missing:
            raise InvalidInputError.of("rewards", "must include those that weights are looked for", missing)
        self._book = book
        self._keys = list(dict.fromkeys(entry.key for contest in contests for entry in contest.entries))
        place = {key: row for row, key in enumerate(self._keys)}
        found: dict[tuple[str, str], list[tuple[int, int, float]]] = {}
        for contest in contests:
            rows = [place[entry.key] for entry in contest.entries]
            found.setdefault((contest.column, contest.task), []).extend(
                (rows[vote.first], rows[vote.second], vote.preference) for vote in contest.votes
            )
        self._votes = {name: np.array(votes, np.float64) for name, votes in found.items() if votes}

    def accuracies(self, weighting: Weighting) -> dict[tuple[str, str], float]:
        """Accuracy of the total by (column, task)."""
        values = blend(self._book, weighting, self._keys)
        values = np.where(np.isnan(values), SILENT, values)
        agreed = {name: agreement(_margin(values, votes), votes[:, 2]) for name, votes in self._votes.items()}
        return {name: float(one.mean()) for name, one in agreed.items()}

    def grade(self, weighting: Weighting) -> float:
        """The mean over the columns of the mean accuracy over their tasks."""
        found = self.accuracies(weighting)
        columns = dict.fromkeys(column for column, _ in found)
        return float(np.mean([np.mean([one for key, one in found.items() if key[0] == name]) for name in columns]))


def _margin(values: NDArray[np.float64], votes: NDArray[np.float64]) -> NDArray[np.float64]:
    first, second = votes[:, :2].astype(np.intp).T
    return np.asarray(values[first] - values[second])


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Weightings that were compared.

    Args:
        rows: name, weights, grade on the songs of choice, and grade and accuracies on other songs.
    """

    rows: tuple[tuple[str, Weighting, float, float, Mapping[tuple[str, str], float]], ...]

    def record(self) -> list[dict[str, Any]]:
        """For JSON."""
        return [
            {
                "name": name,
                "weights": dict(weighting),
                "grade_of_choice": chosen,
                "grade": grade,
                "accuracy": [{"column": column, "task": task, "value": one} for (column, task), one in found.items()],
            }
            for name, weighting, chosen, grade, found in self.rows
        ]

    def table(self) -> str:
        """A Markdown table with a line on how to read it."""
        tasks = list(dict.fromkeys(key for *_, found in self.rows for key in found))
        names = list(self.rows[0][1])
        head = ("weights", *names, "grade on valid", "grade on test", *(f"{task} ({column})" for column, task in tasks))
        lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        for name, weighting, chosen, grade, found in self.rows:
            cells = [name, *(f"{weighting[one]:.1f}" for one in names), f"{chosen:.3f}", f"{grade:.3f}"]
            cells += [f"{found[task]:.3f}" if task in found else "–" for task in tasks]
            lines.append(f"| {' | '.join(cells)} |")
        legend = (
            "Weights of the total: chosen on the valid split by the grade, the mean over both columns of the mean "
            "accuracy of their tasks; then accuracy on the test split."
        )
        return "## Weights\n\n" + legend + "\n\n" + "\n".join(lines)


def tune(choice: Grader, check: Grader) -> Tuning:
    """Compares the default weights, each reward alone, even weights and the three best of a grid.

    Args:
        choice: grades the grid, on songs that nothing was fitted to.
        check: tells of the chosen ones, on others.
    """
    names = list(DEFAULT_WEIGHTS)
    best = sorted(grid(names), key=lambda one: -choice.grade(one))[:3]
    rows: list[tuple[str, Weighting]] = [
        ("default", DEFAULT_WEIGHTS),
        *((f"{name} alone", {other: float(other == name) for other in names}) for name in names),
        ("even", dict.fromkeys(names, 1 / len(names))),
        *((f"best of the grid, {place}", one) for place, one in enumerate(best, 1)),
    ]
    return Tuning(
        rows=tuple((name, one, choice.grade(one), check.grade(one), check.accuracies(one)) for name, one in rows)
    )
