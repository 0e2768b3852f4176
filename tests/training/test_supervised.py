from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motet.model.checkpoint import Checkpoint
from motet.model.tokenizer import Tokenizer
from motet.music.error import InvalidInputError, NotFoundError
from motet.training import snapshot
from motet.training.batch import IGNORED
from motet.training.corpus import shard
from motet.training.supervised import LOG, SupervisedConfig, Trainer
from tests.tiny import random_score

pytestmark = pytest.mark.usefixtures("one_thread")

TINY: dict[str, Any] = {"width": 32, "layers": 2, "hidden": 48, "max_tokens": 256, "batch_tokens": 512}


class Killed(BaseException):
    """What a kill does to a run: nothing catches it."""


class Ticking:
    """A clock by which every reading, and so every step, takes a second; it kills at reading ``last``."""

    def __init__(self, last: int | None = None) -> None:
        self.now_s, self._last = 0, last

    def __call__(self) -> float:
        if self.now_s == self._last:
            raise Killed
        self.now_s += 1
        return float(self.now_s)


def silent(line: str) -> None:
    """Reports to nobody."""


def trainer(
    corpus: Path,
    run: Path,
    *,
    steps: int,
    last: int | None = None,
    report: Callable[[str], None] = silent,
    **options: Any,
) -> Trainer:
    """A tiny trainer with a budget of ``steps`` steps that saves every ten."""
    config = SupervisedConfig(**(TINY | {"minutes": steps / 60, "checkpoint_minutes": 10 / 60} | options))
    return Trainer(corpus, run, config, report, Ticking(last))


def record(run: Path) -> dict[str, Any]:
    folder = snapshot.newest(run)
    assert folder is not None
    found: dict[str, Any] = json.loads((folder / snapshot.PROGRESS).read_text())
    return found


def weights(trained: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trained.network.state_dict().items()}


def optimizers(trained: Trainer) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{index}.{key}": torch.as_tensor(value).clone()
        for name, optimizer in trained._optimizers.items()
        for index, entries in optimizer.state_dict()["state"].items()
        for key, value in entries.items()
    }


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, Path, float]:
    """A whole run of 30 steps, its folder, and the held-out loss before it."""
    run = tmp_path_factory.mktemp("run")
    trained = trainer(corpus, run, steps=30)
    before = trained.validate()
    trained.fit()
    return trained, run, before


class TestConfig:
    @pytest.mark.parametrize(
        ("name", "value", "rule"),
        [
            ("minutes", 0, "must be above 0"),
            ("minutes", float("nan"), "must be above 0"),
            ("minutes", float("inf"), "finite"),
            ("muon_rate", -0.1, "must be above 0"),
            ("adam_rate", 0.0, "must be above 0"),
            ("checkpoint_minutes", 0.0, "must be above 0"),
            ("batch_tokens", 511, "at least 512"),
            ("layers", 0, "at least 1"),
            ("width", 30, "multiple of 8"),
            ("kv_heads", 3, "must divide the 4 heads"),
            ("warmup", 1.0, "from 0 up to, not including, 1"),
            ("decay", -0.1, "from 0 up to, not including, 1"),
            ("text_dropout", float("nan"), "from 0 up to"),
            ("header_weight", 0.0, "must be above 0"),
            ("weight_decay", -1.0, "at least 0"),
            ("seed", -1, "at least 0"),
            ("device", "gpu", "one of cpu, cuda, mps"),
        ],
    )
    def test_a_message_names_option_rule_and_value(self, name: str, value: object, rule: str) -> None:
        with pytest.raises(InvalidInputError) as raised:
            SupervisedConfig(**({"minutes": 1.0} | {name: value}))  # type: ignore[arg-type]
        message = str(raised.value)
        assert message.startswith(f"{name}: ")
        assert rule in message
        assert message.endswith(f"(received {value!r})")

    def test_the_rate_rises_stays_and_falls(self) -> None:
        config = SupervisedConfig(minutes=1, warmup=0.1, decay=0.25)
        assert config.rate(0) == 0
        assert [config.rate(place) for place in (0.05, 0.1, 0.4, 0.75)] == pytest.approx([0.5, 1, 1, 1])
        assert config.rate(0.875) == pytest.approx(0.5)
        assert config.rate(1) == 0

    @given(
        warmup=st.floats(0, 0.99),
        decay=st.floats(0, 0.99),
        places=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    )
    def test_the_rate_is_monotone_in_its_parts(self, warmup: float, decay: float, places: list[float]) -> None:
        config = SupervisedConfig(minutes=1, warmup=warmup, decay=decay)
        first, second = (config.rate(place) for place in places)
        assert 0 <= first <= 1
        if places[1] <= min(warmup, 1 - decay):
            assert first <= second
        if places[0] >= max(warmup, 1 - decay):
            assert first >= second
        if warmup < places[0] and places[1] < 1 - decay:
            assert first == second == 1
        assert config.rate(1) == 0


