"""`motet corpus`: from a collection of MIDI to shards, what shards hold, and packing them for another machine."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

_BUILD = """\
Cuts windows from the pieces of a collection, captions and tokenises them, and writes shards to train on.

DATA_DIR is one of:
  a folder with manifest.jsonl(.xz), a line for each piece (id, path, source, licence and what is known of it),
    and the files that it names, as they are or in *.tar.xz archives;
  any folder with MIDI files (.mid, .midi) at any depth: the first folder below DATA_DIR is a piece's source,
    the licence is "unknown" unless --licence names it;
  such a folder with --captions FILE: the pieces are the files that FILE names.

FILE holds JSON objects, one a line or in one list, each with "location" (a path below DATA_DIR, with or without its
first folder) and "caption". "genre", "mood", "key" and "test_set" are used where given. MidiCaps with Lakh MIDI:
  motet corpus build lmd_full corpus --captions train.json --licence CC-BY-4.0
Of such a caption the sentences are used that are true of the window that is cut, beside captions written from the
notes.

Pieces that are empty, broken, over-long, of a few notes, or equal to another note for note (in any key) are left out
and counted. Near-copies, versions of one song and of one dup_cluster are kept on the same side of the split."""
_EXAMPLES = """\
examples:
  motet corpus build ~/midi corpus --licence CC0-1.0 --tokens 2000000
  motet corpus build data corpus --share freedoom=0.2 --share polish=0
  motet corpus report corpus"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``corpus`` and its subcommands to the ``motet`` command."""
    corpus = subparsers.add_parser("corpus", help="turn a collection of MIDI into training shards")
    actions = corpus.add_subparsers(dest="action", required=True, metavar="ACTION")
    parser = actions.add_parser(
        "build",
        help="cut, caption and tokenise windows of a collection",
        description=_BUILD,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, metavar="DATA_DIR", help="folder with the music")
    parser.add_argument("out", type=Path, metavar="OUT_DIR", help="folder to write the shards into")
    parser.add_argument("--captions", type=Path, metavar="FILE", help="captions of the files, as in MidiCaps")
    parser.add_argument("--licence", default="unknown", help="of files without a manifest (default %(default)s)")
    parser.add_argument(
        "--share",
        action="append",
        default=[],
        type=_share,
        metavar="SOURCE=PART",
        help="share of the tokens drawn from a source, relative to the others; 0 leaves it out (default: our own "
        "shares for the sources that we ship, else in proportion to size)",
    )
    parser.add_argument("--tokens", type=int, default=24_000_000, help="training tokens to draw (default %(default)s)")
    parser.add_argument("--held-out", type=int, default=600, help="windows of valid and of test (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all chance but the split (default %(default)s)")
    parser.add_argument("--vocabulary", type=int, default=2560, help="size of the tokenizer (default %(default)s)")
    parser.add_argument("--tokenizer", type=Path, metavar="FOLDER", help="use this tokenizer instead of training one")
    parser.add_argument("--processes", type=int, default=2, help="workers (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=build)

    parser = actions.add_parser("report", help="print what a corpus holds")
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="folder written by `motet corpus build`")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=report)

    parser = actions.add_parser(
        "pack",
        help="pack a corpus for training elsewhere",
        description="Writes a tar file with the shards, the text encoder and the few source files that training needs. "
        "On a machine with torch, numpy, transformers and safetensors: "
        "tar xf OUT.tar && python train.py corpus RUN_DIR --minutes 60 --device cuda",
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR", help="folder written by `motet corpus build`")
    parser.add_argument("out", type=Path, metavar="OUT.tar", help="file to write")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=pack)


def build(args: argparse.Namespace) -> int:
    """Builds and prints the report; progress goes to stderr."""
    from motet.training.corpus.build import build
    from motet.training.corpus.collection import Collection
    from motet.training.corpus.config import BuildConfig
    from motet.training.corpus.mix import SHARES, Mix
    from motet.training.corpus.report import table

    config = BuildConfig(
        tokens=args.tokens,
        held_out_windows=args.held_out,
        seed=args.seed,
        vocabulary=args.vocabulary,
        processes=args.processes,
        mix=Mix(shares={**SHARES, **dict(args.share)}),
    )
    collection = Collection(folder=args.data, captions=args.captions, licence=args.licence)
    figures = build(collection, args.out, config, tokenizer=args.tokenizer, progress=_to_stderr)
    sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n" if args.json else table(figures))
    return 0


def report(args: argparse.Namespace) -> int:
    """Prints the figures of a corpus."""
    from motet.training.corpus.report import read, table

    figures = read(args.corpus)
    sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n" if args.json else table(figures))
    return 0


def pack(args: argparse.Namespace) -> int:
    """Packs a corpus and prints the sizes."""
    from dataclasses import asdict

    from motet.training.corpus.pack import pack

    packed = pack(args.corpus, args.out, _to_stderr)
    sizes = (
        f"{args.out}: {packed.bytes / 1e6:.1f} MB: shards {packed.shard_bytes / 1e6:.1f} MB, text encoder of "
        f"{packed.words:,} word pieces {packed.encoder_bytes / 1e6:.1f} MB, {packed.modules} source files\n"
    )
    sys.stdout.write(json.dumps(asdict(packed)) + "\n" if args.json else sizes)
    return 0


def _share(text: str) -> tuple[str, float]:
    source, separator, part = text.rpartition("=")
    if not separator or not source:
        raise argparse.ArgumentTypeError(f"must look like SOURCE=PART (received {text!r})")
    return source, float(part)


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"corpus: {line}\n")
    sys.stderr.flush()
