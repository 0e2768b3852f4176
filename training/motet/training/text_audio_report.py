"""Does the text reward hear what it says: retrieval and attribute swaps on held-out windows, and its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from motet.model.text import TextEncoder
from motet.rewards.text import Calibration
from motet.rewards.towers import Towers
from motet.training import swap
from motet.training.share import Share
from motet.training.text_audio import Facts
from motet.training.text_audio_data import Clips, embed, soundfonts


@dataclass(frozen=True, kw_only=True)
class Report:
    """Figures of a text reward on held-out windows.

    Args:
        retrieval: for each soundfont, R@1 and R@10: a window finds its own caption among those of all windows.
        swaps: for each attribute, the window is nearer to a caption that is true than to one with a false attribute.
        controls: the same with the sound of another window: what the words alone give away. Near one half, and not
            exactly, as attributes differ in how common they are.
        soundfonts: rank correlation of the cosines of one window and caption under two soundfonts; None with one font.
    """

    retrieval: Mapping[str, Mapping[str, Share]]
    swaps: Mapping[str, Share]
    controls: Mapping[str, Share]
    soundfonts: float | None

    @property
    def control(self) -> Share:
        """All controls together."""
        return Share(
            hits=sum(one.hits for one in self.controls.values()), n=sum(one.n for one in self.controls.values())
        )

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "retrieval": {
                font: {name: share.record() for name, share in row.items()} for font, row in self.retrieval.items()
            },
            "swaps": {name: share.record() for name, share in self.swaps.items()},
            "swap_controls": {name: share.record() for name, share in self.controls.items()},
            "swap_control": self.control.record(),
            "soundfont_rank_correlation": self.soundfonts,
        }

    def table(self) -> str:
        """A Markdown table."""
        lines = ["| measure | value | 95 % interval | with the sound of another window | n |", "|---|---|---|---|---|"]
        for font, row in self.retrieval.items():
            lines += [_row(f"{name}, {font} soundfont", share, None) for name, share in row.items()]
        for name, share in self.swaps.items():
            lines.append(_row(f"swap of {name}", share, self.controls[name]))
        everything = Share(hits=sum(one.hits for one in self.swaps.values()), n=self.control.n)
        lines.append(_row("all swaps", everything, self.control))
        if self.soundfonts is not None:
            lines.append(f"| rank correlation of cosines under two soundfonts | {self.soundfonts:.3f} | | | |")
        return "\n".join(lines)


def _row(name: str, share: Share, control: Share | None) -> str:
    low, high = share.interval
    beside = "" if control is None else f"{control.value:.3f}"
    return f"| {name} | {share.value:.3f} | {low:.3f} to {high:.3f} | {beside} | {share.n} |"


def audio_vectors(towers: Towers, clips: Clips, font: int) -> NDArray[np.float32]:
    """Unit vectors [N, width] of all clips as played with one soundfont."""
    out = []
    with torch.inference_mode():
        for start in range(0, len(clips), 64):
            mel, tone = (
                torch.from_numpy(part[start : start + 64, font].astype(np.float32)) for part in (clips.mel, clips.tone)
            )
            out.append(towers.audio_vectors(mel, tone).numpy())
    return np.concatenate(out)


def text_vectors(
    towers: Towers, captions: Sequence[str], encoder: TextEncoder, progress: Callable[[str], None]
) -> NDArray[np.float32]:
    """Unit vectors [len(captions), width]."""
    with torch.inference_mode():
        vectors: NDArray[np.float32] = towers.text_vectors(torch.from_numpy(embed(captions, encoder, progress))).numpy()
    return vectors


def calibrate(towers: Towers, clips: Clips, encoder: TextEncoder, progress: Callable[[str], None]) -> Calibration:
    """The calibration on windows that were not trained on, with the default soundfont.

    A caption of another window counts as mismatched when it says something false.
    """
    towers.eval()
    stated = [caption for captions in clips.captions for caption in captions]
    wordings = len(clips.captions[0])
    cosines = audio_vectors(towers, clips, 0) @ text_vectors(towers, [one.text for one in stated], encoder, progress).T
    rows, columns = np.arange(len(clips)), np.arange(len(stated))
    own = rows[:, None] == columns[None] // wordings
    false = ~Facts([one.stated for one in stated]).true_of(Facts(clips.attributes), rows, columns)
    return Calibration.of(cosines[own].astype(np.float64), cosines[false & ~own].astype(np.float64))


def measure(
    towers: Towers, clips: Clips, encoder: TextEncoder, *, seed: int, progress: Callable[[str], None]
) -> Report:
    """Measures on held-out windows: the first 200 for retrieval, all of them for swaps."""
    towers.eval()
    fonts = ["default", "second"][: clips.mel.shape[1]]
    heard = [audio_vectors(towers, clips, font) for font in range(len(fonts))]
    few = slice(0, min(200, len(clips)))
    own = text_vectors(towers, [captions[0].text for captions in clips.captions], encoder, progress)
    retrieval: dict[str, dict[str, Share]] = {}
    for font, vectors in zip(fonts, heard, strict=True):
        cosines = vectors[few] @ own[few].T
        rank = (cosines > np.diag(cosines)[:, None]).sum(axis=1)
        retrieval[font] = {
            f"R@{most} of {len(rank)}": Share(hits=int((rank < most).sum()), n=len(rank)) for most in (1, 10)
        }
    correlation = None
    if len(heard) > 1:
        first, second = (np.argsort(np.argsort((vectors * own).sum(axis=1))) for vectors in heard[:2])
        correlation = float(np.corrcoef(first, second)[0, 1])
    swaps: dict[str, Share] = {}
    controls: dict[str, Share] = {}
    for name in swap.SWAPS:
        pairs = swap.swaps(clips.attributes, name, seed)
        if not pairs:
            continue
        rows = np.array([pair.row for pair in pairs])
        texts = text_vectors(
            towers, [pair.true.text for pair in pairs] + [pair.false.text for pair in pairs], encoder, progress
        )
        lead = texts[: len(rows)] - texts[len(rows) :]
        right = (heard[0][rows] * lead).sum(axis=1) > 0
        moved = np.roll(rows, max(1, len(rows) // 2))
        wrong = (heard[0][moved] * lead).sum(axis=1) > 0
        swaps[name] = Share(hits=int(right.sum()), n=len(rows))
        controls[name] = Share(hits=int(wrong.sum()), n=len(rows))
    return Report(retrieval=retrieval, swaps=swaps, controls=controls, soundfonts=correlation)


def card(report: Report, facts: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]) -> str:
    """README.md of a trained scorer: what it is, how it was made, the figures and the command that prints them.

    Args:
        report: on held-out windows.
        facts: name -> what to say of the making.
        sources: rows of the corpus's sources.json.
    """
    made = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    music = "\n".join(f"- {row['source']} ({row['licence']}): {row['repository']}" for row in sources)
    return f"""# Text reward

