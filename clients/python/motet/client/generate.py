"""``motet generate``: a caption in, the best MIDI of a search out."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import grpc

from motet.client import table
from motet.client.client import Client
from motet.client.command import INTERRUPTED
from motet.client.connection import add_server_option, connect
from motet.client.controls import Controls
from motet.client.error import RequestError
from motet.client.explanation import explanation
from motet.client.interruption import Interruption
from motet.client.request import Rounds
from motet.client.result import SearchResult
from motet.client.status import StatusLine


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``generate``."""
    parser = subparsers.add_parser(
        "generate",
        help="search for music that fits a caption",
        description="Searches for music that fits a caption and writes the best as a MIDI file. Ctrl-C ends the search "
        "with the best so far.",
    )
    parser.add_argument("caption", help="what the music should be, e.g. 'A calm piano piece in D minor at 70 bpm'")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("out.mid"), metavar="FILE.mid", help="default: out.mid"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="same seed, same bytes (default: the server chooses)")
    parser.add_argument("--candidates", type=int, metavar="N", help="pieces decoded side by side, 1 to 64 (default: 8)")
    parser.add_argument(
        "--bars",
        type=int,
        metavar="N",
        help="length, 1 to 64; bars to add to a seed (default: what the caption says, or 8)",
    )
    parser.add_argument(
        "--strategy",
        metavar="SPEC",
        help="search strategy, with settings if need be: islands, population:keep_early=.5,wide=2; `motet strategies` "
        "lists them (default: population)",
    )
    parser.add_argument(
        "--mutations", type=int, metavar="N", help="rewordings of the caption to try, 0 to 8 (default: 3)"
    )
    add_weights_option(parser)
    parser.add_argument("--temperature", type=float, metavar="T", help="of sampling, above 0 and at most 2")
    parser.add_argument("--top-p", type=float, metavar="P", help="of sampling, above 0 and at most 1")
    parser.add_argument(
        "--guidance", type=float, metavar="G", help="weight of the words, 0 to 10 (default: 1, the model's own)"
    )
    parser.add_argument(
        "--model",
        metavar="NAME|FOLDER",
        help="model to search with (default: the server's); a checkpoint folder gets a private server for this call",
    )
    parser.add_argument(
        "--results", type=int, metavar="N", help="write the N best, as FILE.mid, FILE-2.mid, … (default: 1)"
    )
    add_control_options(parser)
    limits = parser.add_argument_group("how long to search")
    limits.add_argument("--time-limit", type=float, metavar="S", help="return the best so far after S seconds")
    limits.add_argument("--tokens", type=int, metavar="N", help="return the best so far after N decoded tokens")
    limits.add_argument(
        "--rounds",
        metavar="N|all",
        help="how many times to run the strategy, keeping the best; all: as long as the limits or Ctrl-C allow "
        "(default: 1)",
    )
    limits.add_argument(
        "--least-gain",
        type=float,
        metavar="X",
        help="begin no further round that is expected to raise the best reward by less than X (default: 0, never)",
    )
    parser.add_argument("--wav", type=Path, metavar="FILE.wav", help="also play the best into a WAV file")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="also draw the best and the search tree")
    parser.add_argument(
        "--explain", action="store_true", help="also print how each result came about, what it cost and what took time"
    )
    parser.add_argument("--json", action="store_true", help="print everything about the search as JSON")
    add_server_option(parser)
    parser.set_defaults(run=run)


def add_control_options(parser: argparse.ArgumentParser) -> None:
    """Adds what becomes ``Controls``."""
    group = parser.add_argument_group("what must hold, whatever the caption says")
    group.add_argument("--tempo", type=float, metavar="BPM", help="quarter notes a minute, 10 to 400")
    group.add_argument("--key", metavar="KEY", help="e.g. 'C# minor', 'Bb major'")
    group.add_argument("--key-lock", action="store_true", help="keep every pitched note in the scale of the key")
    group.add_argument("--time-signature", metavar="N/D", help="e.g. 3/4")
    group.add_argument(
        "--instrument",
        action="append",
        default=[],
        metavar="NAME",
        help="must play, instead of those in the caption: 'Alto Sax', sax, a General MIDI program 0 to 127, drums; "
        "may be repeated",
    )
    group.add_argument("--only", action="store_true", help="nobody else plays than these, or those in the caption")
    group.add_argument("--drums", action=argparse.BooleanOptionalAction, help="drums must play, or must not")
    group.add_argument(
        "--seed-midi",
        type=Path,
        metavar="FILE.mid",
        help="continue this file; or, with --rewrite-…, keep the rest of it",
    )
    group.add_argument("--rewrite-bars", metavar="A-B", help="bars of the file to write anew, e.g. 5-8")
    group.add_argument(
        "--rewrite-instrument",
        action="append",
        default=[],
        metavar="NAME",
        help="whose part of the file to write anew, or to add; may be repeated",
    )


