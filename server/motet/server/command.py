"""``motet serve``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``serve``."""
    parser = subparsers.add_parser(
        "serve",
        help="run the search server",
        description="Runs the gRPC server. Prints one line, `listening on HOST:PORT`, as soon as it answers; health "
        "says SERVING once the model is warm. SIGTERM lets running searches end with the best so far.",
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``serve``."""
    parser.add_argument(
        "--address", default="127.0.0.1:6683", metavar="HOST:PORT", help="where to listen; port 0 takes a free one"
    )
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="checkpoint folder (default: the shipped one)")
    parser.add_argument(
        "--queue",
        type=int,
        default=16,
        metavar="N",
        help="searches that may wait beside those that run; too small refuses bursts, too large lets callers wait "
        "longer than they will (default: 16)",
    )
    parser.add_argument(
        "--parallel-searches",
        type=int,
        default=4,
        metavar="N",
        help="searches that run at once, their pieces decoded in common steps; fewer end each sooner, more wait less "
        "(default: 4)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of the model (default: half the cores)")
    parser.add_argument(
        "--text-backend",
        default="builtin",
        metavar="SPEC",
        help="what hears whether music fits its caption: builtin, builtin:FOLDER, clap:FOLDER (a ClapModel of "
        "transformers) or laion-clap:FILE (a checkpoint of laion_clap); default: builtin",
    )
    parser.add_argument(
        "--mutator",
        default="builtin",
        metavar="SPEC",
        help="what rewords captions for the search: builtin, lm:FOLDER (a language model for transformers), "
        "http://HOST/v1#MODEL or https://… (a server of the chat-completions kind), or several, separated by commas "
        "(default: builtin)",
    )
    key = parser.add_mutually_exclusive_group()
    key.add_argument(
        "--mutator-key-env", metavar="NAME", help="environment variable that holds the key of a hosted one"
    )
    key.add_argument("--mutator-key-file", type=Path, metavar="FILE", help="file that holds the key of a hosted one")
    parser.add_argument(
        "--soundfont", type=Path, metavar="FILE", help="SF2 or SF3 that WAV files are played with (default: TimGM6mb)"
    )
    parser.add_argument(
        "--render-workers",
        type=int,
        metavar="N",
        help="processes that render what is scored (default: one for each core, at most 4)",
    )
    parser.add_argument(
        "--grace", type=float, default=10.0, metavar="S", help="seconds that running work gets on SIGTERM (default: 10)"
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="allow an address that other machines can reach; there is neither encryption nor password",
    )
    parser.add_argument("--no-reflection", action="store_true", help="do not let clients list the services")
    parser.add_argument(
        "--stop-on-stdin-eof", action="store_true", help="stop when standard input ends: for a parent that may die"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serves until told to stop."""
    import logging

    from motet.music.error import NotFoundError
    from motet.server.config import ServerConfig

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    config = ServerConfig(
        address=arguments.address,
        insecure=arguments.insecure,
        model_folder=arguments.model,
        queue_limit=arguments.queue,
        parallel_searches=arguments.parallel_searches,
        threads=arguments.threads,
        text_backend=arguments.text_backend,
        mutator=arguments.mutator,
        mutator_key=mutator_key(arguments.mutator_key_env, arguments.mutator_key_file, os.environ),
        soundfont=arguments.soundfont,
        render_workers=arguments.render_workers,
        drain_grace_s=arguments.grace,
        reflection=not arguments.no_reflection,
    )
    if config.model_folder is not None and not config.model_folder.is_dir():
        raise NotFoundError(
            "MODEL_NOT_FOUND", f"model: no folder {config.model_folder}", {"path": str(config.model_folder)}
        )
    # Only now what takes seconds to load: a wrong option is told at once.
    from motet.server.app import serve
    from motet.server.backend import load

    async def main() -> None:
        stop = asyncio.Event()
        if arguments.stop_on_stdin_eof:
            _when_stdin_ends(asyncio.get_running_loop(), stop)
        await serve(
            config,
            lambda: load(config),
            on_listening=lambda address: print(f"listening on {address}", flush=True),  # noqa: T201 (the contract)
            stop=stop,
        )

    asyncio.run(main())
    return 0


def mutator_key(name: str | None, file: Path | None, environment: Mapping[str, str]) -> str | None:
    """The key in the variable ``name`` of an environment or in a ``file``; None where neither is given.

    Raises InvalidInputError that shows nothing of it unless it is one line of printable ASCII, and OSError.
    """
    from motet.music.error import InvalidInputError

    if name is not None:
        field, key = "mutator-key-env", environment.get(name, "")
    elif file is not None:
        field, key = "mutator-key-file", file.read_bytes().decode("ascii", errors="replace").strip()
    else:
        return None
    if not (key.isascii() and key.isprintable() and key):
        rule = "must name what holds a key: one line of printable ASCII"
        raise InvalidInputError.of(field, rule, name or str(file))
    return key


def _when_stdin_ends(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Sets ``stop`` at the end of standard input, which is also what the death of the parent looks like."""

    def watch() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="motet-stdin", daemon=True).start()
