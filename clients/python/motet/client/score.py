"""``motet score``: how good a MIDI file is for a caption."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from motet.client import table
from motet.client.connection import add_server_option, connect
from motet.client.generate import add_weights_option, parse_weights


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``score``."""
    parser = subparsers.add_parser("score", help="judge a MIDI file against a caption")
    parser.add_argument("file", type=Path, metavar="FILE.mid")
    parser.add_argument("--caption", required=True, help="what the music should be")
    add_weights_option(parser)
    parser.add_argument("--bars", action="store_true", help="also show what can be told bar by bar")
    parser.add_argument("--json", action="store_true", help="print the reward as JSON")
    add_server_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Scores the file and prints its reward."""
    weights = parse_weights(arguments.weights)
    midi = arguments.file.read_bytes()
    with connect(arguments.server) as client:
        judgement = client.score(midi, arguments.caption, weights=weights)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(judgement), indent=2))  # noqa: T201
    else:
        print(table.breakdown(judgement.reward), end="")  # noqa: T201
        if arguments.bars:
            print(table.bars(judgement.reward), end="")  # noqa: T201
    return 0
