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
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from motet.model import checkpoint
from motet.model.config import MotetConfig
from motet.model.control import ControlVocabulary, vocabulary
from motet.model.grammar import Grammar
from motet.model.network import MotetForConditionalGeneration
from motet.model.text import TextEncoder
from motet.model.tokenizer import Tokenizer
from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError
from motet.training.corpus.shard import Shard

IGNORED: Final = -100
TOKENS_MULTIPLE: Final = 32
MEMORY_MULTIPLE: Final = 16
STATE: Final = "training.safetensors"
PROGRESS: Final = "training.json"


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
        control_dropout: probability that a row trains without control tokens.
        checkpoint_minutes: time between checkpoints.
        seed: of initial weights, order and dropout.
        device: "cpu", "cuda" or "mps".
        compile: whether to fuse with ``torch.compile`` (a third faster on a CPU; needs a C++ compiler).
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
    control_dropout: float = 0.15
    checkpoint_minutes: float = 5.0
    seed: int = 0
    device: str = "cpu"
    compile: bool = False

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise InvalidInputError.of("minutes", "must be above 0", self.minutes)
        if self.batch_tokens < 512:
            raise InvalidInputError.of("batch_tokens", "must be at least 512", self.batch_tokens)
        for name in ("warmup", "decay", "text_dropout", "control_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InvalidInputError.of(name, "must be from 0 up to, not including, 1", getattr(self, name))

    def rate(self, progress: float) -> float:
        """Factor on the learning rates at ``progress`` in [0, 1] of the budget: warmup, plateau, linear decay."""
        return float(min(1.0, progress / self.warmup if self.warmup else 1.0, (1.0 - progress) / max(self.decay, 1e-9)))


@dataclass(frozen=True)
class Batch:
    """Padded rows of one step."""

    tokens: Tensor  # [B, T] inputs, begin first
    labels: Tensor  # [B, T] the next token; IGNORED on padding
    text: Tensor  # [B, S1, 384]
    text_mask: Tensor  # [B, S1]
    controls: Tensor  # [B, S2]
    control_mask: Tensor  # [B, S2]

    def loss(self, network: Callable[..., dict[str, Tensor]]) -> Tensor:
        """Mean loss of the rows in nats a token."""
        result = network(self.tokens, self.text, self.text_mask, self.controls, self.control_mask, self.labels)
        return result["loss"]


class Collator:
    """Makes batches of rows: pads tokens, encodes captions, maps attributes to control tokens.

    Args:
        tokenizer: for begin, end and padding ids.
        controls: the control vocabulary.
        text: the sentence encoder.
        device: where the batch goes.
    """

    def __init__(
        self, tokenizer: Tokenizer, controls: ControlVocabulary, text: TextEncoder, device: str = "cpu"
    ) -> None:
        self._tokenizer, self._controls, self._text, self._device = tokenizer, controls, text, device

    def __call__(
        self,
        sequences: list[NDArray[np.uint16]],
        captions: list[str],
        attributes: list[Attributes],
        ends: list[bool],
        keep_text: NDArray[np.bool_],
        keep_controls: NDArray[np.bool_],
    ) -> Batch:
        """One batch of B rows.

        Args:
            sequences: token ids without begin and end.
            captions: the words of each row.
            attributes: what those words state.
            ends: whether the end token belongs after the sequence (the piece ends there).
            keep_text: [B] false where the words are dropped.
            keep_controls: [B] false where the control tokens are dropped.
        """
        begin, end, pad = self._tokenizer.begin_id, self._tokenizer.end_id, self._tokenizer.pad_id
        width = int(_round_up(np.array(max(len(sequence) for sequence in sequences) + 1), TOKENS_MULTIPLE))
        tokens = np.full((len(sequences), width), pad, np.int64)
        labels = np.full((len(sequences), width), IGNORED, np.int64)
        for row, (sequence, ending) in enumerate(zip(sequences, ends, strict=True)):
            length = len(sequence)
            tokens[row, 0] = begin
            tokens[row, 1 : length + 1] = sequence
            labels[row, :length] = sequence
            if ending:
                labels[row, length] = end
        with torch.autocast(self._device, dtype=torch.bfloat16):
            text, text_mask = self._text.encode(captions)
        nothing = Attributes()
        ids = [
            torch.tensor(self._controls.ids(asked if keep else nothing))
            for asked, keep in zip(attributes, keep_controls, strict=True)
        ]
        controls = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
        lengths = torch.tensor([len(row) for row in ids])
        text, text_mask = _pad(text, MEMORY_MULTIPLE), _pad(text_mask, MEMORY_MULTIPLE)
        controls = _pad(controls, MEMORY_MULTIPLE)
        return Batch(
            torch.from_numpy(tokens).to(self._device),
            torch.from_numpy(labels).to(self._device),
            text.to(self._device),
            (text_mask & torch.from_numpy(keep_text)[:, None].to(text_mask.device)).to(self._device),
            controls.to(self._device),
            (torch.arange(controls.shape[1]) < lengths[:, None]).to(self._device),
        )


def _pad(rows: Tensor, multiple: int) -> Tensor:
    """Zeros appended to dimension 1 up to a multiple."""
    missing = -rows.shape[1] % multiple
    return torch.cat((rows, rows.new_zeros(rows.shape[0], missing, *rows.shape[2:])), dim=1)


def length_batches(lengths: NDArray[np.int64], batch_tokens: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Groups windows by padded length into batches of one size a length, in random order.

    Shapes repeat on purpose: kernels are compiled and cached by shape. What does not fill a batch waits for the next
    epoch's shuffle.
    """
    padded = _round_up(lengths + 1, TOKENS_MULTIPLE)
    batches: list[NDArray[np.intp]] = []
    for length in np.unique(padded):
        chosen = rng.permutation(np.flatnonzero(padded == length))
        rows = max(1, batch_tokens // int(length))
        batches += [chosen[start : start + rows] for start in range(0, len(chosen) - rows + 1, rows)]
    return [batches[index] for index in rng.permutation(len(batches))]


def _round_up(value: NDArray[np.int64], multiple: int) -> NDArray[np.int64]:
    return np.asarray(-(-value // multiple) * multiple)


class Trainer:
    """Trains one network into a run folder.

    Args:
        corpus: folder written by ``motet corpus build``.
        run: folder for checkpoints and the log; an unfinished run in it is resumed.
        config: what and how.
        report: receives one line of progress at a time.
    """

    def __init__(
        self,
        corpus: Path,
        run: Path,
        config: SupervisedConfig,
        report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),  # noqa: T201
    ) -> None:
        self.config, self.run, self._report = config, run, report
        self.train, self.valid = Shard.open(corpus, "train"), Shard.open(corpus, "valid")
        self.tokenizer = Tokenizer.load(corpus / "tokenizer")
        torch.manual_seed(config.seed)
        grammar = Grammar(self.tokenizer)
        self.network = MotetForConditionalGeneration(
            MotetConfig(
                vocab_size=len(self.tokenizer),
                width=config.width,
                layers=config.layers,
                heads=config.heads,
                kv_heads=config.kv_heads,
                hidden=config.hidden,
                max_tokens=config.max_tokens,
                controls=vocabulary(self.tokenizer.tempos_bpm, [str(meter) for meter in grammar.meters]),
            )
        )
        self.network.to(config.device)  # type: ignore[arg-type]
        text = TextEncoder.load().to(config.device)
        controls = ControlVocabulary(self.network.config.controls)
        self._collate = Collator(self.tokenizer, controls, text, config.device)
        matrices = [weight for name, weight in self.network.named_parameters() if "layers" in name and weight.ndim == 2]
        chosen = {id(weight) for weight in matrices}
        rest = [weight for weight in self.network.parameters() if id(weight) not in chosen]
        self._optimizers: dict[str, torch.optim.Optimizer] = {
            "muon": torch.optim.Muon(
                matrices, lr=config.muon_rate, weight_decay=config.weight_decay, adjust_lr_fn="original"
            ),
            "adam": torch.optim.AdamW(rest, lr=config.adam_rate, betas=(0.9, 0.95), weight_decay=config.weight_decay),
        }
        self._forward = torch.compile(self.network, dynamic=True) if config.compile else self.network
        self.steps = self.epoch = self.position = self.tokens_seen = 0
        self.spent_s = 0.0

    @property
    def progress(self) -> float:
        """Share of the time budget used, 0 to 1."""
        return min(1.0, self.spent_s / (60 * self.config.minutes))

    def fit(self) -> None:
        """Trains to the end of the budget, resuming first where there is something to resume."""
        self.resume()
        sizes = sum(weight.numel() for weight in self.network.parameters())
        self._report(f"{sizes / 1e6:.2f} M parameters, {len(self.train)} windows, {self.config.device}")
        saved_at = reported_at = self.spent_s
        running: list[float] = []
        batches = self._batches()
        if self.config.compile:  # compiling must not eat the budget
            self._report("compiling")
            self._gradients(next(batches))
            self.network.zero_grad()
        clock = time.monotonic()
        base = self.spent_s
        for batch in batches:
            rate = self.config.rate(self.progress)
            running.append(self._step(batch, rate))
            self.spent_s = base + time.monotonic() - clock
            if self.spent_s - reported_at >= 30:
                speed = self.tokens_seen / self.spent_s
                left = 60 * self.config.minutes - self.spent_s
                self._report(
                    f"step {self.steps}  loss {np.mean(running):.4f}  {self.tokens_seen / 1e6:.2f} M tokens  "
                    f"{speed:,.0f} tokens/s  rate x{rate:.2f}  {left / 60:.1f} min left"
                )
                running.clear()
                reported_at = self.spent_s
            if self.spent_s - saved_at >= 60 * self.config.checkpoint_minutes:
                self.save()
                saved_at = self.spent_s
            if self.progress >= 1.0:
                break
        self.save()

    def _gradients(self, batch: Batch) -> float:
        self.network.train()
        with torch.autocast(self.config.device, dtype=torch.bfloat16):
            loss = batch.loss(self._forward)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def _step(self, batch: Batch, rate: float) -> float:
        value = self._gradients(batch)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for name, base in (("muon", self.config.muon_rate), ("adam", self.config.adam_rate)):
            for group in self._optimizers[name].param_groups:
                group["lr"] = base * rate
            self._optimizers[name].step()
            self._optimizers[name].zero_grad()
        self.steps += 1
        self.tokens_seen += int((batch.labels != IGNORED).sum())
        if not math.isfinite(value):
            raise FloatingPointError(f"loss is {value} at step {self.steps}")
        return value

    def _batches(self) -> Iterator[Batch]:
        """Endless batches from where the run stands; order and dropout depend on seed and epoch only."""
        lengths = self.train.lengths
        while True:
            rng = np.random.default_rng((self.config.seed, self.epoch))
            batches = length_batches(lengths, self.config.batch_tokens, rng)
            for index in range(self.position, len(batches)):
                chosen = np.random.default_rng((self.config.seed, self.epoch, index))
                self.position = index + 1
                yield self.batch(self.train, batches[index], chosen)
            self.epoch, self.position = self.epoch + 1, 0

    def batch(self, shard: Shard, windows: NDArray[np.intp], rng: np.random.Generator | None) -> Batch:
        """The batch of these windows; with ``rng`` None the first caption is taken and nothing is dropped."""
        rows = len(windows)
        picks = [0 if rng is None else int(rng.integers(len(shard.captions(int(window))))) for window in windows]
        captions = [shard.captions(int(window))[pick] for window, pick in zip(windows, picks, strict=True)]
        everything = np.ones(rows, np.bool_)
        return self._collate(
            [shard.tokens(int(window)) for window in windows],
            [caption.text for caption in captions],
            [caption.stated for caption in captions],
            [shard.meta(int(window)).ends_piece for window in windows],
            everything if rng is None else rng.random(rows) >= self.config.text_dropout,
            everything if rng is None else rng.random(rows) >= self.config.control_dropout,
        )

    @torch.inference_mode()
    def validate(self, windows: int = 128) -> float:
        """Mean loss on the first ``windows`` held-out windows, in nats a token."""
        self.network.train(False)
        total = count = 0.0
        chosen = np.arange(min(windows, len(self.valid)))
        for rows in np.array_split(chosen, max(1, len(chosen) // 16)):
            batch = self.batch(self.valid, rows, None)
            wanted = float((batch.labels != IGNORED).sum())
            total += float(batch.loss(self.network)) * wanted
            count += wanted
        return total / count

    def save(self) -> None:
        """Writes the checkpoint and, beside it, what resuming needs; each file appears whole or not at all."""
        loss = self.validate()
        self._report(f"step {self.steps}  held-out loss {loss:.4f}")
        checkpoint.save(self.network, self.tokenizer, self.run / "model", torch.float32)
        state: dict[str, Tensor] = {}
        for name, optimizer in self._optimizers.items():
            for index, entries in optimizer.state_dict()["state"].items():
                for key, value in entries.items():
                    state[f"{name}.{index}.{key}"] = torch.as_tensor(value).contiguous()
        partial = self.run / f"{STATE}.part"
        save_file(state, partial)
        partial.replace(self.run / STATE)
        record = {
            "config": asdict(self.config),
            "steps": self.steps,
            "epoch": self.epoch,
            "position": self.position,
            "tokens_seen": self.tokens_seen,
            "spent_s": self.spent_s,
            "held_out_loss": loss,
        }
        partial = self.run / f"{PROGRESS}.part"
        partial.write_text(json.dumps(record, indent=2) + "\n")
        partial.replace(self.run / PROGRESS)
        with (self.run / "log.jsonl").open("a") as log:
            log.write(json.dumps({key: value for key, value in record.items() if key != "config"}) + "\n")

    def resume(self) -> bool:
        """Takes up an earlier run in the run folder; false when there is none."""
        if not (self.run / PROGRESS).is_file():
            return False
        record = json.loads((self.run / PROGRESS).read_text())
        weights = load_file(self.run / "model" / checkpoint.WEIGHTS, device=self.config.device)
        self.network.load_state_dict(weights, strict=False)
        self.network.tie_weights()
        state = load_file(self.run / STATE, device=self.config.device)
        for name, optimizer in self._optimizers.items():
            whole = optimizer.state_dict()
            entries: dict[int, dict[str, Tensor]] = {}
            for key, value in state.items():
                owner, index, field = key.split(".")
                if owner == name:
                    entries.setdefault(int(index), {})[field] = value
            optimizer.load_state_dict({"state": entries, "param_groups": whole["param_groups"]})
        self.steps, self.epoch, self.position = record["steps"], record["epoch"], record["position"]
        self.tokens_seen, self.spent_s = record["tokens_seen"], record["spent_s"]
        self._report(f"resumed at step {self.steps}, {self.spent_s / 60:.1f} min spent")
        return True