class TestTraining:
    def test_the_held_out_loss_falls(self, finished: tuple[Trainer, Path, float]) -> None:
        trained, run, before = finished
        assert trained.steps == 30
        assert trained.progress == 1.0
        log = [json.loads(line) for line in (run / LOG).read_text().splitlines()]
        assert [line["steps"] for line in log] == [10, 20, 22, 30]  # the rates fall after 21
        losses = [before, *(line["held_out_loss"] for line in log)]
        assert losses[0] > losses[1] > losses[-1]
        assert losses[-1] < before - 0.5
        assert record(run)["held_out_loss"] == losses[-1] == pytest.approx(trained.validate())

    def test_the_checkpoint_loads_and_gives_the_same_logits(self, finished: tuple[Trainer, Path, float]) -> None:
        trained, run, _ = finished
        loaded = Checkpoint.load(run / snapshot.FOLDER / snapshot.MODEL)
        batch = trained.batch(trained.valid, np.arange(3), None)
        inputs = (batch.tokens, batch.text, batch.text_mask)
        with torch.inference_mode():
            assert torch.equal(loaded.network(*inputs), trained.network.eval()(*inputs))
        assert len(loaded.tokenizer) == len(trained.tokenizer)

    def test_keys_of_one_mode_are_one_to_the_network(self, finished: tuple[Trainer, Path, float]) -> None:
        trained, _, _ = finished
        embedding = trained.network.embedding.weight
        ids = {trained.tokenizer.expansion(token): token for token in range(len(trained.tokenizer))}
        major, minor = ([ids[f"Key_{key}",] for key in range(first, first + 12)] for first in (0, 12))
        assert all(torch.equal(embedding[token], embedding[major[0]]) for token in major)
        assert all(torch.equal(embedding[token], embedding[minor[0]]) for token in minor)
        assert not torch.equal(embedding[major[0]], embedding[minor[0]])

    def test_a_finished_run_stays_as_it_is(self, corpus: Path, finished: tuple[Trainer, Path, float]) -> None:
        _, run, _ = finished
        before = files(run)
        again = trainer(corpus, run, steps=30)
        again.fit()
        assert again.steps == 30
        assert files(run) == before

    def test_more_minutes_go_on_from_before_the_rates_fell(
        self, corpus: Path, finished: tuple[Trainer, Path, float], tmp_path: Path
    ) -> None:
        trained, run, _ = finished
        shutil.copytree(run, tmp_path / "run")
        lines: list[str] = []
        longer = trainer(corpus, tmp_path / "run", steps=33, report=lines.append)
        longer.fit()
        assert longer.steps == record(tmp_path / "run")["steps"] == 33
        assert longer.tokens_seen > trained.tokens_seen
        assert lines[0].startswith("resumed at step 22")

    def test_a_seed_fixes_the_losses(self, corpus: Path, tmp_path: Path) -> None:
        def losses(seed: int) -> list[float]:
            drawn = trainer(corpus, tmp_path / "unused", steps=9, seed=seed)
            batches = drawn._batches()
            return [drawn._step(next(batches)[1], 1.0) for _ in range(3)]

        first = losses(1)
        assert first == losses(1)
        assert first != losses(2)
        assert not (tmp_path / "unused").exists()

    def test_every_window_has_its_turn_and_some_rows_lose_words(self, corpus: Path, tmp_path: Path) -> None:
        drawn = trainer(corpus, tmp_path, steps=9, text_dropout=0.5)
        batches = drawn._batches()
        places, seen = zip(*(next(batches) for _ in range(12)), strict=True)
        of_first_epoch = sum(place.epoch == 0 for place in places)
        assert [place.position for place in places if place.epoch == 0] == list(range(1, of_first_epoch + 1))
        assert places[of_first_epoch] == (1, 1)
        words = torch.cat([batch.text_mask.any(1) for batch in seen])
        assert 0.2 < float((~words).float().mean()) < 0.8
        assert all((batch.labels != IGNORED).any(1).all() for batch in seen)


