"""The shelf: where rows are kept between runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from motet.music.error import InvalidInputError, NotFoundError
from motet.training.reward_bench.journal import Journal
from motet.training.search_bench.row import Case, Row

ROWS: Final = "rows.jsonl"


class Shelf:
    """Rows by their cases, in a file that grows; a torn last line of a run that was killed is dropped.

    Args:
        folder: holds the file, which need not exist; None keeps nothing.

    Raises InvalidInputError when the file holds anything else.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        try:
            self._journal = Journal(None if folder is None else folder / ROWS)
        except ValueError as error:
            raise InvalidInputError.of("out", f"must hold rows of this bench ({error})", str(folder)) from error
        self.rows: dict[Case, Row] = {}
        for record in self._journal.rows:
            row = Row.from_record(record)
            self.rows[row.case] = row

    def add(self, row: Row) -> None:
        """Keeps a row."""
        self.rows[row.case] = row
        self._journal.add([row.record()])

    def newest(self) -> list[Row]:
        """The rows of the last run's model, reward, weights and length, and of each arm's last settings.

        Raises NotFoundError when there are none.
        """
        if not self.rows:
            message = f"out: no rows in {self._folder}; `motet bench search --out` makes them"
            raise NotFoundError("ROWS_NOT_FOUND", message, {"path": str(self._folder)})
        last = next(reversed(self.rows)) if self.rows else None
        assert last is not None  # noqa: S101 (there are rows)

        def of_run(case: Case) -> tuple[object, ...]:
            return case.model, case.reward, case.weights, case.bars

        settings = {case.arm: case.settings for case in self.rows if of_run(case) == of_run(last)}
        return [
            row
            for case, row in self.rows.items()
            if of_run(case) == of_run(last) and case.settings == settings[case.arm]
        ]
