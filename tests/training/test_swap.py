from __future__ import annotations

import pytest

from motet.music.attributes import Attributes
from motet.music.instrument import family_of
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.tempo import TEMPO_WORDS, word_of
from motet.training.corpus import truth
from motet.training.swap import SWAPS, swaps

PIANO, HARPSICHORD, FLUTE, VIOLIN, CELLO = 0, 6, 73, 40, 42


def window(row: int) -> Attributes:
    bpm = 52.0 + 9 * row
    return Attributes(
        instruments=((PIANO, VIOLIN), (HARPSICHORD,), (FLUTE, CELLO))[row % 3],
        drums=row % 4 < 2,
        key=Key(row % 12, ("major", "minor")[row % 2]),
        meter=Meter(3 + row % 2, 4),
        tempo_bpm=bpm,
        tempo_word=word_of(bpm),
        genres=(("classical", "rock")[row % 2],),
        moods=(("calm", "happy")[row % 2],),
        bars=8,
    )


WINDOWS = [window(row) for row in range(12)]


@pytest.mark.parametrize("name", SWAPS)
def test_one_caption_is_true_and_the_other_false_in_one_attribute(name: str) -> None:
    found = swaps(WINDOWS, name, seed=3)
    assert len(found) > 5
    field = {"key by a fifth": "key", "relative key": "key"}.get(name, name.split()[0])
    for swap in found:
        known = WINDOWS[swap.row]
        assert not truth.read(swap.true.text, known)[1] or "'" in swap.true.text  # a slip of the typist may hide a fact
        wrong = {one.split("_")[0] for one in truth.read(swap.false.text, known)[1]}
        assert field in wrong
        assert swap.true.stated.bars is swap.false.stated.bars is None
        for other in {"key", "meter", "instruments", "genres", "moods"} - {field} if field != "drums" else ():
            assert getattr(swap.true.stated, other) == getattr(swap.false.stated, other)


def test_the_same_seed_gives_the_same_words() -> None:
    assert swaps(WINDOWS, "meter", seed=3) == swaps(WINDOWS, "meter", seed=3) != swaps(WINDOWS, "meter", seed=4)


def test_near_and_far_are_what_they_say() -> None:
    for swap in swaps(WINDOWS, "instruments near", seed=0):
        assert _families(swap.true.stated) == _families(swap.false.stated)
    for swap in swaps(WINDOWS, "instruments far", seed=0):
        assert _families(swap.true.stated) != _families(swap.false.stated)
    for swap in swaps(WINDOWS, "key by a fifth", seed=0):
        said, lied = swap.true.stated.key, swap.false.stated.key
        assert said is not None
        assert lied is not None
        assert (lied.tonic - said.tonic) % 12 in (5, 7)
        assert lied.mode == said.mode
    for swap in swaps(WINDOWS, "relative key", seed=0):
        assert swap.true.stated.key is not None
        assert swap.false.stated.key == swap.true.stated.key.relative


def test_a_false_tempo_is_out_of_the_range_of_its_word() -> None:
    for name, most in (("tempo near", 1.5), ("tempo far", 2.1)):
        for swap in swaps(WINDOWS, name, seed=0):
            bpm, lied = WINDOWS[swap.row].tempo_bpm, swap.false.stated
            assert bpm is not None
            if lied.tempo_word is not None:
                low, high = TEMPO_WORDS[lied.tempo_word]
                assert not low <= bpm <= high
            if lied.tempo_bpm is not None:
                assert 1.15 < max(bpm / lied.tempo_bpm, lied.tempo_bpm / bpm) < most


def test_windows_without_the_attribute_have_no_swap() -> None:
    bare = [Attributes(bars=4), Attributes(genres=("rock",), moods=("calm",))]
    assert not any(swaps(bare, name, seed=0) for name in SWAPS)


def _families(stated: Attributes) -> list[str]:
    return sorted(family_of(program) for program in stated.instruments)
