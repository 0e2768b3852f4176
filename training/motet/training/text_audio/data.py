"""What the text reward is trained and measured on: windows of a corpus and music of a model, as sound and as words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.model.checkpoint import Checkpoint
from motet.model.controls import Controls
from motet.model.decoder import Decoder, Prompt
from motet.model.text import TextEncoder
from motet.model.tokenizer import Tokenizer
from motet.music import midi
from motet.music.attributes import Attributes
from motet.music.caption import Caption, parse
from motet.music.describe import describe
from motet.music.error import InvalidInputError, NotFoundError
from motet.music.score import Score
from motet.rewards.spectrum import SpectrumConfig
from motet.training import half
from motet.training.control import sample
from motet.training.corpus import catalogue
from motet.training.corpus.shard import Shard
from motet.training.text_audio.clips import Clips, Font, render
from motet.training.text_audio.wording import Wording, embedded_once, word

SOUNDFONTS: Final = (
    Path("/usr/share/sounds/sf3/FluidR3Mono_GM.sf3"),
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
)
"""Where a second soundfont for training is looked for, besides the default one; the first that exists is used."""

UNSEEN_SOUNDFONTS: Final = (
    Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3"),
    Path("/usr/share/sounds/sf2/sf_GMbank.sf2"),
)
"""Soundfonts that are never trained on: those that exist are measured with."""

_SAMPLED: Final = "samples.jsonl"
_BATCH: Final = 50  # samples between two saves
_SAMPLE_BARS: Final = 8


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is rendered and worded.

    Args:
        windows: training windows of the rewards' half of the songs, spread over as many songs as there are.
        samples: pieces that the shipped model writes for captions of that half, under captions that describe them.
        true, false: captions of each piece that are true, and that have one attribute made false.
        wrong: sets of attributes of each piece with one made false.
        seed: of the choice of windows, clips and wordings, and of the samples.
    """

    windows: int = 10_000
    samples: int = 2000
    true: int = 4
    false: int = 2
    wrong: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("windows", 16), ("samples", 0), ("true", 1), ("false", 1), ("wrong", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise InvalidInputError.of(f"text_audio.{name}", f"must be at least {low}", getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where and how the work is done.

    Args:
        folder: for clips, samples and embeddings, which a later call finds again.
        processes: that render at a time.
        progress: takes lines of news.
        cancelled: asked between steps; then CancelledError is raised.
    """

    folder: Path
    processes: int
    progress: Callable[[str], None]
    cancelled: Callable[[], bool]

    def render(
        self,
        name: str,
        scores: Sequence[Callable[[], Score]],
        spectrum: SpectrumConfig,
        fonts: Sequence[Font],
        *,
        every: bool,
        seed: int,
    ) -> Clips:
        """See ``motet.training.text_audio.clips.render``."""
        return render(
            scores,
            self.folder / "clips" / name,
            spectrum,
            fonts,
            every=every,
            seed=seed,
            processes=self.processes,
            progress=self.progress,
            cancelled=self.cancelled,
        )


def soundfonts() -> list[Font]:
    """The soundfonts of training: the default one, and a second one if the machine has it."""
    return ["default", *[font for font in SOUNDFONTS if font.is_file()][:1]]


def training_data(
    corpus: Path, config: DataConfig, spectrum: SpectrumConfig, encoder: TextEncoder, machine: Machine
) -> tuple[Clips, Wording]:
    """Clips and words to train on: windows of the rewards' half of the songs, then music of the model."""
    shard = Shard.open(corpus, "train")
    chosen = spread(corpus, shard, half.windows(corpus, "train", "reward"), config.windows, config.seed)
    tokenizer = Tokenizer.load(corpus / "tokenizer")
    scores = [partial(_decoded, tokenizer, shard, int(window)) for window in chosen]
    clips = machine.render("train", scores, spectrum, soundfonts(), every=False, seed=config.seed)
    wording = word(
        [shard.attributes(int(window)) for window in chosen],
        [shard.captions(int(window)) for window in chosen],
        partial(embedded_once, encoder=encoder, folder=machine.folder / "sentences", progress=machine.progress),
        true=config.true,
        false=config.false,
        wrong=config.wrong,
        seed=config.seed,
    )
    if not config.samples:
        return clips, wording
    asked = chosen[np.linspace(0, len(chosen) - 1, config.samples).astype(int)]
    samples = sampled(shard, asked, encoder, machine, "train", seed=config.seed)
    more = machine.render(
        "samples-train",
        [partial(_given, score) for score, _ in samples],
        spectrum,
        soundfonts(),
        every=False,
        seed=config.seed,
    )
    hindsight = word(
        [describe(score) for score, _ in samples],
        [()] * len(samples),
        partial(embedded_once, encoder=encoder, folder=machine.folder / "sentences", progress=machine.progress),
        true=config.true,
        false=config.false,
        wrong=config.wrong,
        seed=config.seed + 1,
    )
    return clips.joined(more, len(wording)), wording.joined(hindsight)


def spread(corpus: Path, shard: Shard, windows: NDArray[np.intp], count: int, seed: int) -> NDArray[np.intp]:
    """``count`` of ``windows`` in random order: first one of every song, then a second one of every song, and so on.

    Raises InvalidInputError when there are fewer.
    """
    if len(windows) < count:
        raise InvalidInputError.of("text_audio.windows", f"must be at most the {len(windows)} of the corpus", count)
    songs = {entry.id: entry.song for entry in catalogue.read(corpus)}
    rng = np.random.default_rng(seed)
    order = rng.permutation(windows)
    seen: dict[str, int] = {}
    turns = []
    for window in order:
        song = songs[shard.meta(int(window)).piece]
        turns.append(seen.get(song, 0))
        seen[song] = turns[-1] + 1
    chosen: NDArray[np.intp] = rng.permutation(order[np.argsort(turns, kind="stable")[:count]])
    return chosen


def sampled(
    shard: Shard, windows: NDArray[np.intp], encoder: TextEncoder, machine: Machine, name: str, *, seed: int
) -> list[tuple[Score, Caption]]:
    """What the shipped model writes for the captions of windows, in at most 8 bars, kept as MIDI for a later call.

    Every other time for the words alone: what they state is then no hard constraint, and mistakes happen.
    """
    folder = machine.folder / "samples" / name
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / _SAMPLED
    rows = [json.loads(line) for line in note.read_text("utf-8").splitlines()] if note.is_file() else []
    if [row["window"] for row in rows] != windows[: len(rows)].tolist():
        raise InvalidInputError.of("out", "must be a new folder, or one made with the same settings", str(folder))
    if len(rows) < len(windows):
        decoder = Decoder(Checkpoint.load(), encoder)
        for start in range(len(rows), len(windows), _BATCH):
            part = windows[start : start + _BATCH]
            prompts = [
                Prompt(
                    caption.text,
                    Controls.of(
                        Attributes() if place % 2 else caption.attributes,
                        bars=min(_SAMPLE_BARS, shard.meta(int(window)).bars),
                    ),
                )
                for place, window in enumerate(part, start)
                for caption in [parse(shard.captions(int(window))[0].text)]
            ]
            scores = sample(decoder, prompts, seed=seed + start)
            with note.open("a", encoding="utf-8") as lines:
                for window, prompt, score in zip(part.tolist(), prompts, scores, strict=True):
                    (folder / f"{window}.mid").write_bytes(midi.write(score))
                    row = {"window": window, "caption": prompt.caption, "midi": f"{window}.mid"}
                    lines.write(json.dumps(row, ensure_ascii=False) + "\n")
                    rows.append(row)
            machine.progress(f"{len(rows)} of {len(windows)} pieces sampled")
    return [(midi.read(folder / row["midi"]), parse(row["caption"])) for row in rows]


def songs_of(corpus: Path, shard: Shard) -> list[str]:
    """The song of each window of a shard. Raises NotFoundError without the catalogue."""
    songs = {entry.id: entry.song for entry in catalogue.read(corpus)}
    if not songs:
        path = corpus / catalogue.FILE
        raise NotFoundError("CATALOGUE_NOT_FOUND", f"corpus: no file {path}; build it anew", {"path": str(path)})
    return [songs[shard.meta(window).piece] for window in range(len(shard))]


def windows_of(corpus: Path, shard: Shard, count: int) -> tuple[NDArray[np.intp], list[Callable[[], Score]]]:
    """At most ``count`` windows of a held-out split, spread over its songs, and their scores."""
    whole = np.array([window for window in range(len(shard)) if not shard.meta(window).infill], np.intp)
    windows = np.sort(spread(corpus, shard, whole, min(count, len(whole)), 0))
    tokenizer = Tokenizer.load(corpus / "tokenizer")
    return windows, [partial(_decoded, tokenizer, shard, int(window)) for window in windows]


def facts(config: object, data: DataConfig, spectrum: SpectrumConfig) -> Mapping[str, str]:
    """What a card says about the making."""
    return {
        "training": _plain(asdict(config)),  # type: ignore[call-overload]
        "data": _plain(asdict(data)) + '; the half "reward" of the training songs (`motet.training.half`)',
        "spectrum": _plain(asdict(spectrum)),
        "soundfonts": ", ".join("TimGM6mb.sf2" if isinstance(font, str) else font.name for font in soundfonts()),
    }


def _plain(row: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _decoded(tokenizer: Tokenizer, shard: Shard, window: int) -> Score:
    return tokenizer.decode(shard.tokens(window).tolist())


def _given(score: Score) -> Score:
    return score
