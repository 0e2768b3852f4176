"""Controls as people name them, read into what a search takes, and told back."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from motet.model.header import DRUM_PLAYER
from motet.model.seed import Seed
from motet.music import instrument, midi
from motet.music.error import InvalidInputError
from motet.music.key import Key
from motet.music.meter import Meter
from motet.music.score import DRUMS, Score
from motet.search.controls import SearchControls
from motet.search.plan import Plan
from motet.server.errors import check, renamed
from motet.v1 import search_pb2

MAX_SEED_BYTES: Final = 1 << 20
MAX_SEED_BARS: Final = 960
_SEED_LIMITS: Final = midi.Limits(max_bytes=MAX_SEED_BYTES, max_bars=MAX_SEED_BARS)

FIELDS: Final = {
    "tempo_bpm": "controls.tempo_bpm",
    "key": "controls.key",
    "scale": "controls.key_lock",
    "meter": "controls.time_signature",
    "instruments": "controls.instruments",
    "required": "controls.instruments",
    "allowed": "controls.instruments",
    "only_instruments": "controls.only_instruments",
    "drums": "controls.drums",
    "midi": "controls.seed_midi",
    "seed": "controls.seed_midi",
    "seed.bars": "controls.rewrite_bars",
    "seed.players": "controls.rewrite_instruments",
}
"""Fields of a search's controls and of what it makes of them -> their names on the wire."""

_PROGRAMS: Final = {name.lower(): program for program, name in enumerate(instrument.PROGRAM_NAMES)}
_SHOWN: Final = {name.lower(): name for name in ("drums", *instrument.SPOKEN_NAMES, *instrument.PROGRAM_NAMES)}

T = TypeVar("T")


def controls(message: search_pb2.Controls) -> SearchControls:
    """The controls that ``message`` asks for; an error that tells all bad fields at once, by their names on the wire.

    Reads the seed, which may take a tenth of a second.
    """
    violations: list[InvalidInputError] = []

    def read(work: Callable[[], T]) -> T | None:
        try:
            return work()
        except InvalidInputError as error:
            violations.append(renamed(error, FIELDS))
            return None

    fields: dict[str, Any] = {"key_lock": message.key_lock, "only_instruments": message.only_instruments}
    if message.HasField("tempo_bpm"):
        fields["tempo_bpm"] = message.tempo_bpm
        read(lambda: SearchControls(tempo_bpm=message.tempo_bpm))
    if message.HasField("key"):
        fields["key"] = read(lambda: Key.parse(message.key))
    if message.HasField("time_signature"):
        fields["meter"] = read(lambda: _meter(message.time_signature))
    if message.HasField("drums"):
        fields["drums"] = message.drums
    fields["instruments"] = read(lambda: players(message.instruments, "controls.instruments"))
    rewritten = read(lambda: players(message.rewrite_instruments, "controls.rewrite_instruments"))
    bars = message.rewrite_bars if message.HasField("rewrite_bars") else None
    if message.HasField("seed_midi"):
        score = read(lambda: _music(message.seed_midi))
        if score is not None:
            where = None if bars is None else (bars.first, bars.last)
            fields["seed"] = read(lambda: Seed(score=score, bars=where, players=rewritten or ()))
    else:
        rule = "must be absent without seed_midi"
        if bars is not None:
            shown = f"{bars.first}-{bars.last}"
            violations.append(InvalidInputError.of("controls.rewrite_bars", rule, shown))
        if message.rewrite_instruments:
            shown = ", ".join(message.rewrite_instruments)
            violations.append(InvalidInputError.of("controls.rewrite_instruments", rule, shown))
    check(violations)
    made = read(lambda: SearchControls(**fields))
    check(violations)
    assert made is not None  # noqa: S101 (or its violation has just been told)
    return made


def _meter(text: str) -> Meter:
    try:
        return Meter.parse(text)
    except InvalidInputError as error:
        raise InvalidInputError.of("meter", "must be a time signature such as 6/8", text) from error


def _music(file: bytes) -> Score:
    """The score of a file, without time signatures that only say again what holds already."""
    score = midi.read(file, limits=_SEED_LIMITS)
    changes = [index for index, meter in enumerate(score.meters) if index == 0 or meter != score.meters[index - 1]]
    return replace(score, meter_tick=score.meter_tick[changes], meters=tuple(score.meters[index] for index in changes))


def players(names: Sequence[str], field: str) -> tuple[int, ...]:
    """The players that ``names`` mean, each once: programs, and ``DRUM_PLAYER`` for drums.

    Raises InvalidInputError that names the first unknown one and those that look like it.
    """
    found: dict[int, None] = {}
    for index, name in enumerate(names):
        found |= dict.fromkeys(_meaning(name, f"{field}[{index}]"))
    return tuple(DRUM_PLAYER if program == DRUMS else program for program in found)


def _meaning(name: str, field: str) -> tuple[int, ...]:
    wanted = name.strip().lower()
    if wanted.isascii() and wanted.isdigit():
        if len(wanted) > 3 or int(wanted) > 127:
            raise InvalidInputError.of(field, "must be a General MIDI program from 0 to 127", name)
        return (int(wanted),)
    if wanted in _PROGRAMS:
        return (_PROGRAMS[wanted],)
    meaning = instrument.VOCABULARY.meaning(wanted) if wanted else None
    if meaning is None:
        near = [_SHOWN[match] for match in difflib.get_close_matches(wanted[:80], _SHOWN, n=3, cutoff=0.5)]
        hint = f"; near it are {', '.join(near)}" if near else ', such as "Violin", "sax" or "drums"'
        raise InvalidInputError.of(field, f"must be an instrument of General MIDI{hint}", name)
    return meaning


def effective(plan: Plan) -> search_pb2.EffectiveControls:
    """What held for the pieces of a search."""
    asked, request, seed = plan.caption.attributes, plan.request, plan.request.controls.seed
    allowed = plan.controls(request.parsed().attributes).allowed
    message = search_pb2.EffectiveControls(
        tempo_bpm=asked.tempo_bpm,
        tempo_word=asked.tempo_word if asked.tempo_bpm is None else None,
        key=None if asked.key is None else str(asked.key),
        key_lock=request.controls.key_lock,
        time_signature=None if asked.meter is None else str(asked.meter),
        instruments=[instrument.PROGRAM_NAMES[program] for program in asked.instruments],
        only_instruments=allowed is not None and len(allowed) < DRUM_PLAYER,
        drums=asked.drums,
        genres=asked.genres,
        moods=asked.moods,
        density=asked.density,
        bar_count=plan.length_bars,
        temperature=request.temperature,
        top_p=request.top_p,
        guidance=request.guidance,
    )
    if seed is not None:
        message.seed_bar_count = seed.length_bars
        if seed.bars is not None:
            message.rewrite_bars.CopyFrom(search_pb2.BarRange(first=seed.bars[0], last=seed.bars[1]))
        message.rewrite_instruments.extend(
            "drums" if player == DRUM_PLAYER else instrument.PROGRAM_NAMES[player] for player in seed.players
        )
    return message
