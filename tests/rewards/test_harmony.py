from __future__ import annotations

import json
import math
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.score import Score
from motet.rewards.harmony import LEVELS, NEUTRAL, HarmonyReward, HarmonyTable
from motet.rewards.measures import MEASURES
from tests.rewards.pieces import DEGENERATE, drums, score_of, song, together

DOCUMENT = json.loads(resources.files("motet.rewards").joinpath("tables/harmony.json").read_text())
# Known to pass for music at some lengths: a rule that looks at eight bars of them finds nothing amiss.
LENIENT = {("random diatonic", 4): 0.25, ("random chromatic", 4): 0.1, ("moving clusters", 4): 0.1}


@pytest.fixture(scope="module")
def reward() -> HarmonyReward:
    return HarmonyReward()


def human(bars: int, level: float) -> float:
    """The reward that this share of human windows of so many bars does not exceed."""
    return float(DOCUMENT["reward"][DOCUMENT["bars"].index(bars)][LEVELS.index(level)])


@pytest.mark.parametrize("bars", [4, 8, 16])
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_music_is_below_almost_all_human_music(reward: HarmonyReward, name: str, bars: int):
    judged = reward.judge(DEGENERATE[name](bars))
    assert judged.value <= human(bars, LENIENT.get((name, bars), 0.1)), judged
    assert judged.value <= human(bars, LENIENT.get((name, bars), 0.05)) or name.startswith("random"), judged


def test_songs_made_by_rule_are_judged_like_human_music(reward: HarmonyReward):
    values = [reward(song(8, seed=seed)) for seed in range(20)]
    assert np.median(values) > human(8, 0.5)
    assert np.min(values) > max(reward(make(8)) for make in DEGENERATE.values())


def test_corruption_lowers_the_reward_step_by_step(reward: HarmonyReward):
    rng = np.random.default_rng(0)
    means = []
    for share in (0.0, 0.05, 0.1, 0.2, 0.4):
        values = []
        for seed in range(30):
            score = song(8, seed=seed)
            hit = rng.random(len(score)) < share
            values.append(reward(replace(score, pitch=score.pitch + np.where(hit, rng.choice([-1, 1], len(score)), 0))))
        means.append(float(np.mean(values)))
    assert means == sorted(means, reverse=True)
    assert means[-1] < 0.6 * means[0]


def test_transposition_tempo_and_drums_change_nothing(reward: HarmonyReward):
    score = song(24, seed=5)
    expected = reward.judge(score)
    for semitones in range(-6, 6):
        judged = reward.judge(replace(score, pitch=score.pitch + semitones))
        assert judged.value == expected.value
        assert judged.terms == expected.terms
    assert reward(replace(score, tempo_bpm=np.array([200.0]))) == expected.value
    assert reward(together(score, drums(24))) == expected.value


def test_silence_is_nothing_and_drums_alone_are_neutral(reward: HarmonyReward):
    assert reward(Score.empty()) == 0.0
    assert reward(drums()) == NEUTRAL
    assert reward(drums(), Key(0, "major")) == NEUTRAL


def test_the_asked_key_counts(reward: HarmonyReward):
    score = song(8, seed=1)
    key = reward.judge(score).key
    assert key is not None
    right, wrong = reward.judge(score, key), reward.judge(score, Key((key.tonic + 6) % 12, key.mode))
    assert right.value > wrong.value
    assert right.terms["key_fit"] > 0.5 > wrong.terms["key_fit"]
    assert "key_fit" not in reward.judge(score).terms


def test_long_music_is_judged_by_segments(reward: HarmonyReward):
    long = song(64, seed=2)
    lines = long.bar_ticks()
    parts = [reward(long.between(int(lines[k]), int(lines[k + 16]))) for k in range(0, 64, 16)]
    assert reward(long) == pytest.approx(np.mean(parts))
    late = score_of([(240, 1, 60), (244, 1, 64)])
    assert 0 <= reward(late) < 0.1


def test_every_number_is_a_share_and_never_nan(reward: HarmonyReward):
    rng = np.random.default_rng(7)
    scores = [make(bars) for make in DEGENERATE.values() for bars in (1, 3)]
    for _ in range(60):
        count = int(rng.integers(1, 40))
        onset = rng.integers(0, 9000, count)
        program = rng.integers(-1, 128, count).astype(np.int16)
        scores.append(
            Score(
                480,
                onset,
                rng.integers(1, 4000, count),
                rng.integers(0, 128, count).astype(np.int16),
                np.full(count, 64),
                program,
                program + 1,
            )
        )
    for score in scores:
        judged = reward.judge(score, Key(9, "minor"))
        for number in (judged.value, judged.gate, judged.core, *judged.gates.values(), *judged.terms.values()):
            assert 0 <= number <= 1, judged
        assert all(math.isfinite(number) for number in judged.measures.values())


def test_tables_are_checked():
    table = HarmonyTable.from_json(DOCUMENT)
    assert table.row("in_key", 1000) == pytest.approx(table.quantiles["in_key"][-1])
    between = table.row("pitch_class_entropy", 6)
    assert np.all(between >= np.minimum(table.row("pitch_class_entropy", 4), table.row("pitch_class_entropy", 8)))
    with pytest.raises(InvalidInputError, match="harmony_table"):
        HarmonyTable.from_json({"bars": [1]})
    with pytest.raises(InvalidInputError, match="every measure"):
        HarmonyTable.from_json({**DOCUMENT, "quantiles": {}})
    descending = {**DOCUMENT["quantiles"], MEASURES[0]: np.array(DOCUMENT["quantiles"][MEASURES[0]])[:, ::-1].tolist()}
    with pytest.raises(InvalidInputError, match="must ascend"):
        HarmonyTable.from_json({**DOCUMENT, "quantiles": descending})
