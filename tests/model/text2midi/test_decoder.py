"""The product's decoder on an imported checkpoint: valid pieces, locks that hold, rows that keep to themselves."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.model.checkpoint import Checkpoint
from motet.model.controls import Controls
from motet.model.decoder import Batch, Decoder, Prompt
from motet.model.grammar import SCALES
from motet.model.header import DRUM_PLAYER, PLAYERS
from motet.model.seed import Seed
from motet.model.text2midi.network import Text2midi
from motet.music import midi
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.search.request import SearchRequest
from motet.search.run import Searcher
from tests.fakes import CountingReward
from tests.model.text2midi.published import imported

LENGTH = 255  # not a multiple of the heads: blocks of 31.875 tokens
LAYOUTS = ("train", "upstream")
PROMPTS = ("a slow tune for piano", "flute and drums in C major", "a waltz")


@lru_cache
def decoder(layout: str) -> Decoder:
    return Decoder(Checkpoint.load(imported(LENGTH + 1, layout)))


def opened(layout: str, rows: tuple[int, ...] = (0, 1, 2), seed: int = 5, **controls: object) -> Batch:
    options: dict[str, object] = {"bars": 3, "temperature": 1.0, "top_p": 0.98, **controls}
    prompts = [Prompt(PROMPTS[row], Controls(**options)) for row in rows]  # type: ignore[arg-type]
    return decoder(layout).open(prompts, seed=seed, max_tokens=90, streams=np.array(rows))


def names(batch: Batch, row: int) -> list[str]:
    vocabulary = decoder("train").checkpoint.tokenizer
    return [vocabulary.expansion(int(token))[0] for token in batch.tokens(row)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_are_valid_pieces_in_the_order_of_the_vocabulary(layout: str) -> None:
    batch = opened(layout)
    batch.advance(3)
    assert batch.finished.all()
    for row in range(3):
        assert names(batch, row)[0] == "Bar_None"
        assert [name.partition("_")[0] for name in names(batch, row)[1:4]] == ["TimeSig", "Position", "Tempo"]
        score = batch.score(row)
        assert len(score)
        assert len(midi.read(midi.write(score))) == len(score)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_batched_equals_alone(layout: str) -> None:
    together = opened(layout)
    together.advance(3)
    for row in range(3):
        alone = opened(layout, (row,))
        alone.advance(3)
        assert alone.tokens(0).tolist() == together.tokens(row).tolist()
        assert alone.log_probability(0) == pytest.approx(together.log_probability(row), abs=1e-4)


@torch.inference_mode()
def test_the_log_probability_is_that_of_a_teacher_forced_pass() -> None:
    batch = opened("train")
    batch.advance(3)
    checkpoint = decoder("train").checkpoint
    assert isinstance(checkpoint.network, Text2midi)
    assert checkpoint.captions is not None
    for row, caption in enumerate(PROMPTS):
        tokens = torch.from_numpy(batch.tokens(row).astype(np.int64))
        inputs = torch.cat((torch.tensor([checkpoint.tokenizer.begin_id]), tokens[:-1]))[None]
        logits = checkpoint.network(inputs, *checkpoint.captions.encode([caption]))
        forced = torch.log_softmax(logits[0], -1)[torch.arange(len(tokens)), tokens].sum()
        assert batch.log_probability(row) == pytest.approx(float(forced), abs=1e-3)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_copy_goes_on_from_the_past_of_its_parent(layout: str) -> None:
    batch, undisturbed = opened(layout), opened(layout)
    for one in (batch, undisturbed):
        one.advance(1)
    past = batch.tokens(0)
    batch.select(np.array([0, 0, 2]), np.array([0, 77, 2]))
    for one in (batch, undisturbed):
        one.advance(2)
    assert batch.tokens(0).tolist() == undisturbed.tokens(0).tolist()
    assert batch.tokens(1)[: len(past)].tolist() == past.tolist()
    assert batch.tokens(2).tolist() == undisturbed.tokens(2).tolist()


@st.composite
def locks(draw: st.DrawFn) -> Controls:
    allowed = draw(st.none() | st.lists(st.integers(0, DRUM_PLAYER), min_size=1, max_size=5, unique=True).map(tuple))
    required = draw(st.lists(st.sampled_from(allowed or tuple(range(PLAYERS))), max_size=3, unique=True).map(tuple))
    key = draw(st.none() | st.integers(0, 23).map(Key.from_index))
    return Controls(
        bars=2,
        tempo_bpm=draw(st.none() | st.floats(20, 300)),
        meter=draw(st.none() | st.sampled_from([Meter(4, 4), Meter(3, 4), Meter(6, 8), Meter(2, 2), Meter(7, 8)])),
        allowed=allowed,
        required=required,
        key=key,
        scale=key is not None and draw(st.booleans()),
        temperature=draw(st.floats(0.3, 2)),
    )


def check(score: Score, controls: Controls, tempos: tuple[float, ...]) -> None:
    if controls.tempo_bpm is not None:
        off = [abs(np.log(bpm / controls.tempo_bpm)) for bpm in (*tempos, float(score.tempo_bpm[0]))]
        assert off[-1] <= min(off[:-1]) + 1e-9
    assert len(score.tempo_bpm) == 1
    if controls.meter is not None and controls.meter != Meter(7, 8):  # which the vocabulary lacks
        assert score.meters == (controls.meter,)
    players = {DRUM_PLAYER if program == DRUMS else int(program) for program in score.program}
    if controls.allowed is not None:
        assert players <= set(controls.allowed)
    if controls.scale and controls.key is not None:
        scale = {(controls.key.tonic + step) % 12 for step in SCALES[controls.key.mode]}
        assert {int(pitch) % 12 for pitch in score.pitch[score.program != DRUMS]} <= scale


@settings(max_examples=25, deadline=None)
@given(controls=st.lists(locks(), min_size=8, max_size=8), seed=st.integers(0, 2**31))
def test_locks_hold(controls: list[Controls], seed: int) -> None:
    batch = decoder("train").open([Prompt("x", one) for one in controls], seed=seed, max_tokens=60)
    batch.advance(2)
    for row, one in enumerate(controls):
        check(batch.score(row), one, decoder("train").checkpoint.tokenizer.tempos_bpm)


def test_required_players_come_in() -> None:
    checkpoint = Checkpoint.load(imported(LENGTH + 1, "train"))
    assert isinstance(checkpoint.network, Text2midi)
    with torch.no_grad():  # random weights rarely end a bar
        checkpoint.network.projection.bias[checkpoint.tokenizer.token("Bar_None")] += 3
    prompt = Prompt("x", Controls(bars=4, required=(0, 40, DRUM_PLAYER)))
    batch = Decoder(checkpoint).open([prompt] * 4, seed=1)
    batch.advance(4)
    assert (batch.bars_done == 4).all()
    for row in range(4):
        assert {0, 40, DRUMS} <= set(batch.score(row).program.tolist())


def test_a_scale_needs_a_key_and_guidance_an_empty_caption() -> None:
    with pytest.raises(InvalidInputError, match="scale"):
        opened("train", scale=True)
    plain, guided = opened("train"), opened("train", guidance=3.0)
    for batch in (plain, guided):
        batch.advance(3)
        assert all(np.isfinite(batch.log_probability(row)) for row in range(3))
    assert [plain.tokens(row).tolist() for row in range(3)] != [guided.tokens(row).tolist() for row in range(3)]


def piece() -> Score:
    return Score(
        ppq=480,
        onset=np.array([0, 480, 960, 1920, 2160]),
        duration=np.array([480, 470, 900, 240, 230]),
        pitch=np.array([60, 64, 67, 36, 72]),
        velocity=np.array([80, 70, 127, 90, 1], np.int16),
        program=np.array([0, 0, 40, DRUMS, 0]),
        track=np.array([0, 0, 1, 2, 0]),
        tempo_bpm=np.array([101.0]),
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_music_is_continued_but_not_filled(layout: str) -> None:
    prompt = Prompt("x", Controls(bars=4, seed=Seed(score=piece())))
    batch = decoder(layout).open([prompt] * 2, seed=2, max_tokens=120)
    batch.advance(2)
    score = batch.score(0)
    assert score.select(score.onset < 2 * 1920).pitch.tolist() == piece().pitch.tolist()
    assert (score.onset >= 2 * 1920).any()
    with pytest.raises(InvalidInputError, match="not filled"):
        decoder(layout).open([Prompt("x", Controls(seed=Seed(score=piece(), bars=(1, 1))))], seed=0)


def test_a_score_survives_its_tokens() -> None:
    vocabulary = decoder("train").checkpoint.tokenizer
    score = vocabulary.decode(vocabulary.encode_bars(piece(), None))  # type: ignore[arg-type]
    assert score.ppq == 24
    assert (score.onset * 20).tolist() == piece().onset.tolist()
    assert score.pitch.tolist() == piece().pitch.tolist()
    assert score.program.tolist() == piece().program.tolist()
    assert np.abs(score.duration * 20 - piece().duration).max() <= 60
    assert np.abs(score.velocity - piece().velocity).max() <= 2
    assert score.tempo_bpm.tolist() == [100.97]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_search_runs_on_it(layout: str) -> None:
    class Short(Decoder):
        """Random weights rarely end a bar, so rows are cut."""

        def open(self, prompts, **options):
            return super().open(prompts, **options, max_tokens=48)

    searcher = Searcher(Short(decoder(layout).checkpoint), CountingReward())
    result = searcher.run(SearchRequest(caption="a slow waltz for piano", seed=3, candidates=4, bars=4, results=2))
    assert midi.read(midi.write(result.best.score)).meters == (Meter(3, 4),)
    again = searcher.run(SearchRequest(caption="a slow waltz for piano", seed=3, candidates=4, bars=4, results=2))
    assert again.best.tokens.tolist() == result.best.tokens.tolist()


def test_a_checkpoint_knows_what_it_is(tmp_path: Path) -> None:
    checkpoint = decoder("train").checkpoint
    assert checkpoint.name == "train"
    assert len(checkpoint.version) == 12
    with pytest.raises(InvalidInputError, match="own architecture"):
        _ = checkpoint.own
    for file in imported(LENGTH + 1, "train").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    for wrong in ({"vocab_size": 9}, {"layers": 3}, {"layout": "other"}, {"heads": 5}):
        (tmp_path / "config.json").write_text(json.dumps(config | wrong))
        with pytest.raises(InvalidInputError):
            Checkpoint.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "text2midi"}))
    with pytest.raises(InvalidInputError, match="must hold"):
        Checkpoint.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "text_tokenizer.json").unlink()
    with pytest.raises(NotFoundError, match="text_tokenizer"):
        Checkpoint.load(tmp_path)
