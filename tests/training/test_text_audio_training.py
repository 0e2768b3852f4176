from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from motet.music.error import CancelledError, InvalidInputError
from motet.rewards import statement
from motet.rewards.towers import Towers
from motet.training.text_audio.training import TrainingConfig, chosen, train
from tests.training.text_audio_material import clips, towers, wording

pytestmark = pytest.mark.usefixtures("one_thread")


def fit(folder: Path, *, epochs: int = 4, cancelled=lambda: False, into: Towers | None = None, claims=None):
    fitted = into or towers()
    config = TrainingConfig(epochs=epochs, batch=16, rate=5e-3)
    claims = tuple(statement.GROUPS) if claims is None else claims
    losses = train(fitted, clips(), wording(), claims, config, folder, progress=lambda line: None, cancelled=cancelled)
    return fitted, losses


def test_training_learns_and_is_reproducible(tmp_path: Path):
    first, losses = fit(tmp_path / "a", epochs=6)
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    second, again = fit(tmp_path / "b", epochs=6)
    assert again == losses
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_training_goes_on_where_it_was_cancelled(tmp_path: Path):
    whole, losses = fit(tmp_path / "whole")
    calls = iter([False] * 7 + [True])
    with pytest.raises(CancelledError, match="run again"):
        fit(tmp_path / "parts", cancelled=lambda: next(calls))
    resumed, again = fit(tmp_path / "parts")
    assert again == pytest.approx(losses, rel=1e-3)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    with pytest.raises(InvalidInputError, match="same settings"):
        fit(tmp_path / "parts", epochs=9)


def test_what_is_not_claimed_is_not_read(tmp_path: Path):
    fitted, _ = fit(tmp_path, epochs=1, claims=("tempo",))
    # no gradient but decay: the places stay as they were, scaled
    column, fresh = (dict(one.named_parameters())["text.0.weight"][:, 384:].detach() for one in (fitted, towers()))
    key = statement.GROUPS["key"]
    ratio = column[:, key] / fresh[:, key]
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), rtol=1e-3, atol=1e-3)


def test_false_attributes_are_told_apart_unless_they_are_the_same():
    vectors = torch.nn.functional.normalize(torch.randn(3, 8, generator=torch.manual_seed(0)), dim=-1)
    scale = torch.tensor(10.0)
    near = vectors[:, None]
    nothing = torch.zeros(3, 1, dtype=torch.bool)
    assert float(chosen(vectors, vectors, near, scale, ~nothing)) == pytest.approx(0, abs=1e-6)
    assert float(chosen(vectors, vectors, near, scale, nothing)) == pytest.approx(0.693, abs=1e-3)


def test_bad_settings_are_refused(tmp_path: Path):
    bad: list[tuple[str, Any]] = [
        ("epochs", 0),
        ("batch", 2),
        ("rate", 0.0),
        ("loudness", -1.0),
        ("forget", 1.0),
        ("choice", float("nan")),
    ]
    for name, value in bad:
        with pytest.raises(InvalidInputError, match=name):
            TrainingConfig(**{name: value})
    config = TrainingConfig(batch=64)
    with pytest.raises(InvalidInputError, match="batch"):
        train(towers(), clips(), wording(), (), config, tmp_path, progress=print, cancelled=lambda: False)
