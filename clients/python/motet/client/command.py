"""The ``motet`` command: gathers its subcommands, runs one, and tells every failure in one line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version

GROUP = "motet.commands"
FAILURE = 2
INTERRUPTED = 130

Registrar = Callable[["argparse._SubParsersAction[argparse.ArgumentParser]"], None]


def main(arguments: Sequence[str] | None = None, *, registrars: Iterable[Registrar] | None = None) -> int:
    """Runs ``motet`` and returns its exit status: 0, 2 for a failure told in one line, 130 when interrupted.

    Args:
        arguments: without the program's name; None takes the process's.
        registrars: add subcommands; None takes those of the installed entry points.
    """
    parser = argparse.ArgumentParser(prog="motet", description="Captions in, searched and explained MIDI out.")
    parser.add_argument("--version", action="version", version=f"motet {_version()}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for register in installed() if registrars is None else registrars:
        register(subparsers)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except KeyboardInterrupt:
        return _say(parsed.command, "interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody to tell, and flushing at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except ModuleNotFoundError as error:
        return _say(parsed.command, f"needs the Python package {error.name!r}: {_remedy(error.name)}", FAILURE)
    except OSError as error:
        name = f"{error.filename}: " if error.filename is not None else ""
        return _say(parsed.command, f"{name}{error.strerror or error}", FAILURE)
    except Exception as error:
        # RequestError, and the errors of motet.music, which the client does not import: both carry a reason.
        if not isinstance(getattr(error, "reason", None), str):
            raise
        return _say(parsed.command, str(error), FAILURE)


def installed() -> list[Registrar]:
    """The registrars of all entry points of the group ``motet.commands``, each once, sorted by name."""
    points: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        points.setdefault(point.value, point)
    return [_registrar(point) for point in points.values()]


def _registrar(point: EntryPoint) -> Registrar:
    """The entry point's function; if a package that it needs is missing, one that adds a command which says so."""
    try:
        register: Registrar = point.load()
    except ModuleNotFoundError as error:
        missing = error.name

        def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
            def run(_: argparse.Namespace) -> int:
                raise ModuleNotFoundError(name=missing)

            # Whatever options are given, the answer is the same.
            parser = subparsers.add_parser(point.name, help=f"not available: {_remedy(missing)}", prefix_chars="\0")
            parser.add_argument("rest", nargs="*")
            parser.set_defaults(run=run)

    return register


def _remedy(module: str | None) -> str:
    extras = {"matplotlib": "plot", "symusic": "music", "numpy": "music"}
    return f"pip install 'motet[{extras.get(module or '', 'server')}]'"


def _version() -> str:
    try:
        return version("motet")
    except PackageNotFoundError:
        return "(not installed)"


def _say(command: str, message: str, status: int) -> int:
    line = " ".join(message.split())
    sys.stderr.write(f"motet {command}: {line}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
