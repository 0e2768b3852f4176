"""Supervised training of the decoder on caption and token pairs.

One process, any device. Matrices of the decoder layers are trained with Muon (orthogonalised momentum), everything
else with AdamW, under a warmup-stable-decay schedule whose length is a time budget: the run ends when it says, on a
laptop as on an accelerator, and resumes from its own checkpoint after any kill.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from motet.model import artifact
from motet.model.config import MotetConfig
from motet.model.network import MotetForConditionalGeneration
from motet.model.text import TextEncoder
from motet.model.vocabulary import Vocabulary, expansions
from motet.music.error import InvalidInputError
from motet.training import snapshot
from motet.training.batch import IGNORED, Batch, Collator, length_batches
from motet.training.corpus.shard import Shard
from motet.training.transfer import transfer

TEXT: Final = "text"
LOG: Final = "log.jsonl"
DEVICES: Final = ("cpu", "cuda", "mps")
_KEPT: Final = ("width", "layers", "heads", "kv_heads", "hidden", "max_tokens", "batch_tokens", "seed")
"""What a run may not change when it is resumed: sizes of the network, and what its place in the corpus hangs on."""


@dataclass(frozen=True, kw_only=True)
class SupervisedConfig:
    """How the decoder is trained.

    Args:
        minutes: time budget over all resumed runs, above 0.
        batch_tokens: tokens in a step, padding included.
        width, layers, heads, kv_heads, hidden: sizes, see ``MotetConfig``.
        max_tokens: longest sequence the positions must serve.
        muon_rate: learning rate of the matrices.
        adam_rate: learning rate of embeddings, norms and the text projection.
        weight_decay: of both.
        warmup: share of the budget spent raising the rate.
        decay: share of the budget spent lowering it to zero at the end.
        text_dropout: probability that a row trains without its caption's words.
        header_weight: weight in the loss of the header's tokens and of the tempo; of all others it is 1.
        checkpoint_minutes: time between snapshots.
        seed: of initial weights, order and dropout.
        device: "cpu", "cuda" or "mps".
        start: checkpoint folder whose weights a new run starts from, see ``motet.training.transfer``; None for chance.
    """

    minutes: float
    batch_tokens: int = 4096
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 704
    max_tokens: int = 1024
    muon_rate: float = 0.02
    adam_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: float = 0.02
    decay: float = 0.3
    text_dropout: float = 0.1
    header_weight: float = 4.0
    checkpoint_minutes: float = 5.0
    seed: int = 0
    device: str = "cpu"
    start: str | None = None

    def __post_init__(self) -> None:
        for name in ("minutes", "muon_rate", "adam_rate", "header_weight", "checkpoint_minutes"):
            if not 0 < getattr(self, name) < math.inf:
                raise InvalidInputError.of(name, "must be above 0 and finite", getattr(self, name))
        for name in ("width", "layers", "heads", "kv_heads", "hidden", "max_tokens"):
            if getattr(self, name) < 1:
                raise InvalidInputError.of(name, "must be at least 1", getattr(self, name))
        if self.width % (2 * self.heads):
            raise InvalidInputError.of("width", f"must be a multiple of {2 * self.heads}, twice the heads", self.width)
        if self.heads % self.kv_heads:
            raise InvalidInputError.of("kv_heads", f"must divide the {self.heads} heads", self.kv_heads)
        if self.batch_tokens < 512:
            raise InvalidInputError.of("batch_tokens", "must be at least 512", self.batch_tokens)
        for name in ("warmup", "decay", "text_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InvalidInputError.of(name, "must be from 0 up to, not including, 1", getattr(self, name))
        if not 0 <= self.weight_decay < math.inf:
            raise InvalidInputError.of("weight_decay", "must be at least 0 and finite", self.weight_decay)
        if self.seed < 0:
            raise InvalidInputError.of("seed", "must be at least 0", self.seed)
        if self.device not in DEVICES:
            raise InvalidInputError.of("device", f"must be one of {', '.join(DEVICES)}", self.device)

    def rate(self, progress: float) -> float:
        """Factor on the learning rates at ``progress`` in [0, 1] of the budget: warmup, plateau, linear decay."""
        rising = progress / self.warmup if self.warmup else 1.0
        falling = (1.0 - progress) / self.decay if self.decay else float(progress < 1.0)
        return min(1.0, rising, falling)


class Place(NamedTuple):
    """How far into the training windows a run is."""

    epoch: int
    position: int  # batches of the epoch that are done


class Trainer:
    """Trains one network into a run folder.

    Args:
        corpus: folder written by ``motet corpus build``.
        run: folder for snapshots (see ``motet.training.snapshot``) and the log; an unfinished run in it is resumed.
        config: what and how.
        report: receives one line of progress at a time.
        clock: monotonic seconds, which the budget is counted in.

    Raises NotFoundError when a part of the corpus is missing, and InvalidInputError when it is too small: when no
    windows of one length fill a batch, or none are held out.
    """

    def __init__(
        self,
        corpus: Path,
        run: Path,
        config: SupervisedConfig,
        report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),  # noqa: T201
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.run, self._report, self._clock = config, run, report, clock
        self.train, self.valid = Shard.open(corpus, "train"), Shard.open(corpus, "valid")
        if not length_batches(self.train.lengths, config.batch_tokens, np.random.default_rng(0)):
            raise InvalidInputError.of(
                "batch_tokens", "must be so few that windows of one length fill a batch", config.batch_tokens
            )
        if not len(self.valid):
            raise InvalidInputError.of("corpus", "must hold windows for validation", str(corpus))
        self.tokenizer = Vocabulary.load(corpus / "tokenizer")
        torch.manual_seed(config.seed)
        self.network = MotetForConditionalGeneration(
            MotetConfig(
                vocab_size=len(self.tokenizer),
                width=config.width,
                layers=config.layers,
                heads=config.heads,
                kv_heads=config.kv_heads,
                hidden=config.hidden,
                max_tokens=config.max_tokens,
            )
        )
        self.network.to(config.device)  # type: ignore[arg-type]
        packed = corpus / TEXT  # a packed corpus brings the encoder along
        text = TextEncoder.load(packed if packed.is_dir() else None).to(config.device)
        self._collate = Collator(self.tokenizer, text, config.device, header_weight=config.header_weight)
        matrices = [weight for name, weight in self.network.named_parameters() if "layers" in name and weight.ndim == 2]
        chosen = {id(weight) for weight in matrices}
        rest = [weight for weight in self.network.parameters() if id(weight) not in chosen]
        self._optimizers: dict[str, torch.optim.Optimizer] = {
            "muon": torch.optim.Muon(
                matrices, lr=config.muon_rate, weight_decay=config.weight_decay, adjust_lr_fn="original"
            ),
            "adam": torch.optim.AdamW(rest, lr=config.adam_rate, betas=(0.9, 0.95), weight_decay=config.weight_decay),
        }
        # Pitches are relative to the tonic, so that keys of one mode sound alike: they have one embedding.
        keys = [
            (token, int(names[0].partition("_")[2]))
            for token, names in enumerate(expansions(self.tokenizer))
            if names and names[0].startswith("Key_")
        ]
        self._modes = [[token for token, key in keys if key // 12 == mode] for mode in (0, 1)]
        self.place = Place(0, 0)
        self.started_from: str | None = None  # version of the weights that were there before the first step
        self.steps = self.tokens_seen = 0
        self.spent_s = 0.0

    @property
    def progress(self) -> float:
        """Share of the time budget used, 0 to 1."""
        return min(1.0, self.spent_s / (60 * self.config.minutes))

    def fit(self) -> None:
        """Trains to the end of the budget, resuming first where there is something to resume.

        Raises FloatingPointError when the loss is no longer a number; the last snapshot stays.
        """
        if not self.resume() and self.config.start is not None:
            share = transfer(self.network, self.tokenizer, Path(self.config.start))
            self.started_from = artifact.version(Path(self.config.start))
            self._report(f"{100 * share:.0f} % of the weights start from {self.config.start}")
        sizes = sum(weight.numel() for weight in self.network.parameters())
        self._report(f"{sizes / 1e6:.2f} M parameters, {len(self.train)} windows, {self.config.device}")
        batches = self._batches()
        running: list[float] = []
        base = saved_at = reported_at = self.spent_s
        saved_step = self.steps
        fell = self.progress > 1.0 - self.config.decay
        started = self._clock()
        while self.progress < 1.0:
            place, batch = next(batches)
            rate = self.config.rate(self.progress)
            running.append(self._step(batch, rate))
            self.place = place
            self.spent_s = base + self._clock() - started
            if self.spent_s - reported_at >= 30:
                speed = self.tokens_seen / self.spent_s
                left = 60 * self.config.minutes - self.spent_s
                self._report(
                    f"step {self.steps}  loss {np.mean(running):.4f}  {self.tokens_seen / 1e6:.2f} M tokens  "
                    f"{speed:,.0f} tokens/s  rate x{rate:.2f}  {left / 60:.1f} min left"
                )
                running.clear()
                reported_at = self.spent_s
            falls = self.progress > 1.0 - self.config.decay and not fell
            if falls or self.spent_s - saved_at >= 60 * self.config.checkpoint_minutes:
                self.save()
                if falls:
                    snapshot.keep_plateau(self.run)
                    fell = True
                saved_at, saved_step = self.spent_s, self.steps
        if self.steps > saved_step:
            self.save()

    def _gradients(self, batch: Batch) -> float:
        self.network.train()
        with torch.autocast(self.config.device, dtype=torch.bfloat16):
            loss = batch.weighted_loss(self.network)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def _step(self, batch: Batch, rate: float) -> float:
        value = self._gradients(batch)
        if not math.isfinite(value):
            raise FloatingPointError(f"loss is {value} at step {self.steps + 1}")
        embedding = self.network.embedding.weight
        gradient = cast(Tensor, embedding.grad)
        for keys in self._modes:
            gradient[keys] = gradient[keys].sum(0)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for name, base in (("muon", self.config.muon_rate), ("adam", self.config.adam_rate)):
            for group in self._optimizers[name].param_groups:
                group["lr"] = base * rate
            self._optimizers[name].step()
            self._optimizers[name].zero_grad()
        with torch.no_grad():
            for keys in self._modes:
                embedding[keys] = embedding[keys].mean(0)
        self.steps += 1
        self.tokens_seen += int((batch.labels != IGNORED).sum())
        return value

    def _batches(self) -> Iterator[tuple[Place, Batch]]:
        """Endless batches from where the run stands, and where it stands after each.

        Order and dropout depend on seed and place only.
        """
        epoch, position = self.place
        while True:
            rng = np.random.default_rng((self.config.seed, epoch))
            batches = length_batches(self.train.lengths, self.config.batch_tokens, rng)
            for index in range(position, len(batches)):
                chosen = np.random.default_rng((self.config.seed, epoch, index))
                yield Place(epoch, index + 1), self.batch(self.train, batches[index], chosen)
            epoch, position = epoch + 1, 0

    def batch(self, shard: Shard, windows: NDArray[np.intp], rng: np.random.Generator | None) -> Batch:
        """The batch of these windows; with ``rng`` None the first caption is taken and nothing is dropped."""
        rows = len(windows)
        picks = [0 if rng is None else int(rng.integers(len(shard.captions(int(window))))) for window in windows]
        captions = [shard.captions(int(window))[pick] for window, pick in zip(windows, picks, strict=True)]
        everything = np.ones(rows, np.bool_)
        return self._collate(
            [shard.tokens(int(window)) for window in windows],
            [caption.text for caption in captions],
            [shard.meta(int(window)).ends_piece for window in windows],
            everything if rng is None else rng.random(rows) >= self.config.text_dropout,
        )

    @torch.inference_mode()
    def validate(self, windows: int = 128) -> float:
        """Mean loss on the first ``windows`` held-out windows, in nats a token."""
        self.network.train(False)
        total = count = 0.0
        chosen = np.arange(min(windows, len(self.valid)))
        for rows in np.array_split(chosen, max(1, len(chosen) // 16)):
            batch = self.batch(self.valid, rows, None)
            total += float(batch.losses(self.network).sum())
            count += float((batch.labels != IGNORED).sum())
        return total / count

    def save(self) -> None:
        """Writes a snapshot in place of the one before, and a line of the log.

        Raises FloatingPointError, and writes nothing, when the held-out loss is no number.
        """
        loss = self.validate()
        self._report(f"step {self.steps}  held-out loss {loss:.4f}")
        if not math.isfinite(loss):
            raise FloatingPointError(f"held-out loss is {loss} at step {self.steps}")
        state = {
            f"{name}.{index}.{key}": torch.as_tensor(value).contiguous()
            for name, optimizer in self._optimizers.items()
            for index, entries in optimizer.state_dict()["state"].items()
            for key, value in entries.items()
        }
        record = {
            "config": asdict(self.config),
            "steps": self.steps,
            "epoch": self.place.epoch,
            "position": self.place.position,
            "tokens_seen": self.tokens_seen,
            "started_from": self.started_from,
            "spent_s": self.spent_s,
            "held_out_loss": loss,
        }
        with snapshot.replacing(self.run) as folder:
            artifact.save(self.network, self.tokenizer, folder / snapshot.MODEL, torch.float32)
            save_file(state, folder / snapshot.STATE)
            (folder / snapshot.PROGRESS).write_text(json.dumps(record, indent=2) + "\n")
        with (self.run / LOG).open("a") as log:
            log.write(json.dumps({key: value for key, value in record.items() if key != "config"}) + "\n")

    def resume(self) -> bool:
        """Takes up an earlier run in the run folder; false when there is none.

        With a longer budget than before, the run goes on from before its learning rates fell.

        Raises InvalidInputError when that run had other sizes, another seed or another tokenizer.
        """
        folder = snapshot.newest(self.run)
        if folder is None:
            return False
        record = json.loads((folder / snapshot.PROGRESS).read_text())
        plateau = snapshot.plateau(self.run)
        if plateau is not None and self.config.minutes > record["config"]["minutes"]:
            folder = plateau
            record = json.loads((folder / snapshot.PROGRESS).read_text())
        self._must_continue(folder, record["config"])
        weights = load_file(folder / snapshot.MODEL / artifact.WEIGHTS, device=self.config.device)
        self.network.load_state_dict(weights)
        state = load_file(folder / snapshot.STATE)  # each optimizer puts its state where it wants it
        for name, optimizer in self._optimizers.items():
            entries: dict[int, dict[str, Tensor]] = {}
            for key, value in state.items():
                owner, index, field = key.split(".")
                if owner == name:
                    entries.setdefault(int(index), {})[field] = value
            optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})
        self.place = Place(record["epoch"], record["position"])
        self.steps, self.tokens_seen, self.spent_s = record["steps"], record["tokens_seen"], record["spent_s"]
        self.started_from = record["started_from"]
        self._report(f"resumed at step {self.steps}, {self.spent_s / 60:.1f} min spent")
        return True

    def _must_continue(self, folder: Path, config: dict[str, Any]) -> None:
        for name in _KEPT:
            if getattr(self.config, name) != config[name]:
                raise InvalidInputError.of(
                    name, f"must be {config[name]} to resume {self.run}", getattr(self.config, name)
                )
        if expansions(Vocabulary.load(folder / snapshot.MODEL)) != expansions(self.tokenizer):
            raise InvalidInputError.of("corpus", f"must have the tokenizer of {self.run}", "another tokenizer")
