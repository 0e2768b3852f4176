import itertools
import math
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from motet.model.seed import Seed
from motet.music.caption import parse_attributes
from motet.music.error import CancelledError, InternalError, InvalidInputError, UnavailableError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.rewards.composite import Breakdown, Weights
from motet.search.controls import SearchControls
from motet.search.exploration import PLAIN_ROW
from motet.search.mutators import mutate
from motet.search.progress import Progress
from motet.search.request import SearchRequest
from motet.search.result import Candidate, SearchResult
from motet.search.run import Searcher, StopReason
from motet.search.tree import ROOT
from tests.fakes import CountingReward, FakeClock, FakeDecoder, Inline
from tests.tiny import random_score

REQUEST = SearchRequest(caption="a slow waltz for piano", seed=7, candidates=8, bars=8, results=8)
STRATEGIES = ("sample", "best_of_n", "population")
LONG_CHUNKS = replace(REQUEST, strategy="population:chunk_bars=2")
"""Nothing is judged before every row has written its first bar."""


def run(request: SearchRequest = REQUEST, **options: Any) -> SearchResult:
    return Searcher(FakeDecoder(), CountingReward()).run(request, **options)


def plain(result: SearchResult) -> Candidate:
    assert result.plain is not None
    return result.plain


def fingerprint(result: SearchResult) -> Any:
    pieces = [
        (c.rank, c.breakdown.total, c.node, c.lineage, c.arm_caption, c.stream, c.tokens.tolist(), c.log_probability)
        for c in (*result.candidates, plain(result))
    ]
    return pieces, result.tree.to_json(), result.tokens, result.arms, result.seed


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_seed_gives_the_same_result(strategy: str) -> None:
    request = replace(REQUEST, strategy=strategy, results=1)
    assert fingerprint(run(request)) == fingerprint(run(request))
    assert fingerprint(run(request)) != fingerprint(run(replace(request, seed=8)))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", range(5))
def test_the_result_is_never_worse_than_the_plain_sample(strategy: str, seed: int) -> None:
    result = run(replace(REQUEST, strategy=strategy, seed=seed))
    assert result.best.breakdown.total >= plain(result).breakdown.total
    assert result.stop_reason is StopReason.COMPLETED
    assert [c.rank for c in result.candidates] == list(range(1, len(result.candidates) + 1))
    totals = [c.breakdown.total for c in result.candidates]
    assert totals == sorted(totals, reverse=True)
    assert all(c.finished and c.bars == 8 for c in result.candidates)


def test_every_strategy_reports_the_same_plain_sample() -> None:
    samples = [plain(run(replace(REQUEST, strategy=strategy))) for strategy in STRATEGIES]
    assert len({tuple(sample.tokens.tolist()) for sample in samples}) == 1
    assert len({sample.breakdown.total for sample in samples}) == 1
    assert all(sample.arm == 0 and sample.stream == PLAIN_ROW for sample in samples)


def test_the_population_beats_best_of_n_on_average() -> None:
    def mean(strategy: str) -> float:
        return float(
            np.mean([run(replace(REQUEST, strategy=strategy, seed=s)).best.breakdown.total for s in range(20)])
        )

    assert mean("population") > mean("best_of_n") > mean("sample")


def test_the_candidates_say_where_they_come_from() -> None:
    result = run()
    for candidate in (*result.candidates, plain(result)):
        assert candidate.lineage[0] == ROOT
        assert candidate.lineage[-1] == candidate.node
        assert result.tree.lineage(candidate.node) == candidate.lineage
        assert candidate.seed == 7
        assert candidate.arm_caption == result.arms[candidate.arm]
        assert result.tree.tokens[candidate.node] == len(candidate.tokens)
        assert result.tree.reward_total[candidate.node] == candidate.breakdown.total
        assert result.tree.log_probability[candidate.node] == candidate.log_probability
        assert len(candidate.score) == 32
    assert result.tokens == 8 * 8 * 5
    assert result.tree.value_best[ROOT] >= result.best.breakdown.total


