"""Requests as the wire wants them; what cannot go over the wire is refused here, in one line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from google.protobuf.duration_pb2 import Duration

from motet.client.controls import Controls
from motet.client.error import RequestError
from motet.client.text import text
from motet.v1 import search_pb2, search_service_pb2

MAX_MIDI_BYTES = 16 << 20

Rounds = int | Literal["all"]
"""How many times a strategy is run; ``"all"`` for as many as the limits of the search allow."""


def search(
    caption: str,
    *,
    seed: int | None = None,
    strategy: str | None = None,
    candidates: int | None = None,
    bars: int | None = None,
    controls: Controls | None = None,
    weights: Mapping[str, float] | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    guidance: float | None = None,
    model: str | None = None,
    results: int | None = None,
    mutations: int | None = None,
    tokens: int | None = None,
    rounds: Rounds | None = None,
    least_gain: float | None = None,
    time_limit_s: float | None = None,
) -> search_service_pb2.SearchRequest:
    """A SearchRequest; ``None`` leaves a field to the server."""
    request = search_service_pb2.SearchRequest(
        caption=text("caption", caption),
        seed=_whole("seed", seed, bits=64),
        strategy=text("strategy", strategy or ""),
        candidate_count=_whole("candidate_count", candidates),
        bar_count=_whole("bar_count", bars),
        reward_weights=_weights(weights),
        temperature=temperature,
        top_p=top_p,
        guidance=guidance,
        model=text("model", model or ""),
        result_count=_whole("result_count", results),
        mutation_count=_whole("mutation_count", mutations),
        token_limit=_whole("token_limit", tokens, bits=64),
        round_count=None if rounds == "all" else _whole("round_count", rounds),
        unlimited_rounds=rounds == "all",
        least_gain=least_gain,
    )
    if controls is not None:
        request.controls.CopyFrom(controls.message())
    if time_limit_s is not None:
        request.time_limit.CopyFrom(_duration("time_limit", time_limit_s))
    return request


def score(midi: bytes, caption: str, weights: Mapping[str, float] | None) -> search_service_pb2.ScoreRequest:
    """A ScoreRequest."""
    return search_service_pb2.ScoreRequest(
        midi=_midi(midi), caption=text("caption", caption), reward_weights=_weights(weights)
    )


def render(
    midi: bytes, *, start_s: float | None, end_s: float | None, rate_hz: int | None, effects: bool | None
) -> search_service_pb2.RenderRequest:
    """A RenderRequest; ``None`` leaves a field to the server."""
    return search_service_pb2.RenderRequest(
        midi=_midi(midi),
        start_seconds=start_s,
        end_seconds=end_s,
        rate_hz=_whole("rate_hz", rate_hz),
        effects=effects,
    )


def _whole(field: str, value: int | None, *, bits: int = 32) -> int | None:
    if value is None:
        return None
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise RequestError.of(field, f"must be a whole number of {bits} bits", value)
    return value


def _weights(weights: Mapping[str, float] | None) -> list[search_pb2.RewardWeight]:
    return [
        search_pb2.RewardWeight(name=text("reward_weights.name", name), weight=weight)
        for name, weight in (weights or {}).items()
    ]


def _duration(field: str, seconds: float) -> Duration:
    if not math.isfinite(seconds) or abs(seconds) > 1e9:
        raise RequestError.of(field, "must be a finite number of seconds, at most 1e9", seconds)
    nanoseconds = round(seconds * 1e9)
    # A Duration's two parts have one sign.
    whole = int(nanoseconds / 10**9)
    return Duration(seconds=whole, nanos=nanoseconds - whole * 10**9)


def _midi(midi: bytes) -> bytes:
    if len(midi) > MAX_MIDI_BYTES:
        raise RequestError.of("midi", f"must have at most {MAX_MIDI_BYTES:,} bytes", f"{len(midi):,} bytes")
    return midi
