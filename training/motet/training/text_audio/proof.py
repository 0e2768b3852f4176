"""Proofs that the text reward hears what captions say, each with its 95 % interval over whole songs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from motet.music import describe
from motet.music.attributes import Attributes
from motet.music.caption import Caption, parse_attributes
from motet.music.score import Score
from motet.rewards import adherence
from motet.rewards.calibration import Calibration
from motet.rewards.text_audio import TextAudioScorer
from motet.training.corpus.shard import StatedCaption
from motet.training.facts import Facts
from motet.training.reward_bench.statistic import Estimate, Floats, draws, indexed, mean
from motet.training.swap import SWAPS, Swap
from motet.training.text_audio.clips import Clips
from motet.training.text_audio.wording import audible

Embedded = Callable[[Sequence[str]], NDArray[np.float32]]

GATE: Final = (0.70, 0.60)
"""A swap accuracy, and the lower bound of its interval, from which an attribute is claimed."""

TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "tempo": ("tempo far",),
    "key": ("key far", "key mode"),
    "meter": ("meter",),
    "drums": ("drums",),
    "instruments": ("instruments far",),
    "genres": ("genres",),
    "moods": ("moods",),
}
"""For each attribute of ``motet.rewards.statement`` the swaps that it must pass to be claimed."""

_CORRUPTIONS: Final = ("instruments far", "tempo far", "key far", "meter", "drums", "genres", "moods")
_MOST: Final = 5
_BATCH: Final = 64
_DRAWS: Final = 2000


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """Pieces that were not trained on, as a scorer hears them.

    Args:
        known: [W] all that is known of each.
        captions: [W] a wording of each.
        songs: [W] the song that each is a version of.
        vectors: font -> [W, D] mean vectors of the windows of each, weighted by their share.
    """

    known: Sequence[Attributes]
    captions: Sequence[StatedCaption]
    songs: Sequence[str]
    vectors: Mapping[str, NDArray[np.float32]]

    @property
    def heard(self) -> NDArray[np.float32]:
        """The vectors under the first font: the default one."""
        return next(iter(self.vectors.values()))


def listen(scorer: TextAudioScorer, clips: Clips, font: int, pieces: int) -> NDArray[np.float32]:
    """The mean vector [pieces, D] of the clips of each piece; 0 for one without any."""
    out = []
    with torch.inference_mode():
        for start in range(0, len(clips), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(clips)))
            mel, tone, band = (torch.from_numpy(part) for part in clips.heard(rows, font))
            out.append(scorer.towers.audio_vectors(mel, tone, band).numpy())
    vectors = np.concatenate(out)
    total = np.zeros((pieces, vectors.shape[1]), np.float32)
    np.add.at(total, clips.piece, vectors * clips.share[:, None].astype(np.float32))
    weight = np.bincount(clips.piece, clips.share, pieces).astype(np.float32)
    total /= np.maximum(weight, 1e-9)[:, None]
    return total


def read(scorer: TextAudioScorer, texts: Sequence[str], embed: Embedded) -> NDArray[np.float32]:
    """Unit vectors [len(texts), D] of captions."""
    return scorer.text_vectors(embed(texts), [parse_attributes(text) for text in texts])


def calibrate(scorer: TextAudioScorer, held: HeldOut, embed: Embedded) -> Calibration:
    """The calibration of a scorer: its cosines of own captions, and of others' that say something false."""
    text = read(scorer, [caption.text for caption in held.captions], embed)
    cosines = (held.heard @ text.T).astype(np.float64)
    places = np.arange(len(held.known))
    known = Facts([audible(one) for one in held.known])
    false = ~Facts([caption.stated for caption in held.captions]).true_of(known, places, places)
    return Calibration.of(np.diag(cosines), cosines[false & ~np.eye(len(places), dtype=bool)])


@dataclass(frozen=True, kw_only=True)
class Swapped:
    """How a scorer does in one kind of swap.

    Args:
        right: share of the pieces that are nearer to the true caption than to the false one.
        control: the same with the sound of another song: what the words alone give away; about one half, and not
            exactly, as some attributes are commoner than others.
    """

    right: Estimate
    control: Estimate

    @property
    def passed(self) -> bool:
        """Whether it is good enough for a claim."""
        return self.right.value >= GATE[0] and self.right.low > GATE[1]