def test_everything_is_judged_against_the_original_caption() -> None:
    reward = CountingReward()
    result = Searcher(FakeDecoder(), reward).run(REQUEST)
    assert len(result.arms) == 4
    assert set(reward.captions) == {REQUEST.caption} == {result.arms[0]}
    assert reward.completes[0] is False
    assert reward.completes[-1] is True


def test_controls_hold_on_every_arm_and_are_what_is_judged() -> None:
    decoder, reward = FakeDecoder(), CountingReward()
    controls = SearchControls(tempo_bpm=150.0, key=Key(2, "minor"), instruments=(73,), key_lock=True)
    request = replace(REQUEST, caption="A waltz in C major. For piano.", controls=controls, guidance=2.0)
    result = Searcher(decoder, reward).run(request)
    assert len(result.arms) == 4
    for prompt in decoder.opened[0]["prompts"]:
        row = prompt.controls
        assert (row.tempo_bpm, row.key, row.scale, row.required) == (150.0, Key(2, "minor"), True, (73,))
        assert (row.bars, row.guidance) == (8, 2.0)
    assert set(reward.captions) == {request.caption}
    asked = result.plan.caption.attributes
    assert all(attributes == asked for attributes in reward.asked)
    assert (asked.tempo_bpm, asked.key, asked.instruments, asked.genres) == (150.0, Key(2, "minor"), (73,), ("waltz",))


@pytest.mark.parametrize("seed", range(8))
def test_no_mutant_says_anything_else_than_the_controls_settle(seed: int) -> None:
    controls = SearchControls(tempo_bpm=150.0, key=Key(2, "minor"), meter=Meter(6, 8), instruments=(73,))
    result = run(replace(REQUEST, caption="Some jazz. Make it sad.", controls=controls, seed=seed))
    for text in result.arms:
        stated = parse_attributes(text)
        assert stated.tempo_bpm in (None, 150.0)
        assert stated.key in (None, Key(2, "minor"))
        assert stated.meter in (None, Meter(6, 8))
        assert stated.instruments in ((), (73,))


@pytest.mark.parametrize(
    ("music", "written", "piece"),
    [(Seed(score=random_score(0)), 8, 12), (Seed(score=random_score(0), bars=(2, 3)), 2, 4)],
)
def test_bars_are_counted_from_the_first_that_is_written(music: Seed, written: int, piece: int) -> None:
    seen: list[Progress] = []
    request = replace(LONG_CHUNKS, bars=None, controls=SearchControls(seed=music))
    result = run(request, on_progress=seen.append)
    assert result.bars == written
    assert all(progress.bars == written for progress in seen)
    assert [progress.bars_done for progress in seen] == sorted(progress.bars_done for progress in seen)
    assert (seen[0].bars_done, seen[-1].bars_done) == (1, written)
    assert result.tree.bars.max() == written
    assert {candidate.bars for candidate in result.candidates} == {piece}


class Narrow:
    """A vocabulary of few tempi and one meter."""

    tempos_bpm = (60.0, 120.0, 240.0)

    def stands_for(self, written_bpm: float, bpm: float) -> bool:
        return abs(written_bpm - bpm) < 30

    def supports(self, meter: Meter) -> bool:
        return meter == Meter(4, 4)


@pytest.mark.parametrize(
    ("controls", "line"),
    [
        (SearchControls(tempo_bpm=20.0), "tempo_bpm: must be from 60 to 240 for this model (received 20.0)"),
        (SearchControls(meter=Meter(11, 8)), "meter: must be one that this model can write, such as 4/4"),
    ],
)
def test_what_the_model_cannot_write_is_refused_before_anything_is_decoded(controls: SearchControls, line: str) -> None:
    decoder = FakeDecoder()
    searcher = Searcher(decoder, CountingReward(), vocabulary=Narrow())
    searcher.run(replace(REQUEST, bars=1, controls=SearchControls(tempo_bpm=125.0, meter=Meter(4, 4))))
    with pytest.raises(InvalidInputError, match=f"^{re.escape(line)}"):
        searcher.run(replace(REQUEST, controls=controls))
    assert len(decoder.opened) == 1


