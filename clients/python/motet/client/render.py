"""``motet render``: a MIDI file in, a WAV file out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from motet.client.connection import add_server_option, connect
from motet.client.generate import check_writable


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``render``."""
    parser = subparsers.add_parser("render", help="play a MIDI file into a WAV file")
    parser.add_argument("file", type=Path, metavar="FILE.mid")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.wav", help="default: FILE.wav beside the MIDI file")
    parser.add_argument("--start", type=float, metavar="S", help="where to start, in seconds")
    parser.add_argument("--end", type=float, metavar="S", help="where to end, in seconds")
    parser.add_argument("--rate", type=int, metavar="HZ", help="samples a second, 8000 to 96000 (default: 44100)")
    parser.add_argument("--no-effects", action="store_true", help="without reverb and chorus")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")
    add_server_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Renders the file and says what was written."""
    output = arguments.output or arguments.file.with_suffix(".wav")
    check_writable(output)
    midi = arguments.file.read_bytes()
    with connect(arguments.server) as client:
        wav = client.render(
            midi,
            start_s=arguments.start,
            end_s=arguments.end,
            rate_hz=arguments.rate,
            effects=False if arguments.no_effects else None,
        )
    output.write_bytes(wav.data)
    if arguments.json:
        figures = {
            "file": str(output),
            "duration_s": wav.duration_s,
            "rate_hz": wav.rate_hz,
            "channels": wav.channels,
            "bytes": len(wav.data),
        }
        print(json.dumps(figures, indent=2))  # noqa: T201
    else:
        print(f"wrote {output}: {wav.duration_s:.1f} s at {wav.rate_hz} Hz")  # noqa: T201
    return 0
