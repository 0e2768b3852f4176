"""The whole of Motet in one go: serve, search a caption, and leave the music and its picture in a folder.

Starts the real server on a free loopback port and talks to it with the real client. Leaves best.mid, best.wav,
picture.png, table.txt (reward of the first plain sample against the searched result, term by term) and result.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from motet.client import Client, LocalServer, RequestError, SearchResult, table
from motet.client.status import StatusLine

CAPTION = "A cheerful folk rock tune in G major at 120 bpm with fiddle, acoustic guitar, bass and drums"
SEED = 1


def main() -> int:
    """Runs the demo; 0, or 2 with one line on stderr that says what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--caption", default=CAPTION, help=f"default: {CAPTION!r}")
    parser.add_argument("--seed", type=int, default=SEED, help=f"default: {SEED}")
    parser.add_argument("--candidates", type=int, default=8, help="pieces decoded side by side (default: 8)")
    parser.add_argument("--bars", type=int, help="length (default: what the caption says, or 8)")
    parser.add_argument("--time-limit", type=float, default=75.0, help="seconds that the search may take (default: 75)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write into (default: out)")
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        files = run(arguments)
    except RequestError as error:
        sys.stderr.write(f"motet demo: {error}\n")
        return 2
    except ModuleNotFoundError as error:
        sys.stderr.write(f"motet demo: the Python package {error.name!r} is missing; `make setup` brings it\n")
        return 2
    print(f"\nin {time.monotonic() - began:.0f} s, wrote:")
    for path, what in files:
        print(f"  {path!s:22} {what}")
    return 0


def run(arguments: argparse.Namespace) -> list[tuple[Path, str]]:
    """Serves, searches and writes; returns what was written."""
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    print(f"caption: {arguments.caption}")
    with (
        StatusLine(sys.stderr) as status,
        LocalServer(
            on_wait=lambda waited_s: status.show(f"loading the model and warming up … {waited_s:.0f} s")
        ) as server,
        Client(server.target) as client,
    ):
        status.clear()
        print(f"server: {server.target} (stops with this demo)")
        result = client.search(
            arguments.caption,
            seed=arguments.seed,
            candidates=arguments.candidates,
            bars=arguments.bars,
            time_limit_s=arguments.time_limit,
            on_progress=lambda progress: status.show(table.progress_line(progress)),
        )
        status.clear()
        # The music first: nothing that fails later may lose it.
        (out / "best.mid").write_bytes(result.best.midi)
        text = f"{arguments.caption}\n\n{table.headline(result)}\n\n{table.comparison(result)}"
        (out / "table.txt").write_text(text, encoding="utf-8")
        status.show("playing the best into a WAV file …")
        (out / "best.wav").write_bytes(client.render(result.best.midi).data)
    print(f"\n{table.headline(result)}\n\n{table.comparison(result)}", end="")
    (out / "result.json").write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
    draw(result, arguments.caption, out / "picture.png")
    return [
        (out / "best.mid", "the best piece: opens in any MIDI player"),
        (out / "best.wav", "the same, played by FluidSynth"),
        (out / "picture.png", "its piano roll by instrument, and the search tree"),
        (out / "table.txt", "the table above"),
        (out / "result.json", "everything about the search"),
    ]


def draw(result: SearchResult, caption: str, path: Path) -> None:
    """Draws the picture; matplotlib is loaded only now, while nobody waits for the server any more."""
    from motet.client import picture

    picture.draw(result, caption, path)


if __name__ == "__main__":
    sys.exit(main())