def test_the_original_keeps_half_of_the_rows_and_the_first() -> None:
    decoder = FakeDecoder()
    Searcher(decoder, CountingReward()).run(replace(REQUEST, candidates=7, results=1))
    prompts = [prompt.caption for prompt in decoder.opened[0]["prompts"]]
    assert prompts[0] == REQUEST.caption
    assert prompts.count(REQUEST.caption) == 4
    assert len(set(prompts)) == 4
    assert all(parents[PLAIN_ROW] == PLAIN_ROW and streams[PLAIN_ROW] == 0 for parents, streams in decoder.selections)


@pytest.mark.parametrize(
    ("strategy", "falling"),
    [("population", [4] * 7), ("population:keep_early=.75,keep_late=.5,chunk_bars=2", [2, 2, 4])],
)
def test_copies_draw_fresh_random_numbers(strategy: str, falling: list[int]) -> None:
    decoder = FakeDecoder()
    Searcher(decoder, CountingReward()).run(replace(REQUEST, strategy=strategy))
    seen = set(range(8))
    for parents, streams in decoder.selections:
        for row, (parent, stream) in enumerate(zip(parents, streams, strict=True)):
            if parent != row:
                assert stream not in seen
                seen.add(stream)
    replaced = [sum(p != row for row, p in enumerate(parents)) for parents, _ in decoder.selections]
    # One fewer where the plain sample stays beside those that were kept for their rewards.
    assert all(count in (most - 1, most) for count, most in zip(replaced, falling, strict=True))


def test_rows_that_end_early_stay_in_the_archive() -> None:
    decoder, reward = FakeDecoder(early_end_share=0.2), CountingReward()
    result = Searcher(decoder, reward).run(replace(REQUEST, bars=16))
    assert result.stop_reason is StopReason.COMPLETED
    assert all(candidate.finished for candidate in result.candidates)
    assert any(candidate.bars < 16 for candidate in result.candidates)
    scored = ~np.isnan(result.tree.reward_total)
    assert reward.scored == int(scored.sum())  # nothing is judged twice
    ended = np.flatnonzero(result.tree.finished & scored)
    assert result.best.breakdown.total == pytest.approx(result.tree.reward_total[ended].max())


def test_near_copies_are_removed() -> None:
    class OneDecoder(FakeDecoder):
        def open(self, prompts: Any, **options: Any) -> Any:
            batch = super().open(prompts, **options)
            for row in batch._rows:
                row.stream = 0  # all rows draw the same notes
            return batch

    result = Searcher(OneDecoder(), CountingReward()).run(replace(REQUEST, strategy="best_of_n"))
    assert len(result.candidates) == 1
    assert plain(result).breakdown == result.best.breakdown


def test_a_seed_is_chosen_and_reported() -> None:
    first, second = run(replace(REQUEST, seed=None)), run(replace(REQUEST, seed=None))
    assert first.seed != second.seed
    assert fingerprint(run(replace(REQUEST, seed=first.seed))) == fingerprint(first)


def test_as_many_results_as_asked_for() -> None:
    assert len(run(replace(REQUEST, results=3)).candidates) == 3


