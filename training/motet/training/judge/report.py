"""Does the judge know music and words: figures on held-out windows, with 95 % intervals over draws of whole songs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from motet.music.score import DRUMS, Score
from motet.rewards.calibration import Calibration
from motet.rewards.judge_towers import JudgeTowers
from motet.training import swap
from motet.training.facts import Facts
from motet.training.judge.course import floats
from motet.training.judge.data import UNSEEN, Readings
from motet.training.judge.exam import SEVERITIES, Exam
from motet.training.reward_bench.statistic import Estimate, draws, mean

_BATCH: Final = 256
_RETRIEVED: Final = 200
_SWAPPED: Final = 250
_MOVES: Final = (-5, -2, 3, 6)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure.

    Args:
        column: "alignment", "musicality" or "control".
        name: what is measured.
        share: of the cases in which the judge is right.
        control: the same where the judge should not know: the music of another window; None where there is none.
    """

    column: str
    name: str
    share: Estimate
    control: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """Figures of a judge on held-out windows.

    Args:
        rows: all that are shares of cases.
        transposition: greatest change of musicality, on its scale of 0 to 1, when the music is moved to another key.
        explained: share of the variance of musicality, among human windows, that length and number of notes explain.
    """

    rows: Sequence[Row]
    transposition: float
    explained: Mapping[str, float]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def table(self) -> str:
        """A Markdown table."""
        lines = ["| column | measure | share | 95 % interval | with other music | n |", "|---|---|---|---|---|---|"]
        for row in self.rows:
            share = row.share
            beside = "" if row.control is None else f"{row.control.value:.3f}"
            lines.append(
                f"| {row.column} | {row.name} | {share.value:.3f} | {share.low:.3f} to {share.high:.3f} | {beside} "
                f"| {share.n} |"
            )
        lines.append(f"| control | greatest change of musicality in another key | {self.transposition:.4f} | | | |")
        lines += [
            f"| control | variance of musicality explained by {name} (R²) | {value:.3f} | | | |"
            for name, value in self.explained.items()
        ]
        return "\n".join(lines)


def music_vectors(towers: JudgeTowers, readings: Readings) -> NDArray[np.float32]:
    """Unit vectors [N, width]."""
    out = [np.zeros((0, towers.config.width), np.float32)]
    with torch.inference_mode():
        for start in range(0, len(readings), _BATCH):
            part = readings.take(np.arange(start, min(start + _BATCH, len(readings))))
            out.append(towers.music_vectors(floats(part.manner), floats(part.content)).numpy())
    return np.concatenate(out)


def musicality(towers: JudgeTowers, readings: Readings) -> NDArray[np.float64]:
    """How musical, any real number: [N]."""
    out = [np.zeros(0)]
    with torch.inference_mode():
        for start in range(0, len(readings), _BATCH):
            part = readings.take(np.arange(start, min(start + _BATCH, len(readings))))
            out.append(towers.musical(floats(part.manner)).numpy().astype(np.float64))
    return np.concatenate(out)


def text_vectors(towers: JudgeTowers, texts: Sequence[str]) -> NDArray[np.float32]:
    """Unit vectors [len(texts), width]."""
    with torch.inference_mode():
        vectors: NDArray[np.float32] = towers.text_vectors(texts).numpy()
    return vectors


def calibrate(towers: JudgeTowers, held: Exam) -> tuple[Calibration, Calibration]:
    """Of alignment and of musicality, on windows that were not trained on.

    A caption of another window counts as mismatched when it says something false. Spoiled music is that of the kinds
    that are trained on, at all severities.
    """
    towers.eval()
    stated = [caption for captions in held.captions for caption in captions]
    owner = np.repeat(np.arange(len(held)), [len(captions) for captions in held.captions])
    cosines = music_vectors(towers, held.whole) @ text_vectors(towers, [one.text for one in stated]).T
    rows, columns = np.arange(len(held)), np.arange(len(stated))
    own = rows[:, None] == owner[None]
    false = ~Facts([one.stated for one in stated]).true_of(Facts(held.attributes), rows, columns)
    spoilt = [musicality(towers, part) for kind, parts in held.spoilt.items() if kind not in UNSEEN for part in parts]
    return (
        Calibration.of(cosines[own].astype(np.float64), cosines[false & ~own].astype(np.float64)),
        Calibration.of(musicality(towers, held.whole.take(held.musical)), np.concatenate(spoilt)),
    )


def measure(towers: JudgeTowers, scale: Calibration, held: Exam, *, seed: int) -> Report:
    """All figures.

    Args:
        towers: the judge's networks.
        scale: from its number of musicality to 0..1.
        held: from the test split.
        seed: of swaps, other music and bootstrap draws.
    """
    towers.eval()
    taken = draws(int(held.song.max()) + 1, seed)
    rows = [*_alignment(towers, held, taken, seed), *_musicality(towers, held, taken)]
    human = held.whole.take(held.musical)
    numbers = musicality(towers, human)
    moved = [
        [scale(float(one)) for one in musicality(towers, Readings.of([_moved(held.scores[row], by) for row in few]))]
        for few in [held.musical[:40]]
        for by in _MOVES
    ]
    before = np.array([scale(float(one)) for one in numbers[:40]])
    scores = [held.scores[row] for row in held.musical]
    counts = {
        "length in bars": [len(score.bar_ticks()) - 1 for score in scores],
        "number of notes": [len(score) for score in scores],
    }
    return Report(
        rows=rows,
        transposition=float(np.abs(np.array(moved) - before).max()) if moved else 0.0,
        explained={
            name: float(np.corrcoef(np.log(np.asarray(values, np.float64)), numbers)[0, 1] ** 2)
            for name, values in counts.items()
        },
    )


