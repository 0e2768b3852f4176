"""Training of the text reward: contrast between windows of sound and captions (InfoNCE), true and false ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from motet.music.error import CancelledError, InvalidInputError
from motet.rewards import statement
from motet.rewards.towers import Towers
from motet.training.bookmark import Bookmark
from motet.training.contrast import contrast
from motet.training.facts import Facts
from motet.training.text_audio.clips import Clips
from motet.training.text_audio.wording import Wording

_BLANKED = 0.12  # share of the frames, and of the mel bands, that are hidden in a clip


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How the towers are trained.

    Args:
        epochs: passes over the clips.
        batch: pairs in a step.
        rate: peak learning rate of AdamW, on a one-cycle schedule.
        weight_decay: of AdamW.
        loudness: the level of a clip is moved by up to so many decibels.
        forget: each attribute that a caption states is hidden from its statement with this probability.
        forget_words: the sentence embedding is hidden with this probability.
        choice: weight of telling a window's attributes from false ones, by the text tower.
        naming: weight of telling a window's attributes, by the audio tower alone.
        seed: of initial weights, order, augmentation.
    """

    epochs: int = 16
    batch: int = 160
    rate: float = 2e-3
    weight_decay: float = 0.02
    loudness: float = 3.0
    forget: float = 0.2
    forget_words: float = 0.1
    choice: float = 0.5
    naming: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch", 8), ("seed", 0), ("loudness", 0), ("weight_decay", 0)):
            if not getattr(self, name) >= low:
                raise InvalidInputError.of(f"text_audio.{name}", f"must be at least {low}", getattr(self, name))
        for name in ("choice", "naming"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InvalidInputError.of(f"text_audio.{name}", "must be at least 0 and finite", getattr(self, name))
        for name in ("forget", "forget_words"):
            if not 0 <= getattr(self, name) < 1:
                raise InvalidInputError.of(f"text_audio.{name}", "must be at least 0 and below 1", getattr(self, name))
        if not 0 < self.rate < 1:
            raise InvalidInputError.of("text_audio.rate", "must be above 0 and below 1", self.rate)


def chosen(audio: Tensor, right: Tensor, wrong: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Cross-entropy of the right text [B, D] among the wrong ones [B, W, D], without those that are the ``same``."""
    rivals = (scale * torch.einsum("bd,bwd->bw", audio, wrong)).masked_fill(same, -torch.inf)
    logits = torch.cat([scale * (audio * right).sum(-1, keepdim=True), rivals], dim=1)
    return nn.functional.cross_entropy(logits, torch.zeros(len(audio), dtype=torch.long))


def train(
    towers: Towers,
    clips: Clips,
    wording: Wording,
    claims: Sequence[str],
    config: TrainingConfig,
    folder: Path,
    *,
    progress: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> list[float]:
    """Trains ``towers`` in place and returns the mean loss of each epoch.

    After each epoch the state is written to ``folder``; a later call with the same settings goes on from there.

    Args:
        towers: newly made.
        clips: of pieces.
        wording: of the same pieces.
        claims: the attributes whose statements are read; all others are 0.
        config: see ``TrainingConfig``.
        folder: for the state.
        progress: takes a line of news for each epoch.
        cancelled: asked before each step; then CancelledError is raised.
    """
    steps = len(clips) // config.batch
    if steps < 1:
        raise InvalidInputError.of("text_audio.batch", f"must be at most the {len(clips)} clips", config.batch)
    windows, stated = Facts(wording.known), Facts(wording.stated)
    set_levels(towers, clips)
    naming = nn.Linear(towers.config.trunk, statement.WIDTH)
    learned = nn.ModuleDict({"towers": towers, "naming": naming})
    optimizer = torch.optim.AdamW(learned.parameters(), lr=config.rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.rate, total_steps=steps * config.epochs)
    bookmark = Bookmark(folder, learned, optimizer, schedule, epochs=config.epochs, settings=asdict(config))
    losses: list[float] = bookmark.resume()
    for epoch in range(len(losses), config.epochs):
        rng = np.random.default_rng([config.seed, epoch])
        torch.manual_seed(config.seed * 10_000 + epoch)
        order = rng.permutation(len(clips))
        towers.train()
        total = 0.0
        for step in range(steps):
            if cancelled():
                raise CancelledError("CANCELLED", f"cancelled in epoch {epoch + 1}; run again to go on from its start")
            rows = np.sort(order[step * config.batch : (step + 1) * config.batch])
            words = _words(wording, clips.piece[rows], claims, config, rng)
            ambiguous = stated.true_of(windows, words.pieces, words.columns)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                features = towers.features(*_augmented(clips, rows, config, rng))
            features = features.float()
            audio = towers.placed(features)
            loss = contrast(
                audio,
                towers.text_vectors(words.sentence, words.true),
                towers.scale,
                torch.from_numpy(ambiguous),
                false=towers.text_vectors(words.false_sentence, words.false),
            )
            nothing = torch.zeros_like(words.sentence)
            loss = loss + config.choice * chosen(
                audio,
                towers.text_vectors(nothing, words.right),
                towers.text_vectors(nothing[:, None].expand(-1, words.wrong.shape[1], -1), words.wrong),
                towers.scale,
                (words.wrong == words.right[:, None]).all(-1),
            )
            named = nn.functional.binary_cross_entropy_with_logits(naming(features), words.known, reduction="none")
            loss = loss + config.naming * (named * words.is_known).sum(-1).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(learned.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        losses.append(total / steps)
        bookmark.save(losses)
        progress(
            f"epoch {epoch + 1} of {config.epochs}: loss {losses[-1]:.3f}, scale {float(towers.scale.detach()):.1f}"
        )
    towers.eval()
    return losses


def set_levels(towers: Towers, clips: Clips) -> None:
    """Sets mean and deviation of the spectrograms from a few hundred clips spread over the data."""
    some = np.linspace(0, len(clips) - 1, min(len(clips), 400)).astype(int)
    for name in ("mel", "tone", "band"):
        values = getattr(clips, name)[some].astype(np.float32)
        towers.get_buffer(f"{name}_level").copy_(torch.tensor([float(values.mean()), float(values.std())]))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Words:
    """What is said in a step of B pairs: see ``Wording``, parts of it hidden."""

    pieces: NDArray[np.intp]
    columns: NDArray[np.intp]  # of ``Wording.stated``
    sentence: Tensor  # [B, 384]
    true: Tensor  # [B, A]
    false_sentence: Tensor  # [B, F, 384]
    false: Tensor
    right: Tensor
    wrong: Tensor
    known: Tensor
    is_known: Tensor  # [B, A]


def _words(
    wording: Wording,
    pieces: NDArray[np.intp],
    claims: Sequence[str],
    config: TrainingConfig,
    rng: np.random.Generator,
) -> _Words:
    count, wordings = len(pieces), wording.true.shape[1]
    pick = rng.integers(wordings, size=count)
    read = statement.only(claims)
    kept = np.ones((2, count, statement.WIDTH), np.float32)
    for part in statement.GROUPS.values():
        hidden = rng.random((2, count)) < config.forget
        kept[:, :, part] = ~hidden[:, :, None]
    heard = (rng.random((count, 1)) >= config.forget_words).astype(np.float32)
    kept[0] = np.maximum(kept[0], 1 - heard)  # with the words hidden, all of the statement is there
    kept *= read
    known = wording.right[pieces].astype(np.float32)
    is_known = np.zeros_like(known)
    for part in statement.GROUPS.values():
        is_known[:, part] = known[:, part.start, None]
    tensors = {
        "sentence": wording.true_sentences[pieces, pick] * heard,
        "true": wording.true[pieces, pick] * kept[0],
        "false_sentence": wording.false_sentences[pieces] * heard[:, None],
        "false": wording.false[pieces] * kept[0][:, None],
        "right": known * kept[1],
        "wrong": wording.wrong[pieces] * kept[1][:, None],
        "known": known,
        "is_known": is_known,
    }
    return _Words(
        pieces=pieces,
        columns=pieces * wordings + pick,
        **{name: torch.from_numpy(values.astype(np.float32)) for name, values in tensors.items()},
    )


def _augmented(
    clips: Clips, rows: NDArray[np.intp], config: TrainingConfig, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Clips [B] each under one of the fonts, at another loudness, rolled in time, and with a part hidden."""
    mel, tone, band = clips.heard(rows, rng.integers(clips.mel.shape[1], size=len(rows)))
    gain = rng.uniform(-config.loudness, config.loudness, len(rows)).astype(np.float32)[:, None, None] / 10
    frames = tone.shape[-1]
    quiet = [float(part.min()) for part in (mel, tone)]
    for row, shift in enumerate(rng.integers(frames, size=len(rows))):
        for part, step in ((mel, 2), (tone, 1), (band, 4)):
            part[row] = np.roll(part[row], step * shift, -1)
        start, length = rng.integers(frames), rng.integers(1 + int(_BLANKED * frames))
        mel[row, :, 2 * start : 2 * (start + length)] = quiet[0]
        tone[row, :, start : start + length] = quiet[1]
        low, height = rng.integers(mel.shape[1]), rng.integers(1 + int(_BLANKED * mel.shape[1]))
        mel[row, low : low + height] = quiet[0]
    return torch.from_numpy(mel + gain), torch.from_numpy(tone + gain), torch.from_numpy(band + gain)
