"""What must hold for a piece, whatever its caption says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from motet.client.error import RequestError
from motet.client.text import text
from motet.v1 import search_pb2

MAX_SEED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """Hard constraints of a search; they win over the caption, and what is left out is up to the caption.

    The server checks them: RequestError names every field that is wrong, and those that contradict each other.

    Args:
        tempo_bpm: quarter notes a minute, 10 to 400; a seed has its own.
        key: for example ``"C# minor"``.
        key_lock: keep every pitched note that is written in the scale of the key, whoever names it.
        time_signature: for example ``"6/8"``; a seed has its own.
        instruments: must play, in place of those that the caption names: General MIDI names, everyday names, program
            numbers (``"0"`` to ``"127"``), or ``"drums"``; at most 16.
        only_instruments: nobody else plays: than ``instruments``, else than those that the caption names.
        drums: whether drums must play, or must not; None leaves it open.
        seed_midi: a Standard MIDI File of at most 1 MiB, to continue after its end by ``bars`` bars, or to write a
            part of anew; the rest of it stays as it is.
        rewrite_bars: (first, last) bar of the seed to write anew, from 1, both included.
        rewrite_instruments: whose part of the seed to write anew, named as in ``instruments``.
    """

    tempo_bpm: float | None = None
    key: str | None = None
    key_lock: bool = False
    time_signature: str | None = None
    instruments: Sequence[str] = ()
    only_instruments: bool = False
    drums: bool | None = None
    seed_midi: bytes | None = None
    rewrite_bars: tuple[int, int] | None = None
    rewrite_instruments: Sequence[str] = ()

    def message(self) -> search_pb2.Controls:
        """For the wire; RequestError for what cannot go over it."""
        if self.seed_midi is not None and len(self.seed_midi) > MAX_SEED_BYTES:
            rule, received = f"must have at most {MAX_SEED_BYTES:,} bytes", f"{len(self.seed_midi):,} bytes"
            raise RequestError.of("controls.seed_midi", rule, received)
        message = search_pb2.Controls(
            tempo_bpm=self.tempo_bpm,
            key=None if self.key is None else text("controls.key", self.key),
            key_lock=self.key_lock,
            time_signature=None
            if self.time_signature is None
            else text("controls.time_signature", self.time_signature),
            instruments=_names("controls.instruments", self.instruments),
            only_instruments=self.only_instruments,
            drums=self.drums,
            seed_midi=self.seed_midi,
            rewrite_instruments=_names("controls.rewrite_instruments", self.rewrite_instruments),
        )
        if self.rewrite_bars is not None:
            first, last = self.rewrite_bars
            if not all(-(2**31) <= bar < 2**31 for bar in (first, last)):
                raise RequestError.of("controls.rewrite_bars", "must be whole numbers of 32 bits", (first, last))
            message.rewrite_bars.CopyFrom(search_pb2.BarRange(first=first, last=last))
        return message


def _names(field: str, names: Sequence[str]) -> list[str]:
    if isinstance(names, str):  # a sequence too, but of letters
        raise RequestError.of(field, "must be a list of names", names)
    return [text(f"{field}[{index}]", name) for index, name in enumerate(names)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveControls:
    """What held for every piece of a search: the caption, the controls laid over it, and the seed.

    Args:
        tempo_bpm: quarter notes a minute; like all that follow None or empty where it was left to the model.
        tempo_word: a range of tempi by its name, where no tempo held.
        key: for example ``"C# minor"``.
        key_lock: whether every pitched note that was written stays in its scale.
        time_signature: for example ``"6/8"``.
        instruments: asked for, and of the seed, by their General MIDI names.
        only_instruments: whether nobody else came in.
        drums: whether they were asked for, or ruled out.
        genres, moods: that the caption names.
        density: how many notes it asks for, for example ``"sparse"``.
        bars: of the whole piece.
        seed_bars: of the seed, 0 without one.
        rewrite_bars: (first, last) bar of the seed that was written anew.
        rewrite_instruments: whose part of the seed was written anew.
        temperature, top_p, guidance: of sampling.
    """

    tempo_bpm: float | None
    tempo_word: str | None
    key: str | None
    key_lock: bool
    time_signature: str | None
    instruments: tuple[str, ...]
    only_instruments: bool
    drums: bool | None
    genres: tuple[str, ...]
    moods: tuple[str, ...]
    density: str | None
    bars: int
    seed_bars: int
    rewrite_bars: tuple[int, int] | None
    rewrite_instruments: tuple[str, ...]
    temperature: float
    top_p: float
    guidance: float

    @classmethod
    def of(cls, message: search_pb2.EffectiveControls) -> EffectiveControls:
        """From the wire."""
        bars = message.rewrite_bars
        return cls(
            tempo_bpm=message.tempo_bpm if message.HasField("tempo_bpm") else None,
            tempo_word=message.tempo_word or None,
            key=message.key or None,
            key_lock=message.key_lock,
            time_signature=message.time_signature or None,
            instruments=tuple(message.instruments),
            only_instruments=message.only_instruments,
            drums=message.drums if message.HasField("drums") else None,
            genres=tuple(message.genres),
            moods=tuple(message.moods),
            density=message.density or None,
            bars=message.bar_count,
            seed_bars=message.seed_bar_count,
            rewrite_bars=(bars.first, bars.last) if message.HasField("rewrite_bars") else None,
            rewrite_instruments=tuple(message.rewrite_instruments),
            temperature=message.temperature,
            top_p=message.top_p,
            guidance=message.guidance,
        )
