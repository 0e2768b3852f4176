"""The search on the real decoder, with random weights."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from motet.model.decoder import Batch, Decoder, Prompt
from motet.search.request import SearchRequest
from motet.search.result import SearchResult
from motet.search.run import Searcher
from tests.fakes import CountingReward
from tests.tiny import tiny_checkpoint

REQUEST = SearchRequest(caption="a slow waltz for piano", seed=3, candidates=4, bars=4, results=4)


class ShortDecoder(Decoder):
    """Random weights rarely end a bar, so rows are cut."""

    def open(self, prompts: Sequence[Prompt], *, seed: int) -> Batch:  # type: ignore[override]  # fewer options
        return super().open(prompts, seed=seed, max_tokens=48)


@pytest.fixture(scope="module")
def searcher() -> Searcher:
    return Searcher(ShortDecoder(tiny_checkpoint()), CountingReward())


@pytest.fixture(scope="module")
def population(searcher: Searcher) -> SearchResult:
    return searcher.run(REQUEST)


def test_the_same_seed_gives_the_same_notes(searcher: Searcher, population: SearchResult) -> None:
    again = searcher.run(REQUEST)
    assert [c.tokens.tolist() for c in again.candidates] == [c.tokens.tolist() for c in population.candidates]
    assert again.tree.to_json() == population.tree.to_json()


def test_the_plain_sample_is_that_of_the_strategy_sample(searcher: Searcher, population: SearchResult) -> None:
    sample = searcher.run(replace(REQUEST, strategy="sample", results=1))
    assert sample.best.tokens.tolist() == population.plain.tokens.tolist()
    assert sample.tokens < population.tokens


def test_every_candidate_has_the_length_asked_for(population: SearchResult) -> None:
    assert all(candidate.finished for candidate in population.candidates)
    assert max(candidate.bars for candidate in population.candidates) <= 4
    assert all(len(candidate.tokens) <= 48 for candidate in population.candidates)
    assert population.best.breakdown.total >= population.plain.breakdown.total
