"""From a training run to the checkpoint that is shipped: weights in bfloat16, and a card with what was measured."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import torch

from motet.model.artifact import WEIGHTS, save
from motet.model.checkpoint import Checkpoint
from motet.music.error import InvalidInputError, NotFoundError
from motet.training import snapshot
from motet.training.control import ControlReport, measure


def export(run: Path, corpus: Path, out: Path, *, captions: int, appendix: str = "") -> None:
    """Writes ``out`` from the run's newest snapshot; an older checkpoint there stays until the new one is whole.

    The weights are rounded first, so the card measures what is shipped.

    Args:
        run: folder that ``Trainer`` wrote.
        corpus: what it was trained on.
        out: checkpoint folder to write.
        captions: held-out captions to measure, at least 2.
        appendix: Markdown with further measurements for the card.

    Raises NotFoundError when ``run`` holds no snapshot or ``corpus`` no list of sources, and InvalidInputError when
    ``out`` is something else than a checkpoint folder.
    """
    snapshotted = snapshot.newest(run)
    if snapshotted is None:
        missing = run / snapshot.FOLDER / snapshot.PROGRESS
        raise NotFoundError("RUN_NOT_FOUND", f"run: no file {missing}", {"path": str(run)})
    listed = corpus / "sources.json"
    if not listed.is_file():
        raise NotFoundError("CORPUS_NOT_FOUND", f"corpus: no file {listed}", {"path": str(listed)})
    out = out.resolve()
    if out.exists() and not (out / WEIGHTS).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise InvalidInputError.of("out", "must be new, empty, or a checkpoint folder to replace", str(out))
    record = json.loads((snapshotted / snapshot.PROGRESS).read_text("utf-8"))
    sources = json.loads(listed.read_text("utf-8"))
    trained = Checkpoint.load(snapshotted / snapshot.MODEL)
    partial = out.with_name(f"{out.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        save(*trained.own, partial, torch.bfloat16)
        shipped = Checkpoint.load(partial)
        report = measure(shipped, corpus, split="test", captions=captions, seed=0)
        (partial / "README.md").write_text(card(shipped, report, record, sources, partial, appendix), "utf-8")
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def card(
    checkpoint: Checkpoint,
    report: ControlReport,
    run: dict[str, Any],
    sources: list[dict[str, Any]],
    folder: Path,
    appendix: str,
) -> str:
    """The model card as Markdown."""
    config = run["config"]
    parameters = sum(weight.numel() for weight in checkpoint.network.parameters())
    size_mb = (folder / WEIGHTS).stat().st_size / 1e6
    return f"""---
license: cc-by-sa-4.0
---
# Motet default model

Text to MIDI: a caption goes in; key, genres and players come out, then REMI tokens, with pitches relative to the key.
What a caption states outright is forced (`motet.model.controls`). Encoder: all-MiniLM-L6-v2, frozen,
not part of this folder. Decoder: {parameters / 1e6:.2f} M parameters ({config["layers"]} layers of width \
{config["width"]}, {config["heads"]} query and {config["kv_heads"]} key-value heads, SwiGLU {config["hidden"]}, \
vocabulary {len(checkpoint.tokenizer)}), {size_mb:.1f} MB in bfloat16. Weights version `{checkpoint.version}`.

## What it can and cannot do
It writes up to some 16 bars for the instruments of General MIDI: traditional tunes arranged for band in many styles,
classical piano, voice and piano, chamber music, folk melodies, game music, drum grooves. Its sense of form is short: it
continues well from bar to bar, and does not plan a whole song. It has heard no modern pop, no electronic dance music
and no jazz solos. Velocities come in eight steps, rhythm in twelfths of a beat.

## Training
`motet corpus build`, then `motet train model CORPUS RUN --minutes {config["minutes"]:g}\
{" --from EARLIER" if run["started_from"] else ""}`: \
{run["tokens_seen"] / 1e6:.1f} M tokens in {run["steps"]:,} steps on {config["device"]}, Muon for the matrices and \
AdamW for the rest, captions dropped with probability {config["text_dropout"]:g}, header tokens weighing \
{config["header_weight"]:g} times. Held-out loss on the validation split at the end: {run["held_out_loss"]:.3f} nats a
token.\
{" The run started from the weights `" + run["started_from"] + "`." if run["started_from"] else ""}

## Measured on {date.today().isoformat()}
`motet eval control CORPUS_DIR --captions {report.captions} --seed {report.seed}`: one sample a caption, no search, on
captions of songs that were not trained on. Percentages, F1 times 100. **default** is the product's: the words, and what
the parser reads in them as hard constraints; **words alone** leaves it to the model to follow the words. **shuffled**
holds the default's samples against other captions; **human** is the music that the captions describe. n counts the
captions that state the attribute.

{report.table()}

{appendix.strip() + chr(10) if appendix else ""}
## Sources and licence
The weights are shared under CC BY-SA 4.0. They were trained on windows of:

{_sources_table(sources)}
"""


def _sources_table(sources: list[dict[str, Any]]) -> str:
    lines = ["| source | repository | licence | pieces | windows |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['source']} | {row['repository']} | {row['licence']} | {row['pieces']:,} | {row['windows']:,} |"
        for row in sources
    ]
    return "\n".join(lines)
