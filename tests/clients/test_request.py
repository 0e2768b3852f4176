"""What cannot go over the wire is refused before anything is sent, in one line."""

from __future__ import annotations

import math
import os

import pytest

from motet.client import Controls, RequestError
from motet.client import request as requests


def test_absent_stays_absent_and_zero_stays_zero() -> None:
    message = requests.search("x", seed=0, temperature=0.0)
    assert message.HasField("seed")
    assert message.HasField("temperature")
    assert not message.HasField("bar_count")
    assert not message.HasField("time_limit")


def test_bytes_that_are_not_utf8_are_shown() -> None:
    with pytest.raises(RequestError, match=r"caption: must be UTF-8 \(received b'caf\\xe9'\)"):
        requests.search(os.fsdecode(b"caf\xe9"))
    with pytest.raises(RequestError, match="model: must be UTF-8"):
        requests.search("x", model="\ud800")


def test_a_file_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(RequestError, match=r"midi: must have at most 16,777,216 bytes .*60,000,000 bytes"):
        requests.score(bytes(60_000_000), "x", None)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_a_time_limit_must_be_a_time(value: float) -> None:
    with pytest.raises(RequestError, match="time_limit: must be a finite"):
        requests.search("x", time_limit_s=value)


@pytest.mark.parametrize("value", [-1.5, -0.25, 0.0, 0.1, 2.999999999])
def test_a_time_limit_keeps_its_value_and_sign(value: float) -> None:
    limit = requests.search("x", time_limit_s=value).time_limit
    assert limit.seconds + limit.nanos / 1e9 == pytest.approx(value)
    assert limit.seconds * limit.nanos >= 0


def test_numbers_that_do_not_fit_are_named() -> None:
    with pytest.raises(RequestError, match="seed: must be a whole number of 64 bits"):
        requests.search("x", seed=2**63)
    with pytest.raises(RequestError, match="bar_count: must be a whole number of 32 bits"):
        requests.search("x", bars=2**40)


def test_rounds_are_a_number_or_all_there_is_time_for() -> None:
    absent, some, endless = (requests.search("x", rounds=rounds) for rounds in (None, 3, "all"))
    assert (absent.HasField("round_count"), absent.unlimited_rounds) == (False, False)
    assert (some.round_count, some.unlimited_rounds) == (3, False)
    assert (endless.HasField("round_count"), endless.unlimited_rounds) == (False, True)


def test_limits_go_over_the_wire() -> None:
    message = requests.search("x", tokens=2**40, least_gain=0.0, strategy="islands:islands=2")
    assert (message.token_limit, message.least_gain, message.strategy) == (2**40, 0.0, "islands:islands=2")
    assert message.HasField("least_gain")
    assert not requests.search("x").HasField("least_gain")
    with pytest.raises(RequestError, match="token_limit: must be a whole number of 64 bits"):
        requests.search("x", tokens=2**64)


def test_controls_that_are_absent_stay_absent() -> None:
    assert not requests.search("x").HasField("controls")
    assert not requests.search("x", controls=Controls()).controls.ListFields()
    message = requests.search("x", guidance=0.0, controls=Controls(tempo_bpm=0.0, key="", drums=False, seed_midi=b""))
    assert message.HasField("guidance")
    fields = [field.name for field, _ in message.controls.ListFields()]
    assert fields == ["tempo_bpm", "key", "drums", "seed_midi"]


def test_all_controls_go_over_the_wire() -> None:
    message = Controls(
        key_lock=True,
        time_signature="6/8",
        instruments=["sax", "0"],
        only_instruments=True,
        rewrite_bars=(5, 8),
        rewrite_instruments=("drums",),
    ).message()
    assert (message.key_lock, message.time_signature, message.only_instruments) == (True, "6/8", True)
    assert list(message.instruments) == ["sax", "0"]
    assert (message.rewrite_bars.first, message.rewrite_bars.last) == (5, 8)
    assert list(message.rewrite_instruments) == ["drums"]


def test_controls_that_cannot_go_over_the_wire_are_named() -> None:
    for controls, line in (
        (Controls(key="\ud800"), "controls.key: must be UTF-8"),
        (Controls(instruments=["a", "\ud800"]), r"controls.instruments\[1\]: must be UTF-8"),
        (Controls(instruments="piano"), "controls.instruments: must be a list of names .received 'piano'"),
        (Controls(seed_midi=bytes(2 << 20)), "controls.seed_midi: must have at most 1,048,576 bytes .*2,097,152"),
        (Controls(rewrite_bars=(1, 2**31)), "controls.rewrite_bars: must be whole numbers of 32 bits"),
    ):
        with pytest.raises(RequestError, match=f"^{line}"):
            requests.search("x", controls=controls)
