from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.error import InvalidInputError
from motet.search.inferalign_paper import InferAlignPaperConfig
from motet.search.request import SearchRequest
from tests.search.looks import TOKENS_PER_BAR, check_golden, search, watched

REQUEST = SearchRequest(
    caption="a slow waltz for piano", seed=11, candidates=5, bars=8, mutations=3, strategy="inferalign_paper"
)
GOLDEN = {"inferalign_paper": REQUEST}


def test_golden_search() -> None:
    check_golden(REQUEST, "inferalign_paper")


@pytest.mark.parametrize(("field", "value"), [("survivors", 0), ("chunk_share", 0.0), ("chunk_share", 1.1)])
def test_bad_settings_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=field):
        InferAlignPaperConfig(**{field: value})


@settings(max_examples=15, deadline=None)
@given(
    candidates=st.integers(1, 8),
    survivors=st.integers(1, 4),
    bars=st.integers(1, 9),
    mutations=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_the_best_survive_and_their_copies_get_new_captions(
    candidates: int, survivors: int, bars: int, mutations: int, seed: int
) -> None:
    spec = f"inferalign_paper:survivors={survivors}"
    request = replace(REQUEST, candidates=candidates, bars=bars, mutations=mutations, strategy=spec, seed=seed)
    with watched() as looks:
        result = search(request)
    mutable = mutations > 0 and candidates > 1
    if mutable:
        assert looks[0].bars_done == 0
        assert looks[0].arms_after == list(range(candidates))  # the original, and as many mutants as it takes
    for look in looks[1 if mutable else 0 :]:
        best = np.argsort(-look.rewards, kind="stable")[:survivors].tolist()
        copies = [row for row in range(candidates) if row not in best]
        assert all(look.parents[row] == row for row in best)
        assert [look.parents[row] for row in copies] == [best[i % len(best)] for i in range(len(copies))]
        for row in copies:
            if mutable:
                assert look.arms_after[row] > 0
                assert look.arms_after[row] not in look.arms
            else:
                assert look.arms_after[row] == 0
    assert result.tokens == candidates * bars * TOKENS_PER_BAR
    assert result.plain is None
    assert result.best.finished
    assert search(request).tree.to_json() == result.tree.to_json()


def test_tokens_fed_again_for_new_captions_are_counted() -> None:
    assert search(REQUEST).prefilled == (5 - 2) * (2 + 4 + 6) * TOKENS_PER_BAR
    assert search(replace(REQUEST, strategy="inferalign_paper:mutates=0")).prefilled == 0


def test_the_result_is_the_best_beam() -> None:
    result = search(REQUEST)
    ended = result.tree.reward_total[result.tree.finished]
    assert result.best.breakdown.total == ended.max()


def test_every_round_begins_with_mutants_of_its_own() -> None:
    with watched() as looks:
        search(replace(REQUEST, rounds=2, strategy="inferalign_paper:mutates=0"))
    first, second = (look.arms_after for look in looks if look.bars_done == 0)
    assert first[0] == second[0] == 0
    assert not set(first[1:]) & set(second[1:])