A dual encoder that scores how well eight seconds of rendered sound fit a caption: a small CNN over a mel and a
semitone spectrogram, and a perceptron over frozen all-MiniLM-L6-v2 sentence embeddings, trained with symmetric
InfoNCE. `motet.rewards.text_audio` maps the cosine to 0..1 by quantiles of held-out matched and mismatched pairs.

{made}

## Held-out figures

Printed by `motet eval text-audio CORPUS_DIR`, on windows of the test split, whose pieces were not trained on. In a
swap, the window must be nearer to a true caption than to the same caption with one attribute made false.

{report.table()}

A swap below about 0.70 means that the scorer hardly judges that attribute; `motet.rewards.adherence` judges tempo, key,
meter, instruments and drums from the notes. Weights: CC BY-SA 4.0, for the sake of the share-alike sources among the
training music:

{music}
"""


def facts(config: Any, data: Any, spectrum: Any, losses: Sequence[float], parameters: int) -> dict[str, Any]:
    """What the card says about the making."""
    return {
        "parameters": f"{parameters:,}",
        "training": ", ".join(f"{name} {value}" for name, value in asdict(config).items()),
        "data": ", ".join(f"{name} {value}" for name, value in asdict(data).items()),
        "spectrum": ", ".join(f"{name} {value}" for name, value in asdict(spectrum).items()),
        "soundfonts": ", ".join("TimGM6mb.sf2" if font is None else font.name for font in soundfonts()),
        "loss of the last epoch": f"{losses[-1]:.3f}" if losses else "not trained",
    }
