from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.rewards.analysis import analyse
from motet.rewards.grammar import KINDS, Events, Grammar, events
from tests.rewards.pieces import DEGENERATE, score_of, song, windows


def heard(score: Score) -> dict[str, Events]:
    found = analyse(score)
    assert found is not None
    return events(found)


def test_the_events_of_a_small_piece():
    """C major: C E C over C, then G B D over G, a bar each, in quarters."""
    notes = [(0, 4, 48), (0, 1, 60), (1, 1, 64), (2, 2, 60), (4, 4, 43), (4, 1, 67), (5, 1, 71), (6, 2, 74)]
    found = heard(score_of(notes))
    given = [(0, 4), (4, -4), (0, 7), (7, 4), (11, 3)]  # degree, interval
    np.testing.assert_array_equal(found["melody"].cell, [degree * 25 + interval + 12 for degree, interval in given])
    intervals = [interval + 12 for _, interval in given]
    np.testing.assert_array_equal(found["contour"].cell, [one * 25 + two for one, two in pairwise(intervals)])
    np.testing.assert_array_equal(found["bass"].cell, [0 * 12 + 7])
    np.testing.assert_array_equal(found["progression"].cell, [(0 * 12 + 7) * 7 + 0])
    np.testing.assert_array_equal(found["function"].cell, [0, 0, 7 * 7, 7 * 7])
    assert found["sonority"].weight.sum() == pytest.approx(8)


def test_tables_are_distributions_and_fit_what_was_counted():
    grammar = Grammar.default()
    for kind, (given, _) in KINDS.items():
        rows = np.exp(grammar.tables[kind]).reshape(math.prod(given), -1)
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=0.1)  # two decimals of the logarithm
    taught = Grammar.fit(heard(song(8, seed=seed)) for seed in range(20))
    for kind in KINDS:
        found = heard(song(8, seed=30))[kind]
        better, worse = taught.likelihood(kind, found), grammar.likelihood(kind, found)
        assert better is not None
        assert worse is not None
        assert better > worse


def test_human_music_is_likelier_than_random_notes():
    grammar = Grammar.default()
    for kind in ("melody", "progression", "function"):
        ours = [grammar.likelihood(kind, heard(score)[kind]) for score in windows()]
        noise = grammar.likelihood(kind, heard(DEGENERATE["random chromatic chords"](8))[kind])
        assert noise is not None
        assert np.median([value for value in ours if value is not None]) > noise


def test_bad_tables_are_one_clear_line():
    with pytest.raises(InvalidInputError, match=r"grammar\.melody"):
        Grammar(tables={})
    with pytest.raises(InvalidInputError, match="grammar"):
        Grammar.from_json({"melody": "la la la"})
    assert Grammar.default().likelihood("bass", heard(score_of([(0, 1, 60)]))["bass"]) is None
