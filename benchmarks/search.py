"""How fast whole searches are: what overlapping decoding and judging saves, several at once, and how soon one stops.

    python benchmarks/search.py overlap       # searches of 8 and 16 candidates, with and without; where the time goes
    python benchmarks/search.py together      # 1, 2, 4 and 8 searches at once on one decoder
    python benchmarks/search.py cancel        # from a caller's cancelling to the end of the search

Every question prints one table; ``--json`` prints the same numbers. Captions are those of ``benchmarks/captions.txt``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import torch

from motet.model.checkpoint import Checkpoint
from motet.model.decoder import Decoder
from motet.model.text import TextEncoder
from motet.music.error import CancelledError
from motet.rewards.composite import Composite
from motet.rewards.farm import Farm
from motet.rewards.render import Player, Renderer
from motet.search.captions import read_captions
from motet.search.request import SearchRequest
from motet.search.result import SearchResult
from motet.search.run import Searcher

CAPTIONS = Path(__file__).with_name("captions.txt")
Row = dict[str, Any]


class Inline(Executor):
    """Judges where it is asked to: decoding waits."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """See ``Executor``."""
        future: Future[Any] = Future()
        try:
            future.set_result(call(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future


class Bench:
    """The default checkpoint and reward, for searchers that differ only in who judges."""

    def __init__(self, options: argparse.Namespace) -> None:
        torch.set_num_threads(1)
        self.options = options
        self.captions = read_captions(CAPTIONS)
        checkpoint, text = Checkpoint.load(options.model), TextEncoder.load()
        player: Player = Farm(workers=options.workers) if options.workers else Renderer()
        self._decoder = Decoder(checkpoint, text, threads=options.threads)
        self._reward = Composite.default(lambda captions: text.pooled(captions).numpy(), renderer=player)
        self._vocabulary = checkpoint.tokenizer
        self.searcher().run(self.request(0, 2))  # compiles, loads sounds

    def searcher(self, judges: Executor | None = None) -> Searcher:
        """A searcher whose pieces are judged by ``judges``; a new one forgets no sound that was heard before."""
        return Searcher(self._decoder, self._reward, vocabulary=self._vocabulary, judges=judges)

    def request(self, index: int, candidates: int, seed: int = 0) -> SearchRequest:
        """The search for the ``index``-th caption."""
        caption = self.captions[index % len(self.captions)]
        strategy = self.options.strategy
        return SearchRequest(caption=caption, seed=seed, bars=8, candidates=candidates, strategy=strategy)


def overlap(bench: Bench) -> list[Row]:
    """Each caption is searched both ways, in turns, with seeds of their own so that no sound has been heard before."""
    rows: list[Row] = []
    for candidates in (8, 16):
        found: dict[bool, list[SearchResult]] = {True: [], False: []}
        beside, inline = bench.searcher(ThreadPoolExecutor(bench.options.judges)), bench.searcher(Inline())
        for index in range(bench.options.searches):
            for is_beside in (True, False) if index % 2 else (False, True):
                request = bench.request(index, candidates, seed=2 * index + is_beside)
                found[is_beside].append((beside if is_beside else inline).run(request))
        for is_beside, results in found.items():
            rows.append(
                {
                    "candidates": candidates,
                    "judged": "meanwhile" if is_beside else "in turn",
                    "ms a token": 1000 * sum(r.elapsed_s for r in results) / sum(r.tokens for r in results),
                    "seconds": fmean(r.elapsed_s for r in results),
                    "decoding": fmean(r.profile.decoding_s for r in results),
                    "scoring": fmean(r.profile.scoring_s for r in results),
                    "waiting": fmean(r.profile.waiting_s for r in results),
                    "tree %": 100 * sum(r.profile.tree_s for r in results) / sum(r.elapsed_s for r in results),
                }
            )
        meanwhile, in_turn = rows[-2:]
        for row in (meanwhile, in_turn):
            row["time against in turn"] = row["ms a token"] / in_turn["ms a token"]
    return rows


def together(bench: Bench) -> list[Row]:
    """The same number of searches at each degree of company; seeds differ, so that no sound has been heard before."""
    rows: list[Row] = []
    cores = len(os.sched_getaffinity(0))
    for at_once in (1, 2, 4, 8):
        searcher = bench.searcher(ThreadPoolExecutor(bench.options.judges))
        requests = [bench.request(index, 8, seed=1000 + at_once) for index in range(bench.options.searches)]
        start_s, start_cpu_s = time.perf_counter(), cpu_seconds()
        with ThreadPoolExecutor(at_once) as threads:
            results = list(threads.map(searcher.run, requests))
        wall_s, cpu_s = time.perf_counter() - start_s, cpu_seconds() - start_cpu_s
        rows.append(
            {
                "at once": at_once,
                "searches a minute": 60 * len(results) / wall_s,
                "tokens a second": sum(result.tokens for result in results) / wall_s,
                "median seconds": median(result.elapsed_s for result in results),
                "cores used": cpu_s / wall_s,
                "utilisation %": 100 * cpu_s / wall_s / cores,
            }
        )
        rows[-1]["tokens against one"] = rows[-1]["tokens a second"] / rows[0]["tokens a second"]
    return rows


def cancel(bench: Bench) -> list[Row]:
    """Searches are cancelled at moments drawn evenly from the time that they would take."""
    searcher = bench.searcher()
    usual_s = searcher.run(bench.request(0, 8)).elapsed_s
    late_s, lost = [], 0
    for index, share in enumerate(np.random.default_rng(0).random(bench.options.cancels)):
        moment = time.perf_counter() + share * usual_s
        try:
            searcher.run(bench.request(index, 8, seed=2000 + index), cancelled=partial(is_past, moment))
        except CancelledError:
            lost += 1
        late = time.perf_counter() - moment
        if late > 0:  # it had not ended by itself
            late_s.append(1000 * late)
    return [
        {
            "cancelled": len(late_s),
            "with nothing judged": lost,
            "median ms": median(late_s),
            "99 % ms": float(np.quantile(late_s, 0.99)),
            "most ms": max(late_s),
        }
    ]


def is_past(moment: float) -> bool:
    """Whether a reading of ``time.perf_counter`` lies behind us."""
    return time.perf_counter() >= moment


def cpu_seconds() -> float:
    """CPU time of this process and of all that it has started and that still live, in seconds."""
    used, parents = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        pid = int(path.parent.name)
        parents[pid] = int(fields[1])
        used[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(used[pid] for pid in ours)


def table(rows: Sequence[Row]) -> str:
    """Rows of equal keys side by side."""
    cells = [list(rows[0]), *([f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def main() -> int:
    """Prints one table."""
    questions = {"overlap": overlap, "together": together, "cancel": cancel}
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("question", choices=questions)
    parser.add_argument("--model", type=Path, default=None, metavar="FOLDER", help="checkpoint (default: the shipped)")
    parser.add_argument("--strategy", default="population", help="how to search (default: population)")
    parser.add_argument("--searches", type=int, default=8, metavar="N", help="of each kind (default 8)")
    parser.add_argument("--cancels", type=int, default=100, metavar="N", help="searches to cancel (default 100)")
    parser.add_argument("--judges", type=int, default=1, metavar="N", help="judging threads (default 1)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="that share a step (default 1)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="rendering processes (default: none)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    rows = questions[options.question](Bench(options))
    sys.stdout.write((json.dumps(rows, indent=2) if options.json else table(rows)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
