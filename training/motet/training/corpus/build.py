"""The pipeline from a collection to shards: read, split, plan, cut, label, tokenise, write."""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from motet.model.tokenizer import Tokenizer
from motet.music.error import InvalidInputError
from motet.training.corpus import catalogue, copies, harvest, label, manifest, mix, plan, report, shard, split, survey
from motet.training.corpus.collection import Collection
from motet.training.corpus.config import BuildConfig
from motet.training.corpus.harvest import Harvest
from motet.training.corpus.manifest import Piece
from motet.training.corpus.survey import Run, Survey

_TOKENIZER_WINDOWS = 3000
_PROBES = 1000
"""Windows cut beforehand to learn how many tokens a window of each source holds."""


def build(
    collection: Collection, out: Path, config: BuildConfig, *, tokenizer: Path | None, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Builds the shards of a collection in ``out`` and returns the report that is also written there.

    Writes ``out/tokenizer/``, ``out/{train,valid,test}/`` (see ``shard``), ``out/pieces.jsonl.xz`` (a line for every
    usable piece: id, source, licence, song group, split, digest), ``out/sources.json`` and ``out/report.json``; and
    next to ``out`` what was measured of every file, so that the next build is quick. The same data, configuration and
    tokenizer give the same shards.

    Args:
        collection: the music.
        out: folder to write into; made if needed.
        config: what to build.
        tokenizer: folder of a trained tokenizer; None trains one on a sample of the windows.
        progress: takes a line of news.

    Raises NotFoundError when the data is missing, InvalidInputError when it is broken or gives no window.
    """
    began = time.monotonic()
    refused: Counter[str] = Counter()
    everything = collection.read()
    listed = _without(everything, config.mix.refusal, refused)
    progress(f"{len(everything):,} pieces listed, {len(listed):,} of them to be read")
    with tempfile.TemporaryDirectory(prefix="motet-corpus-") as scratch, _workers(config.processes) as run:
        files = manifest.locate(collection.folder, listed, Path(scratch))

        def measured(count: int) -> None:
            if count % 1000 == 0:
                progress(f"{count:,} files measured, {time.monotonic() - began:.0f} s")

        found = survey.survey(listed, files, run, out.with_name(f"{out.name}.survey.npz"), measured)
        pieces, groups, copies = _deduplicated(everything, listed, found, refused)
        splits = split.assign(pieces, groups)
        progress(f"{len(pieces):,} pieces usable, {time.monotonic() - began:.0f} s")
        if not pieces:
            raise InvalidInputError.of(
                "data_dir", f"must hold usable music ({_reasons(refused)})", str(collection.folder)
            )
        planned = plan.Plan(pieces, splits, config)
        folder = out / "tokenizer"
        if tokenizer is None:
            progress(f"training a tokenizer of {config.vocabulary:,} tokens")
            sample = planned.sample(min(_TOKENIZER_WINDOWS, config.tokens // 100))
            genres = sorted({genre for piece in pieces for genre in label.genres_of(piece)})
            Tokenizer.train(harvest.sample_scores(sample, files, config), config.vocabulary, genres).save(folder)
        else:
            Tokenizer.load(tokenizer).save(folder)
        progress(f"probing, {time.monotonic() - began:.0f} s so far")
        probes = planned.sample(min(_PROBES, config.tokens // 1000))
        probed = _gather(run(harvest.cut_batch, harvest.batches(probes, files, folder, config)), None)
        tasks = planned.full(plan.mean_tokens(probes, [record for _, record in probed.records]))
        windows = sum(task.windows for task in tasks)

        def told(made: int) -> None:
            progress(f"{made:,} of {windows:,} windows, {time.monotonic() - began:.0f} s")

        cut = _gather(run(harvest.cut_batch, harvest.batches(tasks, files, folder, config)), told)
    refused += cut.refused
    records = {name: [record for of, record in cut.records if of == name] for name in split.SPLITS}
    if not records["train"]:
        raise InvalidInputError.of(
            "data_dir", f"must give at least one training window ({_reasons(refused)})", str(collection.folder)
        )
    progress("writing")
    for number, name in enumerate(split.SPLITS):
        order = np.random.default_rng([config.seed, 200 + number]).permutation(len(records[name]))
        shard.write(out, name, [records[name][index] for index in order])
    catalogue.write(out, pieces, groups, splits, {name: result.digest for name, result in found.items()})
    by_id = {piece.id: piece for piece in pieces}
    _write_json(out / "sources.json", report.sources(records, by_id))
    facts = {
        "pieces_listed": len(everything),
        "pieces_usable": len(pieces),
        "refused": dict(refused.most_common()),
        "copies": copies,
        "seconds": round(time.monotonic() - began, 1),
    }
    _write_json(out / report.FACTS, facts)
    return report.read(out)


@contextmanager
def _workers(processes: int) -> Iterator[Run]:
    """A map over batches, in their order, in this process or in several."""
    if processes == 1:
        yield map
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield pool.imap


def _without(pieces: Iterable[Piece], reason_of: Callable[[Piece], str | None], refused: Counter[str]) -> list[Piece]:
    """The pieces for which there is no reason to refuse them; the reasons of the others are counted."""
    kept: list[Piece] = []
    for piece in pieces:
        reason = reason_of(piece)
        if reason is None:
            kept.append(piece)
        else:
            refused[f"pieces: {reason}"] += 1
    return kept


def _deduplicated(
    everything: Sequence[Piece], listed: Sequence[Piece], found: Mapping[str, Survey], refused: Counter[str]
) -> tuple[list[Piece], dict[str, str], dict[str, int]]:
    """The pieces that are left without exact copies, the song group of each, and counts of copies."""
    readable = _without(listed, lambda piece: found[piece.id].refusal or None, refused)
    described = _without([survey.described(piece, found[piece.id]) for piece in readable], mix.refusal, refused)
    # Of equal pieces the one stays that more is known of.
    described.sort(
        key=lambda piece: (piece.held_out, bool(piece.key), piece.tempo_known, bool(piece.genres)), reverse=True
    )
    first: dict[str, Piece] = {}
    for piece in described:
        first.setdefault(found[piece.id].digest, piece)
    equal = [(piece.id, first[found[piece.id].digest].id) for piece in described]
    pieces = sorted(first.values(), key=lambda piece: piece.id)
    near = [
        (pieces[left].id, pieces[right].id)
        for left, right in copies.near_copies([found[piece.id].sketch for piece in pieces])
    ]
    groups = split.song_groups(everything, [*equal, *near])
    sizes = Counter(groups[piece.id] for piece in pieces)
    dropped = len(described) - len(pieces)
    if dropped:
        refused["pieces: exact copies of another piece"] += dropped
    silent = sum(found[piece.id].silent for piece in pieces)
    if silent:
        refused["tracks: silent"] += silent
    counts = {
        "exact_copies": dropped,
        "near_copy_pairs": len(near),
        "song_groups": len(sizes),
        "groups_of_several": sum(size > 1 for size in sizes.values()),
        "largest_group": max(sizes.values(), default=0),
    }
    return pieces, groups, counts


def _reasons(refused: Counter[str]) -> str:
    return "; ".join(f"{count:,} {reason}" for reason, count in refused.most_common(5)) or "nothing was refused"


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
