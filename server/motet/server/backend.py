"""What the server offers, with no word of gRPC: a searcher, a reward, and a synthesizer for listening."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from motet.music import caption as captions
from motet.music import midi
from motet.music.error import InvalidInputError, NotFoundError
from motet.rewards.composite import Breakdown, Composite, Weights
from motet.rewards.render import RenderConfig, Renderer, wav
from motet.search import strategy
from motet.search.contract import OnProgress, Reward
from motet.search.run import Searcher, SearchRequest, SearchResult

LISTENING_RATE_HZ = 44_100
_RENDERERS_KEPT = 4
_WARM_UP_CAPTION = "A short piano piece in C major"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A WAV file and what is in it: ``samples`` of each channel at ``rate_hz``."""

    wav: bytes
    rate_hz: int
    channels: int
    samples: int


class Backend:
    """One model and one reward, ready to work. ``search`` and ``score`` belong to one thread, ``render`` to another.

    Args:
        searcher: searches with the model and the reward.
        reward: judges files.
        model: its name.
        model_version: of its weights.
        reward_version: of the reward.
        max_midi_bytes: of a file to judge or play.
        open_renderer: makes a synthesizer; fakes in tests.
    """

    def __init__(
        self,
        *,
        searcher: Searcher,
        reward: Reward,
        model: str,
        model_version: str,
        reward_version: str,
        max_midi_bytes: int,
        open_renderer: Callable[[RenderConfig], Renderer] = Renderer,
    ) -> None:
        self._searcher = searcher
        self._reward = reward
        self.model = model
        self.model_version = model_version
        self.reward_version = reward_version
        self._limits = midi.Limits(max_bytes=max_midi_bytes)
        # A synthesizer holds the soundfont; the few rates that people ask for stay loaded.
        self._renderer = lru_cache(maxsize=_RENDERERS_KEPT)(open_renderer)

    @property
    def strategies(self) -> tuple[str, ...]:
        """Names of the installed search strategies."""
        return strategy.names()

    def check_model(self, name: str) -> None:
        """Raises NotFoundError unless ``name`` is empty, the model's name, or ``name@version``."""
        known = (self.model, f"{self.model}@{self.model_version}")
        if name and name not in known:
            shown = name if len(name) <= 80 else f"{name[:60]}… ({len(name)} characters)"
            raise NotFoundError(
                "MODEL_NOT_FOUND",
                f"model: must be one of {', '.join(known)} (received {shown!r})",
                {"field": "model", "rule": f"must be one of {', '.join(known)}", "received": repr(shown)},
            )

    def search(self, request: SearchRequest, *, on_progress: OnProgress, cancelled: Callable[[], bool]) -> SearchResult:
        """Runs one search; see ``motet.search.run.Searcher.run``."""
        return self._searcher.run(request, on_progress=on_progress, cancelled=cancelled)

    def score(self, file: bytes, caption: str, weights: Weights) -> Breakdown:
        """Judges a MIDI file against a caption; InvalidInputError names what is wrong with either."""
        parsed = captions.parse(caption)
        score = midi.read(file, limits=self._limits)
        if not len(score):
            raise InvalidInputError.of("midi", "must hold at least one note", f"{len(file)} bytes without notes")
        return self._reward.score([score], parsed, weights, complete=True)[0]

    def render(
        self, file: bytes, *, start_s: float | None, end_s: float | None, rate_hz: int, effects: bool
    ) -> Rendering:
        """Plays a MIDI file, or the part from ``start_s`` to ``end_s``, into a WAV file."""
        config = RenderConfig(rate_hz=rate_hz, effects=effects)
        score = midi.read(file, limits=self._limits)
        if start_s is None and end_s is None:
            audio = self._renderer(config).render(score)
        else:
            end = score.duration_s if end_s is None else min(end_s, score.duration_s)
            start = 0.0 if start_s is None else start_s
            if not 0 <= start < end:
                rule = f"must satisfy 0 <= start < end within the {score.duration_s:.2f} seconds of the piece"
                raise InvalidInputError.of("start_seconds, end_seconds", rule, (start_s, end_s))
            audio = self._renderer(config).window(score, start, end)
        channels = 1 if audio.ndim == 1 else audio.shape[1]
        return Rendering(wav=wav(audio, rate_hz), rate_hz=rate_hz, channels=channels, samples=len(audio))

    def warm_up(self) -> None:
        """Does everything once in small, so that the first request compiles and loads nothing any more."""
        request = SearchRequest(caption=_WARM_UP_CAPTION, seed=0, candidates=2, bars=2, mutations=1)
        self.search(request, on_progress=lambda progress: None, cancelled=lambda: False)
        self._renderer(RenderConfig(rate_hz=LISTENING_RATE_HZ, effects=True))


def load(model_folder: Path | None, *, threads: int | None, max_midi_bytes: int) -> Backend:
    """Loads a checkpoint folder (None: the shipped default) and the default reward.

    Raises NotFoundError or UnavailableError when a part is missing, InvalidInputError when a file is broken.
    """
    import torch

    from motet.model.checkpoint import Checkpoint
    from motet.model.decoder import Decoder
    from motet.model.text import TextEncoder

    if threads is not None:
        torch.set_num_threads(threads)
    text = TextEncoder.load()
    checkpoint = Checkpoint.load(model_folder)
    reward = Composite.default(lambda captions: text.pooled(captions).numpy())
    return Backend(
        searcher=Searcher(Decoder(checkpoint, text), reward, vocabulary=checkpoint.tokenizer),
        reward=reward,
        model=checkpoint.name,
        model_version=checkpoint.version,
        reward_version=reward_version(reward.names),
        max_midi_bytes=max_midi_bytes,
    )


def reward_version(terms: Sequence[str]) -> str:
    """First 12 hex digits of a sha256 over the reward code, its tables and weights, and the names of the terms."""
    digest = hashlib.sha256("\n".join(terms).encode())
    package = Path(str(resources.files("motet.rewards")))
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(package)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
