"""The search on the real decoder, with random weights."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from motet.model.decoder import Batch, Decoder, Prompt
from motet.model.grammar import SCALES
from motet.model.header import DRUM_PLAYER
from motet.model.seed import Seed
from motet.music import midi
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.search.controls import SearchControls
from motet.search.request import SearchRequest
from motet.search.result import Candidate, SearchResult
from motet.search.run import Searcher, searcher_from
from tests.fakes import CountingReward
from tests.tiny import random_score, tiny_checkpoint

REQUEST = SearchRequest(caption="a slow waltz for piano", seed=3, candidates=4, bars=4, results=4)


class ShortDecoder(Decoder):
    """Random weights rarely end a bar, so rows are cut."""

    def open(self, prompts: Sequence[Prompt], **options: Any) -> Batch:
        return super().open(prompts, **options, max_tokens=48)


@pytest.fixture(scope="module")
def searcher() -> Searcher:
    return Searcher(ShortDecoder(tiny_checkpoint()), CountingReward())


@pytest.fixture(scope="module")
def whole_searcher() -> Searcher:
    return Searcher(Decoder(tiny_checkpoint()), CountingReward(), vocabulary=tiny_checkpoint().tokenizer)


@pytest.fixture(scope="module")
def population(searcher: Searcher) -> SearchResult:
    return searcher.run(REQUEST)


def test_the_same_seed_gives_the_same_notes(searcher: Searcher, population: SearchResult) -> None:
    again = searcher.run(REQUEST)
    assert [c.tokens.tolist() for c in again.candidates] == [c.tokens.tolist() for c in population.candidates]
    assert again.tree.to_json() == population.tree.to_json()


def test_the_plain_sample_is_that_of_the_strategy_sample(searcher: Searcher, population: SearchResult) -> None:
    sample = searcher.run(replace(REQUEST, strategy="sample", results=1))
    assert sample.best.tokens.tolist() == plain(population).tokens.tolist()
    assert sample.tokens < population.tokens


def test_every_candidate_has_the_length_asked_for(population: SearchResult) -> None:
    assert all(candidate.finished for candidate in population.candidates)
    assert max(candidate.bars for candidate in population.candidates) <= 4
    assert all(len(candidate.tokens) <= 48 for candidate in population.candidates)
    assert population.best.breakdown.total >= plain(population).breakdown.total


def plain(result: SearchResult) -> Candidate:
    assert result.plain is not None
    return result.plain


def written(searcher: Searcher, request: SearchRequest) -> list[Score]:
    """Every candidate, as whoever opens its MIDI file finds it."""
    return [midi.read(midi.write(candidate.score)) for candidate in searcher.run(request).candidates]


def notes(score: Score) -> set[tuple[int, ...]]:
    """(onset, length, pitch, velocity, program) in ticks."""
    columns = (score.onset, score.duration, score.pitch, score.velocity, score.program)
    return set(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("key", [Key(1, "minor"), Key(8, "major")])
def test_what_is_locked_holds_in_the_files(whole_searcher: Searcher, key: Key) -> None:
    controls = SearchControls(
        tempo_bpm=97.5,
        key=key,
        key_lock=True,
        meter=Meter(6, 8),
        instruments=(40, DRUM_PLAYER),
        only_instruments=True,
    )
    caption = "A slow waltz in C major for piano and flute"
    request = replace(REQUEST, caption=caption, bars=3, candidates=2, results=2, controls=controls)
    for score in written(whole_searcher, request):
        assert score.tempo_bpm == pytest.approx([97.5], abs=0.01)
        assert score.meters == (Meter(6, 8),)
        assert set(score.program.tolist()) == {40, DRUMS}
        pitches = score.pitch[score.program != DRUMS]
        assert set(((pitches - key.tonic) % 12).tolist()) <= set(SCALES[key.mode])
        assert score.onset.max() < 3 * score.meters[0].bar_ticks(score.ppq)


PIECE = midi.read(midi.write(random_score(8)))
SEEDS = [
    Seed(score=PIECE),
    Seed(score=PIECE, bars=(2, 3)),
    Seed(score=PIECE, players=(DRUM_PLAYER,)),
    Seed(score=PIECE, bars=(3, 4), players=(40, 73)),
]


@pytest.mark.parametrize("music", SEEDS, ids=["continue", "bars", "drums", "a part of some bars"])
def test_a_seed_stays_as_it_is_in_the_files(whole_searcher: Searcher, music: Seed) -> None:
    bars = 2 if music.continues else None
    request = replace(
        REQUEST, caption="some jazz", bars=bars, candidates=2, results=2, controls=SearchControls(seed=music)
    )
    for score in written(whole_searcher, request):
        kept, found = notes(music.kept), notes(score)
        assert kept <= found
        assert score.tempo_bpm == pytest.approx(music.score.tempo_bpm, abs=0.01)
        assert score.meters == music.score.meters
        assert found - kept
        bar = music.bar_ticks
        cells = music.open(music.length_bars + (bars or 0))
        for onset, _, _, _, program in found - kept:
            assert cells[onset // bar, DRUM_PLAYER if program == DRUMS else program]
        assert int(np.max(score.onset)) // bar + 1 <= music.length_bars + (bars or 0)


def found(result: SearchResult) -> object:
    """Everything about a search but its times, the files byte by byte."""
    pieces = [(midi.write(one.score), one.breakdown, one.node, one.log_probability) for one in result.candidates]
    return pieces, result.tree.to_json(), result.tokens, result.arms


def test_a_search_among_seven_others_finds_what_it_finds_alone(searcher: Searcher) -> None:
    captions = ("a slow waltz for piano", "some jazz", "drums and bass", "a folk tune. Make it sad.")
    requests = [replace(REQUEST, caption=captions[seed % 4], seed=seed, rounds=2) for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(searcher.run, requests))
    for request, result in list(zip(requests, together, strict=True))[::3]:
        assert found(searcher.run(request)) == found(result)


@pytest.mark.slow
def test_so_it_does_with_the_default_model_and_reward() -> None:
    searcher = searcher_from()
    captions = ("a slow waltz for piano", "fast rock with drums", "a sad cello solo", "happy jazz for piano and bass")
    requests = [SearchRequest(caption=captions[seed % 4], seed=seed, candidates=4, bars=4) for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(searcher.run, requests))
    for request, result in list(zip(requests, together, strict=True))[::3]:
        assert found(searcher.run(request)) == found(result)