@pytest.mark.parametrize("request_", [REQUEST, LONG_CHUNKS], ids=["population", "long_chunks"])
def test_progress_never_goes_back(request_: SearchRequest) -> None:
    seen: list[Progress] = []
    result = run(request_, on_progress=seen.append)
    assert seen[-1].phase == "done"
    assert {progress.phase for progress in seen} == {"decoding", "scoring", "done"}
    for earlier, later in itertools.pairwise(seen):
        assert later.nodes >= earlier.nodes
        assert later.tokens >= earlier.tokens
        assert later.bars_done >= earlier.bars_done
        assert later.elapsed_s >= earlier.elapsed_s
    judged = [progress.phase for progress in seen].index("scoring")
    assert [progress.best_total is None for progress in seen] == [number < judged for number in range(len(seen))]
    assert judged > 0 or request_ is not LONG_CHUNKS
    assert seen[-1].best_total == result.best.breakdown.total
    assert seen[-1].best_terms == result.best.breakdown.terms
    assert (seen[-1].finished, seen[-1].candidates, seen[-1].bars) == (8, 8, 8)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_progress_carries_the_tree_as_it_is_at_that_moment(strategy: str) -> None:
    seen: list[Progress] = []
    result = run(replace(REQUEST, strategy=strategy, results=1), on_progress=seen.append)
    first = next(progress.tree for progress in seen if len(progress.tree) > 1)
    assert len(first) == 1 + result.tree.depth.tolist().count(1)  # the root and the first chunks: a look is added whole
    for earlier, later in itertools.pairwise(progress.tree for progress in seen):
        known = len(earlier)
        np.testing.assert_array_equal(later.parent[:known], earlier.parent)
        np.testing.assert_array_equal(later.bars[:known], earlier.bars)
        judged = ~np.isnan(earlier.reward_total)
        np.testing.assert_array_equal(later.reward_total[:known][judged], earlier.reward_total[judged])
        assert not (later.alive[:known] & ~earlier.alive).any()  # what was left is not taken up again
    for progress in seen:
        assert progress.nodes == len(progress.tree)
    assert seen[-1].tree.to_json() == result.tree.to_json()


def test_a_failing_reward_ends_the_search() -> None:
    for call in (1, 3):
        reward = CountingReward(fail_on_call=call, error=ZeroDivisionError("broken reward"))
        with pytest.raises(ZeroDivisionError, match="broken reward"):
            Searcher(FakeDecoder(), reward).run(REQUEST)


def test_a_reward_that_is_not_a_number_ends_the_search() -> None:
    class Undefined(CountingReward):
        def score(self, scores: Any, caption: Any, weights: Any, *, complete: bool) -> list[Breakdown]:
            breakdowns = super().score(scores, caption, weights, complete=complete)
            return [replace(breakdown, total=math.nan) for breakdown in breakdowns]

    with pytest.raises((InternalError, ValueError)):
        Searcher(FakeDecoder(), Undefined()).run(REQUEST)


def test_a_failing_listener_ends_the_search() -> None:
    def listener(progress: Progress) -> None:
        raise BrokenPipeError("gone")

    with pytest.raises(BrokenPipeError):
        run(on_progress=listener)


def cancel_after(calls: int) -> Any:
    count = 0

    def cancelled() -> bool:
        nonlocal count
        count += 1
        return count > calls

    return cancelled


def test_cancelled_before_anything_was_judged() -> None:
    with pytest.raises(CancelledError, match="cancelled before anything"):
        run(LONG_CHUNKS, cancelled=cancel_after(3))


def test_cancelled_later_returns_the_best_so_far() -> None:
    result = run(cancelled=cancel_after(30))
    assert result.stop_reason is StopReason.CANCELLED
    assert result.best.breakdown.total >= plain(result).breakdown.total
    assert not result.best.finished


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("deadline_s", [0.5, 3.0, 10.0, 40.0, 90.0])
def test_a_deadline_always_returns_something(strategy: str, deadline_s: float) -> None:
    clock = FakeClock()
    decoder = FakeDecoder(clock=clock, seconds_per_bar=1.0)
    reward = CountingReward(clock=clock, seconds_per_score=0.1)
    request = replace(REQUEST, strategy=strategy, deadline_s=deadline_s)
    result = Searcher(decoder, reward, clock=clock).run(request)
    bars = 8 if strategy == "sample" else 64
    enough = 0.75 * deadline_s > bars - 1
    assert (result.stop_reason is StopReason.COMPLETED) == enough
    assert result.best.breakdown.total >= plain(result).breakdown.total
    assert result.elapsed_s <= deadline_s + 1.5


