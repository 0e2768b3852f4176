"""The bench as a whole: contests, scorebook, outcomes, weights, report, picture, command."""

from __future__ import annotations

import argparse
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motet.music import midi
from motet.music.caption import Caption, parse
from motet.music.describe import describe
from motet.music.error import InternalError, InvalidInputError, NotFoundError
from motet.rewards.composite import Composite, Weights
from motet.rewards.reward import Judgement, PlainReward
from motet.training.command import register
from motet.training.reward_bench import (
    audience,
    ballot,
    bench,
    corruption_contest,
    degenerate_contest,
    material,
    picture,
    scorebook,
    swap_contest,
)
from motet.training.reward_bench.contest import Contest, Entry, Vote, every_pair
from motet.training.reward_bench.journal import Journal
from motet.training.reward_bench.listener import LISTENERS
from motet.training.reward_bench.outcome import outcome
from motet.training.reward_bench.report import BenchReport
from motet.training.reward_bench.scorebook import Source, blend
from motet.training.reward_bench.source import HeardOnce
from motet.training.reward_bench.weighting import Grader, grid, tune
from tests.tiny import random_score, tiny_folder

pytestmark = pytest.mark.usefixtures("one_thread")

ASKED = parse("a piano piece")


@pytest.fixture(scope="module")
def music(corpus: Path) -> list[material.Piece]:
    return material.pieces(corpus, "test", 8)


@pytest.fixture(scope="module")
def swaps(music: list[material.Piece]) -> list[Contest]:
    return swap_contest.contests(music, 0)


@pytest.fixture(scope="module")
def ladders(music: list[material.Piece]) -> list[Contest]:
    return corruption_contest.contests(music, 3, 0)


def contest(levels: tuple[float, ...], song: str = "a", **fields) -> Contest:
    return Contest(
        **{
            "column": "musicality",
            "task": "task",
            "kind": "kind",
            "song": song,
            "entries": tuple(Entry(random_score(place), ASKED) for place in range(len(levels))),
            "levels": levels,
            "votes": every_pair(levels),
        }
        | fields
    )


def test_an_entry_is_known_by_its_notes_and_words() -> None:
    score = random_score(1)
    key = Entry(score, ASKED).key
    assert Entry(random_score(1), ASKED).key == key
    assert Entry(score, parse("a piano piece.")).key != key
    assert Entry(replace(score, velocity=score.velocity - 1), ASKED).key != key
    assert Entry(replace(score, tempo_bpm=score.tempo_bpm + 1), ASKED).key != key


def test_every_song_comes_once_before_any_comes_twice(corpus: Path, music: list[material.Piece]) -> None:
    assert len(music) == len({piece.song for piece in music}) == 8
    assert len(material.pieces(corpus, "train", 3)) == 3
    with pytest.raises(InvalidInputError, match="2 songs"):
        material.pieces(corpus, "test", 1)
    with pytest.raises(NotFoundError):
        material.pieces(corpus / "none", "test", 8)
    for place, other in enumerate(order := material.others(8, 3)):
        assert place != other
    assert sorted(order) == list(range(8))


def test_swaps_change_the_words_and_nothing_else(music: list[material.Piece], swaps: list[Contest]) -> None:
    by_song = {piece.song: piece for piece in music}
    assert {"drums", "key far", "meter"} <= {one.kind for one in swaps}
    for one in swaps:
        true, false = one.entries
        assert true.score is false.score is by_song[one.song].score
        assert true.caption.attributes != false.caption.attributes
        assert one.levels == (1, 0)
        assert one.votes == (Vote(0, 1, 1.0),)
        assert one.family == ("near" if one.kind in swap_contest.NEAR else "far")
        assert [entry.caption for entry in one.controls] == [true.caption, false.caption]
        assert one.controls[0].score is one.controls[1].score is not true.score


def test_each_rung_makes_one_more_attribute_false(music: list[material.Piece]) -> None:
    found = swap_contest.ladders(music, 0)
    assert found
    for one in found:
        true = one.entries[0].caption.attributes
        wrong = [
            sum(
                getattr(entry.caption.attributes, name) != getattr(true, name)
                for name in ("instruments", "drums", "key", "meter", "tempo_bpm")
            )
            for entry in one.entries
        ]
        assert wrong == list(range(len(one.entries)))
        assert list(one.levels) == [-step for step in wrong]
        assert len(one.votes) == math.comb(len(one.entries), 2)


