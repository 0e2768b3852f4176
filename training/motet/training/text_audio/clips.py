"""Clips: windows of sound as the reward hears them, under several soundfonts, rendered by processes, kept on disk."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from motet.music.error import CancelledError, InvalidInputError
from motet.music.score import Score
from motet.rewards.render import RenderConfig, Renderer
from motet.rewards.sound import Sound
from motet.rewards.spectrum import BANDS, Spectrum, SpectrumConfig

Font = Path | Literal["default"]
"""A soundfont, or the default one."""

_STEP = 200  # clips in a task of a process, and between two saves
_HALF = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Clips:
    """``N`` clips under ``S`` soundfonts.

    Args:
        mel, tone, band: [N, S, rows, frames] log power, see ``motet.rewards.spectrum``.
        piece: [N] which score each is of, ascending.
        share: [N] the part of the clip before the end of its piece, above 0 to 1.
        loudness: [N, S] root mean square of the samples in decibels.
    """

    mel: NDArray[np.float16]
    tone: NDArray[np.float16]
    band: NDArray[np.float16]
    piece: NDArray[np.int64]
    share: NDArray[np.float64]
    loudness: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.piece)

    def heard(self, rows: NDArray[np.intp], fonts: NDArray[np.intp] | int) -> list[NDArray[np.float32]]:
        """The three spectrograms of some clips, each [B, rows, frames]."""
        return [part[rows, fonts].astype(np.float32) for part in (self.mel, self.tone, self.band)]

    def joined(self, other: Clips, pieces: int) -> Clips:
        """Both; the pieces of ``other`` count on from ``pieces``."""
        rows = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _COLUMNS}
        return replace(self, **rows, piece=np.concatenate([self.piece, other.piece + pieces]))


_COLUMNS = ("mel", "tone", "band", "share", "loudness")


def render(
    scores: Sequence[Callable[[], Score]],
    folder: Path,
    spectrum: SpectrumConfig,
    fonts: Sequence[Font],
    *,
    every: bool,
    seed: int,
    processes: int,
    progress: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Clips:
    """Renders clips of scores into ``folder``, or goes on where that was stopped.

    Args:
        scores: each makes a score; they must be the same in every call.
        folder: of these clips alone.
        spectrum: what is heard.
        fonts: that each clip is heard under.
        every: all windows of a score, as the reward hears them; else one of those that are at least half music.
        seed: of that choice.
        processes: that render at a time; 0: this one alone.
        progress, cancelled: as in ``motet.training.text_audio.training.train``.

    Raises InvalidInputError when the folder holds clips of other settings, CancelledError when ``cancelled``; whole
    steps that are rendered by then are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = {
        "scores": len(scores),
        "fonts": [name_of(font) for font in fonts],
        "spectrum": asdict(spectrum),
        "every": every,
        "seed": seed,
    }
    note = folder / "plan.json"
    if note.is_file() and json.loads(note.read_text("utf-8")) != plan:
        raise InvalidInputError.of("out", "must be a new folder, or one made with the same settings", str(folder))
    note.write_text(json.dumps(plan), "utf-8")
    starts = [start for start in range(0, len(scores), _STEP) if not _part(folder, start).is_file()]
    tasks = ((start, [make() for make in scores[start : start + _STEP]]) for start in starts)
    done = _together(tasks, folder, processes, (spectrum, list(fonts), every, seed))
    for count, _ in enumerate(done, 1):
        progress(f"{folder.name}: {count} of {len(starts)} steps of {_STEP} pieces rendered")
        if cancelled():
            done.close()
            raise CancelledError("CANCELLED", "cancelled while rendering; run again to go on")
    return load(folder)


def load(folder: Path) -> Clips:
    """The clips that ``render`` left in a folder."""
    parts = []
    for path in sorted(folder.glob("clips-*.npz")):
        with np.load(path, allow_pickle=False) as archive:
            parts.append({name: archive[name] for name in (*_COLUMNS, "piece")})
    return Clips(**{name: np.concatenate([part[name] for part in parts]) for name in (*_COLUMNS, "piece")})