def test_a_deadline_leaves_time_to_judge_what_was_decoded() -> None:
    clock = FakeClock()
    decoder = FakeDecoder(clock=clock, seconds_per_bar=1.0)
    reward = CountingReward(clock=clock, seconds_per_score=1.0)
    request = replace(REQUEST, strategy="best_of_n", deadline_s=32.0)
    result = Searcher(decoder, reward, clock=clock).run(request)
    assert result.stop_reason is StopReason.DEADLINE
    assert result.elapsed_s == 32.0
    assert len(result.candidates) == 8


def test_weights_reach_the_reward() -> None:
    result = run(replace(REQUEST, weights=Weights(text=0.0, harmony=1.0, adherence=0.0)))
    assert result.best.breakdown.total == result.best.breakdown.terms["harmony"]


@pytest.mark.parametrize(("candidates", "bars"), [(1, 1), (1, 64), (2, 1), (2, 3), (3, 64), (64, 1), (64, 3)])
def test_all_sizes(candidates: int, bars: int) -> None:
    result = run(replace(REQUEST, candidates=candidates, bars=bars, results=1))
    assert result.best.bars == bars
    assert result.tree.bars.max() == bars


def test_the_weakest_rows_fall_first() -> None:
    result = run()
    tree = result.tree
    children = np.bincount(tree.parent[1:], minlength=len(tree))
    first = np.flatnonzero(tree.depth == 1)
    dead = [node for node in first if children[node] == 0]
    assert dead
    assert max(tree.reward_total[dead]) <= min(tree.reward_total[n] for n in first if children[n] > 1)


def test_every_round_has_fresh_random_numbers_and_mutants() -> None:
    decoder = FakeDecoder()
    result = Searcher(decoder, CountingReward()).run(replace(REQUEST, rounds=3, candidates=4, results=4))
    assert result.rounds == 3
    assert result.stop_reason is StopReason.COMPLETED
    assert result.tokens == 3 * 4 * 8 * 5
    assert decoder.closed == len(decoder.opened) == 3
    assert len(result.arms) == 1 + 3 * 2
    assert len(set(result.arms)) == len(result.arms)
    drawn = result.tree.stream[1:][result.tree.parent[1:] == ROOT].tolist()
    assert len(drawn) == len(set(drawn)) == 12
    assert plain(result).stream == PLAIN_ROW
    one = run(replace(REQUEST, candidates=4, results=4))
    assert result.tree.parent[: len(one.tree)].tolist() == one.tree.parent.tolist()  # the first round is the same
    assert plain(result).tokens.tolist() == plain(one).tokens.tolist()
    assert result.best.breakdown.total >= one.best.breakdown.total


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_as_many_rounds_as_tokens_last(strategy: str) -> None:
    request = replace(REQUEST, strategy=strategy, rounds=None, tokens=1000, results=1)
    seen: list[Progress] = []
    result = run(request, on_progress=seen.append)
    assert result.stop_reason is StopReason.TOKENS
    assert 1000 <= result.tokens < 1005
    assert result.rounds == math.ceil(1000 / (40 if strategy == "sample" else 320))
    assert result.best.finished
    assert fingerprint(run(request)) == fingerprint(result)
    assert seen[-1].round == result.rounds
    tokens = [progress.tokens for progress in seen]
    assert tokens == sorted(tokens)


def test_tokens_that_end_before_the_first_piece_give_a_beginning() -> None:
    result = run(replace(REQUEST, tokens=1))
    assert result.stop_reason is StopReason.TOKENS
    assert not result.best.finished
    assert plain(result).bars == 1


