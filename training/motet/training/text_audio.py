"""Training of the text reward: symmetric contrast between windows of sound and captions (InfoNCE)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from motet.music.attributes import Attributes
from motet.music.error import CancelledError, InvalidInputError
from motet.music.tempo import TEMPO_WORDS
from motet.rewards.towers import Towers
from motet.training.text_audio_data import Clips

_LIKE_TEMPO = math.log2(1.06)
_STATE = "training.safetensors"
_PROGRESS = "training.json"


@dataclass(frozen=True, kw_only=True)
class TextAudioConfig:
    """How the towers are trained.

    Args:
        epochs: passes over the clips.
        batch: pairs in a step.
        rate: peak learning rate of AdamW, on a one-cycle schedule.
        weight_decay: of AdamW.
        loudness: the level of a clip is moved by up to so many decibels.
        seed: of initial weights, order and augmentation.
    """

    epochs: int = 20
    batch: int = 128
    rate: float = 2e-3
    weight_decay: float = 0.02
    loudness: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch", 8), ("seed", 0), ("loudness", 0), ("weight_decay", 0)):
            if not getattr(self, name) >= low:
                raise InvalidInputError.of(f"text_audio.{name}", f"must be at least {low}", getattr(self, name))
        if not 0 < self.rate < 1:
            raise InvalidInputError.of("text_audio.rate", "must be above 0 and below 1", self.rate)


class Facts:
    """Attributes as arrays, to tell which captions of a batch are true of which windows.

    Args:
        attributes: [N]; None or empty means "not stated" in a caption, and "unknown" of a window.
    """

    def __init__(self, attributes: Sequence[Attributes]) -> None:
        self.bpm = np.array([one.tempo_bpm or np.nan for one in attributes])
        ranges = [TEMPO_WORDS[one.tempo_word] if one.tempo_word else (np.nan, np.nan) for one in attributes]
        self.low, self.high = np.array(ranges).reshape(-1, 2).T
        self.key = np.array([-1 if one.key is None else one.key.index for one in attributes])
        self.meter = np.array(["" if one.meter is None else str(one.meter) for one in attributes])
        self.drums = np.array([-1 if one.drums is None else int(one.drums) for one in attributes])
        self.sets = np.stack(
            [
                _indicator([[str(program) for program in one.instruments] for one in attributes]),
                _indicator([list(one.genres) for one in attributes]),
                _indicator([list(one.moods) for one in attributes]),
            ]
        )  # [3, N] object arrays of frozensets

    def true_of(self, windows: Facts, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether caption ``columns[j]`` of self says nothing that is false of window ``rows[i]``: [I, J]."""
        bpm = windows.bpm[rows][:, None]
        with np.errstate(invalid="ignore"):
            far = np.abs(np.log2(bpm / self.bpm[columns][None])) > _LIKE_TEMPO
            outside = (bpm < self.low[columns][None]) | (bpm > self.high[columns][None])
        true = ~(far | (outside & np.isnan(self.bpm[columns])[None]))
        for name, unstated in (("key", -1), ("meter", ""), ("drums", -1)):
            stated = getattr(self, name)[columns][None]
            true &= (stated == unstated) | (stated == getattr(windows, name)[rows][:, None])
        for mine, theirs in zip(self.sets, windows.sets, strict=True):
            said, had = mine[columns], theirs[rows]
            true &= np.array([[one <= other for one in said] for other in had])
        return np.asarray(true)


def _indicator(names: Sequence[Sequence[str]]) -> NDArray[np.object_]:
    out = np.empty(len(names), object)
    out[:] = [frozenset(row) for row in names]
    return out


def contrast(audio: Tensor, text: Tensor, scale: Tensor, ambiguous: Tensor) -> Tensor:
    """Symmetric InfoNCE of unit vectors [B, D] whose rows match; pairs where ``ambiguous`` [B, B] do not count.

    The diagonal always counts.
    """
    logits = scale * audio @ text.T
    off = ambiguous & ~torch.eye(len(logits), dtype=torch.bool)
    logits = logits.masked_fill(off, -torch.inf)
    target = torch.arange(len(logits))
    return (nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target)) / 2


