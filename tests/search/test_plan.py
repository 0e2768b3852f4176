"""The caption proposes, the controls dispose."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.model.header import DRUM_PLAYER
from motet.model.seed import Seed
from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DRUMS
from motet.search.controls import SearchControls
from motet.search.plan import Plan
from motet.search.request import SearchRequest
from tests.tiny import random_score

PIECE = random_score(0)
PITCHED = tuple(range(DRUM_PLAYER))


def plan(caption: str, bars: int | None = None, **controls: Any) -> Plan:
    return Plan.of(SearchRequest(caption=caption, bars=bars, controls=SearchControls(**controls)))


@pytest.mark.parametrize(
    ("caption", "asked", "bars"),
    [
        ("4 bars of rock drums at 120 bpm", None, 4),
        ("4 bars of rock drums at 120 bpm", 6, 6),
        ("a waltz in G major for piano", None, 8),
        ("16 seconds of piano at 120 bpm", None, 8),
    ],
)
def test_the_length_asked_for_comes_before_the_stated_one(caption: str, asked: int | None, bars: int) -> None:
    made = plan(caption, asked)
    assert (made.bars, made.first_bar, made.length_bars) == (bars, 0, bars)


def test_a_length_in_seconds_is_counted_in_the_tempo_and_meter_that_hold() -> None:
    made = plan("12 seconds of piano at 120 bpm", tempo_bpm=60.0, meter=Meter(3, 4))
    assert made.bars == 4


def test_controls_win_over_the_words_and_the_words_stay() -> None:
    made = plan(
        "A slow piece in C major for piano, 8 bars",
        4,
        tempo_bpm=160.0,
        key=Key(2, "minor"),
        meter=Meter(6, 8),
        instruments=(73, DRUM_PLAYER),
    )
    assert made.caption.text == "A slow piece in C major for piano, 8 bars"
    asked = made.caption.attributes
    assert (asked.tempo_bpm, asked.tempo_word, asked.key, asked.meter) == (160.0, None, Key(2, "minor"), Meter(6, 8))
    assert (asked.instruments, asked.drums, asked.bars) == ((73,), True, 4)
    controls = made.controls(made.request.parsed().attributes)
    assert (controls.tempo_bpm, controls.key, controls.meter, controls.bars) == (160.0, Key(2, "minor"), Meter(6, 8), 4)
    assert (controls.required, controls.allowed) == ((73, DRUM_PLAYER), None)


@pytest.mark.parametrize(
    ("caption", "controls", "required", "allowed"),
    [
        ("a tune", {}, (), None),
        ("piano and flute", {}, (0, 73), (0, 73)),
        ("piano and flute", {"drums": True}, (0, 73, DRUM_PLAYER), (0, 73, DRUM_PLAYER)),
        ("piano and flute", {"instruments": (40, 41)}, (40, 41), None),
        ("piano and flute", {"instruments": (40,), "drums": False}, (40,), PITCHED),
        ("rock drums and electric bass", {"instruments": (40,)}, (40, DRUM_PLAYER), None),
        ("rock drums and electric bass", {"instruments": (40,), "only_instruments": True}, (40,), (40,)),
        ("piano", {"only_instruments": True}, (0,), (0,)),
        ("piano and drums", {"only_instruments": True}, (0, DRUM_PLAYER), (0, DRUM_PLAYER)),
        ("piano and drums", {"drums": False}, (0,), (0,)),
    ],
)  # fmt: skip
def test_who_plays(caption: str, controls: dict[str, Any], required: Any, allowed: Any) -> None:
    made = plan(caption, **controls)
    row = made.controls(made.request.parsed().attributes)
    assert (row.required, row.allowed) == (required, allowed)
    assert made.caption.attributes.instruments == tuple(player for player in required if player != DRUM_PLAYER)
    if controls.get("only_instruments"):
        assert made.caption.attributes.drums is (DRUM_PLAYER in required)


def test_sampling_and_the_lock_reach_every_row() -> None:
    request = SearchRequest(
        caption="a tune", temperature=0.5, top_p=0.25, guidance=2.0, controls=SearchControls(key_lock=True)
    )
    made = Plan.of(request)
    controls = made.controls(made.caption.attributes)
    assert (controls.temperature, controls.top_p, controls.guidance, controls.scale) == (0.5, 0.25, 2.0, True)


def test_a_seed_to_continue_counts_as_stated() -> None:
    made = plan("a fast violin tune in 3/4 without drums, 6 bars", seed=Seed(score=PIECE))
    assert (made.bars, made.first_bar, made.length_bars) == (6, 4, 10)
    assert [made.piece_bars(bars) for bars in (0, 6)] == [4, 10]
    asked = made.caption.attributes
    assert asked.tempo_bpm == pytest.approx(PIECE.tempo_bpm[0], abs=0.01)
    assert (asked.tempo_word, asked.meter, asked.key) == (None, Meter(4, 4), made.seeded.key)
    assert set(asked.instruments) == {0, 33, 73, 40}
    assert asked.drums is None  # the seed has them, and what is kept cannot be judged
    assert asked.bars == 10
    controls = made.controls(made.request.parsed().attributes)
    assert (controls.bars, controls.required, controls.allowed) == (10, (40,), PITCHED)
    assert controls.key == made.seeded.key
    assert plan("in D minor", seed=Seed(score=PIECE)).caption.attributes.key == Key(2, "minor")
    assert plan("in D minor", seed=Seed(score=PIECE), key=Key(4, "minor")).caption.attributes.key == Key(4, "minor")
    assert plan("a tune", seed=Seed(score=PIECE)).caption.attributes.bars is None


def test_a_seed_to_fill_keeps_its_length() -> None:
    made = plan("12 bars, 1 minute long", seed=Seed(score=PIECE, bars=(2, 3)))
    assert (made.bars, made.first_bar, made.length_bars) == (2, 1, 4)
    assert [made.piece_bars(bars) for bars in (0, 2)] == [4, 4]
    assert (made.caption.attributes.bars, made.caption.attributes.duration_s) == (None, None)
    who = made.controls(made.request.parsed().attributes).required
    assert set(who) == {0, 33, 73, DRUM_PLAYER}  # who loses notes there plays again
    made = plan("no drums", seed=Seed(score=PIECE, bars=(2, 3)))
    assert DRUM_PLAYER not in made.controls(made.request.parsed().attributes).required
    made = plan("no drums here, just piano and flute", seed=Seed(score=PIECE, players=(40, DRUM_PLAYER)))
    assert (made.bars, made.first_bar, made.length_bars) == (4, 0, 4)
    controls = made.controls(made.request.parsed().attributes)
    assert (controls.required, controls.allowed) == ((40, DRUM_PLAYER), None)
    assert made.caption.attributes.drums is True
    assert set(made.caption.attributes.instruments) == {0, 33, 73, 40}


def test_what_is_not_kept_can_be_ruled_out() -> None:
    pitched = PIECE.select(PIECE.program != DRUMS)
    assert plan("a tune", seed=Seed(score=pitched), drums=False).caption.attributes.drums is False


CAPTIONS = (
    "a tune",
    "A sad waltz in C minor for piano and flute, 12 bars",
    "solo violin",
    "piano without drums",
    "drums only",
    "a rock band with drums, bass and guitar at 120 bpm, 20 seconds long",
)
PLAYERS = st.lists(st.sampled_from((0, 33, 40, 73, DRUM_PLAYER)), unique=True, max_size=3).map(tuple)
SEEDS = st.one_of(
    st.none(),
    st.builds(
        Seed,
        score=st.just(PIECE),
        bars=st.one_of(st.none(), st.sampled_from(((1, 1), (2, 3), (1, 4)))),
        players=PLAYERS,
    ),
)


@settings(max_examples=80, deadline=None)
@given(
    caption=st.sampled_from(CAPTIONS),
    mutant=st.sampled_from(CAPTIONS),
    bars=st.one_of(st.none(), st.integers(1, 64)),
    instruments=PLAYERS,
    only=st.booleans(),
    drums=st.one_of(st.none(), st.booleans()),
    key=st.one_of(st.none(), st.just(Key(2, "minor"))),
    seed=SEEDS,
)
def test_what_is_accepted_can_be_carried_out(
    caption: str,
    mutant: str,
    bars: int | None,
    instruments: tuple[int, ...],
    only: bool,
    drums: bool | None,
    key: Key | None,
    seed: Seed | None,
) -> None:
    """Contradictions are told at once; whatever is left has a plan for every arm, and loses nothing that was asked."""
    try:
        controls = SearchControls(instruments=instruments, only_instruments=only, drums=drums, key=key, seed=seed)
        request = SearchRequest(caption=caption, bars=bars, controls=controls)
    except InvalidInputError:
        return
    made = Plan.of(request)
    assert made.first_bar + made.bars <= made.length_bars
    for words in (caption, mutant):
        row = made.controls(SearchRequest(caption=words).parsed().attributes)
        assert row.bars == made.length_bars
        assert row.key == key or key is None
        if seed is not None and seed.players:
            assert set(seed.players) <= set(row.required)
            continue
        assert set(instruments) <= set(row.required)
        assert drums is not True or DRUM_PLAYER in row.required
        assert drums is not False or (row.allowed is not None and DRUM_PLAYER not in row.allowed)
        if only and instruments:
            assert row.allowed is not None
            assert set(row.allowed) == set(instruments) | ({DRUM_PLAYER} if drums else set())
