from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.error import InvalidInputError
from motet.search.inferalign_released import InferAlignReleasedConfig
from motet.search.request import SearchRequest
from tests.search.looks import TOKENS_PER_BAR, check_golden, search, watched

REQUEST = SearchRequest(
    caption="a slow waltz for piano", seed=11, candidates=8, bars=8, mutations=3, strategy="inferalign_released"
)
GOLDEN = {"inferalign_released": REQUEST}


def test_golden_search() -> None:
    check_golden(REQUEST, "inferalign_released")


@pytest.mark.parametrize(
    ("field", "value"), [("beams", 0), ("beams", 65), ("survivors", 0), ("mutations", 0), ("chunk_share", 0.0)]
)
def test_bad_settings_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=field):
        InferAlignReleasedConfig(**{field: value})


@settings(max_examples=15, deadline=None)
@given(candidates=st.integers(1, 8), bars=st.integers(1, 9), mutations=st.integers(0, 3), seed=st.integers(0, 99))
def test_two_survive_and_their_copies_keep_their_captions(
    candidates: int, bars: int, mutations: int, seed: int
) -> None:
    request = replace(REQUEST, candidates=candidates, bars=bars, mutations=mutations, seed=seed)
    with watched() as looks:
        result = search(request)
    mutable = mutations > 0 and candidates > 1
    if mutable:
        mutants = min(4, candidates - 1)
        assert looks[0].arms_after == [0, *(1 + i % mutants for i in range(candidates - 1))]
    for look in looks[1 if mutable else 0 :]:
        best = np.argsort(-look.rewards, kind="stable")[:2].tolist()
        assert all(look.parents[row] == row for row in best)
        assert set(look.parents) <= set(best)
        assert look.arms_after == [look.arms[parent] for parent in look.parents]
    assert result.prefilled == 0
    assert result.tokens == candidates * bars * TOKENS_PER_BAR
    assert result.plain is None
    assert result.best.finished
    assert search(request).tree.to_json() == result.tree.to_json()


def parents(spec: str) -> list[list[int]]:
    with watched() as looks:
        search(replace(REQUEST, strategy=spec))
    return [look.parents for look in looks[1:]]


def test_refills_are_drawn_from_both_survivors() -> None:
    copies = [sorted(set(one)) for one in parents("inferalign_released")]
    assert all(len(one) == 2 for one in copies)
    counts = {one.count(two[0]) for one, two in zip(parents("inferalign_released"), copies, strict=True)}
    assert counts != {4}  # taking turns would share the eight rows equally


def test_without_its_quirks_it_is_the_paper() -> None:
    spec = "inferalign_released:refills_at_random=0,mutates_only_at_start=0,mutations=63"
    paper = search(replace(REQUEST, strategy="inferalign_paper"))
    assert search(replace(REQUEST, strategy=spec)).tree.to_json() == paper.tree.to_json()


def test_the_number_of_beams_can_be_that_of_the_released_command_line() -> None:
    result = search(replace(REQUEST, strategy="inferalign_released:beams=3"))
    assert result.tokens == 3 * 8 * TOKENS_PER_BAR
