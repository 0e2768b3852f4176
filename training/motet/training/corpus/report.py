"""What a corpus holds: counts by split and source, what was left out, what captions say, and what the splits share."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from motet.model.tokenizer import Tokenizer
from motet.music.error import NotFoundError
from motet.training.corpus import catalogue, shard, split
from motet.training.corpus.manifest import Piece
from motet.training.corpus.shard import Shard

FACTS: Final = "report.json"
ATTRIBUTES: Final = ("tempo_bpm", "tempo_word", "key", "meter", "instruments", "drums", "genres", "moods", "bars")
_EXAMPLES: Final = 10


def read(corpus: Path) -> dict[str, Any]:
    """All figures of a built corpus, ready for JSON.

    What only the build could count (files read, left out, copies) comes from its ``report.json``, all else from the
    shards themselves. Raises NotFoundError when the folder holds no corpus.
    """
    path = corpus / FACTS
    if not path.is_file():
        message = f"corpus_dir: must be a folder that `motet corpus build` wrote (received {str(corpus)!r})"
        raise NotFoundError("CORPUS_NOT_FOUND", message, {"field": "corpus_dir", "received": str(corpus)})
    facts = json.loads(path.read_text("utf-8"))
    shards = {name: Shard.open(corpus, name) for name in split.SPLITS}
    metas = {name: [of.meta(index) for index in range(len(of))] for name, of in shards.items()}
    sources = corpus / "sources.json"
    return {
        "pieces_listed": facts["pieces_listed"],
        "pieces_usable": facts["pieces_usable"],
        "splits": {name: _split(shards[name], metas[name]) for name in split.SPLITS},
        "sources": json.loads(sources.read_text("utf-8")) if sources.is_file() else [],
        "refused": facts["refused"],
        "copies": facts.get("copies", {}),
        "captions": _captions(shards["train"]),
        "overlap": _overlap(corpus, shards, metas),
        "bytes": sum(file.stat().st_size for file in corpus.rglob("*") if file.is_file()),
        "seconds": facts["seconds"],
    }


def _split(of: Shard, metas: Sequence[shard.Meta]) -> dict[str, Any]:
    tokens: Counter[str] = Counter()
    windows: Counter[str] = Counter()
    known: Counter[str] = Counter()
    stated: Counter[str] = Counter()
    captions = 0
    for index, (meta, length) in enumerate(zip(metas, of.lengths.tolist(), strict=True)):
        tokens[meta.source] += length
        windows[meta.source] += 1
        attributes = of.attributes(index)
        known.update(name for name in ATTRIBUTES if getattr(attributes, name) not in (None, ()))
        for caption in of.captions(index):
            captions += 1
            stated.update(name for name in ATTRIBUTES if getattr(caption.stated, name) not in (None, ()))
    total = tokens.total()

    def share(count: float, whole: float) -> float:
        return round(count / whole, 4) if whole else 0.0

    return {
        "windows": len(metas),
        "tokens": total,
        "pieces": len({meta.piece for meta in metas}),
        "mean_bars": round(float(np.mean([meta.bars for meta in metas])), 2) if metas else 0.0,
        "sources": {
            source: {"windows": windows[source], "tokens": count, "share": share(count, total)}
            for source, count in tokens.most_common()
        },
        "known": {name: share(known[name], len(metas)) for name in ATTRIBUTES},
        "stated": {name: share(stated[name], captions) for name in ATTRIBUTES},
        "transposed": share(sum(meta.transposed != 0 for meta in metas), len(metas)),
        "stretched": share(sum(meta.stretched != 1.0 for meta in metas), len(metas)),
        "infill": share(sum(meta.infill for meta in metas), len(metas)),
        "ends_piece": share(sum(meta.ends_piece for meta in metas), len(metas)),
    }


def _captions(of: Shard) -> dict[str, Any]:
    """How long the captions of a split are, how much they differ, and some of them."""
    texts = [caption.text for index in range(len(of)) for caption in of.captions(index)]
    if not texts:
        return {"count": 0, "distinct": 0.0, "words": {}, "examples": []}
    words = np.array([len(text.split()) for text in texts])
    step = max(1, len(texts) // _EXAMPLES)
    return {
        "count": len(texts),
        "distinct": round(len(set(texts)) / len(texts), 4),
        "words": {f"p{part}": int(np.percentile(words, part)) for part in (5, 25, 50, 75, 95)},
        "examples": texts[::step][:_EXAMPLES],
    }


def _overlap(
    corpus: Path, shards: Mapping[split.Split, Shard], metas: Mapping[split.Split, Sequence[shard.Meta]]
) -> dict[str, int]:
    """What the held-out splits share with training; all but the last must be 0.

    The last counts held-out windows whose music occurs in training note for note: a bar of plain drums may.
    """
    entries = catalogue.read(corpus)
    songs = {entry.id: entry.song for entry in entries}
    digests = {entry.id: entry.digest for entry in entries}
    held_out = [*metas["valid"], *metas["test"]]
    trained = {meta.piece for meta in metas["train"]}
    tested = {meta.piece for meta in held_out}

    def shared(names: Mapping[str, str]) -> int:
        return len(
            {names[piece] for piece in trained if piece in names} & {names[piece] for piece in tested if piece in names}
        )

    tokenizer = Tokenizer.load(corpus / "tokenizer")
    first_of_bar = {token for token in range(len(tokenizer)) if "Bar_None" in tokenizer.expansion(token)[:1]}
    bars = {
        name: [_bars(of.tokens(index).tolist(), first_of_bar) for index in range(len(of))]
        for name, of in shards.items()
    }
    seen = set(bars["train"])
    return {
        "pieces": len(trained & tested),
        "songs": shared(songs),
        "note_digests": shared(digests),
        "windows": sum(window in seen for window in (*bars["valid"], *bars["test"])),
    }


def _bars(tokens: list[int], first_of_bar: set[int]) -> bytes:
    """A digest of the bars of a window, without its header."""
    start = next((place for place, token in enumerate(tokens) if token in first_of_bar), len(tokens))
    return hashlib.sha256(np.array(tokens[start:], np.uint16).tobytes()).digest()[:12]


def sources(records: Mapping[split.Split, Sequence[shard.Record]], pieces: Mapping[str, Piece]) -> list[dict[str, Any]]:
    """A row for each source and licence that the training split holds, for the model card."""
    windows: Counter[tuple[str, str]] = Counter()
    ids: dict[tuple[str, str], set[str]] = {}
    for record in records["train"]:
        key = (record.meta.source, record.meta.licence)
        windows[key] += 1
        ids.setdefault(key, set()).add(record.meta.piece)
    return [
        {
            "source": source,
            "licence": licence,
            "repository": pieces[min(ids[source, licence])].repository,
            "pieces": len(ids[source, licence]),
            "windows": count,
        }
        for (source, licence), count in sorted(windows.items())
    ]


def table(figures: Mapping[str, Any]) -> str:
    """The figures of ``read`` as text."""
    lines = [
        f"{figures['pieces_usable']:,} of {figures['pieces_listed']:,} pieces usable, "
        f"{figures['bytes'] / 1e6:.1f} MB, built in {figures['seconds']:,} s"
    ]
    for name, part in figures["splits"].items():
        lines += ["", f"{name}: {part['windows']:,} windows, {part['tokens']:,} tokens, {part['pieces']:,} pieces, "
                  f"{part['mean_bars']} bars on average"]  # fmt: skip
        lines.append(
            "  "
            + ", ".join(
                f"{kind.replace('_', ' ')} {100 * part[kind]:.1f} %"
                for kind in ("transposed", "stretched", "infill", "ends_piece")
            )
        )
        lines.append(f"  {'source':<24}{'windows':>9}{'tokens':>13}{'share':>9}")
        lines += [
            f"  {source:<24}{row['windows']:>9,}{row['tokens']:>13,}{100 * row['share']:>7.1f} %"
            for source, row in part["sources"].items()
        ]
    lines += ["", f"{'training windows by source and licence':<44}{'pieces':>8}{'windows':>9}"]
    lines += [
        f"  {row['source']:<18}{row['licence'][:22]:<24}{row['pieces']:>8,}{row['windows']:>9,}"
        for row in figures["sources"]
    ]
    train = figures["splits"]["train"]
    lines += ["", f"{'attribute':<14}{'known':>9}{'said in a caption':>20}"]
    lines += [
        f"{name:<14}{100 * train['known'][name]:>7.1f} %{100 * train['stated'][name]:>18.1f} %" for name in ATTRIBUTES
    ]
    captions = figures["captions"]
    lines += ["", f"captions: {captions['count']:,}, {100 * captions['distinct']:.1f} % of them distinct; words: "
              + ", ".join(f"{name} {value}" for name, value in captions["words"].items())]  # fmt: skip
    lines += [f"  {example!r}" for example in captions["examples"]]
    lines += ["", "left out:"]
    lines += [f"  {count:>8,}  {reason}" for reason, count in figures["refused"].items()]
    lines += ["", "copies:"]
    lines += [f"  {count:>8,}  {what.replace('_', ' ')}" for what, count in figures["copies"].items()]
    overlap = figures["overlap"]
    lines += [
        "",
        f"shared by training and held-out windows: {overlap['pieces']} pieces, {overlap['songs']} songs, "
        f"{overlap['note_digests']} note for note equal pieces (each must be 0); "
        f"{overlap['windows']} held-out windows occur in training note for note",
    ]
    return "\n".join(lines) + "\n"
