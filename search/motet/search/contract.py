"""What the search asks of its surroundings, as named types: ``B`` denotes the rows of a batch, ``T`` tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from motet.music.attributes import Attributes
from motet.music.caption import Caption
from motet.music.meter import Meter
from motet.music.score import Score
from motet.rewards.composite import Breakdown, Weights

if TYPE_CHECKING:  # PyTorch takes seconds to import, and a server has to answer before
    from motet.model.decoder import Prompt

Cancelled = Callable[[], bool]
"""Whether the caller has gone; asked after every token, so it must be cheap."""


class Rows(Protocol):
    """Pieces decoded side by side (``motet.model.decoder.Batch``); used by one thread at a time."""

    @property
    def size(self) -> int:
        """B."""
        ...

    @property
    def token_counts(self) -> NDArray[np.int64]:
        """[B] tokens sampled in each row's present lineage."""
        ...

    @property
    def bars_done(self) -> NDArray[np.int64]:
        """[B] bars of each row, those of a seed before them included."""
        ...

    @property
    def finished(self) -> NDArray[np.bool_]:
        """[B] whether each row has ended."""
        ...

    @property
    def decoded(self) -> int:
        """Tokens sampled so far, by all rows that ever were."""
        ...

    @property
    def prefilled(self) -> int:
        """Tokens fed again for rows that went on under other words."""
        ...

    def advance(
        self,
        bars: int,
        cancelled: Cancelled,
        *,
        rows: NDArray[np.bool_] | None = None,
        on_pause: Callable[[list[int]], None] | None = None,
    ) -> int:
        """Every unfinished row among ``rows`` ([B]; None: all) gains ``bars`` bars, or ends; returns tokens sampled.

        Stops between two tokens when cancelled. ``on_pause`` is told, between two tokens, the rows that have just
        reached their target or their end, each once; what these rows hold may be read inside it.
        """
        ...

    def select(
        self,
        parents: NDArray[np.intp],
        streams: NDArray[np.int64],
        prompts: Sequence[Prompt | None] | None = None,
    ) -> None:
        """From now on there are M rows: row ``i`` is a copy of row ``parents[i]`` and draws from ``streams[i]``.

        A row that keeps its stream goes on as if nothing had happened; one with a prompt goes on under that.
        """
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

    def close(self) -> None:
        """Gives back what decoding needs, as does the garbage collector; what was written can still be read."""
        ...


class Sampler(Protocol):
    """Opens rows (``motet.model.decoder.Decoder``); threads may share it."""

    def open(self, prompts: Sequence[Prompt], *, seed: int, streams: NDArray[np.int64] | None = None) -> Rows:
        """Opens one row per prompt; row ``i`` draws from random stream ``streams[i]``, or ``i``."""
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
    """Judges pieces (``motet.rewards.composite.Composite``); threads may share it."""

    def score(self, scores: Sequence[Score], caption: Caption, weights: Weights, *, complete: bool) -> list[Breakdown]:
        """The reward of each piece against one caption; ``complete`` says that they have ended.

        It must depend on nothing but that piece: which others are judged beside it is a matter of timing.
        """
        ...


class Mutate(Protocol):
    """Mutated captions that may stand in for the original (``motet.search.mutators.mutate``)."""

    def __call__(
        self, caption: Caption, count: int, *, seed: int, settled: Callable[[Attributes], Attributes]
    ) -> Sequence[Caption]:
        """Up to ``count`` different ones, each admitted by the gate; the same arguments give the same mutants."""
        ...


class Tuning(Protocol):
    """What a pilot has measured for a model and a reward (``motet.search.tuning.Tuning``)."""

    @property
    def strategies(self) -> Mapping[str, Mapping[str, float]]:
        """Settings by the name of a strategy, for those that a request leaves open."""
        ...

    def values(
        self,
        share: NDArray[np.float64],
        terms: Mapping[str, NDArray[np.float64]],
        log_probability_per_token: NDArray[np.float64],
        weights: Weights,
    ) -> NDArray[np.float64]:
        """[B] the final reward to expect of beginnings.

        ``share`` [B] is written of each, 0 to 1; ``terms`` [B] are their rewards so far by name, NaN where there is
        none.
        """
        ...