def _moved(score: Score, semitones: int) -> Score:
    """In another key; music that would leave the range of MIDI stays."""
    pitched = score.program != DRUMS
    pitch = np.where(pitched, score.pitch + semitones, score.pitch).astype(np.int16)
    return replace(score, pitch=pitch) if pitch.min() >= 0 and pitch.max() <= 127 else score


def _alignment(towers: JudgeTowers, held: Exam, taken: NDArray[np.int64], seed: int) -> list[Row]:
    music = music_vectors(towers, held.whole)
    own = text_vectors(towers, [captions[0].text for captions in held.captions])
    few = np.arange(min(_RETRIEVED, len(held)))
    cosines = music[few] @ own[few].T
    rank = (cosines > np.diag(cosines)[:, None]).sum(axis=1)
    rows = [
        Row(
            column="alignment",
            name=f"own caption among the first {most} of {len(few)}",
            share=mean((rank < most).astype(np.float64), held.song[few], taken),
        )
        for most in (1, 10)
    ]
    every: list[NDArray[np.float64]] = []
    for name in swap.SWAPS:
        pairs = swap.swaps(held.attributes[:_SWAPPED], name, seed)
        if len(pairs) < 2:
            continue
        at = np.array([pair.row for pair in pairs])
        lead = text_vectors(towers, [pair.true.text for pair in pairs]) - text_vectors(
            towers, [pair.false.text for pair in pairs]
        )
        right = (music[at] * lead).sum(axis=1) > 0
        wrong = (music[np.roll(at, max(1, len(at) // 2))] * lead).sum(axis=1) > 0
        rows.append(
            Row(
                column="alignment",
                name=f"swap: {name}",
                share=mean(right.astype(np.float64), held.song[at], taken),
                control=mean(wrong.astype(np.float64), held.song[at], taken),
            )
        )
        every.append(np.stack([right, wrong, held.song[at]]).astype(np.float64))
    right, wrong, song = np.concatenate(every, axis=1)
    rows.append(
        Row(
            column="alignment",
            name="swap: all",
            share=mean(right, song.astype(np.intp), taken),
            control=mean(wrong, song.astype(np.intp), taken),
        )
    )
    return rows


def _musicality(towers: JudgeTowers, held: Exam, taken: NDArray[np.int64]) -> list[Row]:
    human = musicality(towers, held.whole.take(held.musical))
    song = held.song[held.musical]
    won = {  # [kinds, severities, M]
        kind: np.stack([_above(human, musicality(towers, part)) for part in parts])
        for kind, parts in held.spoilt.items()
    }
    numbers = {
        kind: np.stack([human, *(musicality(towers, part) for part in parts)]) for kind, parts in held.spoilt.items()
    }
    rows = []
    for title, kinds in (
        ("kinds trained on", [kind for kind in won if kind not in UNSEEN]),
        ("kinds never trained on", [kind for kind in won if kind in UNSEEN]),
    ):
        for place, severity in enumerate(SEVERITIES):
            rows.append(
                _music(f"human above spoiled {severity:g}, {title}", [won[k][place] for k in kinds], song, taken)
            )
        falls = [
            _above(one, other) for kind in kinds for one, other in zip(numbers[kind], numbers[kind][1:], strict=False)
        ]
        rows.append(_music(f"each step of severity lower, {title}", falls, song, taken))
    rows += [
        _music(f"human above spoiled, all severities: {kind}{' *' if kind in UNSEEN else ''}", list(parts), song, taken)
        for kind, parts in won.items()
    ]
    if len(held.sampled):
        rows += _against_samples(towers, held, taken)
    return rows


def _against_samples(towers: JudgeTowers, held: Exam, taken: NDArray[np.int64]) -> list[Row]:
    at = held.sampled
    theirs = musicality(towers, Readings.of(held.samples))
    mine = musicality(towers, held.whole.take(at))
    song = held.song[at]
    notes = np.array([len(score) for score in held.samples]), np.array([len(held.scores[row]) for row in at])
    across = np.mean((mine[:, None] > theirs[None]) + 0.5 * (mine[:, None] == theirs[None]), axis=1)
    return [
        Row(
            column="musicality",
            name="human above a model's sample of its caption",
            share=mean(_above(mine, theirs), song, taken),
        ),
        Row(column="musicality", name="human above any sample (area under the curve)", share=mean(across, song, taken)),
        Row(column="control", name="fewer notes: human or sample", share=mean(_above(notes[0], notes[1]), song, taken)),
    ]


def _music(name: str, parts: Sequence[NDArray[np.float64]], song: NDArray[np.intp], taken: NDArray[np.int64]) -> Row:
    share = mean(np.concatenate(parts), np.tile(song, len(parts)), taken)
    return Row(column="musicality", name=name, share=share)


def _above(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray((one > other) + 0.5 * (one == other))
