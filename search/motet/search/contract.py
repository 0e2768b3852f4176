"""What the search asks of its surroundings, as named types: ``B`` denotes the rows of a batch, ``T`` tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from motet.music.caption import Caption
from motet.music.meter import Meter
from motet.music.score import Score
from motet.rewards.composite import Breakdown, Weights
from motet.search.result import Progress

if TYPE_CHECKING:  # PyTorch takes seconds to import, and a server has to answer before
    from motet.model.decoder import Prompt

OnProgress = Callable[[Progress], None]
"""Called on the thread of the search; whatever it raises ends the search."""

Cancelled = Callable[[], bool]
"""Whether the caller has gone."""


class Rows(Protocol):
    """Pieces decoded side by side (``motet.model.decoder.Batch``)."""

    @property
    def size(self) -> int:
        """B."""
        ...

    @property
    def token_counts(self) -> NDArray[np.int64]:
        """[B] tokens of each row."""
        ...

    @property
    def bars_done(self) -> NDArray[np.int64]:
        """[B] bars of each row, those of a seed before them included."""
        ...

    @property
    def finished(self) -> NDArray[np.bool_]:
        """[B] whether each row has ended."""
        ...

    def advance(self, bars: int, cancelled: Cancelled) -> object:
        """Every unfinished row gains ``bars`` bars, or ends; stops midway when cancelled."""
        ...

    def select(self, parents: NDArray[np.intp], streams: NDArray[np.int64]) -> None:
        """Row ``i`` becomes a copy of row ``parents[i]`` that continues with random stream ``streams[i]``."""
        ...

    def score(self, row: int) -> Score:
        """The notes of a row."""
        ...

    def tokens(self, row: int) -> NDArray[np.int32]:
        """[T] the tokens of a row."""
        ...

    def log_probability(self, row: int) -> float:
        """Nats of a row under the model."""
        ...


class Sampler(Protocol):
    """Opens rows (``motet.model.decoder.Decoder``)."""

    def open(self, prompts: Sequence[Prompt], *, seed: int) -> Rows:
        """Opens one row per prompt; row ``i`` draws from random stream ``i``."""
        ...


class Vocabulary(Protocol):
    """What a model can write (``motet.model.tokenizer.Tokenizer``)."""

    @property
    def tempos_bpm(self) -> tuple[float, ...]:
        """Its tempi, ascending, in quarter notes a minute."""
        ...

    def stands_for(self, written_bpm: float, bpm: float) -> bool:
        """Whether a piece at ``bpm`` may be written with the tempo ``written_bpm``."""
        ...

    def supports(self, meter: Meter) -> bool:
        """Whether it can write a time signature."""
        ...


class Reward(Protocol):
    """Judges pieces (``motet.rewards.composite.Composite``)."""

    def score(self, scores: Sequence[Score], caption: Caption, weights: Weights, *, complete: bool) -> list[Breakdown]:
        """The reward of each piece against one caption; ``complete`` says that they have ended."""
        ...
