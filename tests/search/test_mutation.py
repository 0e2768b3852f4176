import re

import pytest

from motet.music import caption as captions
from motet.music.caption import Caption
from motet.music.genre import GENRES
from motet.music.mood import MOODS
from motet.music.tempo import TEMPO_WORDS
from motet.search import prior
from motet.search.captions import read_captions
from motet.search.mutation import MUTATORS, admits, mutate
from tests.search.paths import CAPTIONS

parse = captions.parse


@pytest.mark.parametrize(
    ("original", "mutant"),
    [
        ("a slow waltz in G major", "a slow waltz in G major. The tempo is 60 bpm."),
        ("a happy tune for piano", "a happy tune for piano. It is in the key of D major."),
        ("A rock song. It is fast.", "It is fast. A rock song."),
        ("a jazz trio", "Compose the following music: a jazz trio"),
        ("guitar and flute in 3/4", "guitar and flute in 3/4. The tempo is 96 bpm."),
    ],
)
def test_admits_what_keeps_the_wish(original: str, mutant: str) -> None:
    verdict = admits(parse(original), parse(mutant))
    assert verdict, verdict.reason


@pytest.mark.parametrize(
    ("original", "mutant", "reason"),
    [
        ("a waltz in G major", "a waltz", "drops key"),
        ("a waltz in G major", "a waltz in E minor", "contradicts key"),
        ("a waltz in G major for piano", "a waltz in G major. The key is D minor, for piano", "contradicts key"),
        ("rock at 120 bpm", "rock at 90 bpm", "contradicts tempo_bpm"),
        ("a slow tune for piano", "a slow tune for piano. The tempo is 180 bpm.", "contradicts tempo_word"),
        ("piano and violin in 3/4", "piano in 3/4", "drops instruments"),
        ("piano and violin in 3/4", "piano and violin in 4/4", "contradicts meter"),
        ("a piano piece like falling snow", "a piano piece", "drops words: falling, like, snow"),
        ("a song for flute", "a song for flute, without bass", "negation"),
        ("a solo guitar tune", "a solo guitar tune. It is played by guitar and violin.", "wanted alone|drums"),
        ("a sparse tune for piano", "a busy, sparse tune for piano", "contradicts density"),
        ("a dark rock song", "a rock song", "drops moods"),
        ("a jazz tune in C major", "a tune in C major", "drops genres"),
    ],
)
def test_refuses_what_drops_or_contradicts(original: str, mutant: str, reason: str) -> None:
    verdict = admits(parse(original), parse(mutant))
    assert not verdict
    assert re.search(reason, verdict.reason)


def test_every_caption_admits_itself() -> None:
    for text in read_captions(CAPTIONS):
        verdict = admits(parse(text), parse(text))
        assert verdict, f"{text}: {verdict.reason}"


def test_mutants_pass_the_gate_and_differ() -> None:
    for text in read_captions(CAPTIONS):
        original = parse(text)
        mutants = mutate(original, 3, seed=5)
        assert len({mutant.text for mutant in mutants} | {text}) == len(mutants) + 1
        assert len(mutants) == 3, text
        assert all(admits(original, mutant) for mutant in mutants)


def test_mutants_are_a_function_of_the_seed() -> None:
    original = parse("a slow waltz for piano")

    def texts(seed: int) -> list[str]:
        return [mutant.text for mutant in mutate(original, 4, seed=seed)]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)
    assert texts(2**63 - 1)


def test_mutants_add_details_that_the_caption_leaves_open() -> None:
    original = parse("a slow tune for piano")
    added = [mutant.attributes for seed in range(8) for mutant in mutate(original, 3, seed=seed)]
    low, high = TEMPO_WORDS["slow"]
    tempi = [attributes.tempo_bpm for attributes in added if attributes.tempo_bpm is not None]
    assert tempi
    assert all(low <= bpm <= high for bpm in tempi)
    assert any(attributes.key is not None for attributes in added)


def test_a_caption_of_full_length_has_only_mutants_of_full_length() -> None:
    original = Caption("x" * captions.MAX_CHARACTERS, captions.parse_attributes("x"))
    assert all(len(mutant.text) <= captions.MAX_CHARACTERS for mutant in mutate(original, 2, seed=0))
    assert mutate(original, 0, seed=0) == ()


def test_frames_ask_for_nothing() -> None:
    for before, after in prior.FRAMES:
        assert captions.parse_attributes(f"{before}{after}") == captions.parse_attributes("x")


def test_priors_use_canonical_names() -> None:
    for table in (prior.TEMPO_RANGES, prior.LINE_UPS, prior.METERS):
        assert set(table) <= set(GENRES)
    assert set(MOODS) >= prior.DARK_MOODS


def test_line_ups_are_understood() -> None:
    for players in prior.LINE_UPS.values():
        assert captions.parse_attributes(f"It is played by {players}.").instruments


def test_every_mutator_says_what_it_does() -> None:
    assert all(mutator.__doc__ for mutator in MUTATORS)
