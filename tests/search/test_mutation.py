import pytest

from motet.music import caption as captions
from motet.music.caption import Caption
from motet.music.tempo import TEMPO_WORDS
from motet.search.captions import read_captions
from motet.search.gate import admits
from motet.search.mutation import Mutators
from motet.search.mutators import mutate
from tests.search.paths import CAPTIONS

parse = captions.parse


class Parrot:
    """Proposes what it was told."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def propose(self, caption, count, *, seed, settled):
        yield from self.texts


def test_mutants_pass_the_gate_and_differ() -> None:
    for text in read_captions(CAPTIONS)[::2]:
        original = parse(text)
        mutants = mutate(original, 3, seed=5)
        assert len({mutant.text for mutant in mutants} | {text}) == len(mutants) + 1
        assert len(mutants) == 3, text
        assert all(admits(original, mutant) for mutant in mutants)
        assert all(mutant == parse(mutant.text) for mutant in mutants)


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


def test_no_mutant_states_what_is_settled_otherwise() -> None:
    original = parse("a jazz tune for piano")
    settled = parse("in C minor, 3/4, at 90 bpm").attributes
    for seed in range(4):
        for mutant in mutate(original, 3, seed=seed, settled=lambda stated: settled):
            said = mutant.attributes
            assert said.key is None
            assert said.tempo_bpm is None
            assert said.meter in (None, settled.meter)


def test_a_caption_of_full_length_has_only_mutants_of_full_length() -> None:
    original = Caption("x" * captions.MAX_CHARACTERS, captions.parse_attributes("x"))
    assert all(len(mutant.text) <= captions.MAX_CHARACTERS for mutant in mutate(original, 2, seed=0))
    assert mutate(original, 0, seed=0) == ()


def test_sources_take_turns() -> None:
    original = parse("a waltz")
    first = Parrot("a waltz", "a polka", "A waltz.", "a waltz in C major", "a waltz in G major")
    second = Parrot("a waltz in D minor", "a waltz in D minor")
    found = [mutant.text for mutant in Mutators([first, second]).mutate(original, 4, seed=0)]
    assert found == ["A waltz.", "a waltz in D minor", "a waltz in C major", "a waltz in G major"]


@pytest.mark.parametrize("text", ["", "  ", "a\x00waltz", "\ud800", "a waltz " + "in time " * 300])
def test_what_is_no_caption_is_left_out(text: str) -> None:
    assert Mutators([Parrot(text)]).mutate(parse("a waltz"), 1, seed=0) == ()
