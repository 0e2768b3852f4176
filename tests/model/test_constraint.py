"""What is locked is never violated, and no set of controls leaves a row without a token."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from motet.model.constraint import _compliant
from motet.model.controls import Controls
from motet.model.decoder import Decoder, Prompt
from motet.model.grammar import SCALES, Grammar
from motet.model.header import DRUM_PLAYER
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DRUMS
from motet.music.tempo import TEMPO_WORDS
from tests.tiny import GENRES, tiny_checkpoint, tiny_tokenizer

BARS = 2
PLAYERS = (0, 24, 33, 40, 73, 127, DRUM_PLAYER)


@lru_cache
def decoder() -> Decoder:
    return Decoder(tiny_checkpoint())


@st.composite
def random_controls(draw: st.DrawFn) -> Controls:
    required = draw(st.lists(st.sampled_from(PLAYERS), unique=True, max_size=3))
    allowed = draw(st.none() | st.lists(st.sampled_from(PLAYERS), unique=True, min_size=1))
    return Controls(
        bars=draw(st.integers(1, BARS)),
        tempo_bpm=draw(st.none() | st.floats(20, 300)),
        tempo_word=draw(st.none() | st.sampled_from(sorted(TEMPO_WORDS))),
        key=draw(st.none() | st.builds(Key.from_index, st.integers(0, 23))),
        scale=draw(st.booleans()),
        meter=draw(st.none() | st.sampled_from([Meter(3, 4), Meter(6, 8), Meter(4, 4), Meter(13, 16)])),
        required=tuple(required),
        allowed=None if allowed is None else tuple({*allowed, *required}),
        genres=tuple(draw(st.lists(st.sampled_from([*GENRES, "techno"]), unique=True, max_size=2))),
        temperature=draw(st.floats(0.5, 2.0)),
        top_p=draw(st.floats(0.5, 1.0)),
        guidance=draw(st.sampled_from([1.0, 1.0, 1.5])),
    )


def violations(controls: Controls, batch, row: int) -> list[str]:
    """What the row's music and header have that the controls forbid."""
    tokenizer = decoder().checkpoint.tokenizer
    names = [name for token in batch.tokens(row) for name in tokenizer.expansion(int(token))]
    score = batch.score(row)
    players = {DRUM_PLAYER if program == DRUMS else program for program in score.program.tolist()}
    found = []
    key = next(Key.from_index(int(name.partition("_")[2])) for name in names if name.startswith("Key_"))
    if controls.key not in (None, key):
        found.append("key")
    if controls.scale:
        classes = {(pitch - key.tonic) % 12 for pitch in score.pitch[score.program != DRUMS].tolist()}
        if not classes <= set(SCALES[key.mode]):
            found.append("scale")
    if controls.meter in (Meter(3, 4), Meter(6, 8), Meter(4, 4)) and score.meters != (controls.meter,):
        found.append("meter")
    asked = controls.tempo_bpm
    if asked is not None:
        nearest = min(tokenizer.tempos_bpm, key=lambda bpm: abs(np.log(bpm / asked)))
        if not np.isclose(score.tempo_bpm[0], (nearest, asked), rtol=1e-5).any():
            found.append("tempo")
    elif controls.tempo_word is not None:
        low, high = TEMPO_WORDS[controls.tempo_word]
        if not low <= score.tempo_bpm[0] <= high:
            found.append("tempo word")
    if controls.allowed is not None and not players <= set(controls.allowed):
        found.append("allowed")
    full = batch.token_counts[row] >= 150
    if not full and not set(controls.required) <= players:
        found.append("required")
    if not full and batch.bars_done[row] != controls.bars:
        found.append("bars")
    if score.end_tick > controls.bars * score.meters[0].bar_ticks(score.ppq):
        found.append("length")
    genres = {name.partition("_")[2] for name in names if name.startswith("Genre_")}
    if not set(controls.genres) & set(GENRES) <= genres:
        found.append("genres")
    return found


@settings(max_examples=40, deadline=None, phases=[Phase.generate])  # a batch takes too long to shrink
@given(controls=st.lists(random_controls(), min_size=25, max_size=25), seed=st.integers(0, 2**31))
def test_no_locked_thing_is_ever_violated(controls: list[Controls], seed: int) -> None:
    """40 batches of 25 rows: 1,000 samples of a model that knows nothing."""
    batch = decoder().open([Prompt("x", one) for one in controls], seed=seed, max_tokens=150)
    batch.advance(BARS)
    assert batch.finished.all()
    assert [violations(one, batch, row) for row, one in enumerate(controls)] == [[]] * len(controls)


def _names(mask: np.ndarray, kind: str) -> set[str]:
    tokenizer = tiny_tokenizer()
    names = {name for token in np.flatnonzero(mask) for name in tokenizer.expansion(int(token))}
    return {name.partition("_")[2] for name in names if name.partition("_")[0] == kind}


def test_compliant_tokens_keep_to_what_is_asked() -> None:
    grammar = Grammar(tiny_tokenizer())
    mask = _compliant(grammar, Controls(tempo_bpm=120, meter=Meter(2, 2), key=Key(3, "minor")))
    assert _names(mask, "Tempo") == {"119.03"}
    assert _names(mask, "TimeSig") == {"4/4"}
    assert _names(mask, "Key") == {"15"}
    assert _compliant(grammar, Controls(meter=Meter(13, 16))).all()
    assert _compliant(grammar, Controls(tempo_bpm=400)).any()
    assert all(_names(_compliant(grammar, Controls(tempo_word=word)), "Tempo") for word in TEMPO_WORDS)
