"""The batched decoder: rows that share a cache, grow bar by bar, and can become copies of one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from motet.model.checkpoint import Checkpoint
from motet.model.grammar import COMPLETE, Grammar, Parse
from motet.model.network import Memory
from motet.model.text import TextEncoder
from motet.music.attributes import Attributes
from motet.music.error import InvalidInputError
from motet.music.score import Score

ENTRY_BARS: Final = 2
"""Bars after which those of the line-up who have not played yet must enter."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one row is conditioned on: the words, and the attributes that a parser read in them."""

    caption: str
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """How tokens are drawn.

    Args:
        temperature: divides the logits, above 0 and at most 2.
        top_p: smallest share of probability mass that is kept, above 0 and at most 1.
        locked: whether the prompt's tempo, meter and line-up are certain (``Grammar.compliant``), or only likely.
    """

    temperature: float = 0.9
    top_p: float = 0.85
    locked: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.temperature <= 2:
            raise InvalidInputError.of("temperature", "must be above 0 and at most 2", self.temperature)
        if not 0 < self.top_p <= 1:
            raise InvalidInputError.of("top_p", "must be above 0 and at most 1", self.top_p)


def uniforms(seed: int, streams: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """One number in [0, 1) for each (seed, stream, step), so that a draw depends on nothing else in a batch.

    Three rounds of the splitmix64 finaliser (Steele, Lea, Flood, OOPSLA 2014), one for each part of the key.
    """
    state = np.full(np.broadcast(streams, steps).shape, seed & (2**64 - 1), np.uint64)
    with np.errstate(over="ignore"):
        for part in (np.uint64(0), streams.astype(np.uint64), steps.astype(np.uint64)):
            state = (state ^ part) + _GOLDEN
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state ^= state >> np.uint64(31)
    return np.asarray((state >> np.uint64(11)).astype(np.float64) * 2.0**-53)


class Decoder:
    """Opens batches of rows on one checkpoint.

    Args:
        checkpoint: the model.
        text: the sentence encoder that the model was trained with.
    """

    def __init__(self, checkpoint: Checkpoint, text: TextEncoder | None = None) -> None:
        self.checkpoint = checkpoint
        self.text = text or TextEncoder.load()
        self.grammar = Grammar(checkpoint.tokenizer)

    @torch.inference_mode()
    def remember(self, prompts: Sequence[Prompt]) -> Memory:
        """The memory of each prompt, encoded and projected once."""
        states, mask = self.text.encode([prompt.caption for prompt in prompts])
        ids = [torch.tensor(self.checkpoint.controls.ids(prompt.attributes)) for prompt in prompts]
        controls = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
        lengths = torch.tensor([len(row) for row in ids])
        control_mask = torch.arange(controls.shape[1]) < lengths[:, None]
        return self.checkpoint.network.remember(states, mask, controls, control_mask)

    def open(
        self,
        prompts: Sequence[Prompt],
        sampling: SamplingConfig,
        *,
        seed: int,
        bars: int,
        max_tokens: int | None = None,
        streams: NDArray[np.int64] | None = None,
    ) -> Batch:
        """A batch with one empty row for each prompt.

        Args:
            prompts: B conditions.
            sampling: of all rows.
            seed: any integer; with the row's stream number it fixes every draw.
            bars: length at which a row is finished.
            max_tokens: at most this many tokens a row; the model's own limit if None or larger.
            streams: [B] stream numbers; 0..B-1 if None.
        """
        if not prompts:
            raise InvalidInputError.of("prompts", "must not be empty", prompts)
        if bars < 1:
            raise InvalidInputError.of("bars", "must be at least 1", bars)
        limit = self.checkpoint.network.config.max_tokens - 1
        capacity = limit if max_tokens is None else min(max_tokens, limit)
        if capacity < 1:
            raise InvalidInputError.of("max_tokens", "must be at least 1", max_tokens)
        if streams is None:
            streams = np.arange(len(prompts), dtype=np.int64)
        return Batch(self, prompts, sampling, seed=seed, bars=bars, capacity=capacity, streams=streams)


class Batch:
    """B rows on a shared cache; made by ``Decoder.open``.

    A row pauses where its next token would begin a bar beyond the target of ``advance``, and keeps that token, so
    pausing changes nothing. A copy with a stream of its own draws again, among the tokens that begin a bar: the
    distribution stays the model's. Every row is at all times a valid piece: ``score`` leaves out an unfinished note.
    """

    def __init__(
        self,
        decoder: Decoder,
        prompts: Sequence[Prompt],
        sampling: SamplingConfig,
        *,
        seed: int,
        bars: int,
        capacity: int,
        streams: NDArray[np.int64],
    ) -> None:
        self._decoder = decoder
        self._network = decoder.checkpoint.network
        self._prompts = list(prompts)
        self._sampling = sampling
        self._seed = seed
        self._bars = bars
        self._capacity = capacity
        self._streams = streams.astype(np.int64).copy()
        rows = len(prompts)
        self._memory = decoder.remember(prompts)
        self._cache = self._network.allocate(rows, capacity + 1)
        self._parse = Parse(decoder.grammar, rows)
        anything = Attributes()
        self._compliant = np.stack(
            [decoder.grammar.compliant(prompt.attributes if sampling.locked else anything) for prompt in prompts]
        )
        line_ups = [decoder.grammar.line_up(prompt.attributes) if sampling.locked else None for prompt in prompts]
        self._line_up = np.stack([np.zeros(129, np.bool_) if one is None else one for one in line_ups])
        self._tokens: NDArray[np.int32] = np.zeros((rows, capacity + 1), np.int32)
        self._tokens[:, 0] = decoder.checkpoint.tokenizer.begin_id
        self._lengths: NDArray[np.int64] = np.zeros(rows, np.int64)  # sampled tokens, begin not counted
        self._log_probability: NDArray[np.float64] = np.zeros(rows)
        self._pending: NDArray[np.int64] = np.full(rows, -1, np.int64)  # the token that a paused row goes on with
        self._owes_bar: NDArray[np.bool_] = np.zeros(rows, np.bool_)  # paused copies: the next token begins a bar
        self._finished: NDArray[np.bool_] = np.zeros(rows, np.bool_)

    @property
    def size(self) -> int:
        """B."""
        return len(self._prompts)

    @property
    def finished(self) -> NDArray[np.bool_]:
        """[B] whether a row will not grow any more."""
        return self._finished.copy()

    @property
    def token_counts(self) -> NDArray[np.int64]:
        """[B] tokens sampled so far in each row's present lineage."""
        return self._lengths.copy()

    @property
    def bars_done(self) -> NDArray[np.int64]:
        """[B] bars begun by each row."""
        return self._parse.bars.astype(np.int64)

    def log_probability(self, row: int) -> float:
        """Natural logarithm of the model's probability of the row's tokens, untempered and unmasked."""
        return float(self._log_probability[row])

    def tokens(self, row: int) -> NDArray[np.int32]:
        """The row's sampled tokens, without begin and end."""
        return np.array(self._tokens[row, 1 : self._lengths[row] + 1])

    def score(self, row: int) -> Score:
        """The music of a row: notes end with the last bar; the tempo is as asked where the token stands for it."""
        tokenizer = self._decoder.checkpoint.tokenizer
        score = tokenizer.decode(self._whole_notes(row).tolist())
        end = max(1, int(self._parse.bars[row])) * score.meters[0].bar_ticks(score.ppq)
        score = replace(score, duration=np.minimum(score.duration, end - score.onset))
        asked = self._prompts[row].attributes.tempo_bpm
        if asked is not None and tokenizer.stands_for(float(score.tempo_bpm[0]), asked):
            return replace(score, tempo_bpm=np.array([asked]))
        return score

    def _whole_notes(self, row: int) -> NDArray[np.int32]:
        """Tokens up to the last point at which the piece may stop."""
        tokens = self.tokens(row)
        grammar = self._decoder.grammar
        state, end = 0, 0
        for index, token in enumerate(tokens):
            state = int(grammar.next_state[state, token])
            if state in COMPLETE:
                end = index + 1
        return tokens[:end]

    @torch.inference_mode()
    def advance(self, bars: int, cancelled: Callable[[], bool] = lambda: False) -> int:
        """Lets every unfinished row grow by ``bars`` bars, or to its end; returns the number of tokens sampled.

        Stops between tokens as soon as ``cancelled()`` is true; what was sampled stays.
        """
        if bars < 1:
            raise InvalidInputError.of("bars", "must be at least 1", bars)
        target = np.minimum(self._parse.bars + bars, self._bars)
        active = ~self._finished
        before = int(self._lengths.sum())
        while active.any() and not cancelled():
            self._step(active, target)
        return int(self._lengths.sum()) - before

    def _step(self, active: NDArray[np.bool_], target: NDArray[np.int32]) -> None:
        """One token for every active row; rows that reach their target or end leave ``active``."""
        grammar = self._decoder.grammar
        newest = self._tokens[np.arange(self.size), self._lengths]
        logits = self._network.step(
            torch.from_numpy(newest.astype(np.int64)), torch.from_numpy(self._lengths), self._cache, self._memory
        )
        log_probabilities = torch.log_softmax(logits.float(), dim=-1).numpy()
        allowed = self._parse.allowed(may_end=self._parse.bars >= self._bars) & self._compliant
        late = self._parse.bars > min(ENTRY_BARS, self._bars - 1)
        allowed &= self._parse.entering(self._line_up & ~self._parse.played & late[:, None])
        allowed[self._owes_bar] &= grammar.starts_bar
        drawn = np.where(self._pending >= 0, self._pending, self._draw(log_probabilities, allowed))

        pauses = active & grammar.starts_bar[drawn] & (self._parse.bars >= target)
        self._pending[pauses] = drawn[pauses]
        ends = active & (drawn == grammar.end_id)
        # Wanting another bar after the last one asked for is the same event as ending.
        complete = pauses & (self._parse.bars >= self._bars)
        grows = np.flatnonzero(active & ~pauses & ~ends)
        self._parse.accept(grows, drawn[grows])
        self._pending[grows] = -1
        self._owes_bar[grows] = False
        self._lengths[grows] += 1
        self._tokens[grows, self._lengths[grows]] = drawn[grows]
        self._log_probability[grows] += log_probabilities[grows, drawn[grows]]
        full = active & (self._lengths >= self._capacity)
        self._finished |= ends | complete | full
        active &= ~(pauses | self._finished)

    def _draw(self, log_probabilities: NDArray[np.float32], allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Nucleus sampling by inverse transform: one token id a row, [B]."""
        scaled = np.where(allowed, log_probabilities / self._sampling.temperature, -np.inf).astype(np.float64)
        order = np.argsort(-scaled, axis=1, kind="stable")
        ranked = np.take_along_axis(scaled, order, axis=1)
        weights = np.exp(ranked - ranked[:, :1])
        cumulative = np.cumsum(weights, axis=1)
        # Keep the smallest head whose mass reaches top_p: every rank before which the mass is still below it.
        kept = np.where(cumulative - weights < self._sampling.top_p * cumulative[:, -1:], weights, 0.0)
        cumulative = np.cumsum(kept, axis=1)
        # A draw that a copy makes again must not reuse the number that paused its parent.
        steps = 2 * self._lengths + self._owes_bar
        points = uniforms(self._seed, self._streams, steps)[:, None] * cumulative[:, -1:]
        ranks = np.minimum((cumulative <= points).sum(axis=1), (kept > 0).sum(axis=1) - 1)
        return np.take_along_axis(order, ranks[:, None], axis=1)[:, 0]

    def select(self, parents: NDArray[np.intp], streams: NDArray[np.int64]) -> None:
        """Row i becomes a copy of row ``parents[i]`` and goes on with the random stream ``streams[i]``.

        A row that keeps its place and its stream goes on as if nothing had happened.
        """
        parents = np.asarray(parents, np.intp)
        if parents.shape != (self.size,) or parents.min() < 0 or parents.max() >= self.size:
            raise InvalidInputError.of("parents", f"must be {self.size} row numbers below {self.size}", parents)
        moved = np.flatnonzero(parents != np.arange(self.size))
        if len(moved):
            length = int(self._lengths.max()) + 1
            sources = torch.from_numpy(parents[moved])
            rows = torch.from_numpy(moved)
            for store in (self._cache.keys, self._cache.values):
                store[:, rows, :, :length] = store[:, sources, :, :length]
            self._memory = self._memory.take(torch.from_numpy(parents))
            self._prompts = [self._prompts[parent] for parent in parents]
        self._parse.select(parents)
        for name in (
            "_compliant",
            "_line_up",
            "_tokens",
            "_lengths",
            "_log_probability",
            "_pending",
            "_owes_bar",
            "_finished",
        ):
            setattr(self, name, getattr(self, name)[parents].copy())
        diverges = (self._pending >= 0) & (self._streams[parents] != streams)
        self._owes_bar |= diverges
        self._pending[diverges] = -1
        self._streams = np.asarray(streams, np.int64).copy()
