"""``python -m motet.server``: the same as ``motet serve``, for a process that starts a server of its own."""

from __future__ import annotations

import argparse
import sys

from motet.music.error import MotetError
from motet.server import command


def main() -> int:
    """Parses the options of ``serve`` and runs it; a MotetError is one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m motet.server")
    command.add_arguments(parser)
    try:
        return command.run(parser.parse_args())
    except MotetError as error:
        sys.stderr.write(f"motet serve: {error.message}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