def swapped(
    scorer: TextAudioScorer, held: HeldOut, pairs_by_name: Mapping[str, Sequence[Swap]], embed: Embedded, seed: int
) -> dict[str, Swapped]:
    """The figures for every kind of swap, see ``motet.training.swap``; those without cases are left out."""
    songs = indexed(held.songs)
    found: dict[str, Swapped] = {}
    for name, pairs in pairs_by_name.items():
        if not pairs:
            continue
        rows = np.array([pair.row for pair in pairs])
        texts = read(scorer, [*(pair.true.text for pair in pairs), *(pair.false.text for pair in pairs)], embed)
        lead = texts[: len(rows)] - texts[len(rows) :]
        stranger = _strangers(songs)[rows]
        taken = draws(int(songs.max()) + 1, seed, _DRAWS)
        right, control = (
            mean(((held.heard[places] * lead).sum(axis=1) > 0).astype(np.float64), songs[rows], taken)
            for places in (rows, stranger)
        )
        found[name] = Swapped(right=right, control=control)
    return found


def claims(found: Mapping[str, Swapped]) -> tuple[str, ...]:
    """The attributes that pass all of their ``TESTS``."""
    return tuple(name for name, tests in TESTS.items() if all(test in found and found[test].passed for test in tests))


def retrieval(
    vectors: NDArray[np.float32], text: NDArray[np.float32], names: Sequence[str], seed: int
) -> dict[str, Estimate]:
    """R@1, R@5, R@10 and the median rank of a piece's caption among those of all pieces of other songs.

    Args:
        vectors: [W, D] of the pieces.
        text: [W, D] of their captions.
        names: [W] of their songs.
        seed: of the intervals.
    """
    songs = indexed(names)
    cosines = vectors @ text.T
    ahead = (cosines > np.diag(cosines)[:, None]) & (songs[:, None] != songs[None])
    rank = 1.0 + ahead.sum(axis=1)
    taken = draws(int(songs.max()) + 1, seed, _DRAWS)
    found = {f"R@{most}": mean((rank <= most).astype(np.float64), songs, taken) for most in (1, 5, 10)}
    medians = [float(np.median(np.repeat(rank, row[songs]))) for row in taken[:300]]
    low, high = np.quantile(medians, (0.025, 0.975))
    return found | {
        "median rank": Estimate(value=float(np.median(rank)), low=float(low), high=float(high), n=len(rank))
    }


def corruption(scorer: TextAudioScorer, held: HeldOut, embed: Embedded, seed: int) -> Estimate:
    """Mean Spearman correlation within a piece of its score with the number of attributes that its caption has right.

    A caption says all that is known of a piece; then one attribute after the other, of up to five, is made false.
    """
    texts: list[str] = []
    spans: list[tuple[int, int, int]] = []
    for row, known in enumerate(held.known):
        rng = np.random.default_rng([seed, row])
        told = audible(known)
        ladder = [told]
        for name in rng.permutation(list(_CORRUPTIONS)):
            options = SWAPS[str(name)](told, held.known, rng)
            if options and len(ladder) <= _MOST:
                told = _merged(ladder[-1], audible(known), options[0])
                ladder.append(told)
            told = audible(known)
        if len(ladder) > 2:
            spans.append((row, len(texts), len(texts) + len(ladder)))
            texts += [describe.sentence(one) for one in ladder]
    vectors = read(scorer, texts, embed)
    values = [
        spearman(vectors[start:stop] @ held.heard[row], -np.arange(stop - start, dtype=np.float64))
        for row, start, stop in spans
    ]
    songs = indexed([held.songs[row] for row, _, _ in spans])
    return mean(np.array(values), songs, draws(int(songs.max()) + 1, seed, _DRAWS))


