"""Which server a command talks to: the one named, the one at the default address, or a private one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from motet.client.channel import DEFAULT_ADDRESS
from motet.client.client import Client
from motet.client.error import RequestError
from motet.client.local import LocalServer
from motet.client.status import StatusLine


def add_server_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--server``."""
    parser.add_argument(
        "--server",
        metavar="HOST:PORT",
        help=f"server to use (default: the one at {DEFAULT_ADDRESS} if it answers, else a private one for this call)",
    )


@contextmanager
def connect(server: str | None, model: Path | None = None) -> Iterator[Client]:
    """A client of ``server``, or of the server at the default address, or of a private one that ends with the block.

    With a ``model`` folder it is a private one, of that model, unless ``server`` names another.
    """
    if server is not None:
        _, colon, port = server.rpartition(":")
        if not colon or not port.isdigit():
            raise RequestError.of("server", "must be HOST:PORT", server)
        with Client(server) as client:
            yield client
        return
    if model is None:
        with Client() as client:
            if client.is_serving(timeout_s=0.5):
                yield client
                return
    options = [] if model is None else ["--model", str(model)]
    with StatusLine(sys.stderr) as status:
        local = LocalServer(
            options, on_wait=lambda waited_s: status.show(f"starting a private server … {waited_s:.0f} s")
        )
        with local:
            status.clear()
            with Client(local.target) as client:
                yield client
