"""Sound from scores: FluidSynth in the process, its soundfont loaded once. The only file that touches FluidSynth."""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import importlib.util
import io
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from motet.music.error import InternalError, InvalidInputError, NotFoundError, UnavailableError
from motet.music.score import DRUMS, Score

BLOCK = 64
"""FluidSynth's internal block in samples; every event falls on one, so that none of them is ever left half used."""

TAIL_S = 2.0
MAX_DURATION_S = 20 * 60.0
MAX_NOTES = 200_000
DEFAULT_SOUNDFONT_SHA256 = "82475b91a76de15cb28a104707d3247ba932e228bada3f47bba63c6b31aaf7a1"

_INSTALL_LINE = (
    "FluidSynth is missing: `apt-get install libfluidsynth3` (Debian, Ubuntu) or `brew install fluid-synth` (macOS)"
)
_CHANNELS = 256
_DRUM_CHANNEL = 9
_MELODIC_CHANNELS = [channel for channel in range(_CHANNELS) if channel % 16 != _DRUM_CHANNEL]
_SURE_TO_SOUND_S = 0.5


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What is to be played, ready for the synthesizer: ``E`` note events in playing order, times in blocks.

    Two plans with one ``digest`` sound the same, bit for bit, on one renderer.
    """

    block: NDArray[np.int64]  # [E] ascending
    is_on: NDArray[np.bool_]  # [E]
    program: NDArray[np.int64]  # [E] 0..127 or DRUMS
    pitch: NDArray[np.int64]  # [E] 0..127
    velocity: NDArray[np.int64]  # [E] 1..127, 0 for note ends
    blocks: int  # length without the tail
    tail_s: float
    notes: int
    sure_to_sound: bool  # notes in every instrument's range sound for long enough to be heard

    @property
    def digest(self) -> bytes:
        """sha256 over all that decides the sound (32 bytes)."""
        hasher = hashlib.sha256(np.array([self.blocks, round(self.tail_s * 1000)], np.int64).tobytes())
        for column in (self.block, self.is_on, self.program, self.pitch, self.velocity):
            hasher.update(np.ascontiguousarray(column).tobytes())
        return hasher.digest()


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


def wav(audio: NDArray[np.float32], rate_hz: int) -> bytes:
    """A 16-bit PCM WAV file of ``audio`` [samples, channels]; louder than full scale is turned down, never clipped."""
    peak = float(np.abs(audio).max()) if audio.size else 0.0
    buffer = io.BytesIO()
    soundfile.write(buffer, audio / peak if peak > 1 else audio, rate_hz, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


class Renderer:
    """A loaded synthesizer; safe to share between threads, one render at a time.

    The same score gives bit-identical audio on the same machine: the soundfont stays loaded, while the synthesizer
    around it is made new for each render (0.4 ms; a reset alone leaves traces of the music before in its voices), and
    all events fall on its internal blocks of 64 samples (2.9 ms at 22,050 Hz).

    Raises UnavailableError when the FluidSynth library or the default soundfont is missing or unusable, and
    NotFoundError when a soundfont that was asked for does not exist.
    """

    def __init__(self, config: RenderConfig | None = None) -> None:
        self.config = config or RenderConfig()
        self._lock = threading.Lock()
        self._library: Any = _load_library()
        path = self._soundfont()
        self._settings = self._library.new_fluid_settings()
        for name, value in (("sample-rate", float(self.config.rate_hz)), ("gain", self.config.gain)):
            self._library.fluid_settings_setnum(self._settings, f"synth.{name}".encode(), value)
        for name, number in (
            ("midi-channels", _CHANNELS),
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
        self.play(_self_test_plan())

    def _soundfont(self) -> Path:
        if self.config.soundfont is not None:
            if not self.config.soundfont.is_file():
                asked = str(self.config.soundfont)
                raise NotFoundError("SOUNDFONT_NOT_FOUND", f"there is no soundfont at {asked}", {"path": asked})
            return self.config.soundfont
        path = default_soundfont()
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != DEFAULT_SOUNDFONT_SHA256:
            message = (
                f"{path} is not the expected soundfont: sha256 {found[:12]}…, not {DEFAULT_SOUNDFONT_SHA256[:12]}…"
            )
            raise UnavailableError("SOUNDFONT_CHANGED", message, {"path": str(path), "sha256": found})
        return path

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

    def plan(self, score: Score, start_s: float, end_s: float, *, tail_s: float = 0.0) -> Plan:
        """The events of ``window``, not yet played; cheap. Raises what ``window`` raises."""
        if not 0 <= start_s < end_s:
            raise InvalidInputError.of("start_s, end_s", "must satisfy 0 <= start < end", (start_s, end_s))
        if end_s - start_s > MAX_DURATION_S:
            rule = f"must be at most {MAX_DURATION_S:.0f} seconds to be rendered"
            raise InvalidInputError.of("score.duration_s", rule, round(end_s - start_s, 1))
        on_s, off_s = score.seconds(score.onset), score.seconds(score.onset + score.duration)
        here = np.flatnonzero((on_s < end_s) & (off_s > start_s))
        if len(here) > MAX_NOTES:
            raise InvalidInputError.of("score", f"must have at most {MAX_NOTES} notes to be rendered", len(here))
        blocks_per_s = self.config.rate_hz / BLOCK
        blocks = max(1, round((end_s - start_s) * blocks_per_s))
        on = np.rint((np.maximum(on_s[here], start_s) - start_s) * blocks_per_s).astype(np.int64)
        off = np.rint((np.minimum(off_s[here], end_s) - start_s) * blocks_per_s).astype(np.int64)
        on = np.minimum(on, blocks - 1)
        off = np.maximum(off, on + 1)
        notes = np.stack(
            [on, score.program[here], score.pitch[here], off, score.velocity[here]], axis=1, dtype=np.int64
        )
        notes = _merge_unisons(notes)
        return _plan(notes, blocks, blocks_per_s, tail_s)

    def play(self, plan: Plan) -> NDArray[np.float32]:
        """Plays a plan: float32 [samples, 2].

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
        """Frees the synthesizer; further renders raise UnavailableError."""
        with self._lock:
            if self._loader is not None:
                self._library.delete_fluid_synth(self._loader)
                self._library.delete_fluid_settings(self._settings)
                self._loader = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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


