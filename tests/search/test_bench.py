import json
from pathlib import Path

import numpy as np
import pytest

from motet.music.error import InvalidInputError, NotFoundError
from motet.music.score import Score
from motet.search import bench
from motet.search.run import Searcher
from tests.fakes import CountingReward, FakeDecoder
from tests.search.paths import CAPTIONS


def case(caption: str = "a waltz", strategy: str = "population", seed: int = 0) -> bench.Case:
    return bench.Case(caption=caption, strategy=strategy, seed=seed, candidates=4, bars=4, model="fake@0")


CASES = [case(c, s) for c in ("a waltz for piano", "a fast rock song") for s in ("sample", "population")]


def silent(index: int, row: bench.Row) -> None:
    pass


def measure(reward: CountingReward, out: Path | None, cases: list[bench.Case] = CASES) -> list[bench.Row]:
    return list(bench.run(Searcher(FakeDecoder(), reward), cases, out=out, on_row=silent))


def test_the_committed_captions_are_fifty_different_ones() -> None:
    captions = bench.read_captions(CAPTIONS)
    assert len(captions) == len(set(captions)) == 50
    assert bench.read_captions(CAPTIONS, 3) == captions[:3]


def test_a_bench_counts_wins_over_the_plain_sample() -> None:
    summaries = bench.summarise(measure(CountingReward(), None))
    sample, population = summaries
    assert (sample.strategy, sample.wins, sample.searches) == ("sample", 0, 2)
    assert sample.total == sample.plain_total == population.plain_total
    assert population.total >= population.plain_total
    assert population.verdict() == f"population beats the first plain sample on {population.wins} of 2 captions"
    lines = bench.table(summaries).splitlines()
    assert len(lines) == 3
    assert "harmony (plain)" in lines[0]
    assert json.loads(json.dumps(bench.to_json(summaries)))["strategies"][1]["wins"] == population.wins


def test_a_judge_is_asked_about_results_and_plain_samples_and_stands_beside_the_reward() -> None:
    asked: list[tuple[float, str]] = []

    def referee(score: Score, caption: str) -> dict[str, float]:
        asked.append((float(score.pitch.sum() % 997) / 997, caption))
        return {"pitch": asked[-1][0], "total": asked[-1][0]}

    rows = list(bench.run(Searcher(FakeDecoder(), CountingReward()), CASES, out=None, on_row=silent, referee=referee))
    assert [row.judge["pitch"] for row in rows] == [value for value, _ in asked[::2]]
    assert [row.plain_judge["pitch"] for row in rows] == [value for value, _ in asked[1::2]]
    assert {caption for _, caption in asked} == {one.caption for one in CASES}
    summaries = bench.summarise(rows)
    assert "judge: pitch (plain)" in bench.table(summaries).splitlines()[0]
    assert bench.Row.from_json(rows[0].to_json()) == rows[0]
    population = summaries[1]
    assert population.gain is not None
    assert population.gain.reward == pytest.approx(
        (population.total - population.plain_total) / np.std([row.plain_total for row in rows[1::2]])
    )
    assert "judge share" in population.verdict()


def test_several_seeds_are_named() -> None:
    rows = measure(CountingReward(), None, [case(seed=0), case(seed=1)])
    assert bench.summarise(rows)[0].verdict().endswith("of 2 searches (1 captions × 2 seeds)")


def test_a_bench_resumes(tmp_path: Path) -> None:
    out = tmp_path / "rows" / "bench.jsonl"
    first = measure(CountingReward(), out)
    again = CountingReward()
    assert measure(again, out) == first
    assert again.calls == 0
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:2]) + lines[2][:20])  # killed while it wrote the third row
    resumed = CountingReward()
    assert [row.total for row in measure(resumed, out)] == [row.total for row in first]
    assert resumed.calls > 0
    assert len(bench.read_rows(out)) == 4


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "bench.jsonl"
    out.write_text('{"hello": 1}\n')
    with pytest.raises(InvalidInputError, match="out: must hold rows of this bench"):
        measure(CountingReward(), out)


def test_all_cases_are_checked_before_the_first_search() -> None:
    reward = CountingReward()
    with pytest.raises(NotFoundError):
        measure(reward, None, [case(), case(strategy="psychic")])
    assert reward.calls == 0


@pytest.mark.parametrize("content", [b"", b"# only a comment\n\n", b"\xff\xfe\x00"])
def test_captions_must_be_there(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "captions.txt"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match="captions"):
        bench.read_captions(path)
    with pytest.raises(InvalidInputError, match="captions"):
        bench.read_captions(tmp_path / "missing.txt")