def add_weights_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--weights``."""
    parser.add_argument(
        "--weights",
        metavar="NAME=W,…",
        help="weights of the rewards, e.g. text=.4,harmony=.4,adherence=.2 (the default), or of any other that the "
        "server has installed; one not named weighs 0",
    )


def run(arguments: argparse.Namespace) -> int:
    """Searches, writes the files, prints the comparison."""
    weights = parse_weights(arguments.weights)
    controls = parse_controls(arguments)
    for path in (arguments.output, arguments.wav, arguments.picture):
        check_writable(path)
    if arguments.picture is not None:
        import motet.client.picture  # noqa: F401 (a missing package is told now, not after the search)
    folder = model_folder(arguments)
    if folder is not None:
        arguments.model = None  # the private server's own
    with connect(arguments.server, folder) as client:
        result, interrupted = search(client, arguments, weights, controls)
        # The music first: nothing that fails later may lose it.
        for path, candidate in zip(numbered(arguments.output, len(result.candidates)), result.candidates, strict=True):
            path.write_bytes(candidate.midi)
        if arguments.wav is not None:
            arguments.wav.write_bytes(client.render(result.best.midi).data)
    if arguments.picture is not None:
        from motet.client.picture import draw

        draw(result, arguments.caption, arguments.picture)
    if arguments.json:
        print(json.dumps(result.to_json(), indent=2))  # noqa: T201
    else:
        written = [*numbered(arguments.output, len(result.candidates)), arguments.wav, arguments.picture]
        print(table.headline(result))  # noqa: T201
        print(table.comparison(result), end="")  # noqa: T201
        if arguments.explain:
            print(f"\n{explanation(result)}")  # noqa: T201
        if line := table.missing(result, arguments.results):
            print(line)  # noqa: T201
        print("wrote", ", ".join(str(path) for path in written if path is not None))  # noqa: T201
    return INTERRUPTED if interrupted else 0


def search(
    client: Client, arguments: argparse.Namespace, weights: Mapping[str, float] | None, controls: Controls
) -> tuple[SearchResult, bool]:
    """The result, shown live on stderr, and whether the user ended the search."""
    stream = client.start(
        arguments.caption,
        seed=arguments.seed,
        strategy=arguments.strategy,
        candidates=arguments.candidates,
        bars=arguments.bars,
        controls=controls,
        weights=weights,
        temperature=arguments.temperature,
        top_p=arguments.top_p,
        guidance=arguments.guidance,
        model=arguments.model,
        results=arguments.results,
        mutations=arguments.mutations,
        tokens=arguments.tokens,
        rounds=parse_rounds(arguments.rounds),
        least_gain=arguments.least_gain,
        time_limit_s=arguments.time_limit,
    )
    with stream, StatusLine(sys.stderr) as status, Interruption(stream.stop, stream.cancel) as interruption:
        try:
            for progress in stream:
                status.show(table.progress_line(progress))
            return stream.result, interruption.happened
        except RequestError as error:
            if interruption.happened and error.code is grpc.StatusCode.CANCELLED:
                raise KeyboardInterrupt from None  # stopped before there was anything to return
            raise


def model_folder(arguments: argparse.Namespace) -> Path | None:
    """The checkpoint folder that ``--model`` names, if it is one and no server is named."""
    if arguments.model is None or arguments.server is not None:
        return None
    folder = Path(arguments.model)
    return folder if (folder / "config.json").is_file() else None


def parse_controls(arguments: argparse.Namespace) -> Controls:
    """The controls that the options ask for; RequestError or OSError for what cannot be read."""
    return Controls(
        tempo_bpm=arguments.tempo,
        key=arguments.key,
        key_lock=arguments.key_lock,
        time_signature=arguments.time_signature,
        instruments=arguments.instrument,
        only_instruments=arguments.only,
        drums=arguments.drums,
        seed_midi=None if arguments.seed_midi is None else arguments.seed_midi.read_bytes(),
        rewrite_bars=None if arguments.rewrite_bars is None else parse_bars(arguments.rewrite_bars),
        rewrite_instruments=arguments.rewrite_instrument,
    )


def parse_rounds(text: str | None) -> Rounds | None:
    """``"4"`` as a number, or ``"all"``; RequestError for anything else."""
    if text is None or text == "all":
        return "all" if text else None
    if re.fullmatch(r"[+-]?\d{1,18}", text.strip()) is None:
        raise RequestError.of("rounds", "must be a whole number, or all", text)
    return int(text)


def parse_bars(text: str) -> tuple[int, int]:
    """``"5-8"`` or ``"5"`` as (first, last); RequestError for anything else."""
    match = re.fullmatch(r"\s*(\d{1,6})(?:\s*[-–]\s*(\d{1,6}))?\s*", text)
    if match is None:
        raise RequestError.of("rewrite-bars", "must be A-B, the first and the last bar", text)
    return int(match[1]), int(match[2] or match[1])


def parse_weights(text: str | None) -> dict[str, float] | None:
    """``"text=.4,harmony=.6"`` as a mapping; RequestError names the part that is not NAME=NUMBER."""
    if text is None:
        return None
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.partition("=")
        try:
            weight = float(number)
        except ValueError:
            equals = ""
            weight = 0.0
        if not equals or not name.strip():
            raise RequestError.of("weights", "must be NAME=NUMBER, separated by commas", part)
        if name.strip() in weights:
            raise RequestError.of("weights", "must not name a term twice", name.strip())
        weights[name.strip()] = weight
    return weights


def check_writable(path: Path | None) -> None:
    """Raises OSError unless a file can be written at ``path``, so that no search is lost to a wrong folder."""
    if path is None:
        return
    if path.is_dir():
        raise IsADirectoryError(None, "is a folder, not a file to write", str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(None, "there is no such folder to write into", str(path.parent))


def numbered(path: Path, count: int) -> list[Path]:
    """``count`` paths: out.mid, out-2.mid, out-3.mid …"""
    return [path if number == 1 else path.with_stem(f"{path.stem}-{number}") for number in range(1, count + 1)]