def _merged(lied: Attributes, right: Attributes, wrong: Attributes) -> Attributes:
    """``lied`` with what ``wrong`` changes in ``right``."""
    changed = {
        name: getattr(wrong, name) for name in Attributes.__slots__ if getattr(wrong, name) != getattr(right, name)
    }
    return Attributes(**({name: getattr(lied, name) for name in Attributes.__slots__} | changed))


def explained(
    scorer: TextAudioScorer, held: HeldOut, embed: Embedded, columns: Mapping[str, Floats]
) -> dict[str, float]:
    """R² of a linear fit of the cosine with the own caption by each column [W], and by all of them together."""
    text = read(scorer, [caption.text for caption in held.captions], embed)
    cosine = (held.heard * text).sum(axis=1).astype(np.float64)
    rows = {name: column[:, None] for name, column in columns.items()}
    rows["all three"] = np.stack(list(columns.values()), axis=1)
    found = {}
    for name, column in rows.items():
        design = np.column_stack([np.ones(len(cosine)), column])
        residual = cosine - design @ np.linalg.lstsq(design, cosine, rcond=None)[0]
        found[name] = float(1 - residual.var() / cosine.var())
    return found


def agreement(scorer: TextAudioScorer, held: HeldOut, embed: Embedded, seed: int) -> dict[str, Estimate]:
    """Spearman correlation over the pieces of the cosines with the own caption, of each further font with the first."""
    text = read(scorer, [caption.text for caption in held.captions], embed)
    cosines = {font: (vectors * text).sum(axis=1) for font, vectors in held.vectors.items()}
    first = next(iter(cosines.values()))
    return {font: correlation(values, first, held.songs, seed) for font, values in list(cosines.items())[1:]}


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Music that a model wrote.

    Args:
        scores: what it wrote.
        captions: what it was asked for.
        vectors: [K, D] mean vectors of each.
    """

    scores: Sequence[Score]
    captions: Sequence[Caption]
    vectors: NDArray[np.float32]


def transfer(scorer: TextAudioScorer, samples: Samples, embed: Embedded, seed: int) -> dict[str, Estimate]:
    """Spearman correlation of the text reward with the rule checker, which reads the notes, on music of a model.

    Each sample under its own caption, and under its own and another one; samples of one caption go together.
    """
    text = scorer.text_vectors(
        embed([caption.text for caption in samples.captions]), [caption.attributes for caption in samples.captions]
    )
    names = [caption.text for caption in samples.captions]
    moved = _strangers(indexed(names))
    rows: dict[str, list[tuple[float, float, str]]] = {"own captions": [], "own and others' captions": []}
    for place, score in enumerate(samples.scores):
        for other in (place, int(moved[place])):
            rule = adherence.judge(score, samples.captions[other].attributes, complete=False).value
            if rule is not None:
                row = (float(samples.vectors[place] @ text[other]), rule, names[place])
                rows["own and others' captions"].append(row)
                if other == place:
                    rows["own captions"].append(row)
    found = {}
    for kind, cases in rows.items():
        cosines, rules, groups = zip(*cases, strict=True)
        found[kind] = correlation(np.array(cosines), np.array(rules), groups, seed)
    return found


def spearman(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Rank correlation, ties sharing their ranks; 0 where one side does not vary."""
    one, other = rankdata(first), rankdata(second)
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def correlation(
    first: NDArray[np.floating], second: NDArray[np.floating], groups: Sequence[str], seed: int
) -> Estimate:
    """The rank correlation of two columns [N], with the percentile interval over draws of whole groups [N]."""
    places = indexed(groups)
    values = []
    for row in draws(int(places.max()) + 1, seed, 300):
        rows = np.repeat(np.arange(len(places)), row[places])
        values.append(spearman(first[rows], second[rows]))
    low, high = np.quantile(values, (0.025, 0.975))
    return Estimate(value=spearman(first, second), low=float(low), high=float(high), n=len(places))


def _strangers(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each place one that is of another group, where there is one: half-way round the groups in order."""
    order = np.argsort(groups, kind="stable")
    moved = np.roll(order, len(order) // 2)
    out = np.empty_like(order)
    out[order] = moved
    return out
