"""Training of the judge: which captions fit which windows, and which of two versions of music is the spoiled one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from motet.music.error import CancelledError, InvalidInputError
from motet.rewards.judge_towers import JudgeTowers
from motet.training.contrast import contrast
from motet.training.facts import Facts
from motet.training.judge.data import Lessons, Readings

_STATE: Final = "training.safetensors"


@dataclass(frozen=True, kw_only=True)
class CourseConfig:
    """How the judge is trained.

    Args:
        epochs: passes over the windows.
        batch: windows, and pairs of spoiled windows, in a step.
        rate: peak learning rate of AdamW, on a one-cycle schedule.
        weight_decay: of AdamW.
        absolute: weight of telling spoiled from whole across pieces, beside doing so within each.
        seed: of initial weights and order.
    """

    epochs: int = 30
    batch: int = 256
    rate: float = 2e-3
    weight_decay: float = 0.05
    absolute: float = 0.5
    seed: int = 1

    def __post_init__(self) -> None:
        for name, low in (("epochs", 1), ("batch", 8), ("seed", 0), ("absolute", 0), ("weight_decay", 0)):
            if not getattr(self, name) >= low:
                raise InvalidInputError.of(f"judge.{name}", f"must be at least {low}", getattr(self, name))
        if not 0 < self.rate < 1:
            raise InvalidInputError.of("judge.rate", "must be above 0 and below 1", self.rate)


def train(
    towers: JudgeTowers,
    lessons: Lessons,
    config: CourseConfig,
    folder: Path,
    *,
    progress: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> list[tuple[float, float]]:
    """Trains ``towers`` in place and returns the mean losses of alignment and musicality of each epoch.

    After each epoch the state is written to ``folder``; a later call with the same settings goes on from there.

    Args:
        towers: newly made.
        lessons: see there.
        config: see ``CourseConfig``.
        folder: for the state.
        progress: takes a line of news for each epoch.
        cancelled: asked before each step; then CancelledError is raised.
    """
    set_levels(towers, lessons.whole)
    windows = Facts(lessons.attributes)
    wordings = np.array([len(captions) for captions in lessons.captions])
    first = np.concatenate([[0], np.cumsum(wordings)[:-1]])
    flat = [caption for captions in lessons.captions for caption in captions]
    stated = Facts([caption.stated for caption in flat])
    count = len(lessons.whole)
    steps = count // config.batch
    if steps < 1:
        raise InvalidInputError.of("judge.batch", f"must be at most the {count} windows", config.batch)
    optimizer = torch.optim.AdamW(towers.parameters(), lr=config.rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.rate, total_steps=steps * config.epochs)
    losses = _resume(towers, optimizer, schedule, config, folder)
    for epoch in range(len(losses), config.epochs):
        rng = np.random.default_rng([config.seed, epoch])
        torch.manual_seed(config.seed * 10_000 + epoch)
        order, pairs = rng.permutation(count), rng.permutation(len(lessons.owner))
        towers.train()
        total = np.zeros(2)
        for step in range(steps):
            if cancelled():
                raise CancelledError("CANCELLED", f"cancelled in epoch {epoch + 1}; run again to go on from its start")
            rows = order[step * config.batch : (step + 1) * config.batch]
            columns = first[rows] + rng.integers(wordings[rows])
            music = lessons.whole.take(rows)
            ambiguous = torch.from_numpy(stated.true_of(windows, rows, columns))
            alignment = contrast(
                towers.music_vectors(floats(music.manner), floats(music.content)),
                towers.text_vectors([flat[column].text for column in columns]),
                towers.scale,
                ambiguous,
            )
            few = pairs[step * config.batch % len(pairs) :][: config.batch]
            musicality = _preference(towers, lessons, few, config.absolute)
            loss = alignment + musicality
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(towers.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += [float(alignment.detach()), float(musicality.detach())]
        mean = total / steps
        losses.append((float(mean[0]), float(mean[1])))
        _save(towers, optimizer, config, losses, folder)
        progress(f"epoch {epoch + 1} of {config.epochs}: alignment {mean[0]:.3f}, musicality {mean[1]:.3f}")
    towers.eval()
    return losses


def _preference(towers: JudgeTowers, lessons: Lessons, pairs: NDArray[np.intp], absolute: float) -> Tensor:
    """Bradley-Terry loss of whole above mildly above strongly spoiled, and the same across pieces."""
    spoilt = lessons.spoilt[pairs]
    manner = np.concatenate([lessons.whole.manner[lessons.owner[pairs]], spoilt[:, 0], spoilt[:, 1]])
    whole, strong, mild = towers.musical(floats(manner)).chunk(3)
    above = nn.functional.softplus
    within = (above(strong - whole) + above(mild - whole) + above(strong - mild)).mean() / 3
    across = (above(-whole) + (above(strong) + above(mild)) / 2).mean() / 2
    return within + absolute * across


def set_levels(towers: JudgeTowers, whole: Readings) -> None:
    """Sets mean and deviation of all inputs from whole windows."""
    towers.set_levels("manner", floats(whole.manner))
    towers.set_levels("content", floats(whole.content))


def floats(rows: NDArray[np.float16]) -> Tensor:
    """Rows as 32-bit numbers."""
    return torch.from_numpy(rows.astype(np.float32))


def _save(
    towers: JudgeTowers,
    optimizer: torch.optim.AdamW,
    config: CourseConfig,
    losses: list[tuple[float, float]],
    folder: Path,
) -> None:
    tensors = {f"towers.{name}": value for name, value in towers.state_dict().items()}
    for place, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{place}.{name}": value for name, value in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{_STATE}.partial"
    document = json.dumps({"config": asdict(config), "losses": losses})
    save_file({name: value.contiguous() for name, value in tensors.items()}, partial, {"progress": document})
    partial.replace(folder / _STATE)


def _resume(
    towers: JudgeTowers,
    optimizer: torch.optim.AdamW,
    schedule: torch.optim.lr_scheduler.OneCycleLR,
    config: CourseConfig,
    folder: Path,
) -> list[tuple[float, float]]:
    """Loads the state of an earlier call, if there is one: the losses of its epochs."""
    path = folder / _STATE
    if not path.is_file():
        return []
    with safe_open(path, "pt") as stream:
        document = json.loads(stream.metadata()["progress"])
    if document["config"] != asdict(config):
        raise InvalidInputError.of("out", "must be a new folder, or one of a run with the same settings", str(folder))
    tensors = load_file(path)
    towers.load_state_dict({name[7:]: value for name, value in tensors.items() if name.startswith("towers.")})
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, place, field = name.split(".", 2)
            state.setdefault(int(place), {})[field] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    losses = [(float(one), float(other)) for one, other in document["losses"]]
    steps = next(iter(state.values()))["step"] if state else torch.tensor(0)
    for _ in range(int(steps)):
        optimizer.step()  # without gradients it does nothing, and the schedule wants it first
        schedule.step()
    return losses
