"""How many searches should a server work on at once: their wall time and throughput, by ``--parallel-searches``.

Starts a private server for each number and sends it the same searches all at once, as many callers would; the queue is
part of what is measured. The bytes of every result are compared: they may not depend on the company.

    python benchmarks/serve.py --parallel 1 2 4 8 --searches 8
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from motet.client import Client, LocalServer, SearchResult

CAPTIONS = Path(__file__).parent / "held_out.txt"


class Row(NamedTuple):
    """One server: searches at once, seconds for all, mean and longest seconds of one with its waiting, a digest."""

    parallel: int
    total_s: float
    mean_s: float
    longest_s: float
    waiting_share: float
    digest: str


def main() -> int:
    """Measures and prints; 1 when results depend on their company."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parallel", type=int, nargs="+", default=[1, 2, 4, 8], metavar="N")
    parser.add_argument("--searches", type=int, default=8, metavar="N", help="sent at once (default: 8)")
    parser.add_argument("--candidates", type=int, default=8, metavar="N")
    parser.add_argument("--bars", type=int, default=8, metavar="N")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    lines = CAPTIONS.read_text(encoding="utf-8").splitlines()
    captions = [line for line in lines if line.strip() and not line.startswith("#")][: arguments.searches]
    rows = []
    for parallel in arguments.parallel:
        sys.stderr.write(f"{parallel} at once …\n")
        rows.append(measure(parallel, captions, arguments.candidates, arguments.bars))
    if arguments.json:
        print(json.dumps([row._asdict() for row in rows], indent=2))
    else:
        print(table(rows, len(captions)))
    return 0 if len({row.digest for row in rows}) == 1 else 1


def measure(parallel: int, captions: list[str], candidates: int, bars: int) -> Row:
    """All searches at once on a server of their own."""

    def search(caption: str) -> SearchResult:
        return client.search(caption, seed=1, candidates=candidates, bars=bars)

    with (
        LocalServer(["--parallel-searches", str(parallel)]) as server,
        Client(server.target) as client,
        ThreadPoolExecutor(len(captions)) as callers,
    ):
        began = time.monotonic()
        results = list(callers.map(search, captions))
        total_s = time.monotonic() - began
    seconds = [result.elapsed_s for result in results]
    spent = [result.profile for result in results]
    return Row(
        parallel=parallel,
        total_s=total_s,
        mean_s=mean(seconds),
        longest_s=max(seconds),
        waiting_share=sum(one.waiting_s for one in spent) / sum(one.elapsed_s for one in spent),
        digest=hashlib.sha256(b"".join(result.best.midi for result in results)).hexdigest()[:12],
    )


def table(rows: list[Row], searches: int) -> str:
    """One line a server."""
    lines = [f"{'at once':>7}{'all':>9}{'a minute':>10}{'mean':>9}{'longest':>9}{'waiting':>9}  results"]
    lines += [
        f"{row.parallel:>7}{row.total_s:>7.1f} s{searches / row.total_s * 60:>10.1f}{row.mean_s:>7.1f} s"
        f"{row.longest_s:>7.1f} s{row.waiting_share:>8.0%}   {row.digest}"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
