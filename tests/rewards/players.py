"""Players that do harm to their process when a plan asks for it, for tests of the render farm."""

from __future__ import annotations

import importlib
import os
import signal
import time
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from motet.rewards.plan import BLOCK, Plan
from motet.rewards.render import Player, RenderConfig, Renderer

HARMLESS, DEADLY, DEADLY_ONCE, HANGING, CLUMSY, WAITING = range(1, 7)
"""What a plan does by the number of its notes."""


def plan_of(notes: int) -> Plan:
    """A plan of some notes and four blocks."""
    rows = np.array([[0, 0, 60 + k, 4, 90] for k in range(notes)], np.int64)
    return Plan.of_notes(rows, 4, blocks_per_s=22050 / BLOCK)


class Fragile(Player):
    """Fills a plan with the number of its notes, after the harm that this number stands for.

    ``mark`` is a file by which a process tells the next that it was here.
    """

    synthesizer = "fragile"

    def __init__(self, config: RenderConfig, mark: Path) -> None:
        self.config = config
        self._mark = mark

    def play(self, plan: Plan) -> NDArray[np.float32]:
        first = not self._mark.exists()
        if plan.notes == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        elif plan.notes == DEADLY_ONCE and first:
            self._mark.touch()
            os.kill(os.getpid(), signal.SIGSEGV)
        elif plan.notes == HANGING:
            time.sleep(3600)
        elif plan.notes == CLUMSY:
            raise ValueError("clumsy")
        elif plan.notes == WAITING and first:
            part = self._mark.with_suffix(".part")
            part.write_text(str(os.getpid()))
            part.rename(self._mark)
            time.sleep(3600)
        return np.full((plan.blocks * BLOCK, 2), plan.notes, np.float32)

    def close(self) -> None:
        pass


def deadly_to_open(config: RenderConfig) -> Player:
    """What a soundfont does that crashes the native library."""
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def without_library(config: RenderConfig) -> Player:
    """A renderer on a machine without FluidSynth."""

    def refuse(name: str, package: str | None = None) -> ModuleType:
        raise ImportError("Couldn't find the FluidSynth library.")

    importlib.import_module = refuse
    return Renderer(config)
