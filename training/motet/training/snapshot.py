"""Snapshots of a training run: a folder that is replaced as one thing, so that a kill at any moment leaves a whole one.

RUN/checkpoint/model/                  the model, as ``motet.model.checkpoint`` reads it
RUN/checkpoint/training.safetensors    the optimizers
RUN/checkpoint/training.json           options, counts and the held-out loss; written last
RUN/plateau/                           the same, from before the learning rates fell: what a longer budget goes on from
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FOLDER: Final = "checkpoint"
PLATEAU: Final = "plateau"
MODEL: Final = "model"
STATE: Final = "training.safetensors"
PROGRESS: Final = "training.json"
_PREVIOUS: Final = "checkpoint.old"
_PARTIAL: Final = "checkpoint.part"


def newest(run: Path) -> Path | None:
    """The folder of the newest whole snapshot of a run; None when there is none."""
    for folder in (run / FOLDER, run / _PREVIOUS):
        if (folder / PROGRESS).is_file():
            return folder
    return None


@contextmanager
def replacing(run: Path) -> Iterator[Path]:
    """An empty folder that becomes the newest snapshot when the block ends well; until then the one before stays."""
    partial, current, previous = run / _PARTIAL, run / FOLDER, run / _PREVIOUS
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    # No system call swaps two folders everywhere: between the two renamings the newest is the previous one.
    if current.exists():
        shutil.rmtree(previous, ignore_errors=True)
        current.rename(previous)
    partial.rename(current)
    shutil.rmtree(previous, ignore_errors=True)


def keep_plateau(run: Path) -> None:
    """Copies the newest snapshot to where ``plateau`` finds it."""
    current, partial = run / FOLDER, run / _PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(current, partial)
    shutil.rmtree(run / PLATEAU, ignore_errors=True)
    partial.rename(run / PLATEAU)


def plateau(run: Path) -> Path | None:
    """The folder of the snapshot from before the learning rates fell; None when they have not yet."""
    folder = run / PLATEAU
    return folder if (folder / PROGRESS).is_file() else None