def _part(folder: Path, start: int) -> Path:
    return folder / f"clips-{start:07d}.npz"


def _together(
    tasks: Iterator[tuple[int, list[Score]]], folder: Path, processes: int, settings: tuple[Any, ...]
) -> Generator[None]:
    """Runs tasks, in order, only a few of them made ahead; once closed, those that wait are dropped."""
    if not processes:
        player = _Player(*settings)
        for start, scores in tasks:
            player.keep(start, scores, _part(folder, start))
            yield
        return
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _start, settings)
    waiting: list[Future[None]] = []
    try:
        for start, scores in tasks:
            waiting.append(pool.submit(_render, start, scores, _part(folder, start)))
            if len(waiting) > processes:
                yield waiting.pop(0).result()
        for one in waiting:
            yield one.result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Player:
    """What a process holds."""

    def __init__(self, spectrum: SpectrumConfig, fonts: Sequence[Font], every: bool, seed: int) -> None:
        self.spectrum = Spectrum(spectrum)
        files = [font if isinstance(font, Path) else None for font in fonts]
        players = [Renderer(RenderConfig(rate_hz=spectrum.rate_hz, soundfont=file)) for file in files]
        self.sounds = [Sound(player, window_s=spectrum.window_s, cache_bytes=0) for player in players]
        self.every = every
        self.seed = seed

    def clips(self, place: int, score: Score) -> Iterator[dict[str, Any]]:
        """The columns of each clip of a score."""
        windows = self.sounds[0].windows(score)
        if not self.every and windows:
            fitting = [window for window in windows if window.share >= _HALF] or windows[:1]
            windows = [fitting[int(np.random.default_rng([self.seed, place]).integers(len(fitting)))]]
        for window in windows:
            audio = [sound.audio(window)[: self.spectrum.config.samples] for sound in self.sounds]
            size = max(map(len, audio))
            samples = torch.from_numpy(np.stack([np.pad(one, (0, size - len(one))) for one in audio]))
            with torch.inference_mode():
                mel, tone, band = (image.half().numpy() for image in self.spectrum(samples))
            loudness = 10 * np.log10(samples.square().mean(-1).numpy() + 1e-9)
            yield {"mel": mel, "tone": tone, "band": band, "share": window.share, "loudness": loudness, "piece": place}

    def keep(self, start: int, scores: Sequence[Score], path: Path) -> None:
        """Writes the clips of scores, the first of which is the one at ``start``."""
        clips = [clip for place, score in enumerate(scores, start) for clip in self.clips(place, score)]
        spectrum = self.spectrum.config
        shapes = {
            "mel": (spectrum.mels, spectrum.mel_frames),
            "tone": (spectrum.tones, spectrum.tone_frames),
            "band": (BANDS, spectrum.band_frames),
        }
        heard = len(self.sounds)
        columns: dict[str, Any] = {
            name: np.stack([clip[name] for clip in clips]) if clips else np.zeros((0, heard, *shape), np.float16)
            for name, shape in shapes.items()
        }
        columns["piece"] = np.array([clip["piece"] for clip in clips], np.int64)
        columns["share"] = np.array([clip["share"] for clip in clips], np.float64)
        columns["loudness"] = np.array([clip["loudness"] for clip in clips], np.float32).reshape(-1, heard)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, **columns)
        partial.replace(path)


def name_of(font: Font) -> str:
    """The name of a font in reports."""
    return font.name if isinstance(font, Path) else font


_player: _Player | None = None  # of this process; a pool gives its tasks no other place


def _start(spectrum: SpectrumConfig, fonts: Sequence[Font], every: bool, seed: int) -> None:
    global _player
    torch.set_num_threads(1)
    _player = _Player(spectrum, fonts, every, seed)


def _render(start: int, scores: Sequence[Score], path: Path) -> None:
    assert _player is not None  # noqa: S101  # the pool's initializer has run
    _player.keep(start, scores, path)