def test_corruptions_are_compared_with_the_whole_window(music: list[material.Piece], ladders: list[Contest]) -> None:
    by_song = {piece.song: piece for piece in music}
    assert len({one.kind for one in ladders}) > 10
    assert len({one.family for one in ladders}) == 2
    for one in ladders:
        assert one.entries[0].score is by_song[one.song].score
        assert {entry.caption for entry in one.entries} == {by_song[one.song].caption}
        assert one.levels[0] == 0
        assert all(level < 0 for level in one.levels[1:])
        assert [vote.first for vote in one.votes] == [0] * (len(one.entries) - 1)


def test_cheats_are_what_was_asked_for_but_for_the_music(music: list[material.Piece]) -> None:
    for one in degenerate_contest.contests(music[:3], 0):
        piece = next(piece for piece in music if piece.song == one.song)
        human, cheat = (describe(entry.score) for entry in one.entries)
        assert one.votes == (Vote(0, 1, 1.0),)
        if one.kind == "silence":
            assert not len(one.entries[1].score)
            continue
        assert (cheat.tempo_bpm, cheat.meter, cheat.drums) == (human.tempo_bpm, human.meter, False)
        assert cheat.instruments[0] in human.instruments
        assert cheat.bars is not None
        assert abs(cheat.bars - piece.bars) <= 1
        if piece.known.key is not None and one.kind in ("looped scale", "repeated triad"):
            assert cheat.key in (piece.known.key, piece.known.key.relative)


def test_listeners_for_alignment_know_what_is_true(music: list[material.Piece]) -> None:
    drawn = [(random_score(50 + place), random_score(70 + place)) for place in range(len(music))]
    candidates = audience.for_alignment(music, drawn, 0)
    features = audience.alignment_features(music, candidates)
    assert len(candidates) == 5 * len(music)
    own = [row for row, one in enumerate(candidates) if one.score is music[one.place].score]
    for name, column in features.items():
        assert np.nanmin(column) >= 0
        assert np.nanmax(column) <= 1
        if name not in ("instruments", "families"):  # of which a caption need not name all
            assert np.nanmin(column[own], initial=1.0) > 0.97  # captions round tempi
    stated = [music[one.place].stated.drums is not None for one in candidates]
    assert np.array_equal(~np.isnan(features["drums"]), stated)


def test_listeners_for_musicality_know_what_is_whole(music: list[material.Piece], ladders: list[Contest]) -> None:
    drawn = [(random_score(50 + place),) for place in range(len(music))]
    damaged = corruption_contest.damaged(music, ladders, 0)
    candidates = audience.for_musicality(music, drawn, damaged)
    features = audience.musicality_features(candidates, music)
    for row, one in enumerate(candidates):
        whole = one.score is music[one.place].score
        sample = one.score is drawn[one.place][0]
        assert features["human"][row] == (not sample)
        assert (features["intact"][row] == 1) == (whole or sample)
    assert all(np.isfinite(column).all() for column in features.values())
    found = audience.contests("musicality", music, candidates, features, 0)
    assert {one.kind for one in found} == {one.name for one in LISTENERS if one.column == "musicality"}
    assert all(len(one.votes) <= 3 for one in found)
    again = audience.contests("musicality", music, candidates, features, 0)
    assert [one.votes for one in found] == [one.votes for one in again]


def values(*rows: list[float]) -> list[np.ndarray]:
    return [np.array(row, float) for row in rows]


def test_outcomes_of_who_is_right_wrong_constant_and_silent() -> None:
    contests = [contest((3.0, 2.0, 1.0)), contest((0.0, 1.0), "b")]
    empty = values([], [])
    right = outcome(contests, values([3, 2, 1], [0, 1]), empty, 0)
    wrong = outcome(contests, values([1, 2, 3], [1, 0]), empty, 0)
    constant = outcome(contests, values([1, 1, 1], [1, 1]), empty, 0)
    silent = outcome(contests, values([math.nan] * 3, [math.nan] * 2), empty, 0)
    assert right is not None and wrong is not None and constant is not None and silent is not None  # noqa: PT018
    for found, share, rank in ((right, 1, 1), (wrong, 0, -1), (constant, 0.5, 0), (silent, 0.5, 0)):
        assert found.accuracy.value == share
        assert found.accuracy.high - found.accuracy.low == (0 if share == 0.5 else pytest.approx(0.658, abs=0.001))
        assert found.spearman is not None
        assert found.kendall is not None
        assert found.spearman.value == pytest.approx(rank)
        assert found.kendall.value == pytest.approx(rank)
    assert (right.accuracy.n, right.songs, right.control) == (4, 2, None)
    assert outcome([contest((1.0, 1.0))], values([1, 2]), values([]), 0) is None


