"""The sound of scores in fixed windows, kept so that a piece that grew is rendered only where it is new."""

from __future__ import annotations

import hashlib
import itertools
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.music.error import InvalidInputError
from motet.music.score import Score
from motet.rewards.plan import BLOCK, Plan
from motet.rewards.render import Player

_PART_S = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """A window of a piece.

    Args:
        start_s: seconds of the piece at which it begins.
        plan: what sounds there.
        share: the part of the window that lies before the end of the piece, above 0 to 1.
        digest: names the sound, of this content on this synthesizer, configuration and soundfont (32 bytes).
    """

    start_s: float
    plan: Plan
    share: float
    digest: bytes


class Sound:
    """Renders windows on a grid that starts with the piece, and remembers by content what they are made of.

    A window is the sum of its parts (``Plan.parts``): a piece that grew by some bars costs these bars, the two seconds
    at most in which they begin, and their ringing. Its sound depends on its notes alone, not on how the piece grew.

    Args:
        player: a synthesizer in this process, or a farm, which renders windows side by side.
        window_s: length of a window in seconds, 1 to 60.
        most_windows: pieces with more are heard in so many windows spread evenly.
        cache_bytes: sound kept at most; the least recently used goes first.
    """

    def __init__(
        self, player: Player, *, window_s: float = 8.0, most_windows: int = 16, cache_bytes: int = 64 * 2**20
    ) -> None:
        if not 1 <= window_s <= 60:
            raise InvalidInputError.of("sound.window_s", "must be from 1 to 60", window_s)
        if most_windows < 1:
            raise InvalidInputError.of("sound.most_windows", "must be at least 1", most_windows)
        if cache_bytes < 0:
            raise InvalidInputError.of("sound.cache_bytes", "must be at least 0", cache_bytes)
        self.window_s = window_s
        self.rate_hz = player.config.rate_hz
        self._player = player
        self._version = player.version.encode()
        self._most_windows = most_windows
        self._cache_bytes = cache_bytes
        self._kept: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()
        self.rendered_s = 0.0
        """Seconds of sound rendered so far: a measure of what the cache saves."""

    def hears_whole(self, score: Score) -> bool:
        """Whether every window of the score in which anything sounds is among its ``windows``."""
        return math.ceil(score.duration_s / self.window_s) <= self._most_windows

    def windows(self, score: Score) -> list[Window]:
        """The windows in which anything sounds, in order; cheap, nothing is rendered. An empty score has none."""
        end_s = score.duration_s
        if end_s <= 0:
            return []
        count = math.ceil(end_s / self.window_s)
        heard = min(count, self._most_windows)
        places = [k * count // heard for k in range(heard)]
        found = []
        for place in places:
            start = place * self.window_s
            plan = self._player.plan(score, start, start + self.window_s)
            if plan.notes:
                digest = hashlib.sha256(self._version + plan.digest).digest()
                share = min(1.0, end_s / self.window_s - place)
                found.append(Window(start_s=start, plan=plan, share=share, digest=digest))
        return found

    def audio(self, window: Window) -> NDArray[np.float32]:
        """The mono sound of a window, float32 [samples], read-only; ``round(window_s * rate_hz)`` samples or so."""
        return self.audios([window])[0]

    def audios(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """The sound of each window, as of ``audio``: its parts, of which those not kept are played side by side."""
        parts = {window.digest: self._parts(window) for window in windows}
        sounds: dict[bytes, NDArray[np.float32]] = {}
        missing: dict[bytes, Plan] = {}
        with self._lock:
            for _, part in itertools.chain.from_iterable(parts.values()):
                kept = self._kept.get(part.digest)
                if kept is None:
                    missing[part.digest] = part
                else:
                    sounds[part.digest] = kept
                    self._kept.move_to_end(part.digest)
        for digest, audio in zip(missing, self._player.plays(list(missing.values())), strict=True):
            sounds[digest] = audio.mean(axis=1, dtype=np.float32)
        with self._lock:
            for digest in missing:
                self.rendered_s += len(sounds[digest]) / self.rate_hz
                self._keep(digest, sounds[digest])
        return [_sum(window, parts[window.digest], sounds) for window in windows]

    def _parts(self, window: Window) -> list[tuple[int, Plan]]:
        return window.plan.parts(round(_PART_S * self.rate_hz / BLOCK), blocks_per_s=self.rate_hz / BLOCK)

    def _keep(self, digest: bytes, audio: NDArray[np.float32]) -> None:
        if digest not in self._kept and audio.nbytes <= self._cache_bytes:
            self._kept[digest] = audio
            self._kept_bytes += audio.nbytes
            while self._kept_bytes > self._cache_bytes:
                self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes


def _sum(
    window: Window, parts: Sequence[tuple[int, Plan]], sounds: Mapping[bytes, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """The window's parts, each from the block at which it is to be heard, added in their order."""
    audio = np.zeros(window.plan.blocks * BLOCK, np.float32)
    for block, part in parts:
        rest = audio[block * BLOCK :]
        sound = sounds[part.digest][: len(rest)]
        rest[: len(sound)] += sound
    audio.flags.writeable = False
    return audio
