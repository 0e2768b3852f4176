"""Sound from scores: FluidSynth in the process, its soundfont loaded once. The only file that touches FluidSynth."""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import importlib.util
import io
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from motet.music.error import InternalError, InvalidInputError, NotFoundError, UnavailableError
from motet.music.score import DRUMS, Score
from motet.rewards.plan import BLOCK, Plan

TAIL_S = 2.0
DEFAULT_SOUNDFONT_SHA256 = "82475b91a76de15cb28a104707d3247ba932e228bada3f47bba63c6b31aaf7a1"

_INSTALL_LINE = (
    "FluidSynth is missing: `apt-get install libfluidsynth3` (Debian, Ubuntu) or `brew install fluid-synth` (macOS)"
)
_CHANNELS = 256
_DRUM_CHANNEL = 9
_MELODIC_CHANNELS = [channel for channel in range(_CHANNELS) if channel % 16 != _DRUM_CHANNEL]


@dataclass(frozen=True, kw_only=True)
class RenderConfig:
    """How scores are played.

    Args:
        rate_hz: sample rate, 8,000 to 96,000.
        effects: reverb and chorus; True for listening, False for scoring (cheaper by about an eighth).
        gain: FluidSynth's master gain, above 0 to 10.
        soundfont: an SF2 or SF3 file; None: the TimGM6mb.sf2 that comes with pretty_midi, checked by sha256.
    """

    rate_hz: int = 22050
    effects: bool = False
    gain: float = 0.5
    soundfont: Path | None = None

    def __post_init__(self) -> None:
        if not 8000 <= self.rate_hz <= 96000:
            raise InvalidInputError.of("render.rate_hz", "must be from 8000 to 96000", self.rate_hz)
        if not 0 < self.gain <= 10:
            raise InvalidInputError.of("render.gain", "must be above 0 and at most 10", self.gain)

    @cached_property
    def font(self) -> Path:
        """The soundfont's file. Raises NotFoundError without one, and UnavailableError for a default that changed."""
        if self.soundfont is not None:
            if not self.soundfont.is_file():
                asked = str(self.soundfont)
                raise NotFoundError("SOUNDFONT_NOT_FOUND", f"there is no soundfont at {asked}", {"path": asked})
            return self.soundfont
        path = default_soundfont()
        found = _sha256(path)
        if found != DEFAULT_SOUNDFONT_SHA256:
            expected = DEFAULT_SOUNDFONT_SHA256[:12]
            message = f"{path} is not the expected soundfont: sha256 {found[:12]}…, not {expected}…"
            raise UnavailableError("SOUNDFONT_CHANGED", message, {"path": str(path), "sha256": found})
        return path

    @cached_property
    def version(self) -> str:
        """12 hex digits over all that decides the sound, the soundfont's content with it. Raises what ``font`` does."""
        font = DEFAULT_SOUNDFONT_SHA256 if self.soundfont is None else _sha256(self.font)
        return hashlib.sha256(f"{self.rate_hz} {self.effects} {self.gain} {font}".encode()).hexdigest()[:12]


