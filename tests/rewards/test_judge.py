from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from motet.music.error import InvalidInputError, UnavailableError
from motet.music.score import Score
from motet.rewards.calibration import Calibration
from motet.rewards.judge import Judge
from motet.rewards.judge_towers import JudgeConfig, JudgeTowers, hashed
from tests.rewards import pieces
from tests.rewards.test_judge_reading import moved

CAPTION = "a calm waltz for flute and piano in C# minor, 6/8, 96 bpm"


LOW = 0.4
"""Musicality that 94 % of the human windows of the corpus's test split exceed."""
FOOLED_BY = frozenset(
    [
        "arpeggio of one triad",
        "chromatic scale",
        "held triad",
        "random diatonic triads",
        "random diatonic walk",
        "scale over a pedal",
    ]
)
"""Smooth lines and clean chords that go nowhere: the judge's card names them as its limits."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks on a busy machine: threads that wait for each other are the slow part."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny() -> Judge:
    torch.manual_seed(0)
    towers = JudgeTowers(JudgeConfig(width=16, hidden=16, words=128, word=8))
    levels = Calibration(matched=(-2.0, 2.0), mismatched=(-3.0, 1.0))
    return Judge(towers, levels, levels)


def test_a_verdict_depends_on_its_score_alone() -> None:
    judge = tiny()
    scores = [pieces.song(8, 1), Score.empty(), pieces.song(40, 2), pieces.drums(), pieces.score_of([(0, 1, 60)])]
    together = judge.judge(scores, CAPTION)
    assert together == [judge.judge([score], CAPTION)[0] for score in scores]
    assert together[3].musicality == 0.5
    assert together[1].record() == {"alignment": 0.0, "musicality": 0.0, "total": 0.0}
    for verdict in together:
        assert 0 <= min(verdict.record().values()) <= max(verdict.record().values()) <= 1
    assert judge.judge([], CAPTION) == []
    assert judge.judge(scores, "") != together


def test_musicality_is_the_same_in_every_key_and_for_every_caption() -> None:
    judge = tiny()
    one, other = judge.opinions([pieces.song(), moved(pieces.song(), 4)], CAPTION)
    (again,) = judge.opinions([pieces.song()], "loud rock")
    assert one is not None
    assert other is not None
    assert again is not None
    assert one.musicality == pytest.approx(other.musicality, abs=1e-5)
    assert one.musicality == again.musicality
    assert one.cosine != other.cosine


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    judge = tiny()
    judge.save(tmp_path)
    before, after = (one.judge([pieces.song()], CAPTION)[0] for one in (judge, Judge.load(tmp_path)))
    assert after.total == pytest.approx(before.total, abs=0.02)  # half precision
    assert Judge.load(tmp_path).judge([pieces.song()], CAPTION)[0] == after


def test_missing_and_damaged_weights_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="motet train judge"):
        Judge.load(tmp_path)
    tiny().save(tmp_path)
    (tmp_path / "judge.safetensors").write_bytes(b"no")
    with pytest.raises(InvalidInputError, match="holds no judge") as caught:
        Judge.load(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InvalidInputError, match="holds no judge"):
        Judge.load(tmp_path)


def test_words_keep_sharps_meters_and_numbers() -> None:
    assert hashed("C# minor", 1 << 20) != hashed("C minor", 1 << 20)
    assert hashed("6/8", 1 << 20) != hashed("3/4", 1 << 20)
    assert len(set(hashed("96 bpm", 1 << 20)) & set(hashed("97 bpm", 1 << 20))) == 2  # bpm, and about as fast
    assert hashed("A Calm Waltz!", 64) == hashed("a calm waltz", 64)
    assert len(hashed("", 64)) == len(hashed("...", 64)) == 1


def test_sizes_are_checked() -> None:
    bad: list[dict[str, Any]] = [{"width": 4}, {"words": 1}, {"dropout": 1.0}]
    for sizes in bad:
        with pytest.raises(InvalidInputError, match=next(iter(sizes))):
            JudgeConfig(**sizes)


@pytest.fixture(scope="module")
def shipped() -> Judge:
    return Judge.load()


@pytest.mark.parametrize("name", sorted(set(pieces.DEGENERATE) - FOOLED_BY))
def test_degenerate_pieces_are_below_nearly_all_human_music(shipped: Judge, name: str) -> None:
    verdicts = shipped.judge([pieces.DEGENERATE[name](bars) for bars in (8, 16)], CAPTION)
    assert max(verdict.musicality for verdict in verdicts) < LOW


def test_the_shipped_judge_reads_captions(shipped: Judge) -> None:
    song = pieces.song()
    right, wrong = (
        shipped.judge([song], caption)[0].alignment
        for caption in ("a piece for flute, piano and electric bass in 4/4", "techno drums and distorted guitar in 6/8")
    )
    assert right > wrong
