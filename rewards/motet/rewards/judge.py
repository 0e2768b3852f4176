"""The judge: an independent opinion of how well music fits a caption and how musical it is, for reports and stopping.

Search and training never see it. It shares no training song, seed, input or text encoder with the rewards: it reads
notes and never hears sound, knows words by hashes of its own, and learned from the other half of the songs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from motet.music.error import InvalidInputError, UnavailableError
from motet.music.score import DRUMS, Score
from motet.rewards.calibration import Calibration
from motet.rewards.judge_reading import CONTENT, MANNER, read
from motet.rewards.judge_towers import JudgeConfig, JudgeTowers

WEIGHTS: Final = "judge.safetensors"
CONFIG: Final = "config.json"
NO_OPINION: Final = 0.5
"""The musicality of drums alone: the judge learned from pitched music."""
_FORMAT: Final = 1


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the judge says of a score, each 0 to 1.

    Args:
        alignment: how well it fits the caption; about 0.3 for the caption of other music, 0.7 for a fitting one.
        musicality: how much it goes like human music; about 0.3 for spoiled music, 0.7 for human.
    """

    alignment: float
    musicality: float

    @property
    def total(self) -> float:
        """The mean of both."""
        return (self.alignment + self.musicality) / 2

    def record(self) -> dict[str, float]:
        """By name: "alignment", "musicality" and "total"."""
        return {"alignment": self.alignment, "musicality": self.musicality, "total": self.total}


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """The judge's raw numbers: a cosine, and a number without bounds that rises with musicality."""

    cosine: float
    musicality: float


class Judge:
    """Judges scores; deterministic, and safe to share between threads.

    Args:
        towers: the networks; switched to evaluation.
        alignment: where cosines of held-out windows and captions lie, of their own and of others.
        musicality: where the numbers of held-out human windows lie, and of spoiled ones.
    """

    def __init__(self, towers: JudgeTowers, alignment: Calibration, musicality: Calibration) -> None:
        self.towers = towers.eval().requires_grad_(False)
        self.alignment = alignment
        self.musicality = musicality

    @classmethod
    def load(cls, folder: Path | None = None) -> Judge:
        """Loads safetensors and JSON from ``folder``, or the judge shipped with the package.

        Raises UnavailableError when a file is missing and InvalidInputError when one is damaged.
        """
        folder = folder or Path(__file__).parent / "weights" / "judge"
        for name in (CONFIG, WEIGHTS):
            if not (folder / name).is_file():
                message = f"judge: no file {folder / name}; `motet train judge` makes it"
                raise UnavailableError("JUDGE_MISSING", message, {"path": str(folder / name)})
        try:
            document: Mapping[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
            expected = {"format": _FORMAT, "reading": [MANNER, CONTENT]}
            if {name: document[name] for name in expected} != expected:
                raise InvalidInputError.of("judge.format", f"must be {_FORMAT}, of readings like ours", document)
            towers = JudgeTowers(JudgeConfig(**document["towers"]))
            weights = load_file(folder / WEIGHTS)
            towers.load_state_dict({name: value.float() for name, value in weights.items()})
            alignment, musicality = (
                Calibration(**{name: tuple(row) for name, row in document[which].items()})
                for which in ("alignment", "musicality")
            )
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, OSError, SafetensorError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InvalidInputError.of("judge", f"{folder} holds no judge", first) from error
        return cls(towers, alignment, musicality)

    def save(self, folder: Path) -> None:
        """Writes weights, at half precision, and configuration into ``folder``, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.half().contiguous() for name, value in self.towers.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        (folder / WEIGHTS).chmod(0o644)  # safetensors writes for the owner alone
        document = {
            "format": _FORMAT,
            "reading": [MANNER, CONTENT],
            "towers": asdict(self.towers.config),
            "alignment": asdict(self.alignment),
            "musicality": asdict(self.musicality),
        }
        (folder / CONFIG).write_text(json.dumps(document, indent=1) + "\n", "utf-8")

    def judge(self, scores: Sequence[Score], caption: str) -> list[Verdict]:
        """A verdict on each score; it depends on that score and the caption alone.

        Args:
            scores: any; one without notes has 0 and 0, drums alone a musicality of 0.5, whatever they play; one of more
                than 16 bars is judged in parts.
            caption: any text.
        """
        return [
            self._verdict(score, opinion) for score, opinion in zip(scores, self.opinions(scores, caption), strict=True)
        ]

    def _verdict(self, score: Score, opinion: Opinion | None) -> Verdict:
        if opinion is None:
            return Verdict(alignment=0.0, musicality=0.0)
        drums_alone = bool(np.all(score.program == DRUMS))
        return Verdict(
            alignment=self.alignment(opinion.cosine),
            musicality=NO_OPINION if drums_alone else self.musicality(opinion.musicality),
        )

    def opinions(self, scores: Sequence[Score], caption: str) -> list[Opinion | None]:
        """The numbers behind the verdicts; None for a score without notes."""
        with torch.inference_mode():
            text = self.towers.text_vectors([caption])[0]
            return [self._opinion(score, text) for score in scores]

    def _opinion(self, score: Score, text: Tensor) -> Opinion | None:
        readings = read(score)
        if not readings:
            return None
        manner = torch.from_numpy(np.stack([reading.manner for reading in readings]))
        content = torch.from_numpy(np.stack([reading.content for reading in readings]))
        share = torch.tensor([float(reading.bars) for reading in readings])
        share /= share.sum()
        cosines = self.towers.music_vectors(manner, content) @ text
        numbers = self.towers.musical(manner)
        return Opinion(cosine=float(cosines @ share), musicality=float(numbers @ share))
