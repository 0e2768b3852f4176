"""Does the text reward hear what it says: the five proofs on held-out music, and its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from motet.training.reward_bench.statistic import Estimate
from motet.training.text_audio.proof import GATE, TESTS, Swapped

_MOST_EXPLAINED = 0.1
_LEAST_FONT = 0.8
_LEAST_TRANSFER = 0.3


@dataclass(frozen=True, kw_only=True)
class Report:
    """Figures of a text reward on pieces that it was not trained on.

    Args:
        claims: the attributes that it claims to hear.
        swaps: by kind: is a piece nearer to the true of two captions that differ in one attribute?
        retrieval: soundfont -> R@1, R@5, R@10 and median rank among the captions of all pieces of other songs.
        corruption: mean rank correlation within a piece with the number of attributes that its caption has right.
        explained: R² of its cosines by length, loudness and number of notes.
        fonts: soundfont -> rank correlation of the cosines with those under the default one.
        repeats: whether new scorers and renderers gave the same number again, for every piece tried.
        transfer: rank correlation with the rule checker on music that a model wrote; empty when none was sampled.
    """

    claims: tuple[str, ...]
    swaps: Mapping[str, Swapped]
    retrieval: Mapping[str, Mapping[str, Estimate]]
    corruption: Estimate
    explained: Mapping[str, float]
    fonts: Mapping[str, Estimate]
    repeats: bool
    transfer: Mapping[str, Estimate]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def table(self) -> str:
        """The five proofs in Markdown."""
        swaps = [_row(name, one.right, one.control, passed=one.passed) for name, one in self.swaps.items()]
        retrieval = [
            _row(f"{name}, {font}", estimate) for font, row in self.retrieval.items() for name, estimate in row.items()
        ]
        fonts = [
            _row(f"rank correlation, {font} with default", one, passed=one.value >= _LEAST_FONT)
            for font, one in self.fonts.items()
        ]
        explained = [
            f"| R² of the cosine by {name} | {value:.3f} | | | {_mark(value < _MOST_EXPLAINED)} |"
            for name, value in self.explained.items()
        ]
        transfer = [
            _row(f"rank correlation, {name}", one, passed=one.value >= _LEAST_TRANSFER)
            for name, one in self.transfer.items()
        ] or ["| not sampled | | | | |"]
        repeats = "identical" if self.repeats else "different"
        return "\n".join(
            [
                _head("1. Swaps of one attribute", "with the sound of another song"),
                *swaps,
                "",
                _head("2. Retrieval", ""),
                *retrieval,
                "",
                _head("3. Corruption of 0 to 5 attributes", ""),
                _row("mean rank correlation within a piece", self.corruption),
                "",
                _head("4. Controls", ""),
                *explained,
                *fonts,
                f"| the same piece twice | {repeats} | | | {_mark(self.repeats)} |",
                "",
                _head("5. Music of a model, with the rule checker", ""),
                *transfer,
            ]
        )


def _head(title: str, control: str) -> str:
    return f"| {title} | value | 95 % interval | {control} | n |\n|---|---|---|---|---|"


def _mark(passed: bool | None) -> str:
    return "" if passed is None else "passes" if passed else "fails"


def _row(name: str, estimate: Estimate, control: Estimate | None = None, *, passed: bool | None = None) -> str:
    beside = "" if control is None else f"{control.value:.3f}"
    verdict = f"{estimate.n} {_mark(passed)}".strip()
    return f"| {name} | {estimate.value:.3f} | {estimate.low:.3f} to {estimate.high:.3f} | {beside} | {verdict} |"


def card(report: Report, facts: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]) -> str:
    """README.md of a trained scorer: what it is, how it was made, the figures and the command that prints them.

    Args:
        report: on the test split.
        facts: name -> what to say of the making.
        sources: rows of the corpus's sources.json.
    """
    made = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    music = "\n".join(f"- {row['source']} ({row['licence']}): {row['repository']}" for row in sources)
    unclaimed = [name for name in TESTS if name not in report.claims]
    left = (
        f"It does not claim {_listed(unclaimed)}: what a caption states of that is not read as a statement, and "
        "`motet.rewards.adherence` alone judges it."
        if unclaimed
        else "No attribute had to be left out."
    )
    return f"""# Text reward

A dual encoder that scores how well eight seconds of rendered sound fit a caption. The audio tower is a small CNN over a
mel spectrogram and one by semitones, with a branch for the key (pitch classes) and one for the beat (autocorrelations);
the text tower a perceptron over a frozen all-MiniLM-L6-v2 sentence embedding and what the parser reads in the caption
(`motet.rewards.statement`). Trained with symmetric InfoNCE, captions with one attribute made false among the rivals.
`motet.rewards.text_audio` maps the cosine to 0..1 by quantiles of held-out matched and mismatched pairs.

{made}

It claims to hear: {_listed(report.claims) or "nothing"}. An attribute is claimed when its swaps, near ones apart, are
right in {GATE[0]:.2f} of the cases or more, with a lower bound above {GATE[1]:.2f}, on the validation split. {left}

## Held-out figures

Printed by `motet eval text-audio CORPUS_DIR` (`--soundfont FILE` for each further one), on the test split, whose songs
were not trained on; a piece is heard whole, as by the reward. Intervals are over draws of whole songs. In a swap, a
piece must be nearer to a true caption than to the same caption with one attribute made false. In retrieval, the
captions of all pieces of other songs are rivals, those that happen to be true of it among them. Only TimGM6mb
("default") and the soundfont named above were trained with; others that are measured may share recordings with them.

{report.table()}

Weights: CC BY-SA 4.0, for the sake of the share-alike sources among the training music:

{music}
"""


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