def test_controls_and_kinds_are_told_apart() -> None:
    entries = tuple(Entry(random_score(place), ASKED) for place in (7, 8))
    contests = [
        contest((1.0, 0.0), kind="x", family="near", controls=entries),
        contest((1.0, 0.0), "b", kind="y", family="near"),
        contest((1.0, 0.0), "c", kind="z", family="far"),
    ]
    found = outcome(contests, values([1, 0], [0, 1], [0, 0]), values([0, 1], [], []), 0)
    assert found is not None
    assert found.control is not None
    assert (found.control.value, found.control.n) == (0, 1)
    assert {name: one.value for name, one in found.kinds.items()} == {
        "all near": 0.5,
        "all far": 0.5,
        "x": 1,
        "y": 0,
        "z": 0.5,
    }
    assert json.loads(json.dumps(found.record(), allow_nan=False))["accuracy"]["n"] == 3


class Asked:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.count = 0

    def source(self, version: str = "1") -> Source:
        def score(scores, _) -> list[float | None]:
            self.count += len(scores)
            return [None if len(one) % 2 else 0.25 for one in scores]

        return Source(name="asked", version=version, score=score)


def test_scores_are_asked_for_once(tmp_path: Path) -> None:
    scores = [random_score(place, bars) for place, bars in enumerate((2, 4, 4))]
    entries = {entry.key: entry for score in scores for entry in (Entry(score, ASKED), Entry(score, parse("drums")))}
    asked = Asked()
    said: list[str] = []
    book = scorebook.fill([asked.source()], entries, tmp_path, said.append)
    assert asked.count == 6
    assert said[-1].startswith("\rscored 2 of 2")
    path = tmp_path / scorebook.FILE
    path.write_bytes(path.read_bytes()[:-10])  # stopped in the middle of a line
    again = scorebook.fill([asked.source()], entries, tmp_path, said.append)
    assert asked.count == 7
    assert str(again) == str(book)  # nan and all
    scorebook.fill([asked.source()], entries, tmp_path, said.append)
    assert asked.count == 7
    scorebook.fill([asked.source("2")], entries, tmp_path, said.append)
    assert asked.count == 13
    bad = Source(name="bad", version="1", score=lambda scores, _: [math.inf] * len(scores))
    with pytest.raises(InternalError, match="bad"):
        scorebook.fill([bad], entries, None, said.append)


def test_a_score_is_of_a_version_of_the_reward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "outside_reward.py"
    module.write_text("def short(score, caption):\n    return 0.5\n")
    monkeypatch.syspath_prepend(tmp_path)
    import outside_reward  # type: ignore[import-not-found]

    source = Source.of("short", PlainReward(outside_reward.short))
    assert source.score([random_score(1)], ASKED) == [0.5]
    assert source.version == Source.of("short", PlainReward(outside_reward.short)).version
    module.write_text(module.read_text() + "\n")
    assert source.version != Source.of("short", PlainReward(outside_reward.short)).version


def test_a_sound_is_heard_once() -> None:
    heard = []

    class Ear:
        rate_hz, window_s, logit_scale = 8000, 2.0, 20.0

        def audio_vector(self, audio: np.ndarray) -> np.ndarray:
            heard.append(audio)
            return np.ones(3, np.float32)

        def text_vector(self, caption: Caption) -> np.ndarray:
            return np.full(3, len(caption.text), np.float32)

    ear = HeardOnce(Ear())  # type: ignore[arg-type]
    one, other = np.zeros(8, np.float32), np.ones(8, np.float32)
    for audio in (one, other, one.copy()):
        assert ear.audio_vector(audio).tolist() == [1, 1, 1]
    assert len(heard) == 2
    assert (ear.rate_hz, ear.window_s, ear.logit_scale, ear.text_vector(ASKED)[0]) == (8000, 2.0, 20.0, 13)
    with pytest.raises(AttributeError):
        _ = ear.colour


def test_a_journal_without_a_whole_line_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"cut')
    journal = Journal(path)
    assert journal.rows == []
    journal.add([[1], [2]])
    assert Journal(path).rows == [[1], [2]]


class Recalled:
    """A reward that says what it is told to."""

    def __init__(self, told: list[float | None]) -> None:
        self.told = told

    def judge(self, scores, caption: Caption, *, complete: bool) -> list[Judgement | None]:
        return [None if one is None else Judgement(value=one) for one in self.told]


