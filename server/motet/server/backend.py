"""What the server offers, with no word of gRPC: a searcher, a reward, and a synthesizer for listening."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motet.music import caption as captions
from motet.music import midi
from motet.music.error import InvalidInputError, NotFoundError
from motet.rewards import text
from motet.rewards.composite import Breakdown, Composite, Weights
from motet.rewards.farm import Farm
from motet.rewards.render import Player, RenderConfig, Renderer, wav
from motet.search import mutators
from motet.search.contract import Reward
from motet.search.progress import OnProgress
from motet.search.run import Searcher, SearchRequest, SearchResult, tuning_of
from motet.server.catalogue import Strategy, catalogue
from motet.server.config import ServerConfig

LISTENING_RATE_HZ = 44_100
_PLAYERS_KEPT = 4
_WARM_UP_CAPTION = "A short piano piece in C major"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A WAV file and what is in it: ``samples`` of each channel at ``rate_hz``."""

    wav: bytes
    rate_hz: int
    channels: int
    samples: int


class Backend:
    """One model and one reward, ready to work. Any threads may ``search`` and ``score``; ``render`` belongs to one.

    Args:
        searcher: searches with the model and the reward.
        reward: judges files.
        model: its name.
        model_version: of its weights.
        reward_version: of the reward.
        max_midi_bytes: of a file to judge or play.
        mutator: what mutates captions, by the name that clients are told.
        soundfont: what ``render`` plays with; None: the default one.
        open_player: makes a synthesizer; fakes in tests.
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
        mutator: str = "builtin",
        soundfont: Path | None = None,
        open_player: Callable[[RenderConfig], Player] = Renderer,
    ) -> None:
        self._searcher = searcher
        self._reward = reward
        self.model = model
        self.model_version = model_version
        self.reward_version = reward_version
        self.mutator = mutator
        self._limits = midi.Limits(max_bytes=max_midi_bytes)
        # A synthesizer holds the soundfont; the few rates that people ask for stay loaded.
        self._player = lru_cache(maxsize=_PLAYERS_KEPT)(open_player)
        self._soundfont = soundfont

    @cached_property
    def strategies(self) -> tuple[Strategy, ...]:
        """The installed search strategies, the default one first."""
        return catalogue(self._searcher.tuning.strategies if self._searcher.tuning else {})

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
        player = self._player(RenderConfig(rate_hz=rate_hz, effects=effects, soundfont=self._soundfont))
        score = midi.read(file, limits=self._limits)
        if start_s is None and end_s is None:
            audio = player.render(score)
        else:
            end = score.duration_s if end_s is None else min(end_s, score.duration_s)
            start = 0.0 if start_s is None else start_s
            if not 0 <= start < end:
                rule = f"must satisfy 0 <= start < end within the {score.duration_s:.2f} seconds of the piece"
                raise InvalidInputError.of("start_seconds, end_seconds", rule, (start_s, end_s))
            audio = player.window(score, start, end)
        channels = 1 if audio.ndim == 1 else audio.shape[1]
        return Rendering(wav=wav(audio, rate_hz), rate_hz=rate_hz, channels=channels, samples=len(audio))

    def warm_up(self) -> None:
        """Does everything once in small, so that the first request compiles and loads nothing any more."""
        _ = self.strategies
        request = SearchRequest(caption=_WARM_UP_CAPTION, seed=0, candidates=2, bars=2, mutations=1)
        self.search(request, on_progress=lambda progress: None, cancelled=lambda: False)
        self._player(RenderConfig(rate_hz=LISTENING_RATE_HZ, effects=True, soundfont=self._soundfont))


def load(config: ServerConfig) -> Backend:
    """Loads the checkpoint and the rewards that a configuration names.

    Raises NotFoundError or UnavailableError when a part is missing, InvalidInputError when a file is broken.
    """
    import torch

    from motet.model.checkpoint import Checkpoint
    from motet.model.decoder import Decoder
    from motet.model.text import TextEncoder

    rewording = mutators.load(config.mutator, key=config.mutator_key)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    encoder = TextEncoder.load()

    def embed(captions: Sequence[str]) -> NDArray[np.float32]:
        return encoder.pooled(captions).numpy()

    hearing = text.open(config.text_backend, embed)
    checkpoint = Checkpoint.load(config.model_folder)
    # In processes of their own, so that a crash of the native library costs a plan and not the server.
    workers = config.render_workers or min(4, os.cpu_count() or 1)
    farm = Farm(RenderConfig(rate_hz=hearing.rate_hz), workers=workers)
    reward = Composite.default(embed, renderer=farm, text=hearing)
    # Half of the cores decode while the others render and judge what was decoded before.
    decoder = Decoder(checkpoint, encoder, threads=config.threads or max(1, (os.cpu_count() or 1) // 2))
    judges = ThreadPoolExecutor(min(workers, config.parallel_searches), thread_name_prefix="motet-judges")
    searcher = Searcher(
        decoder,
        reward,
        vocabulary=checkpoint.tokenizer,
        mutate=rewording.mutate,
        tuning=tuning_of(checkpoint),
        judges=judges,
    )
    return Backend(
        searcher=searcher,
        reward=reward,
        model=checkpoint.name,
        model_version=checkpoint.version,
        reward_version=reward_version([*reward.names, config.text_backend, farm.version]),
        max_midi_bytes=config.max_midi_bytes,
        mutator=public(config.mutator),
        soundfont=config.soundfont,
        open_player=lambda one: Farm(one, workers=1),
    )


def public(mutator: str) -> str:
    """A specification of mutators without what clients need not know: parent folders, and the query of an address."""
    parts = []
    for part in mutator.split(","):
        kind, _, rest = part.strip().partition(":")
        parts.append(f"lm:{Path(rest).name}" if kind == "lm" else re.sub(r"\?[^#]*", "", part.strip()))
    return ", ".join(parts)


def reward_version(names: Sequence[str]) -> str:
    """First 12 hex digits of a sha256 over the reward code, its tables and weights, and what names the parts in use."""
    digest = hashlib.sha256("\n".join(names).encode())
    package = Path(str(resources.files("motet.rewards")))
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(package)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