def train(
    towers: Towers,
    clips: Clips,
    sentences: NDArray[np.float32],
    config: TextAudioConfig,
    folder: Path,
    *,
    progress: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> list[float]:
    """Trains ``towers`` in place and returns the mean loss of each epoch.

    After each epoch the state is written to ``folder``; a later call with the same settings goes on from there.

    Args:
        towers: newly made.
        clips: N windows with C captions each.
        sentences: [N * C, 384] embeddings of the captions, clip by clip.
        config: see ``TextAudioConfig``.
        folder: for the state.
        progress: takes a line of news for each epoch.
        cancelled: asked before each step; then CancelledError is raised.
    """
    wordings = len(clips.captions[0])
    windows = Facts(clips.attributes)
    stated = Facts([caption.stated for captions in clips.captions for caption in captions])
    table = torch.from_numpy(sentences)
    steps = len(clips) // config.batch
    if steps < 1:
        raise InvalidInputError.of("text_audio.batch", f"must be at most the {len(clips)} windows", config.batch)
    set_levels(towers, clips)
    optimizer = torch.optim.AdamW(towers.parameters(), lr=config.rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.rate, total_steps=steps * config.epochs)
    losses = _resume(towers, optimizer, schedule, config, folder)
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
            columns = rows * wordings + rng.integers(wordings, size=len(rows))
            mel, tone = _augmented(clips, rows, config, rng)
            ambiguous = torch.from_numpy(stated.true_of(windows, rows, columns))
            loss = contrast(
                towers.audio_vectors(mel, tone), towers.text_vectors(table[columns]), towers.scale, ambiguous
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(towers.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        losses.append(total / steps)
        _save(towers, optimizer, config, losses, folder)
        progress(
            f"epoch {epoch + 1} of {config.epochs}: loss {losses[-1]:.3f}, scale {float(towers.scale.detach()):.1f}"
        )
    towers.eval()
    return losses


def set_levels(towers: Towers, clips: Clips) -> None:
    """Sets mean and deviation of both spectrograms from a few hundred clips spread over the data."""
    some = np.linspace(0, len(clips) - 1, min(len(clips), 400)).astype(int)
    for name in ("mel", "tone"):
        values = getattr(clips, name)[some].astype(np.float32)
        level = towers.get_buffer(f"{name}_level")
        level.copy_(torch.tensor([float(values.mean()), float(values.std())]))


def _augmented(
    clips: Clips, rows: NDArray[np.intp], config: TextAudioConfig, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Clips [B] each with one of the soundfonts, another loudness, and rolled in time."""
    fonts = rng.integers(clips.mel.shape[1], size=len(rows))
    mel, tone = clips.mel[rows, fonts].astype(np.float32), clips.tone[rows, fonts].astype(np.float32)
    gain = rng.uniform(-config.loudness, config.loudness, len(rows)).astype(np.float32)[:, None, None] / 10
    frames = tone.shape[-1]
    for row, shift in enumerate(rng.integers(frames, size=len(rows))):
        tone[row] = np.roll(tone[row], shift, -1)
        mel[row] = np.roll(mel[row], 2 * shift, -1)
    return torch.from_numpy(mel + gain), torch.from_numpy(tone + gain)


def _save(
    towers: Towers, optimizer: torch.optim.AdamW, config: TextAudioConfig, losses: Sequence[float], folder: Path
) -> None:
    tensors = {f"towers.{name}": value for name, value in towers.state_dict().items()}
    for place, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{place}.{name}": value for name, value in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{_STATE}.partial"
    document = json.dumps({"config": asdict(config), "losses": list(losses)})
    save_file({name: value.contiguous() for name, value in tensors.items()}, partial, {"progress": document})
    partial.replace(folder / _STATE)
    (folder / _PROGRESS).write_text(document, "utf-8")


def _resume(
    towers: Towers,
    optimizer: torch.optim.AdamW,
    schedule: torch.optim.lr_scheduler.OneCycleLR,
    config: TextAudioConfig,
    folder: Path,
) -> list[float]:
    """Loads the state of an earlier call, if there is one: the losses of its epochs."""
    if not (folder / _STATE).is_file():
        return []
    document = json.loads((folder / _PROGRESS).read_text("utf-8"))
    if document["config"] != asdict(config):
        raise InvalidInputError.of("out", "must be a new folder, or one of a run with the same settings", str(folder))
    losses: list[float] = document["losses"]
    tensors = load_file(folder / _STATE)
    towers.load_state_dict({name[7:]: value for name, value in tensors.items() if name.startswith("towers.")})
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, place, field = name.split(".")
            state.setdefault(int(place), {})[field] = value
    steps = schedule.total_steps // config.epochs * len(losses)
    for _ in range(steps):
        optimizer.step()
        schedule.step()
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return losses
