"""The subcommands that search brings to ``motet``."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from motet.search.pilot.measurement import Measurement, Pilot
    from motet.search.pilot.report import Report

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``search pilot``."""
    search = subparsers.add_parser("search", help="prepare searches with a model of your own")
    steps = search.add_subparsers(dest="step", required=True)
    pilot = steps.add_parser(
        "pilot",
        help="measure how far a search can rely on what it hears halfway, and choose its settings",
        description="Decodes pieces of many captions, judges them again and again while they grow, and lets some "
        "beginnings go on in several ways. From that it learns what partial rewards tell of final ones and which "
        "settings win most at equal cost, and writes both into search.json of the checkpoint folder, where every "
        "later search finds them.",
    )
    pilot.add_argument(
        "--captions", type=Path, metavar="FILE", help="one caption a line (default: 24 that are shipped)"
    )
    pilot.add_argument("--limit", type=int, metavar="N", help="only the first N captions")
    pilot.add_argument("--samples", type=int, default=16, metavar="N", help="pieces of each (default %(default)s)")
    pilot.add_argument("--prefixes", type=int, default=4, metavar="N", help="of them branched (default %(default)s)")
    pilot.add_argument("--branches", type=int, default=3, metavar="N", help="of each prefix (default %(default)s)")
    pilot.add_argument("--bars", type=int, default=8, metavar="N", help="length of a piece (default %(default)s)")
    pilot.add_argument("--seed", type=int, default=0, metavar="N", help="of all pieces (default %(default)s)")
    pilot.add_argument(
        "--weights", default="", metavar="NAME=W,…", help="of the rewards (default: text=.4,harmony=.4,adherence=.2)"
    )
    pilot.add_argument("--model", type=Path, metavar="FOLDER", help="checkpoint (default: the shipped one)")
    pilot.add_argument(
        "--out",
        type=Path,
        default=Path("pilot"),
        metavar="FOLDER",
        help="rows.jsonl, which is gone on with, report.md, pilot.png and search.json (default ./%(default)s)",
    )
    pilot.add_argument("--dry-run", action="store_true", help="leave the checkpoint folder as it is")
    pilot.add_argument("--json", action="store_true", help="print JSON")
    pilot.set_defaults(run=search_pilot)


def search_pilot(arguments: argparse.Namespace) -> int:
    """Runs ``motet search pilot``: 0 when the report is written, 130 when interrupted; what was heard is kept."""
    from motet.model.checkpoint import Checkpoint, default_folder
    from motet.model.decoder import Decoder
    from motet.model.text import TextEncoder
    from motet.music.error import InvalidInputError
    from motet.rewards.composite import Composite, Weights
    from motet.search.captions import read_captions
    from motet.search.pilot.measurement import Pilot, PilotConfig
    from motet.search.pilot.report import Report
    from motet.search.tuning import FILE

    if arguments.limit is not None and arguments.limit < 2:
        raise InvalidInputError.of("limit", "must be at least 2", arguments.limit)
    config = PilotConfig(
        samples=arguments.samples,
        prefixes=arguments.prefixes,
        branches=arguments.branches,
        bars=arguments.bars,
        seed=arguments.seed,
        weights=Weights.parse(arguments.weights) if arguments.weights else Weights(),
    )
    with as_file(files("motet.search.pilot") / "captions.txt") as shipped:
        captions = list(dict.fromkeys(read_captions(arguments.captions or shipped, arguments.limit)))
    if len(captions) < 2:
        raise InvalidInputError.of("captions", "must be at least 2 different ones", len(captions))
    folders = [arguments.out]
    if not arguments.dry_run:
        folders.append(arguments.model or default_folder())
    for folder in folders:  # before many minutes of work, not after
        _check_writable(folder, make=folder is arguments.out)
    checkpoint = Checkpoint.load(arguments.model)
    text = TextEncoder.load()
    reward = Composite.default(lambda sentences: text.pooled(sentences).numpy())
    pilot = Pilot(Decoder(checkpoint, text), reward, f"{checkpoint.name}@{checkpoint.version}", config)
    try:
        heard = _listen(pilot, captions, arguments.out / "rows.jsonl")
        sys.stderr.write("rehearsing strategies\n")
        when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        report, tuning = Report.of(heard, config.weights, rewards=reward_version(), when=when)
    except KeyboardInterrupt:
        sys.stderr.write(f"\ninterrupted; {arguments.out / 'rows.jsonl'} is kept, the same command goes on with it\n")
        return INTERRUPTED
    for folder in folders:
        tuning.save(folder / FILE)
        sys.stderr.write(f"{folder / FILE}\n")
    _write(report, arguments.out)
    if arguments.json:
        sys.stdout.write(json.dumps(report.record() | {"strategies": dict(tuning.strategies)}, indent=2) + "\n")
    else:
        sys.stdout.write(report.markdown())
    return 0


def _listen(pilot: Pilot, captions: list[str], rows: Path) -> list[Measurement]:
    """Listens to all captions, and says how far it is and how long the rest will take."""
    began, fresh = time.monotonic(), 0
    heard = []
    for place, (one, found) in enumerate(pilot.run(captions, rows), start=1):
        heard.append(one)
        fresh += not found
        left = (time.monotonic() - began) / fresh * (len(captions) - place) if fresh else 0.0
        took = "found" if found else f"{one.decoding_s:.0f} s decoding, {one.scoring_s:.0f} s scoring"
        more = f", about {left / 60:.0f} min left" if left >= 60 else ""
        sys.stderr.write(f"[{place}/{len(captions)}] {took}{more}: {one.caption[:60]}\n")
    return heard


def _check_writable(folder: Path, *, make: bool) -> None:
    from motet.music.error import InvalidInputError

    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".motet"
        probe.touch()
        probe.unlink()
    except OSError as error:
        field, rule = (
            ("out", "must be a folder to write to") if make else ("model", "must be writable, or --dry-run given")
        )
        raise InvalidInputError.of(field, f"{rule} ({error.strerror})", str(folder)) from error


def _write(report: Report, folder: Path) -> None:
    """The report and, where matplotlib is installed, its picture."""
    try:
        from motet.search.pilot import picture
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        sys.stderr.write("no picture: it needs `pip install 'motet[plot]'`\n")
        name = None
    else:
        name = picture.draw(report, folder).name
    (folder / "report.md").write_text(report.markdown(name), encoding="utf-8")
    sys.stderr.write(f"{folder / 'report.md'}\n")


def reward_version() -> str:
    """Twelve digits that change with anything that the rewards have learned."""
    import motet.rewards

    digest = hashlib.sha256()
    for root in map(Path, motet.rewards.__path__):
        for folder in ("weights", "tables"):
            for path in sorted(path for path in (root / folder).rglob("*") if path.is_file()):
                digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]