def test_blends_are_the_totals_of_the_composite() -> None:
    told = {"text": [0.1, 0.9, None], "harmony": [0.4, 0.2, None], "adherence": [None, 1.0, None]}
    composite = Composite({name: Recalled(one) for name, one in told.items()})
    scores = [random_score(place) for place in range(3)]
    book = {
        name: {str(row): math.nan if one is None else one for row, one in enumerate(column)}
        for name, column in told.items()
    }
    for weights in ({"text": 0.4, "harmony": 0.4, "adherence": 0.2}, {"text": 1.0, "adherence": 3.0}, {"harmony": 1.0}):
        expected = [one.total for one in composite.score(scores, ASKED, Weights(weights), complete=True)]
        found = blend(book, weights, ["0", "1", "2"])
        assert np.where(np.isnan(found), 0.5, found) == pytest.approx(expected)


def test_the_grid_is_whole_and_the_best_weights_are_found() -> None:
    weights = grid(["a", "b", "c"], 4)
    assert len(weights) == math.comb(6, 2)
    assert all(sum(one.values()) == pytest.approx(1) for one in weights)
    contests = [contest((1.0, 0.0), str(turn), entries=entries(turn)) for turn in range(30)]
    rng = np.random.default_rng(0)
    book: dict[str, dict[str, float]] = {name: {} for name in ("text", "harmony", "adherence")}
    for one in contests:
        for place, entry in enumerate(one.entries):
            book["text"][entry.key] = float(rng.random())
            book["harmony"][entry.key] = 0.5 + 0.02 * (place == 0)
            book["adherence"][entry.key] = float(rng.random()) / 2
    grader = Grader(contests, book)
    assert grader.grade({"harmony": 1.0}) == 1
    tuning = tune(grader, grader)
    names = [name for name, *_ in tuning.rows]
    assert names[:4] == ["default", "text alone", "harmony alone", "adherence alone"]
    best = next(row for row in tuning.rows if row[0] == "best of the grid, 1")
    assert best[1]["harmony"] == 1
    assert best[2] == best[3] == 1
    assert "| harmony alone | 0.0 | 1.0 | 0.0 | 1.000 | 1.000 | 1.000 |" in tuning.table()
    with pytest.raises(InvalidInputError, match="text"):
        Grader(contests, {"harmony": book["harmony"]})


def entries(turn: int) -> tuple[Entry, Entry]:
    return Entry(random_score(2 * turn, 2), ASKED), Entry(random_score(2 * turn + 1, 2), ASKED)


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    for name, seed in (("a.mid", 1), ("b.mid", 2)):
        (tmp_path / name).write_bytes(midi.write(random_score(seed)))
    rows = [{"preference": preference} for preference in ("a", "b", "tie", "both_bad")]
    rows += [{"preference": "a", "column": "alignment"}]
    lines = [json.dumps({"caption": f"piece {row}", "a": "a.mid", "b": "b.mid"} | one) for row, one in enumerate(rows)]
    path = tmp_path / "votes.jsonl"
    path.write_text("\n".join(lines) + "\n\n")
    return path


def test_votes_are_read_in_both_columns_unless_they_say_which(votes: Path) -> None:
    found = ballot.contests(votes)
    assert [(one.column, one.votes[0].preference) for one in found] == [
        *((column, preference) for preference in (1, 0, 0.5) for column in ("alignment", "musicality")),
        ("alignment", 1),
    ]
    assert len(found[0].entries[0].score) == len(random_score(1))


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("{", "line 1: must be JSON"),
        ('{"caption": "x"}', '"caption", "a" and "b"'),
        ("[1]", '"caption", "a" and "b"'),
        ('{"caption": "x", "a": "a.mid", "b": "b.mid", "preference": "c"}', "preference"),
        ('{"caption": "x", "a": "a.mid", "b": "b.mid", "preference": "a", "column": "beauty"}', "column"),
        ('{"caption": " ", "a": "a.mid", "b": "b.mid", "preference": "a"}', "caption"),
    ],
)
def test_votes_that_are_none_are_refused_by_line(tmp_path: Path, line: str, part: str) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InvalidInputError, match=part):
        ballot.contests(path)
    with pytest.raises(NotFoundError, match="no file"):
        ballot.contests(tmp_path / "none.jsonl")


def oracle() -> Source:
    """Knows the right answers of swaps: reads the drums in the notes."""

    def score(scores, asked: Caption) -> list[float | None]:
        drums = asked.attributes.drums
        return [None if drums is None else float(bool((one.program < 0).any()) == drums) for one in scores]

    return Source(name="oracle", version="1", score=score)


@pytest.fixture(scope="module")
def report(swaps: list[Contest], ladders: list[Contest]) -> BenchReport:
    contests = [*swaps, *ladders]
    book = bench.scored(contests, [oracle()], 0, None)
    return BenchReport(split="test", pieces=8, songs=8, seed=0, outcomes=bench.outcomes(contests, [oracle()], book, 0))