def _merge_unisons(notes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Notes [N, (on, program, pitch, off, velocity)] struck together on one key become one, as long and loud as any."""
    if not len(notes):
        return notes
    notes = notes[np.lexsort((notes[:, 2], notes[:, 1], notes[:, 0]))]
    first = np.flatnonzero(np.concatenate(([True], np.any(notes[1:, :3] != notes[:-1, :3], axis=1))))
    merged = notes[first]
    merged[:, 3] = np.maximum.reduceat(notes[:, 3], first)
    merged[:, 4] = np.maximum.reduceat(notes[:, 4], first)
    return merged


def _plan(notes: NDArray[np.int64], blocks: int, blocks_per_s: float, tail_s: float) -> Plan:
    count = len(notes)
    block = np.concatenate([notes[:, 0], notes[:, 3]])
    is_on = np.arange(2 * count) < count
    program = np.tile(notes[:, 1], 2)
    pitch = np.tile(notes[:, 2], 2)
    velocity = np.concatenate([notes[:, 4], np.zeros(count, np.int64)])
    order = np.lexsort((pitch, program, is_on, block))  # ends before beginnings
    drums = notes[:, 1] == DRUMS
    low, high = np.where(drums, 35, 48), np.where(drums, 59, 72)
    plain = (notes[:, 2] >= low) & (notes[:, 2] <= high) & (notes[:, 4] >= 32)
    sounding_s = float((notes[plain, 3] - notes[plain, 0]).max(initial=0)) / blocks_per_s
    return Plan(
        block=block[order],
        is_on=is_on[order],
        program=program[order],
        pitch=pitch[order],
        velocity=velocity[order],
        blocks=blocks,
        tail_s=tail_s,
        notes=count,
        sure_to_sound=sounding_s >= _SURE_TO_SOUND_S,
    )


def _self_test_plan() -> Plan:
    """Middle C on a piano for two seconds' worth of blocks at 8 kHz: a soundfont that cannot play it plays nothing."""
    return _plan(np.array([[0, 0, 60, 250, 100]], np.int64), 250, 8000 / BLOCK, 0.0)
