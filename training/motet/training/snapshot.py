"""Snapshots of a training run: a folder that is replaced as one thing, so that a kill at any moment leaves a whole one.

RUN/checkpoint/model/                  the model, as ``motet.model.checkpoint`` reads it
RUN/checkpoint/training.safetensors    the optimizers
RUN/checkpoint/training.json           options, counts and the held-out loss; written last
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FOLDER: Final = "checkpoint"
MODEL: Final = "model"
STATE: Final = "training.safetensors"
PROGRESS: Final = "training.json"
_PREVIOUS: Final = "checkpoint.old"
_PARTIAL: Final = "checkpoint.part"


def newest(run: Path) -> Path | None:
    """The folder of the newest whole snapshot of a run; None when there is none.

    Besides the present layout, runs are read whose three parts lie in ``run`` itself.
    """
    for folder in (run / FOLDER, run / _PREVIOUS, run):
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