def test_who_knows_is_told_from_who_guesses(report: BenchReport) -> None:
    swapped = report.outcomes["alignment"][swap_contest.TASK]
    assert swapped["oracle"].kinds["drums"].value == 1
    assert swapped["oracle"].kinds["key far"].value == 0.5
    assert swapped["oracle"].control is not None
    assert swapped["oracle"].control.value < swapped["oracle"].accuracy.value
    assert abs(swapped["random"].accuracy.value - 0.5) < 0.2
    spoiled = report.outcomes["musicality"][corruption_contest.TASK]
    assert spoiled["length"].kinds["dropped notes"].value == 1
    assert spoiled["length"].kinds["clusters"].value == 0


def test_the_report_is_markdown_and_json(report: BenchReport, tmp_path: Path) -> None:
    text = report.table()
    for part in (
        "## Alignment",
        "## Musicality",
        "| attribute swaps (",
        "| corruptions (",
        "|  | random |",
        "all near",
    ):
        assert part in text
    assert "nan" not in text
    for line in text.splitlines():
        assert not line.startswith("|") or line.endswith("|")
    assert json.loads(json.dumps(report.record(), allow_nan=False))["seed"] == 0
    path = picture.draw(report, tmp_path / "new")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 20_000


def test_the_judge_orders_what_listeners_hear(music: list[material.Piece]) -> None:
    drawn = [(random_score(50 + place),) for place in range(len(music))]
    candidates = audience.for_alignment(music, drawn, 0)
    features = audience.alignment_features(music, candidates)
    contests = audience.contests("alignment", music, candidates, features, 0)
    assert bench.second_opinions(contests, {}) == []
    judge = replace(oracle(), name=scorebook.JUDGES["alignment"], columns=("alignment",))
    opinions = [replace(judge, score=lambda scores, _: [float(len(one)) for one in scores]), oracle()]
    book = bench.scored(contests, opinions, 0, None)
    found = bench.second_opinions(contests, book)
    assert len(found) == len({piece.caption.text for piece in music})
    assert {one.task for one in found} == {bench.JUDGE_TASK}
    rows = bench.outcomes([*contests, *found], opinions, book, 0)["alignment"]
    assert rows[bench.JUDGE_TASK]["length"].accuracy.value == 1  # as the judge counts notes
    assert judge.name not in rows[bench.JUDGE_TASK]
    ceiling = rows[audience.TASK][bench.CEILING].spearman
    assert ceiling is not None
    assert ceiling.value == pytest.approx(1)


def run(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="motet")
    register(parser.add_subparsers(required=True))
    arguments = parser.parse_args(["eval", "rewards", *words])
    status: int = arguments.run(arguments)
    return status


def test_the_command_prints_draws_and_goes_on_where_it_stopped(
    corpus: Path, tmp_path: Path, votes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_folder(), tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"max_tokens": 120}))  # soon done
    words = [str(corpus), "--rewards", "harmony", "adherence", "--pieces", "4", "--heard", "3", "--samples", "1"]
    words += ["--model", str(tmp_path / "model"), "--votes", str(votes), "--out", str(tmp_path / "out")]
    assert run(*words, "--json") == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert (report["pieces"], report["songs"], report["seed"]) == (4, 4, 0)
    assert report["columns"]["alignment"].keys() >= {
        "attribute swaps",
        "false attributes",
        "simulated listeners",
        "votes",
    }
    assert report["columns"]["musicality"]["votes"]["harmony"]["accuracy"]["n"] == 3
    assert "sampled 3 of 3" in said.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"rewards.png", "samples.jsonl", "scores.jsonl"}
    assert run(*words) == 0
    said = capsys.readouterr()
    assert "sampled" not in said.err
    assert "scored" not in said.err
    accuracy = report["columns"]["alignment"]["attribute swaps"]["adherence"]["accuracy"]
    assert f"| adherence | {accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f}) |" in said.out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--pieces", "1"], "pieces"),
        (["--heard", "-1"], "heard"),
        (["--samples", "0"], "samples"),
        (["--tune", "--split", "valid"], "valid"),
    ],
)
def test_what_makes_no_sense_is_refused(corpus: Path, words: list[str], part: str) -> None:
    with pytest.raises(InvalidInputError, match=part):
        run(str(corpus), *words)


def test_an_unknown_reward_is_not_found(corpus: Path) -> None:
    with pytest.raises(NotFoundError, match="beauty"):
        run(str(corpus), "--rewards", "beauty")
