"""The heart of a search on fakes: what a strategy is given, whatever the timing."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.score import Score
from motet.rewards.composite import Breakdown
from motet.search.archive import families_first
from motet.search.arms import Arms
from motet.search.budget import Budget, StopReason
from motet.search.exploration import PLAIN_ROW, Exploration
from motet.search.mutators import mutate
from motet.search.plan import Plan
from motet.search.profile import Stopwatch
from motet.search.progress import Progress
from motet.search.request import SearchRequest
from motet.search.scoring import Scoring
from motet.search.tree import ROOT
from tests.fakes import CountingReward, FakeBatch, FakeDecoder, Inline

REQUEST = SearchRequest(caption="A slow waltz for piano. Make it gentle and dreamy.", seed=5, bars=8)


class Stage:
    """An exploration of ``rows`` rows of the original caption, and everything around it."""

    def __init__(
        self,
        rows: int = 4,
        *,
        request: SearchRequest = REQUEST,
        reward: Any = None,
        judges: Executor | None = None,
        tuning: Any = None,
        keeps_plain: bool = True,
        decoder: FakeDecoder | None = None,
        **budget: Any,
    ) -> None:
        plan = Plan.of(request)
        self.decoder = decoder or FakeDecoder()
        self.reward = reward or CountingReward()
        self.seen: list[Progress] = []
        self.captions = Arms(plan, mutate, request.seed or 0)
        clock = time.monotonic
        scoring = Scoring(judges or Inline(), self.reward, plan.caption, request.weights, clock)
        self.exploration = Exploration(
            captions=self.captions,
            bars=plan.bars,
            weights=request.weights,
            scoring=scoring,
            budget=Budget(**budget),
            tuning=tuning,
            seed=request.seed or 0,
            keeps_plain=keeps_plain,
            watch=Stopwatch(clock),
            on_progress=self.seen.append,
        )
        self.rows = self.begin(rows)

    def begin(self, rows: int) -> FakeBatch:
        streams = self.exploration.streams.take(rows)
        batch = self.decoder.open([self.captions.prompt(0)] * rows, seed=REQUEST.seed or 0, streams=streams)
        self.exploration.begin(batch, [0] * rows, streams)
        return batch


def test_every_row_that_grew_stands_on_a_new_node_in_the_order_of_rows() -> None:
    exploration = Stage(4).exploration
    assert exploration.nodes.tolist() == [ROOT] * 4
    assert exploration.grow(3)
    assert exploration.nodes.tolist() == [1, 2, 3, 4]
    assert exploration.tree.bars[1:5].tolist() == [3, 3, 3, 3]
    assert exploration.grow(2, rows=np.array([False, True, False, True]))
    assert exploration.nodes.tolist() == [1, 5, 3, 6]
    assert exploration.tree.bars[exploration.nodes].tolist() == [3, 5, 3, 5]
    assert exploration.bars_done == 3
    assert exploration.tree.alive[:7].tolist() == [False, True, False, True, False, True, True]
    assert exploration.grow(8)
    assert exploration.finished.all()
    assert exploration.bars_done == 8
    assert exploration.grow(1)  # nothing is left to grow, and nothing to stop for
    assert exploration.tree.size == 11


class Slow(CountingReward):
    """Takes a time of its own for every piece."""

    def __init__(self, delays: Sequence[float]) -> None:
        super().__init__()
        self._delays = list(delays)

    def score(self, scores: Sequence[Score], caption: Any, weights: Any, *, complete: bool) -> list[Breakdown]:
        time.sleep(self._delays[self.calls % len(self._delays)])
        return super().score(scores, caption, weights, complete=complete)


def story(stage: Stage) -> Any:
    """A search with a bit of everything, as numbers."""
    exploration = stage.exploration
    while exploration.grow(2) and not exploration.finished.all():
        order = np.argsort(-exploration.values(), kind="stable")
        parents = np.arange(exploration.size)
        parents[order[-2:]] = order[0]
        parents[PLAIN_ROW] = PLAIN_ROW
        exploration.select(parents)
    return exploration.tree.snapshot().to_json(), [piece.node for piece in exploration.pieces()]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.001, 0.01]), min_size=1, max_size=5), st.integers(1, 3))
def test_neither_tree_nor_pieces_depend_on_when_scores_come(delays: list[float], threads: int) -> None:
    with ThreadPoolExecutor(threads) as judges:
        late = story(Stage(6, reward=Slow(delays), judges=judges, decoder=FakeDecoder(early_end_share=0.1)))
    assert late == story(Stage(6, decoder=FakeDecoder(early_end_share=0.1)))


def test_rows_are_judged_while_others_are_decoded() -> None:
    """The first piece is not given back before the last row has been decoded: without overlap nobody would move."""
    decoded = threading.Event()

    class Decoder(FakeDecoder):
        def on_bar(self) -> None:
            super().on_bar()
            if self.bars_drawn == 4 * 8:
                decoded.set()

    class Patient(CountingReward):
        def score(self, scores: Sequence[Score], caption: Any, weights: Any, *, complete: bool) -> list[Breakdown]:
            assert decoded.wait(20)
            return super().score(scores, caption, weights, complete=complete)

    reward = Patient()
    with ThreadPoolExecutor(1) as judges:
        stage = Stage(4, reward=reward, judges=judges, decoder=Decoder())
        assert stage.exploration.grow(8)
    assert reward.scored == 4
    assert reward.calls == 2  # the first to pause went alone, the others had come together meanwhile
    assert not np.isnan(stage.exploration.tree.reward_total[1:5]).any()


def test_a_selection_may_have_any_size() -> None:
    stage = Stage(4)
    exploration = stage.exploration
    exploration.grow(2)
    before = exploration.nodes
    exploration.select([0, 3, 3, 1, 3, 0])
    assert exploration.size == 6
    assert exploration.nodes.tolist() == before[[0, 3, 3, 1, 3, 0]].tolist()
    parents, streams = stage.decoder.selections[-1]
    assert parents == [0, 3, 3, 1, 3, 0]
    assert streams[0] == 0  # stays where it is
    assert streams[1] == 3  # the first that goes on as a row that has left its place is that row
    assert streams[3] == 1
    assert sorted(streams[2:3] + streams[4:]) == [4, 5, 6]  # copies draw what nobody has drawn
    exploration.select([0, 2])
    assert exploration.size == 2
    assert stage.decoder.selections[-1] == ([0, 2], [0, streams[2]])
    assert exploration.grow(6)
    assert exploration.finished.all()


def test_rows_that_all_stay_are_left_alone() -> None:
    stage = Stage(3)
    stage.exploration.grow(2)
    stage.exploration.select(range(3))
    assert stage.decoder.selections == []


def test_a_row_can_go_on_under_other_words() -> None:
    stage = Stage(3)
    exploration = stage.exploration
    exploration.grow(2)
    arms = exploration.mutants(2)
    assert arms == [1, 2]
    assert exploration.caption_count == 3
    exploration.select([0, 1, 1], arms=[0, 1, 2])
    assert exploration.arms.tolist() == [0, 1, 2]
    assert exploration.prefilled == 2 * 2 * 5
    exploration.grow(2)
    assert exploration.tree.arm[exploration.nodes].tolist() == [0, 1, 2]


def test_the_plain_sample_is_not_replaced_unless_a_strategy_does_without() -> None:
    exploration = Stage(3).exploration
    assert exploration.protected.tolist() == [True, False, False]
    exploration.grow(2)
    with pytest.raises(ValueError, match="plain sample"):
        exploration.select([1, 1, 2])
    with pytest.raises(ValueError, match="plain sample"):
        exploration.select([0, 1, 2], arms=[exploration.mutants(1)[0], 0, 0])
    free = Stage(3, keeps_plain=False).exploration
    assert not free.protected.any()
    free.grow(2)
    free.select([1, 1, 2])
    assert free.plain is None


def test_random_numbers_come_from_the_seed_and_never_twice() -> None:
    first, again = Stage(2).exploration, Stage(2).exploration
    numbers = first.uniforms(5)
    assert numbers.tolist() == again.uniforms(5).tolist()
    assert not set(numbers.tolist()) & set(first.uniforms(5).tolist())
    assert ((numbers >= 0) & (numbers < 1)).all()


def test_mutants_are_never_drawn_twice_and_the_seed_fixes_them() -> None:
    stage, again = Stage(2), Stage(2)
    drawn = [stage.exploration.mutants(2) for _ in range(3)]
    assert [arm for arms in drawn for arm in arms] == list(range(1, stage.exploration.caption_count))
    assert len(set(stage.captions.texts)) == len(stage.captions.texts)
    for _ in range(3):
        again.exploration.mutants(2)
    assert again.captions.texts == stage.captions.texts
    assert Stage(2).exploration.mutants(0) == []


def test_values_are_means_over_the_lineage_until_a_row_has_ended() -> None:
    exploration = Stage(4).exploration
    assert np.isnan(exploration.values()).all()
    exploration.grow(2)
    first = exploration.tree.reward_total[1:5].copy()
    np.testing.assert_allclose(exploration.values(), first)
    exploration.grow(2)
    second = exploration.tree.reward_total[5:9]
    np.testing.assert_allclose(exploration.values(), (4 * first + 16 * second) / 20)
    exploration.grow(4)
    np.testing.assert_array_equal(exploration.values(), exploration.tree.reward_total[exploration.nodes])
    per_token = exploration.log_probability_per_token
    np.testing.assert_allclose(per_token, -np.log(48) * 4 / 5)  # a bar costs nothing, each of its four notes log 48


def test_values_are_what_a_pilot_has_learned() -> None:
    class Pilot:
        strategies: dict[str, Any] = {}  # noqa: RUF012  # never changed

        def values(self, share: Any, terms: Any, log_probability_per_token: Any, weights: Any) -> Any:
            self.asked = share, dict(terms), log_probability_per_token, weights
            return 10 + np.arange(len(share))

    pilot = Pilot()
    exploration = Stage(3, tuning=pilot, decoder=FakeDecoder()).exploration
    exploration.grow(2, rows=np.array([True, False, True]))
    assert exploration.values().tolist() == [10, 11, 12]
    share, terms, nats, weights = pilot.asked
    assert share.tolist() == [0.25, 0, 0.25]
    assert np.isnan(terms["harmony"]).tolist() == [False, True, False]
    assert nats[1] == 0
    assert weights is REQUEST.weights
    exploration.grow(8)
    np.testing.assert_array_equal(exploration.values(), exploration.tree.reward_total[exploration.nodes])


def test_tokens_end_a_search_at_the_same_place_whatever_the_timing() -> None:
    trees = []
    for delays in ([0.0], [0.005]):
        with ThreadPoolExecutor(1) as judges:
            stage = Stage(4, reward=Slow(delays), judges=judges, tokens=62)
            assert not stage.exploration.grow(8)
        assert stage.exploration.stop is StopReason.TOKENS
        assert stage.exploration.tokens == 65  # a bar of five tokens is not cut
        assert not np.isnan(stage.exploration.tree.reward_total[1:5]).any()  # what was decoded is judged
        assert not stage.exploration.grow(1)
        trees.append(stage.exploration.tree.snapshot().to_json())
    assert trees[0] == trees[1]


def test_who_cancels_does_not_wait_for_a_reward() -> None:
    """The reward answers when the search is over, and not before."""
    over = threading.Event()
    judging = threading.Event()

    class Stuck(CountingReward):
        def score(self, scores: Sequence[Score], caption: Any, weights: Any, *, complete: bool) -> list[Breakdown]:
            if self.calls == 1:
                judging.set()
                assert over.wait(20)
            return super().score(scores, caption, weights, complete=complete)

    reward = Stuck()
    with ThreadPoolExecutor(1) as judges:
        stage = Stage(4, reward=reward, judges=judges, cancelled=judging.is_set)
        stage.exploration.grow(8)
        assert stage.exploration.stop is StopReason.CANCELLED
        stage.exploration.finish()
        pieces = stage.exploration.pieces()
        assert len(pieces) == 1  # what was judged before is there
        assert pieces[0].node == 1
        over.set()
    assert len(stage.exploration.pieces()) == 1


def test_an_error_of_the_reward_comes_out_of_grow() -> None:
    with ThreadPoolExecutor(1) as judges:
        stage = Stage(4, reward=CountingReward(fail_on_call=2, error=ZeroDivisionError("broken")), judges=judges)
        with pytest.raises(ZeroDivisionError, match="broken"):
            stage.exploration.grow(8)
        stage.exploration.end()
    assert stage.rows.closed


def test_rounds_go_on_in_one_tree_with_streams_of_their_own() -> None:
    stage = Stage(3)
    stage.exploration.grow(8)
    first = [piece.node for piece in stage.exploration.pieces()]
    stage.exploration.end()
    rows = stage.begin(2)
    exploration = stage.exploration
    assert not exploration.protected.any()  # the plain sample lies behind
    assert exploration.best_of_round() == []
    exploration.grow(8)
    assert exploration.tree.stream[[4, 5]].tolist() == [3, 4]
    assert exploration.tree.parent[[4, 5]].tolist() == [ROOT, ROOT]
    assert set(first) < {piece.node for piece in exploration.pieces()}
    assert exploration.best_of_round() == [exploration.tree.reward_total[4:6].max()]
    assert exploration.tokens == 5 * 8 * 5
    assert (exploration.rounds, rows.closed, stage.rows.closed) == (2, False, True)
    assert exploration.plain is not None
    assert exploration.plain.node == 1


def test_what_has_ended_ranks_before_what_was_interrupted() -> None:
    stage = Stage(4, keeps_plain=False)
    exploration = stage.exploration
    exploration.grow(8, rows=np.array([False, False, True, False]))
    exploration.grow(2)
    pieces = exploration.pieces()
    assert [piece.finished for piece in pieces] == [True, False, False, False]
    totals = [piece.breakdown.total for piece in pieces[1:]]
    assert totals == sorted(totals, reverse=True)


def test_families_are_inherited_and_each_is_heard_of_first() -> None:
    exploration = Stage(4).exploration
    assert exploration.families.tolist() == [0, 0, 0, 0]
    exploration.families = np.array([0, 1, 1, 2])
    exploration.grow(2)
    exploration.select([0, 1, 1, 3, 3])
    assert exploration.families.tolist() == [0, 1, 1, 2, 2]
    exploration.grow(6)
    pieces = exploration.pieces()
    first = families_first(pieces)
    assert sorted(piece.family for piece in first[:3]) == [0, 1, 2]
    assert first[0] is pieces[0]
    assert {id(piece) for piece in first} == {id(piece) for piece in pieces}
    for part in (first[:3], first[3:]):
        totals = [piece.breakdown.total for piece in part]
        assert totals == sorted(totals, reverse=True)


def test_progress_tells_the_best_piece_before_its_chunk_is_over() -> None:
    stage = Stage(4, decoder=FakeDecoder(early_end_share=0.2))
    stage.exploration.grow(8)
    early = [one for one in stage.seen if one.best_total is not None and one.nodes == 1]
    assert early
    assert all(one.best_terms for one in early)
    bars = [one.bars_done for one in stage.seen]
    assert bars == sorted(bars)
    assert stage.seen[-1].best_total == stage.exploration.pieces()[0].breakdown.total
