"""What a server is told at its start."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass, field
from pathlib import Path

from motet.music.error import InvalidInputError

DEFAULT_ADDRESS = "127.0.0.1:6683"
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Settings of one server, checked.

    Args:
        address: ``host:port`` to listen on; port 0 takes a free one. IPv6 hosts in brackets.
        insecure: allow an address that other machines can reach, without encryption or passwords.
        model_folder: checkpoint to serve; ``None`` is the shipped default.
        queue_limit: searches that may wait beside those that run, 0 to 10,000. Too small refuses bursts; too large
            lets callers wait for longer than they will.
        parallel_searches: searches that run at once, 1 to 64, their pieces decoded in common steps. Fewer end each
            sooner; more wait less and use the cores better.
        threads: CPU threads of the model, 1 to 1,024; ``None`` is half the cores.
        text_backend: what hears whether music fits its caption, see ``motet.rewards.text.open``.
        mutator: what mutates captions, see ``motet.search.mutators.load``.
        mutator_key: secret for a hosted mutator; never shown.
        soundfont: what listeners hear; ``None`` is the default one. Scores are always taken with the default one.
        render_workers: processes that render what is scored, 1 to 64; ``None`` is one for each core, at most 4.
        default_time_limit_s: seconds that a search may take when its request does not say.
        max_time_limit_s: seconds that no search may exceed, whatever its request says.
        deadline_margin_s: seconds before a call's deadline at which its search stops, to leave time for the answer.
        progress_interval_s: least seconds between two progress messages of one stream.
        drain_grace_s: seconds that running work gets to finish after SIGTERM before it is stopped.
        max_midi_bytes: largest MIDI file taken.
        max_message_bytes: largest message that gRPC hands over at all; above ``max_midi_bytes``, so that a file that
            is too large gets an answer that names the field.
        reflection: whether clients may list the services.
    """

    address: str = DEFAULT_ADDRESS
    insecure: bool = False
    model_folder: Path | None = None
    queue_limit: int = 16
    parallel_searches: int = 4
    threads: int | None = None
    text_backend: str = "builtin"
    mutator: str = "builtin"
    mutator_key: str | None = field(default=None, repr=False)
    soundfont: Path | None = None
    render_workers: int | None = None
    default_time_limit_s: float = 300.0
    max_time_limit_s: float = 3600.0
    deadline_margin_s: float = 0.25
    progress_interval_s: float = 0.1
    drain_grace_s: float = 10.0
    max_midi_bytes: int = 16 * MIB
    max_message_bytes: int = 128 * MIB
    reflection: bool = True

    def __post_init__(self) -> None:
        host, _ = split_address(self.address)
        if not self.insecure and not is_loopback(host):
            raise InvalidInputError.of(
                "address", "must be a loopback address unless --insecure is given (there is no TLS yet)", self.address
            )
        if not 0 <= self.queue_limit <= 10_000:
            raise InvalidInputError.of("queue_limit", "must be from 0 to 10000", self.queue_limit)
        if not 1 <= self.parallel_searches <= 64:
            raise InvalidInputError.of("parallel_searches", "must be from 1 to 64", self.parallel_searches)
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise InvalidInputError.of("threads", "must be from 1 to 1024", self.threads)
        if self.render_workers is not None and not 1 <= self.render_workers <= 64:
            raise InvalidInputError.of("render_workers", "must be from 1 to 64", self.render_workers)
        for name in ("default_time_limit_s", "max_time_limit_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InvalidInputError.of(name, "must be finite and above 0", value)
        for name in ("deadline_margin_s", "progress_interval_s", "drain_grace_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InvalidInputError.of(name, "must be finite and not negative", value)
        if not 0 < self.max_midi_bytes < self.max_message_bytes:
            raise InvalidInputError.of(
                "max_midi_bytes",
                f"must be above 0 and below max_message_bytes ({self.max_message_bytes})",
                self.max_midi_bytes,
            )


def split_address(address: str) -> tuple[str, int]:
    """The host (without brackets) and the port of ``host:port``; InvalidInputError when it is not one."""
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InvalidInputError.of("address", "must be HOST:PORT with a port from 0 to 65535", address)
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
