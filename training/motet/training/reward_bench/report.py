"""The report: a table for each column, rewards beside a judge and controls, and how each does by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from motet.training.reward_bench.bench import Outcomes
from motet.training.reward_bench.contest import COLUMNS
from motet.training.reward_bench.outcome import Outcome
from motet.training.reward_bench.statistic import Estimate
from motet.training.reward_bench.weighting import Tuning

_TITLES: Final = {
    "alignment": "Alignment: is the music what the caption says?",
    "musicality": "Musicality: is it good music?",
}
_GATE: Final = (0.70, 0.60)


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """Figures of all rewards.

    Args:
        split: of the corpus.
        pieces, songs: of human music.
        seed: of everything.
        outcomes: the figures.
        tuning: of the weights of the total, if that was asked for.
    """

    split: str
    pieces: int
    songs: int
    seed: int
    outcomes: Outcomes
    tuning: Tuning | None = None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "split": self.split,
            "pieces": self.pieces,
            "songs": self.songs,
            "seed": self.seed,
            "columns": {
                column: {task: {name: one.record() for name, one in rewards.items()} for task, rewards in tasks.items()}
                for column, tasks in self.outcomes.items()
            },
            "weightings": self.tuning.record() if self.tuning is not None else None,
        }

    def table(self) -> str:
        """Markdown tables, with a line on how to read them."""
        head = (
            f"{self.pieces} human windows of {self.songs} songs ({self.split}), seed {self.seed}. accuracy: share of "
            "the pairs put in the right order, ties one half. Spearman, Kendall: mean rank correlation within contests "
            "of two or more pieces or captions. calibration error: of P(a before b) = sigma(scaled margin), scale from "
            "other songs. other music: accuracy with the music of another song, where 0.5 shows that the words give "
            "nothing away. In brackets 95 % intervals over 10,000 draws of songs."
        )
        return "\n\n".join(
            (
                head,
                *(part for column in COLUMNS if column in self.outcomes for part in self._column(column)),
                *((self.tuning.table(),) if self.tuning is not None else ()),
            )
        )

    def _column(self, column: str) -> list[str]:
        tasks: Mapping[str, Mapping[str, Outcome]] = self.outcomes[column]  # type: ignore[index]
        has_control = any(one.control is not None for rewards in tasks.values() for one in rewards.values())
        rows = [
            (
                f"{task} ({one.accuracy.n:,} pairs, {one.songs} songs)" if not place else "",
                name,
                _cell(one.accuracy),
                _cell(one.spearman),
                _cell(one.kendall),
                _cell(one.reliability.error),
                *((_cell(one.control),) if has_control else ()),
            )
            for task, rewards in tasks.items()
            for place, (name, one) in enumerate(rewards.items())
        ]
        titles = ("task", "reward", "accuracy", "Spearman", "Kendall", "calibration error")
        parts = [f"## {_TITLES[column]}", _markdown((*titles, *(("other music",) if has_control else ())), rows)]
        for task, rewards in tasks.items():
            kinds = list(next(iter(rewards.values())).kinds)
            if len(kinds) > 1:
                legend = (
                    f"Accuracy in {task} by kind; bold from {_GATE[0]:.2f} with a lower bound above {_GATE[1]:.2f}."
                )
                lines = [
                    (
                        kind,
                        str(next(iter(rewards.values())).kinds[kind].n),
                        *(_gated(one.kinds[kind]) for one in rewards.values()),
                    )
                    for kind in kinds
                ]
                parts += [legend, _markdown(("kind", "pairs", *rewards), lines)]
        return parts


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _gated(estimate: Estimate) -> str:
    text = f"{estimate.value:.2f} ± {(estimate.high - estimate.low) / 2:.2f}"
    return f"**{text}**" if estimate.value >= _GATE[0] and estimate.low > _GATE[1] else text