class TestResuming:
    def test_a_killed_run_goes_on_from_its_last_snapshot(
        self, corpus: Path, finished: tuple[Trainer, Path, float], tmp_path: Path
    ) -> None:
        whole, _, _ = finished
        killed = trainer(corpus, tmp_path, steps=30, last=17)
        with pytest.raises(Killed):
            killed.fit()
        assert killed.steps > 10
        assert record(tmp_path)["steps"] == 10
        resumed = trainer(corpus, tmp_path, steps=30)
        resumed.fit()
        assert resumed.steps == 30
        assert resumed.place == whole.place
        assert resumed.tokens_seen == whole.tokens_seen
        assert resumed.spent_s == whole.spent_s == 30
        for name, value in weights(whole).items():
            torch.testing.assert_close(weights(resumed)[name], value, rtol=1e-3, atol=1e-3, msg=name)

    def test_everything_comes_back_as_it_was_saved(self, corpus: Path, tmp_path: Path) -> None:
        trained = trainer(corpus, tmp_path, steps=12)
        assert not trained.resume()
        trained.fit()
        fresh = trainer(corpus, tmp_path, steps=12)
        assert fresh.resume()
        assert_equal(weights(fresh), weights(trained))
        assert_equal(optimizers(fresh), optimizers(trained))
        assert len(optimizers(fresh)) > 20
        for name in ("steps", "tokens_seen", "spent_s", "place", "progress"):
            assert getattr(fresh, name) == getattr(trained, name)
        for mine, other in zip(fresh._optimizers.values(), trained._optimizers.values(), strict=True):
            known = [{key: group[key] for key in group if key not in {"params", "lr"}} for group in mine.param_groups]
            assert known == [
                {key: group[key] for key in group if key not in {"params", "lr"}} for group in other.param_groups
            ]
        place, batch = next(fresh._batches())
        place_then, batch_then = next(trained._batches())
        assert place == place_then
        assert torch.equal(batch.tokens, batch_then.tokens)
        assert torch.equal(batch.text_mask, batch_then.text_mask)

    def test_a_snapshot_that_cannot_be_finished_leaves_the_one_before(
        self, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trained = trainer(corpus, tmp_path, steps=3)
        trained.fit()
        saved = weights(trained)
        before = files(tmp_path)
        trained._step(trained.batch(trained.train, np.arange(2), None), 1.0)

        def fail(*_: object) -> None:
            raise OSError("disk full")

        with monkeypatch.context() as patched:  # the model is written by then, the optimizers are not
            patched.setattr("motet.training.supervised.save_file", fail)
            with pytest.raises(OSError, match="disk full"):
                trained.save()
        after = files(tmp_path)
        assert {name: after[name] for name in before} == before
        loaded = Checkpoint.load(tmp_path / snapshot.FOLDER / snapshot.MODEL)
        assert_equal(dict(loaded.network.state_dict()), saved)
        fresh = trainer(corpus, tmp_path, steps=3)
        assert fresh.resume()
        assert fresh.steps == 3
        trained.save()
        assert record(tmp_path)["steps"] == 4
        assert {path.name for path in tmp_path.iterdir()} == {snapshot.FOLDER, snapshot.PLATEAU, LOG}

    @pytest.mark.parametrize(
        ("name", "value"), [("width", 64), ("layers", 3), ("hidden", 64), ("seed", 5), ("batch_tokens", 1024)]
    )
    def test_what_a_run_hangs_on_may_not_change(
        self, corpus: Path, finished: tuple[Trainer, Path, float], name: str, value: int
    ) -> None:
        _, run, _ = finished
        before = files(run)
        changed: dict[str, Any] = {name: value}
        with pytest.raises(InvalidInputError, match=rf"{name}: must be \d+ to resume"):
            trainer(corpus, run, steps=50, **changed).fit()
        assert files(run) == before

    def test_another_tokenizer_is_refused(
        self, corpus: Path, finished: tuple[Trainer, Path, float], tmp_path: Path
    ) -> None:
        _, run, _ = finished
        shutil.copytree(corpus, tmp_path / "corpus")
        size = len(Tokenizer.load(corpus / "tokenizer"))
        other = Tokenizer.train([random_score(seed, 2) for seed in range(100, 130)], size)
        other.save(tmp_path / "corpus" / "tokenizer")
        with pytest.raises(InvalidInputError, match="corpus: must have the tokenizer"):
            trainer(tmp_path / "corpus", run, steps=50).fit()


class TestRefusals:
    def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_snapshot(self, corpus: Path, tmp_path: Path) -> None:
        trained = trainer(corpus, tmp_path, steps=2)
        trained.fit()
        before = files(tmp_path)
        broken = trainer(corpus, tmp_path, steps=9)
        broken.resume()
        with torch.no_grad():
            broken.network.norm.weight.fill_(float("nan"))
        with pytest.raises(FloatingPointError, match="loss is nan at step 3"):
            broken._step(next(broken._batches())[1], 1.0)
        assert broken.steps == 2
        with pytest.raises(FloatingPointError, match="held-out loss is nan"):
            broken.save()
        assert files(tmp_path) == before

    def test_fit_passes_it_on(self, corpus: Path, tmp_path: Path) -> None:
        broken = trainer(corpus, tmp_path / "run", steps=2)
        with torch.no_grad():
            broken.network.norm.weight.fill_(float("inf"))
        with pytest.raises(FloatingPointError):
            broken.fit()
        assert snapshot.newest(tmp_path / "run") is None

    def test_a_corpus_without_one_full_batch(self, corpus: Path, tmp_path: Path) -> None:
        with pytest.raises(InvalidInputError, match="batch_tokens: must be so few"):
            trainer(corpus, tmp_path, steps=2, batch_tokens=1_000_000)

    def test_a_corpus_without_held_out_windows(self, corpus: Path, tmp_path: Path) -> None:
        shutil.copytree(corpus, tmp_path / "corpus")
        shard.write(tmp_path / "corpus", "valid", [])
        with pytest.raises(InvalidInputError, match="corpus: must hold windows for validation"):
            trainer(tmp_path / "corpus", tmp_path / "run", steps=2)

    def test_no_corpus(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match="train"):
            trainer(tmp_path, tmp_path / "run", steps=2)
