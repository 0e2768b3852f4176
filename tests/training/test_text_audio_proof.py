from __future__ import annotations

import numpy as np
import pytest

from motet.music.caption import parse
from motet.training.corpus.shard import StatedCaption
from motet.training.reward_bench.statistic import Estimate
from motet.training.swap import swaps
from motet.training.text_audio import proof
from motet.training.text_audio.proof import HeldOut, Samples, Swapped
from motet.training.text_audio.report import Report, card
from tests.fakes import fake_embed
from tests.rewards.pieces import song
from tests.training.text_audio_material import clips, known, scorer, towers

pytestmark = pytest.mark.usefixtures("one_thread")

COUNT = 24
SOURCES = [{"source": "folk", "licence": "CC0-1.0", "repository": "someone/folk"}]


@pytest.fixture
def held() -> HeldOut:
    pieces = known(COUNT)
    one = scorer(towers())
    captions = [StatedCaption(text=f"a piece {row}", stated=piece) for row, piece in enumerate(pieces)]
    vectors = {name: proof.listen(one, clips(COUNT), place, COUNT) for place, name in enumerate(("default", "other"))}
    return HeldOut(known=pieces, captions=captions, songs=[f"song {row // 2}" for row in range(COUNT)], vectors=vectors)


def test_a_piece_is_the_mean_of_its_clips_by_share():
    one = scorer(towers())
    apart = proof.listen(one, clips(4), 0, 4)
    np.testing.assert_allclose(np.linalg.norm(apart, axis=1), 1, atol=1e-5)
    some = clips(4)
    together = proof.listen(
        one,
        type(some)(
            mel=some.mel,
            tone=some.tone,
            band=some.band,
            piece=np.array([0, 0, 2, 2]),
            share=np.array([1.0, 0.5, 1.0, 1.0]),
            loudness=some.loudness,
        ),
        0,
        3,
    )
    np.testing.assert_allclose(together[0], (apart[0] + 0.5 * apart[1]) / 1.5, atol=1e-5)
    np.testing.assert_allclose(together[2], (apart[2] + apart[3]) / 2, atol=1e-5)
    assert not together[1].any()


def test_retrieval_is_perfect_for_one_who_hears_everything_and_chance_for_one_who_does_not(held: HeldOut):
    one = scorer(towers())
    text = proof.read(one, [caption.text for caption in held.captions], fake_embed)
    found = proof.retrieval(text, text, held.songs, 0)
    assert found["R@1"].value == found["R@10"].value == found["median rank"].value == 1
    deaf = np.random.default_rng(0).normal(size=(COUNT, 16)).astype(np.float32)
    found = proof.retrieval(deaf, text, held.songs, 0)
    assert found["R@1"].value < 0.3
    assert found["R@10"].low < 10 / (COUNT - 1) < found["R@10"].high


def test_swaps_count_the_true_caption_and_the_control_does_not_hear_it(held: HeldOut):
    one = scorer(towers())
    pairs = {"drums": swaps(held.known, "drums", 0), "key mode": []}
    true = proof.read(one, [pair.true.text for pair in pairs["drums"]], fake_embed)
    false = proof.read(one, [pair.false.text for pair in pairs["drums"]], fake_embed)
    vectors = np.zeros((COUNT, 16), np.float32)
    vectors[[pair.row for pair in pairs["drums"]]] = true - false
    hearing = HeldOut(known=held.known, captions=held.captions, songs=held.songs, vectors={"default": vectors})
    found = proof.swapped(one, hearing, pairs, fake_embed, 0)
    assert set(found) == {"drums"}
    assert found["drums"].right.value == 1
    assert found["drums"].passed
    assert proof.claims(found) == ("drums",)
    assert found["drums"].control.value < 1


def test_corruption_falls_for_one_who_reads_what_is_stated(held: HeldOut):
    one = scorer(towers())
    reading = HeldOut(
        known=held.known,
        captions=held.captions,
        songs=held.songs,
        vectors={"default": np.zeros((COUNT, 16), np.float32)},
    )
    assert proof.corruption(one, reading, fake_embed, 0).value == 0  # hears nothing: all captions alike
    estimate = proof.corruption(one, held, fake_embed, 0)
    assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.n == COUNT


def test_columns_explain_what_depends_on_them(held: HeldOut):
    one = scorer(towers())
    text = proof.read(one, [caption.text for caption in held.captions], fake_embed)
    cosine = (held.heard * text).sum(axis=1).astype(np.float64)
    noise = np.random.default_rng(0).normal(size=COUNT)
    found = proof.explained(one, held, fake_embed, {"itself": 3 * cosine + 1, "noise": noise})
    assert found["itself"] == pytest.approx(1)
    assert found["noise"] < 0.4
    assert found["all three"] == pytest.approx(1)


def test_rank_correlation_with_ties_and_without_variation():
    assert proof.spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0])) == pytest.approx(1)
    assert proof.spearman(np.array([1.0, 1.0, 1.0]), np.array([1.0, 2.0, 3.0])) == 0
    estimate = proof.correlation(np.arange(30.0), -np.arange(30.0), [str(row) for row in range(30)], 0)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((-1, -1, -1))


def test_transfer_compares_with_the_rules():
    one = scorer(towers())
    scores = [song(4, seed=seed) for seed in range(6)]
    captions = [parse(f"a piece at {60 + 20 * place} bpm with piano") for place in range(6)]
    samples = Samples(scores=scores, captions=captions, vectors=np.ones((6, 16), np.float32))
    found = proof.transfer(one, samples, fake_embed, 0)
    assert found["own captions"].n == 6
    assert found["own and others' captions"].n == 12


def test_the_calibration_rises(held: HeldOut):
    one = scorer(towers())
    calibration = proof.calibrate(one, held, fake_embed)
    assert calibration(1.0) == 1.0
    assert calibration(-1.0) == 0.0


def test_the_card_says_what_is_claimed_and_what_failed():
    good = Estimate(value=0.9, low=0.8, high=0.95, n=100)
    bad = Estimate(value=0.55, low=0.5, high=0.6, n=100)
    report = Report(
        claims=("drums",),
        swaps={"drums": Swapped(right=good, control=bad), "meter": Swapped(right=bad, control=bad)},
        retrieval={"default": {"R@1": good}},
        corruption=good,
        explained={"length": 0.2},
        fonts={"other": bad},
        repeats=True,
        transfer={},
    )
    text = card(report, {"parameters": "1"}, SOURCES)
    assert "| drums | 0.900 | 0.800 to 0.950 | 0.550 | 100 passes |" in text
    assert "| meter | 0.550 | 0.500 to 0.600 | 0.550 | 100 fails |" in text
    assert "| R² of the cosine by length | 0.200 | | | fails |" in text
    assert "does not claim tempo, key, meter" in text
    assert "motet eval text-audio" in text
    assert "someone/folk" in text
    assert report.record()["swaps"]["drums"]["right"]["value"] == 0.9