def test_rounds_end_when_little_more_is_to_be_expected() -> None:
    request = replace(REQUEST, strategy="best_of_n", rounds=50, results=1)
    results = [run(replace(request, least_gain=least)) for least in (0.08, 0.02, 0.005)]
    assert all(result.stop_reason is StopReason.CONVERGED for result in results)
    rounds = [result.rounds for result in results]
    assert rounds[0] >= 3
    assert rounds == sorted(rounds)
    assert len(set(rounds)) > 1
    assert run(replace(request, rounds=4)).stop_reason is StopReason.COMPLETED


def test_a_deadline_in_a_later_round_loses_nothing() -> None:
    clock = FakeClock()
    decoder = FakeDecoder(clock=clock, seconds_per_bar=1.0)
    request = replace(REQUEST, strategy="best_of_n", rounds=None, deadline_s=100.0)
    result = Searcher(decoder, CountingReward(), clock=clock).run(request)
    assert result.stop_reason is StopReason.DEADLINE
    assert result.rounds == 2
    assert all(candidate.finished for candidate in result.candidates)


def test_who_cancels_does_not_wait_for_mutants() -> None:
    over, asked = threading.Event(), threading.Event()

    def hosted(*arguments: Any, **named: Any) -> list[Any]:
        asked.set()
        assert over.wait(20)
        return []

    searcher = Searcher(FakeDecoder(), CountingReward(), mutate=hosted)
    with pytest.raises(CancelledError):
        searcher.run(REQUEST, cancelled=asked.is_set)
    over.set()


def test_a_mutator_that_goes_away_takes_nothing_along() -> None:
    def hosted(caption: Any, count: int, **named: Any) -> Any:
        calls.append(count)
        if len(calls) > answers:
            raise UnavailableError("GONE", "the mutator has gone")
        return mutate(caption, count, **named)

    calls: list[int] = []
    answers = 1
    result = Searcher(FakeDecoder(), CountingReward(), mutate=hosted).run(replace(REQUEST, rounds=3))
    assert (result.rounds, len(result.arms), len(calls)) == (3, 4, 3)
    answers = 0
    with pytest.raises(UnavailableError, match="has gone"):
        Searcher(FakeDecoder(), CountingReward(), mutate=hosted).run(REQUEST)


def test_who_cancels_in_a_later_round_gets_what_was_found() -> None:
    over, again = threading.Event(), threading.Event()

    class Slow(FakeDecoder):
        def open(self, prompts: Any, **options: Any) -> Any:
            if self.opened:
                again.set()
                assert over.wait(20)
            return super().open(prompts, **options)

    result = Searcher(Slow(), CountingReward()).run(replace(REQUEST, rounds=2), cancelled=again.is_set)
    over.set()
    assert result.stop_reason is StopReason.CANCELLED
    assert result.rounds == 1
    assert result.best.finished


def test_the_profile_tells_where_the_time_went() -> None:
    clock = FakeClock()
    decoder = FakeDecoder(clock=clock, seconds_per_bar=1.0)
    reward = CountingReward(clock=clock, seconds_per_score=0.5)
    result = Searcher(decoder, reward, clock=clock, judges=Inline()).run(replace(REQUEST, strategy="best_of_n"))
    profile = result.profile
    assert (profile.scoring_s, profile.elapsed_s) == (4.0, 68.0)
    assert profile.decoding_s == 68.0  # what is judged on the same thread makes decoding wait
    assert profile.waiting_s == profile.tree_s == profile.tree_share == 0


def test_searches_in_threads_find_what_they_find_alone() -> None:
    searcher = Searcher(FakeDecoder(early_end_share=0.1), CountingReward())
    requests = [replace(REQUEST, seed=seed, rounds=2, results=1) for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        together = [fingerprint(result) for result in threads.map(searcher.run, requests)]
    assert together == [fingerprint(searcher.run(request)) for request in requests]