def default_soundfont() -> Path:
    """The TimGM6mb.sf2 inside the pretty_midi package, found without importing that package.

    Raises UnavailableError when pretty_midi is not installed or comes without the file.
    """
    spec = importlib.util.find_spec("pretty_midi")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    for folder in folders:
        path = Path(folder) / "TimGM6mb.sf2"
        if path.is_file():
            return path
    raise UnavailableError("SOUNDFONT_MISSING", "the default soundfont is missing: `pip install pretty_midi` brings it")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wav(audio: NDArray[np.float32], rate_hz: int) -> bytes:
    """A 16-bit PCM WAV file of ``audio`` [samples, channels]; louder than full scale is turned down, never clipped."""
    peak = float(np.abs(audio).max()) if audio.size else 0.0
    buffer = io.BytesIO()
    soundfile.write(buffer, audio / peak if peak > 1 else audio, rate_hz, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


class Player(ABC):
    """Plays scores; safe to share between threads. The same plan gives the same audio, bit for bit, on one machine."""

    synthesizer: str
    """What makes the sound: players of one synthesizer and one configuration sound the same."""

    config: RenderConfig

    @property
    def version(self) -> str:
        """Names the sound of this player's plans: of synthesizer, configuration and soundfont."""
        return f"{self.synthesizer}-{self.config.version}"

    def plan(self, score: Score, start_s: float, end_s: float, *, tail_s: float = 0.0) -> Plan:
        """The events of ``window``, not yet played; cheap. Raises what ``window`` raises."""
        return Plan.of(score, start_s, end_s, rate_hz=self.config.rate_hz, tail_s=tail_s)

    @abstractmethod
    def play(self, plan: Plan) -> NDArray[np.float32]:
        """Plays a plan: float32 [samples, 2], nominally -1..1 (can exceed it)."""

    def plays(self, plans: Sequence[Plan]) -> list[NDArray[np.float32]]:
        """Plays several plans, at once where the player can; in the order of the plans."""
        return [self.play(plan) for plan in plans]

    def render(self, score: Score) -> NDArray[np.float32]:
        """The whole score with a release tail of at most 2 s, float32 [samples, 2], nominally -1..1 (can exceed it).

        An empty score gives a tenth of a second of silence. Raises InvalidInputError for scores longer than 20 minutes
        or with more than 200,000 notes.
        """
        if not len(score):
            return np.zeros((self.config.rate_hz // 10, 2), np.float32)
        return self.play(self.plan(score, 0.0, score.duration_s, tail_s=TAIL_S))

    def window(self, score: Score, start_s: float, end_s: float, *, tail_s: float = TAIL_S) -> NDArray[np.float32]:
        """Seconds [start, end) of the score and a tail of at most ``tail_s``, float32 [samples, 2].

        Only notes sounding there are played; those already sounding at the start are struck again at the start.
        Raises InvalidInputError when not 0 <= start < end, or for a window longer than 20 minutes.
        """
        return self.play(self.plan(score, start_s, end_s, tail_s=tail_s))

    @abstractmethod
    def close(self) -> None:
        """Frees what the player holds; playing then raises UnavailableError."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Renderer(Player):
    """FluidSynth in this process, one plan at a time.

    The same score gives bit-identical audio on the same machine: the soundfont stays loaded, while the synthesizer
    around it is made new for each render (0.1 ms; a reset alone leaves traces of the music before in its voices), and
    all events fall on its internal blocks of 64 samples (2.9 ms at 22,050 Hz).

    Raises UnavailableError when the FluidSynth library or the default soundfont is missing or unusable, and
    NotFoundError when a soundfont that was asked for does not exist.
    """

    synthesizer = "fluidsynth"

    def __init__(self, config: RenderConfig | None = None) -> None:
        self.config = config or RenderConfig()
        self._lock = threading.Lock()
        self._library: Any = _load_library()
        path = self.config.font
        self._settings = self._library.new_fluid_settings()
        for name, value in (("sample-rate", float(self.config.rate_hz)), ("gain", self.config.gain)):
            self._library.fluid_settings_setnum(self._settings, f"synth.{name}".encode(), value)
        for name, number in (
            ("polyphony", 256),
            ("reverb.active", int(self.config.effects)),
            ("chorus.active", int(self.config.effects)),
            ("lock-memory", 0),
        ):
            self._library.fluid_settings_setint(self._settings, f"synth.{name}".encode(), number)
        self._loader: int | None = self._library.new_fluid_synth(self._settings)
        soundfont_id = self._library.fluid_synth_sfload(self._loader, str(path).encode(), 1)
        if soundfont_id == -1:
            self.close()
            message = f"FluidSynth cannot read the soundfont {path}"
            raise UnavailableError("SOUNDFONT_UNREADABLE", message, {"path": str(path)})
        self._font: int = self._library.get_sfont_by_id(self._loader, soundfont_id)
        self.play(Plan.test_tone())

    def play(self, plan: Plan) -> NDArray[np.float32]:
        """See ``Player.play``.

        Raises InternalError when music that must be heard comes out silent, and UnavailableError after ``close``.
        """
        tail = int(plan.tail_s * self.config.rate_hz) // BLOCK
        audio = np.zeros(((plan.blocks + tail) * BLOCK, 2), np.float32)
        if plan.notes:
            with self._lock:
                used = self._play(plan, audio, tail)
            audio = audio[:used]
        if plan.sure_to_sound and not np.any(audio):
            raise InternalError("RENDER_SILENT", f"{plan.notes} notes were rendered to silence")
        return audio

    def _play(self, plan: Plan, audio: NDArray[np.float32], tail: int) -> int:
        library = self._library
        if self._loader is None:
            raise UnavailableError("RENDERER_CLOSED", "the renderer is closed")
        melodic = len(np.unique(plan.program[plan.program >= 0]))
        channels = min(_CHANNELS, 16 * max(1, math.ceil(melodic / 15)))  # making one takes time
        library.fluid_settings_setint(self._settings, b"synth.midi-channels", channels)
        synth: int = library.new_fluid_synth(self._settings)
        library.add_sfont(synth, self._font)
        try:
            return self._perform(synth, plan, audio, tail)
        finally:
            library.remove_sfont(synth, self._font)
            library.delete_fluid_synth(synth)

    def _perform(self, synth: int, plan: Plan, audio: NDArray[np.float32], tail: int) -> int:
        library = self._library
        channel_of = {DRUMS: _DRUM_CHANNEL}
        for channel, program in zip(_MELODIC_CHANNELS, np.unique(plan.program[plan.program >= 0]), strict=False):
            channel_of[int(program)] = channel
            library.fluid_synth_program_change(synth, channel, int(program))
        library.fluid_synth_program_change(synth, _DRUM_CHANNEL, 0)
        done = 0
        sounding: dict[tuple[int, int], int] = {}
        events = zip(
            plan.block.tolist(),
            plan.is_on.tolist(),
            plan.program.tolist(),
            plan.pitch.tolist(),
            plan.velocity.tolist(),
            strict=True,
        )
        for block, is_on, program, pitch, velocity in events:
            if block > done:
                self._write(synth, audio, done, block)
                done = block
            channel = channel_of[program]
            held = sounding.get((channel, pitch), 0)
            if is_on:
                sounding[channel, pitch] = held + 1
                library.fluid_synth_noteon(synth, channel, pitch, velocity)
            else:
                # An earlier note of the same pitch that ends must not cut the later one that still sounds.
                sounding[channel, pitch] = held - 1
                if held == 1:
                    library.fluid_synth_noteoff(synth, channel, pitch)
        if plan.blocks > done:
            self._write(synth, audio, done, plan.blocks)
        done = plan.blocks
        end = plan.blocks + tail
        step = max(1, self.config.rate_hz // (8 * BLOCK))
        while done < end and library.fluid_synth_get_active_voice_count(synth) > 0:
            stop = min(done + step, end)
            self._write(synth, audio, done, stop)
            done = stop
        return done * BLOCK

    def _write(self, synth: int, audio: NDArray[np.float32], start: int, stop: int) -> None:
        out = audio.ctypes.data
        samples = (stop - start) * BLOCK
        if self._library.write_float(synth, samples, out, start * BLOCK * 2, 2, out, start * BLOCK * 2 + 1, 2):
            raise InternalError("RENDER_FAILED", "FluidSynth could not write audio")

    def close(self) -> None:
        """See ``Player.close``."""
        with self._lock:
            if self._loader is not None:
                self._library.delete_fluid_synth(self._loader)
                self._library.delete_fluid_settings(self._settings)
                self._loader = None


class _Library:
    """pyfluidsynth's prototypes plus those that it leaves out."""

    def __init__(self, module: ModuleType) -> None:
        self._module: Any = module
        pointer, integer = ctypes.c_void_p, ctypes.c_int
        self.write_float: Any = self._module.cfunc(
            "fluid_synth_write_float",
            integer,
            ("synth", pointer, 1),
            ("len", integer, 1),
            ("lout", pointer, 1),
            ("loff", integer, 1),
            ("lincr", integer, 1),
            ("rout", pointer, 1),
            ("roff", integer, 1),
            ("rincr", integer, 1),
        )
        silence: Any = self._module.cfunc(
            "fluid_set_log_function", pointer, ("level", integer, 1), ("fun", pointer, 1), ("data", pointer, 1)
        )
        synth = ("synth", pointer, 1)
        self.get_sfont_by_id: Any = self._module.cfunc(
            "fluid_synth_get_sfont_by_id", pointer, synth, ("id", integer, 1)
        )
        self.add_sfont: Any = self._module.cfunc("fluid_synth_add_sfont", integer, synth, ("font", pointer, 1))
        self.remove_sfont: Any = self._module.cfunc("fluid_synth_remove_sfont", integer, synth, ("font", pointer, 1))
        if self.write_float is None or silence is None:
            raise UnavailableError("FLUIDSYNTH_TOO_OLD", "FluidSynth 2 or later is needed; " + _INSTALL_LINE)
        for level in range(1, 5):  # errors to debug chatter: every return code is checked here instead
            silence(level, None, None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _load_library() -> _Library:
    try:
        module = importlib.import_module("fluidsynth")
    except ImportError as error:
        missing = "`pip install pyfluidsynth`" if error.name == "fluidsynth" else _INSTALL_LINE
        raise UnavailableError("FLUIDSYNTH_MISSING", missing) from error
    return _Library(module)
