import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from motet.music.error import InvalidInputError, NotFoundError
from motet.music.score import Score
from motet.rewards.composite import Breakdown
from motet.rewards.judge import Judge
from motet.search.run import Searcher
from motet.training.search_bench import command, workshop
from motet.training.search_bench.bench import Bench
from motet.training.search_bench.coin import Coin
from motet.training.search_bench.shelf import Shelf
from tests.fakes import CountingReward, FakeDecoder
from tests.tiny import tiny_folder
from tests.training.search_bench.rows import made_up, whole_run

pytestmark = pytest.mark.usefixtures("one_thread")


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers())
    return parser.parse_args(["bench", "search", *words])


def run(*words: str) -> int:
    arguments = parse(*words)
    status: int = arguments.run(arguments)
    return status


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    path = tmp_path / "captions.txt"
    path.write_text("# two\na waltz for piano\na fast rock song\n")
    return path


@pytest.fixture
def reward(monkeypatch: pytest.MonkeyPatch) -> CountingReward:
    reward = CountingReward()

    def open_bench(model: Path | None, workers: int) -> Bench:
        decoder = FakeDecoder()
        return Bench(Searcher(decoder, reward), Searcher(decoder, Coin()), reward, Judge.load())

    monkeypatch.setattr(workshop, "open_bench", open_bench)
    return reward


def test_the_defaults_are_the_whole_comparison() -> None:
    arguments = parse("--captions", "captions.txt")
    assert (arguments.seeds, arguments.workers, arguments.candidates, arguments.out) == (1, 1, [8], None)
    assert "population@8/16" in arguments.strategies
    assert arguments.run is command.bench_search


@pytest.mark.parametrize("option", ["--seeds", "--limit", "--workers"])
def test_counts_must_be_positive(option: str, captions: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"must be at least 1 \(received 0\)"):
        run("--captions", str(captions), option, "0")


def test_there_must_be_something_to_work_on(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"captions: must be a readable UTF-8 file"):
        run("--captions", str(tmp_path / "none.txt"))
    with pytest.raises(InvalidInputError, match=r"captions: must be a file"):
        run()
    with pytest.raises(InvalidInputError, match=r"minutes: must be above 0"):
        run("--minutes", "0")
    with pytest.raises(InvalidInputError, match=r"out: must be given with --report-only"):
        run("--report-only")
    with pytest.raises(NotFoundError, match=r"out: no rows in"):
        run("--report-only", "--out", str(tmp_path))


def test_a_bench_is_run_kept_gone_on_with_and_reported(
    captions: Path, tmp_path: Path, reward: CountingReward, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["--captions", str(captions), "--strategies", "sample,population", "random", "--candidates", "4", "8"]
    words += ["--bars", "4", "--model", str(tiny_folder()), "--out", str(out)]
    assert run(*words) == 0
    first = capsys.readouterr()
    assert "[10/10, 0 min left] random at 8: reward 0." in first.err
    assert first.out == (out / "table.md").read_text()
    assert (out / "search.png").is_file()
    lines = (out / "rows.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == 10
    calls = reward.calls
    (out / "rows.jsonl").write_bytes(b"".join(lines[:9]) + lines[9][:50])  # killed while it wrote the last row
    assert run(*words, "--json") == 0
    again = capsys.readouterr()
    assert again.err.count("reward 0.") == 1
    assert 0 < reward.calls - calls <= calls / 5
    assert len((out / "rows.jsonl").read_bytes().splitlines()) == 10
    record = json.loads(again.out)
    assert record == json.loads((out / "summary.json").read_text())
    assert {one["arm"] for one in record["groups"]} == {"sample", "population", "random"}
    assert run("--report-only", "--out", str(out)) == 0
    assert "population at 8, equal tokens: no budget of best_of_n" in capsys.readouterr().out


def test_failed_searches_are_counted_and_tried_again(
    captions: Path, tmp_path: Path, reward: CountingReward, capsys: pytest.CaptureFixture[str]
) -> None:
    reward.fail_on_call = 1
    words = ["--captions", str(captions), "--strategies", "sample", "--bars", "2", "--model", str(tiny_folder())]
    assert run(*words, "--out", str(tmp_path / "out")) == 1
    assert "1 searches failed" in capsys.readouterr().err
    assert run(*words, "--out", str(tmp_path / "out")) == 0


def test_an_interrupt_keeps_what_is_done(
    captions: Path, tmp_path: Path, reward: CountingReward, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(CountingReward):
        def score(self, scores: Sequence[Score], caption: Any, weights: Any, *, complete: bool) -> list[Breakdown]:
            if reward.calls:
                raise KeyboardInterrupt
            return reward.score(scores, caption, weights, complete=complete)

    def open_bench(model: Path | None, workers: int) -> Bench:
        searcher = Searcher(FakeDecoder(), Interrupted())
        return Bench(searcher, searcher, reward, Judge.load())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workshop, "open_bench", open_bench)
        words = ["--captions", str(captions), "--strategies", "sample", "--bars", "2", "--model", str(tiny_folder())]
        assert run(*words, "--out", str(tmp_path / "out")) == command.INTERRUPTED
    assert "interrupted; what is done is kept" in capsys.readouterr().err
    assert len(Shelf(tmp_path / "out").rows) == 1


def test_a_report_is_of_the_newest_model_and_settings(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    old, new = made_up("a", "population", 8), made_up("a", "population", 8, gain=0.1)
    other = made_up("a", "sample", 1)
    shelf.add(replace(old, case=replace(old.case, model="fake@1")))
    shelf.add(replace(old, case=replace(old.case, settings='{"keep": 1}')))
    shelf.add(other)
    shelf.add(new)
    assert Shelf(tmp_path).newest() == [other, new]


@pytest.mark.parametrize("content", ['{"hello": 1}\n', "hello\n", "[]\n"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(InvalidInputError, match="out: must hold rows of this bench"):
        Shelf(tmp_path)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for row in whole_run(["a", "b"]):
        shelf.add(row)
    assert list(Shelf(tmp_path).rows.values()) == whole_run(["a", "b"])
