"""A comparison: a model's samples, other human music and destroyed music against human music of the same captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.model.tokenizer import Tokenizer
from motet.training.corpus.shard import Shard
from motet.training.realism import copying, decoy, degeneracy, trait
from motet.training.realism.copying import Copies
from motet.training.realism.distance import Estimate, Yardstick, earth_movers, overlap
from motet.training.realism.excerpt import Excerpt
from motet.training.realism.material import Collection, Material
from motet.training.realism.report import HUMAN, MODEL, NOISE, OTHER, CopyRow, RealismReport, TraitRow
from motet.training.realism.tune import TuneReader, Tunes
from motet.training.share import Share

Embed = Callable[[Sequence[Excerpt]], NDArray[np.float64]]
"""From excerpts to vectors [excerpts, D], NaN where a number does not apply."""

STRETCHES: Final = (8, 12, 16, 24, 32)
"""Notes in a row from which shared tunes are counted."""

_DECOYS: Final = {
    "bars shuffled": decoy.shuffled_bars,
    "pitches shuffled": decoy.shuffled_pitches,
    NOISE: decoy.noise,
}
_SHOWN: Final = 3
_PORTION: Final = 2048  # windows read at once: some 100 MB


def near_copies(material: Material, train: Shard, tokenizer: Tokenizer, windows: int) -> dict[str, Copies]:
    """What human, model and training excerpts, as many of each, share with the first ``windows`` training windows.

    The training excerpts are found in themselves: what outright copying would read.
    """
    reader = TuneReader(tokenizer)

    def portions() -> Iterator[Tunes]:
        for start in range(0, windows, _PORTION):
            tunes = reader.read([train.tokens(window) for window in range(start, min(start + _PORTION, windows))])
            yield replace(tunes, piece=tunes.piece + start)

    sides = {HUMAN: material.human.excerpts, MODEL: material.model.excerpts}
    copied = [train.tokens(window) for window in range(min(len(material.model.excerpts), windows))]
    return {
        **{
            name: copying.longest(Tunes.of_scores([each.score for each in side]), len(side), portions())
            for name, side in sides.items()
        },
        "training": copying.longest(reader.read(copied), len(copied), portions()),
    }


def compare(
    material: Material,
    copies: Mapping[str, Copies],
    pieces: Callable[[int], str],
    *,
    training_windows: int,
    seed: int,
    embed: Embed = trait.vectors,
) -> RealismReport:
    """All distances of a material.

    Args:
        material: what is compared.
        copies: from ``near_copies``.
        pieces: the name of the training piece of a window.
        training_windows: that were searched.
        seed: of sampling, and of decoys and intervals.
        embed: gives the vectors whose discrepancy is measured; any other one than the traits will do as well.
    """
    human = material.human
    rng = np.random.default_rng(seed)
    others = {MODEL: material.model, OTHER: material.other} | {
        name: replace(human, excerpts=tuple(destroy(excerpt, rng) for excerpt in human.excerpts))
        for name, destroy in _DECOYS.items()
    }
    broken = {
        name: [degeneracy.found(excerpt) for excerpt in collection.excerpts]
        for name, collection in ((HUMAN, human), (MODEL, material.model))
    }
    return RealismReport(
        captions=len(human.excerpts),
        songs=len(set(human.songs)),
        seed=seed,
        training_windows=training_windows,
        traits=_trait_rows(human, others),
        overlaps=_overlap_rows(human, others),
        discrepancies=_discrepancies(human, others, embed, seed),
        copies={name: _copy_row(found, pieces) for name, found in copies.items()},
        degenerate={
            **{
                rule: {name: _of(rule in rules for rules in found) for name, found in broken.items()}
                for rule in degeneracy.RULES
            },
            "any of these": {name: _of(bool(rules) for rules in found) for name, found in broken.items()},
        },
    )


def _trait_rows(human: Collection, others: Mapping[str, Collection]) -> dict[str, TraitRow]:
    ours = trait.vectors(human.excerpts)
    theirs = {name: trait.vectors(collection.excerpts) for name, collection in others.items()}
    rows: dict[str, TraitRow] = {}
    for place, name in enumerate(trait.TRAITS):
        column = _applying(ours[:, place])
        spread = float(column.std()) if len(column) else 0.0
        rows[name] = TraitRow(
            human=_mean(column),
            model=_mean(_applying(theirs[MODEL][:, place])),
            distances={
                key: earth_movers(column, _applying(vectors[:, place]), spread) for key, vectors in theirs.items()
            },
        )
    return rows


def _overlap_rows(human: Collection, others: Mapping[str, Collection]) -> dict[str, dict[str, float]]:
    ours = trait.pooled(human.excerpts)
    theirs = {name: trait.pooled(collection.excerpts) for name, collection in others.items()}
    return {name: {key: overlap(ours[name], pooled[name]) for key, pooled in theirs.items()} for name in trait.SHARES}


def _discrepancies(human: Collection, others: Mapping[str, Collection], embed: Embed, seed: int) -> dict[str, Estimate]:
    ours = embed(human.excerpts)
    theirs = {name: embed(collection.excerpts) for name, collection in others.items()}
    yardstick = Yardstick.of(np.concatenate([ours, theirs[OTHER]]))
    return {
        name: yardstick.discrepancy(ours, human.songs, vectors, others[name].songs, seed=seed)
        for name, vectors in theirs.items()
    }


def _copy_row(copies: Copies, pieces: Callable[[int], str]) -> CopyRow:
    longest = [int(place) for place in np.argsort(-copies.notes, kind="stable")[:_SHOWN] if copies.notes[place]]
    return CopyRow(
        shares={least: _of(copies.notes >= least) for least in STRETCHES},
        longest=tuple((place, int(copies.notes[place]), pieces(int(copies.source[place]))) for place in longest),
    )


def _of(cases: Iterable[object]) -> Share:
    each = [bool(case) for case in cases]
    return Share(hits=sum(each), n=len(each))


def _applying(column: NDArray[np.float64]) -> NDArray[np.float64]:
    return column[~np.isnan(column)]


def _mean(column: NDArray[np.float64]) -> float:
    return float(column.mean()) if len(column) else float("nan")
