"""``motet strategies``: the search strategies of a server, with their settings."""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap

from motet.client.connection import add_server_option, connect
from motet.client.offer import Model, Offer, Setting

_WIDTH = 100


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``strategies``."""
    parser = subparsers.add_parser(
        "strategies",
        help="list the search strategies and their settings",
        description="Lists the search strategies of a server with their settings, as `motet generate --strategy "
        "NAME:KEY=NUMBER,…` takes them.",
    )
    parser.add_argument("--json", action="store_true", help="print what the server offers as JSON")
    add_server_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Asks the server and prints."""
    with connect(arguments.server) as client:
        offer = client.offer()
    if arguments.json:
        print(json.dumps(dataclasses.asdict(offer), indent=2))  # noqa: T201
    else:
        print(listing(offer), end="")  # noqa: T201
    return 0


def listing(offer: Offer) -> str:
    """Models, and under each its strategies with a line for each setting; ends with a newline."""
    parts = [_model(model) for model in offer.models]
    return "\n".join(parts) + f"\ncaptions are mutated by: {offer.mutator}\n"


def _model(model: Model) -> str:
    lines = [f"{model.name}@{model.version}{' (default)' if model.default else ''}"]
    for strategy in model.strategy_details:
        lines += ["", f"  {strategy.name}{' (default)' if strategy.default else ''}"]
        lines += textwrap.wrap(strategy.description, _WIDTH, initial_indent="    ", subsequent_indent="    ")
        width = max((len(_setting(setting)) for setting in strategy.settings), default=0)
        for setting in strategy.settings:
            lines += textwrap.wrap(
                setting.description or "-",
                _WIDTH,
                initial_indent=f"      {_setting(setting):{width}}  ",
                subsequent_indent=" " * (8 + width),
            )
    return "\n".join(lines) + "\n"


def _setting(setting: Setting) -> str:
    return setting.name if setting.default is None else f"{setting.name}={setting.default:g}"
