"""Training data of the text reward: sound of windows of a corpus as spectrograms, and embedded captions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from motet.model.text import TextEncoder
from motet.model.tokenizer import Tokenizer
from motet.music.attributes import Attributes
from motet.music.error import CancelledError, InvalidInputError
from motet.music.score import Score
from motet.rewards.render import RenderConfig, Renderer
from motet.rewards.spectrum import Spectrum, SpectrumConfig
from motet.training.corpus import caption_writer
from motet.training.corpus.shard import Shard, StatedCaption, attributes_from_json, attributes_to_json

FONTS = (
    Path("/usr/share/sounds/sf3/FluidR3Mono_GM.sf3"),
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf2/default-GM.sf2"),
)
"""Where a second soundfont is looked for, besides the default one; the first that exists is used."""

_STEP = 250  # clips between two saves


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is rendered.

    Args:
        windows: training windows, each heard for one clip of the spectrum's length.
        held_out: windows of the corpus's test split, for the report, and as many of its validation split, for the
            calibration.
        captions: wordings of each window: those of the corpus, and newly written ones to fill up.
        seed: of the choice of windows, clips and wordings.
    """

    windows: int = 5000
    held_out: int = 300
    captions: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("windows", 16), ("held_out", 16), ("captions", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise InvalidInputError.of(f"text_audio.{name}", f"must be at least {low}", getattr(self, name))


@dataclass(frozen=True, kw_only=True, eq=False)
class Clips:
    """Rendered clips of one split: ``N`` clips, ``S`` soundfonts.

    ``mel`` [N, S, mels, F] and ``tone`` [N, S, tones, F'] are log power as float16; ``attributes`` and ``captions``
    are by clip.
    """

    mel: NDArray[np.float16]
    tone: NDArray[np.float16]
    attributes: list[Attributes]
    captions: list[list[StatedCaption]]

    def __len__(self) -> int:
        return len(self.attributes)


def soundfonts() -> list[Path | None]:
    """The default soundfont (None), and a second one if the machine has it."""
    return [None, *[font for font in FONTS if font.is_file()][:1]]


def prepare(
    corpus: Path,
    split: str,
    count: int,
    folder: Path,
    config: DataConfig,
    spectrum: SpectrumConfig,
    *,
    progress: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Clips:
    """Renders ``count`` windows of a split into ``folder/split``, or goes on where it was stopped.

    Raises NotFoundError without a corpus, InvalidInputError when it is too small or the folder holds other data, and
    CancelledError when ``cancelled``; what is rendered by then is kept.
    """
    shard = Shard.open(corpus, split)
    if len(shard) < count:
        raise InvalidInputError.of(f"text_audio.{split}", f"the corpus must hold at least {count} windows", len(shard))
    fonts = soundfonts()
    target = folder / split
    target.mkdir(parents=True, exist_ok=True)
    plan = {"count": count, "fonts": len(fonts), "config": asdict(config), "spectrum": asdict(spectrum)}
    state = target / "state.json"
    done = 0
    if state.is_file():
        before = json.loads(state.read_text("utf-8"))
        if before["plan"] != plan:
            raise InvalidInputError.of("out", "must be a new folder, or one made with the same settings", str(target))
        done = int(before["done"])
    mel_shape = (count, len(fonts), spectrum.mels, spectrum.mel_frames)
    tone_shape = (count, len(fonts), spectrum.tones, spectrum.tone_frames)
    mel = _open(target / "mel.npy", mel_shape)
    tone = _open(target / "tone.npy", tone_shape)
    chosen = np.sort(np.random.default_rng(config.seed).choice(len(shard), count, replace=False))
    if done < count:
        tokenizer = Tokenizer.load(corpus / "tokenizer")
        transform = Spectrum(spectrum)
        renderers = [Renderer(RenderConfig(rate_hz=spectrum.rate_hz, soundfont=font)) for font in fonts]
        while done < count:
            for place in range(done, min(done + _STEP, count)):
                if cancelled():
                    raise CancelledError("CANCELLED", f"cancelled after {done} of {count} clips; run again to go on")
                score = tokenizer.decode(shard.tokens(int(chosen[place])).tolist())
                audio = _clip(score, renderers, spectrum, np.random.default_rng([config.seed, place]))
                with torch.inference_mode():
                    mels, tones = transform(torch.from_numpy(audio))
                mel[place], tone[place] = mels.half().numpy(), tones.half().numpy()
            done = min(done + _STEP, count)
            mel.flush()
            tone.flush()
            state.write_text(json.dumps({"plan": plan, "done": done}), "utf-8")
            progress(f"{split}: {done:,} of {count:,} clips rendered with {len(fonts)} soundfonts")
        for renderer in renderers:
            renderer.close()
    attributes = [shard.attributes(int(index)) for index in chosen]
    captions = [_captions(shard, int(index), attributes[place], config) for place, index in enumerate(chosen)]
    return Clips(mel=mel, tone=tone, attributes=attributes, captions=captions)


def embed(captions: Sequence[str], encoder: TextEncoder, progress: Callable[[str], None]) -> NDArray[np.float32]:
    """Sentence embeddings [len(captions), 384], in batches of like length."""
    order = sorted(range(len(captions)), key=lambda place: (len(captions[place]), captions[place]))
    out = np.zeros((len(captions), encoder.width), np.float32)
    for start in range(0, len(order), 128):
        part = order[start : start + 128]
        out[part] = encoder.pooled([captions[place] for place in part]).numpy()
        if start // 128 % 20 == 19:
            progress(f"{start + len(part):,} of {len(captions):,} captions embedded")
    return out


def embed_once(
    captions: Sequence[str], encoder: TextEncoder, folder: Path, progress: Callable[[str], None]
) -> NDArray[np.float32]:
    """The embeddings of ``embed``, kept in ``folder`` under a name made from the captions."""
    digest = hashlib.sha256("\n".join(captions).encode()).hexdigest()[:12]
    path = folder / f"sentences-{digest}.npy"
    if path.is_file():
        return np.asarray(np.load(path, allow_pickle=False))
    vectors = embed(captions, encoder, progress)
    np.save(path, vectors, allow_pickle=False)
    return vectors


def without_length(attributes: Attributes) -> Attributes:
    """What can be heard in a clip: everything but the length of the whole."""
    row = attributes_to_json(attributes)
    return attributes_from_json({name: value for name, value in row.items() if name not in ("bars", "duration_s")})


def _captions(shard: Shard, index: int, attributes: Attributes, config: DataConfig) -> list[StatedCaption]:
    captions = list(shard.captions(index))[: config.captions]
    rng = np.random.default_rng([config.seed, index])
    audible = without_length(attributes)
    while len(captions) < config.captions:
        captions.append(caption_writer.write(audible, rng))
    return captions


def _clip(
    score: Score, renderers: Sequence[Renderer], spectrum: SpectrumConfig, rng: np.random.Generator
) -> NDArray[np.float32]:
    """One clip [S, samples] of a window, on the grid of clips from its start, where at least half of it sounds."""
    length = spectrum.window_s
    places = max(1, round(score.duration_s / length))
    start = length * int(rng.integers(places))
    audio = np.zeros((len(renderers), spectrum.samples), np.float32)
    for row, renderer in enumerate(renderers):
        sound = renderer.window(score, start, start + length, tail_s=0).mean(axis=1)[: spectrum.samples]
        audio[row, : len(sound)] = sound
    return audio


def _open(path: Path, shape: tuple[int, ...]) -> np.memmap[tuple[int, ...], np.dtype[np.float16]]:
    if path.is_file():
        return np.lib.format.open_memmap(path, "r+")
    return np.lib.format.open_memmap(path, "w+", np.float16, shape)
