from __future__ import annotations

import math
from typing import Any

import pytest

from motet.music.error import InvalidInputError
from motet.server.config import ServerConfig, is_loopback, split_address


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:6683", "[::1]:50051", "127.9.9.9:1"])
def test_loopback_needs_no_leave(address: str) -> None:
    assert ServerConfig(address=address).address == address


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "10.0.0.1:80", "example.org:443"])
def test_an_open_address_is_refused_unless_allowed(address: str) -> None:
    with pytest.raises(InvalidInputError, match="loopback address unless --insecure"):
        ServerConfig(address=address)
    assert ServerConfig(address=address, insecure=True).address == address


@pytest.mark.parametrize("address", ["", "localhost", ":80", "localhost:", "localhost:x", "localhost:65536", "a:-1"])
def test_an_address_is_host_and_port(address: str) -> None:
    with pytest.raises(InvalidInputError, match="address: must be HOST:PORT"):
        ServerConfig(address=address)


@pytest.mark.parametrize(
    "wrong",
    [
        {"queue_limit": -1},
        {"parallel_searches": 0},
        {"parallel_searches": 65},
        {"threads": 0},
        {"render_workers": 0},
        {"render_workers": 65},
        {"default_time_limit_s": 0.0},
        {"max_time_limit_s": math.nan},
        {"deadline_margin_s": -1.0},
        {"progress_interval_s": math.inf},
        {"drain_grace_s": -0.1},
        {"max_midi_bytes": 0},
        {"max_midi_bytes": 2**40},
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        ServerConfig(**wrong)


def test_addresses_are_split() -> None:
    assert split_address("[::1]:80") == ("::1", 80)
    assert split_address("localhost:0") == ("localhost", 0)
    assert not is_loopback("example.org")
