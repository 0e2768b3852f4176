"""Where a training by epochs stands: kept after each epoch, found again by the next call with the same settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from motet.music.error import InvalidInputError

_STATE: Final = "training.safetensors"


class Bookmark:
    """Keeps what is learned, the optimizer and the losses of a training in one file, which is replaced as a whole.

    Args:
        folder: for the file.
        learned: all that is trained.
        optimizer: of its parameters.
        schedule: of the optimizer's rates, stepped as often in each epoch.
        epochs: that the schedule is made for.
        settings: JSON; a training with others is not gone on with.
    """

    def __init__(
        self,
        folder: Path,
        learned: nn.Module,
        optimizer: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.OneCycleLR,
        *,
        epochs: int,
        settings: Mapping[str, Any],
    ) -> None:
        self._folder = folder
        self._learned = learned
        self._optimizer = optimizer
        self._schedule = schedule
        self._epochs = epochs
        self._settings = dict(settings)

    def save(self, losses: Sequence[Any]) -> None:
        """Keeps everything as it is after the epochs of these losses (JSON)."""
        tensors = {f"learned.{name}": value for name, value in self._learned.state_dict().items()}
        for place, state in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{place}.{name}": value for name, value in state.items()}
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{_STATE}.partial"
        progress = json.dumps({"settings": self._settings, "losses": list(losses)})
        save_file({name: value.contiguous() for name, value in tensors.items()}, partial, {"progress": progress})
        partial.replace(self._folder / _STATE)

    def resume(self) -> list[Any]:
        """Brings everything back to where it was left: the losses of the epochs until then, none at the start.

        Raises InvalidInputError when the folder holds a training with other settings.
        """
        path = self._folder / _STATE
        if not path.is_file():
            return []
        with safe_open(path, "pt") as stream:
            progress = json.loads((stream.metadata() or {}).get("progress", "{}"))
        if progress.get("settings") != self._settings:
            rule = "must be a new folder, or one of a run with the same settings"
            raise InvalidInputError.of("out", rule, str(self._folder))
        tensors = load_file(path)
        self._learned.load_state_dict(
            {name.removeprefix("learned."): value for name, value in tensors.items() if name.startswith("learned.")}
        )
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, place, field = name.split(".", 2)
                state.setdefault(int(place), {})[field] = value
        losses: list[Any] = progress["losses"]
        for _ in range(self._schedule.total_steps // self._epochs * len(losses)):
            self._optimizer.step()  # without gradients it does nothing, and the schedule wants it first
            self._schedule.step()
        self._optimizer.load_state_dict({"state": state, "param_groups": self._optimizer.state_dict()["param_groups"]})
        return losses
