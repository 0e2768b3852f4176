"""The pipeline from a collection to shards: read, split, plan, cut, label, tokenise, write."""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from motet.model.tokenizer import Tokenizer
from motet.music.error import InvalidInputError
from motet.training.corpus import harvest, label, manifest, mix, plan, report, shard, split
from motet.training.corpus.config import BuildConfig
from motet.training.corpus.harvest import Batch, Harvest
from motet.training.corpus.manifest import Piece

_TOKENIZER_WINDOWS = 3000
_PROBES = 1000
"""Windows cut beforehand to learn how many tokens a window of each source holds."""


def build(
    data: Path, out: Path, config: BuildConfig, *, tokenizer: Path | None, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Builds the shards of ``data`` in ``out`` and returns the report that is also written there.

    Writes ``out/tokenizer/``, ``out/{train,valid,test}/`` (see ``shard``), ``out/sources.json`` and
    ``out/report.json``. The same data, configuration and tokenizer give the same shards.

    Args:
        data: folder with the manifest and the music, as files or as ``*.tar.xz``.
        out: folder to write into; made if needed.
        config: what to build.
        tokenizer: folder of a trained tokenizer; None trains one on a sample of the windows.
        progress: takes a line of news.

    Raises NotFoundError when the data is missing, InvalidInputError when it is broken or gives no window.
    """
    began = time.monotonic()
    everything = manifest.read(data)
    refused: Counter[str] = Counter()
    pieces = _usable(everything, refused)
    splits = split.assign(everything)
    progress(f"{len(everything):,} pieces in the manifest, {len(pieces):,} of them usable")
    with tempfile.TemporaryDirectory(prefix="motet-corpus-") as scratch:
        files = manifest.locate(data, pieces, Path(scratch))
        planned = plan.Plan(pieces, splits, config)
        folder = out / "tokenizer"
        if tokenizer is None:
            progress(f"training a tokenizer of {config.vocabulary:,} tokens")
            sample = planned.sample(min(_TOKENIZER_WINDOWS, config.tokens // 100))
            genres = sorted({genre for piece in pieces for genre in label.genres_of(piece)})
            Tokenizer.train(harvest.sample_scores(sample, files, config), config.vocabulary, genres).save(folder)
        else:
            Tokenizer.load(tokenizer).save(folder)
        with _workers(config.processes) as cut_all:
            progress(f"probing, {time.monotonic() - began:.0f} s so far")
            probes = planned.sample(min(_PROBES, config.tokens // 1000))
            probed = _gather(cut_all(harvest.batches(probes, files, folder, config)), None)
            tasks = planned.full(plan.mean_tokens(probes, [record for _, record in probed.records]))
            windows = sum(task.windows for task in tasks)

            def told(made: int) -> None:
                progress(f"{made:,} of {windows:,} windows, {time.monotonic() - began:.0f} s")

            cut = _gather(cut_all(harvest.batches(tasks, files, folder, config)), told)
    refused += cut.refused
    records = {name: [record for of, record in cut.records if of == name] for name in split.SPLITS}
    if not records["train"]:
        raise InvalidInputError.of("data_dir", "must give at least one training window", str(data))
    progress("writing")
    for number, name in enumerate(split.SPLITS):
        order = np.random.default_rng([config.seed, 200 + number]).permutation(len(records[name]))
        shard.write(out, name, [records[name][index] for index in order])
    summary = report.report(len(everything), len(pieces), records, refused, time.monotonic() - began)
    _write_json(out / "report.json", summary)
    _write_json(out / "sources.json", report.sources(records, {piece.id: piece for piece in pieces}))
    return summary


@contextmanager
def _workers(processes: int) -> Iterator[Callable[[Iterable[Batch]], Iterable[Harvest]]]:
    """A map over batches, in their order, in this process or in several."""
    if processes == 1:
        yield lambda batches: map(harvest.cut_batch, batches)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield lambda batches: pool.imap(harvest.cut_batch, batches)


def _usable(pieces: Iterable[Piece], refused: Counter[str]) -> list[Piece]:
    kept: list[Piece] = []
    for piece in pieces:
        reason = mix.refusal(piece)
        if reason is None:
            kept.append(piece)
        else:
            refused[f"pieces: {reason}"] += 1
    return kept


def _gather(cuts: Iterable[Harvest], told: Callable[[int], None] | None) -> Harvest:
    whole = Harvest()
    for cut in cuts:
        whole.records += cut.records
        whole.refused += cut.refused
        if told is not None:
            told(len(whole.records))
    return whole


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
