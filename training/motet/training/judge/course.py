"""Training of the judge: which captions fit which windows, and which of two versions of music is the spoiled one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from motet.music.error import CancelledError, InvalidInputError
from motet.rewards.judge_towers import JudgeTowers
from motet.training.bookmark import Bookmark
from motet.training.contrast import contrast
from motet.training.facts import Facts
from motet.training.judge.data import Lessons, Readings


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
    bookmark = Bookmark(folder, towers, optimizer, schedule, epochs=config.epochs, settings=asdict(config))
    losses = [(float(one), float(other)) for one, other in bookmark.resume()]
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
        bookmark.save(losses)
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
