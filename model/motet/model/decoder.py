"""The batched decoder: rows that share a cache, grow bar by bar, and can become copies of one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from motet.model.checkpoint import Checkpoint
from motet.model.constraint import Constraints
from motet.model.controls import Controls
from motet.model.engine import PackedNetwork
from motet.model.grammar import COMPLETE, Grammar, Parse, State
from motet.model.kernels import log_softmax
from motet.model.matrix import Precision
from motet.model.network import Memory, MotetForConditionalGeneration
from motet.model.past import EnginePast, NetworkPast, Past
from motet.model.prefix import Prefix
from motet.model.sampling.kernels import draw
from motet.model.splitmix import uniforms
from motet.model.text import TextEncoder
from motet.music.error import InvalidInputError
from motet.music.score import Score


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one row is conditioned on: the words, and what holds whatever they say."""

    caption: str
    controls: Controls


class Decoder:
    """Opens batches of rows on one checkpoint.

    Args:
        checkpoint: the model.
        text: the sentence encoder, for a model that was trained with one and does not bring its own.
        precision: of the arithmetic (``motet.model.matrix``), for models of our own; "float32" is exact.
        threads: that share a step of a batch.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        text: TextEncoder | None = None,
        *,
        precision: Precision = "float32",
        threads: int = 1,
    ) -> None:
        self.checkpoint = checkpoint
        self._threads = threads
        network = checkpoint.network
        self._packed = PackedNetwork(network, precision) if isinstance(network, MotetForConditionalGeneration) else None
        self.text = checkpoint.captions or text or TextEncoder.load()
        self.grammar = Grammar(checkpoint.tokenizer)

    @torch.inference_mode()
    def remember(self, captions: Sequence[str], worded: NDArray[np.bool_]) -> Memory:
        """The memory of each caption; where ``worded`` [B] is false, that of no words at all."""
        if self.checkpoint.captions is not None:  # there is nothing in such a model for no words but an empty caption
            spoken = [caption if said else "" for caption, said in zip(captions, worded, strict=True)]
            return self.checkpoint.network.remember(*self.text.encode(spoken))
        states, mask = self.text.encode(captions)
        return self.checkpoint.network.remember(states, mask & torch.from_numpy(worded)[:, None])

    def begin(self, captions: Sequence[str], worded: NDArray[np.bool_], tokens: int) -> Past:
        """Empty rows of at most so many tokens, with the memory of each caption (``remember``)."""
        memory = self.remember(captions, worded)
        if self._packed is None:
            return NetworkPast(self.checkpoint.network, memory, tokens)
        same = [(caption, bool(said)) for caption, said in zip(captions, worded, strict=True)]
        return EnginePast(self._packed, memory, same, tokens, self._threads)

    def open(
        self,
        prompts: Sequence[Prompt],
        *,
        seed: int,
        max_tokens: int | None = None,
        streams: NDArray[np.int64] | None = None,
    ) -> Batch:
        """A batch with one row for each prompt, empty or at the end of what its seed music gives it.

        Args:
            prompts: B conditions.
            seed: any integer; with the row's stream number it fixes every draw.
            max_tokens: at most this many tokens a row, the seed music's included; the model's own limit if None or
                larger.
            streams: [B] stream numbers; 0..B-1 if None.

        Raises InvalidInputError when seed music does not leave room for anything new.
        """
        if not prompts:
            raise InvalidInputError.of("prompts", "must not be empty", prompts)
        limit = self.checkpoint.network.config.max_tokens - 1
        capacity = limit if max_tokens is None else min(max_tokens, limit)
        if capacity < 1:
            raise InvalidInputError.of("max_tokens", "must be at least 1", max_tokens)
        if streams is None:
            streams = np.arange(len(prompts), dtype=np.int64)
        return Batch(self, prompts, seed=seed, capacity=capacity, streams=streams)


class Batch:
    """B rows on a shared cache; made by ``Decoder.open``.

    A row pauses where its next token would begin a bar beyond the target of ``advance``, and keeps that token, so
    pausing changes nothing. A copy with a stream of its own draws again, among the tokens that begin a bar: the
    distribution stays the model's. Every row is at all times a valid piece: ``score`` leaves out an unfinished note.
    """

    def __init__(
        self, decoder: Decoder, prompts: Sequence[Prompt], *, seed: int, capacity: int, streams: NDArray[np.int64]
    ) -> None:
        self._decoder = decoder
        self._prompts = list(prompts)
        self._seed = seed
        self._capacity = capacity
        self._streams = streams.astype(np.int64).copy()
        rows = len(prompts)
        controls = [prompt.controls for prompt in prompts]
        self._temperature = np.array([one.temperature for one in controls])
        self._top_p = np.array([one.top_p for one in controls])
        self._guidance = np.array([one.guidance for one in controls])
        # Fitting seed music takes a while: once for all rows that ask for the same.
        prefixes = {one: Prefix.of(one, decoder.checkpoint.tokenizer, capacity) for one in dict.fromkeys(controls)}
        self._prefixes = [prefixes[one] for one in controls]
        self._constraints = Constraints(decoder.grammar, controls, [prefix.first_bar for prefix in self._prefixes])
        self._parse = Parse(decoder.grammar, rows)
        self._tokens: NDArray[np.int32] = np.zeros((rows, capacity + 1), np.int32)
        self._tokens[:, 0] = decoder.checkpoint.tokenizer.begin_id
        self._lengths: NDArray[np.int64] = np.zeros(rows, np.int64)  # tokens after begin
        self._log_probability: NDArray[np.float64] = np.zeros(rows)
        self._pending: NDArray[np.int64] = np.full(rows, -1, np.int64)  # the token that a paused row goes on with
        self._owes_bar: NDArray[np.bool_] = np.zeros(rows, np.bool_)  # the next token begins a bar
        self._finished: NDArray[np.bool_] = np.zeros(rows, np.bool_)
        # Guided rows have a companion without words behind the B rows; its past is all that differs.
        self._guided = np.flatnonzero(self._guidance != 1.0)
        everybody = np.concatenate((np.arange(rows), self._guided))
        worded = np.arange(len(everybody)) < rows
        self._past = decoder.begin([prompts[row].caption for row in everybody], worded, capacity + 1)
        size = len(decoder.checkpoint.tokenizer)
        self._worded: NDArray[np.float32] = np.zeros((rows, size), np.float32)  # log-probabilities under the words,
        self._bent: NDArray[np.float32] = np.zeros((rows, size), np.float32)  # and as guidance bends them
        self._known: NDArray[np.bool_] = np.zeros(rows, np.bool_)  # whether both follow the newest token
        for row, prefix in enumerate(self._prefixes):
            self._begin(row, prefix)

    def _begin(self, row: int, prefix: Prefix) -> None:
        """Puts a row where the seed music ends."""
        tokens = prefix.tokens
        if not len(tokens):
            return
        self._tokens[row, 1 : len(tokens) + 1] = tokens
        self._lengths[row] = len(tokens)
        rows = np.array([row], np.intp)
        for token in tokens[: prefix.header] if prefix.fills else tokens:
            self._parse.accept(rows, np.array([token], np.int64))
        if prefix.fills:
            self._parse.state[row] = State.WRITE
        else:
            self._owes_bar[row] = True
        fed = self._tokens[row, : len(tokens)].astype(np.int64)
        for place in (row, *(len(self._prompts) + np.flatnonzero(self._guided == row))):
            self._past.prefill(int(place), fed)

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
        return np.asarray(self._lengths - [len(prefix.tokens) for prefix in self._prefixes])

    @property
    def bars_done(self) -> NDArray[np.int64]:
        """[B] bars begun by each row, those of the seed music before it included."""
        return np.asarray(self._parse.bars + np.array([prefix.first_bar for prefix in self._prefixes], np.int64))

    def log_probability(self, row: int) -> float:
        """Sum of the log-probabilities of the row's sampled tokens under the model with its words, in nats."""
        return float(self._log_probability[row])

    def tokens(self, row: int) -> NDArray[np.int32]:
        """The row's tokens, seed music included, without begin and end."""
        return np.array(self._tokens[row, 1 : self._lengths[row] + 1])

    def score(self, row: int) -> Score:
        """The music of a row, with the seed's notes exactly as they were given.

        Written notes end with the last bar; tempo and meter are as asked where the vocabulary's stand for them.
        """
        tokenizer = self._decoder.checkpoint.tokenizer
        prefix = self._prefixes[row]
        written = tokenizer.decode(self._whole_notes(row).tolist())
        bar_ticks = written.meters[0].bar_ticks(written.ppq)
        if prefix.seed is not None:
            return prefix.joined(written)
        end = max(1, int(self._parse.bars[row])) * bar_ticks
        written = replace(written, duration=np.minimum(written.duration, end - written.onset))
        controls = self._prompts[row].controls
        if controls.tempo_bpm is not None and tokenizer.stands_for(float(written.tempo_bpm[0]), controls.tempo_bpm):
            written = replace(written, tempo_bpm=np.array([controls.tempo_bpm]))
        if controls.meter is not None and written.meters == (controls.meter.in_quarters,):
            written = replace(written, meters=(controls.meter,))
        return written

    def _whole_notes(self, row: int) -> NDArray[np.int32]:
        """The header and the sampled bars up to the last point at which the piece may stop."""
        prefix, grammar = self._prefixes[row], self._decoder.grammar
        tokens = self.tokens(row)
        header = tokens[: prefix.header]
        sampled = tokens[len(prefix.tokens) :]
        state, end = int(prefix.state), 0
        for index, token in enumerate(sampled):
            state = int(grammar.next_state[state, token])
            if state in COMPLETE:
                end = index + 1
        return np.concatenate((header, sampled[:end]))

    def advance(self, bars: int, cancelled: Callable[[], bool] = lambda: False) -> int:
        """Lets every unfinished row grow by ``bars`` bars, or to its end; returns the number of tokens sampled.

        Stops between tokens as soon as ``cancelled()`` is true; what was sampled stays.
        """
        if bars < 1:
            raise InvalidInputError.of("bars", "must be at least 1", bars)
        target = np.minimum(self._parse.bars + bars, self._constraints.bars)
        active = ~self._finished
        before = int(self._lengths.sum())
        while active.any() and not cancelled():
            self._step(active, target)
        return int(self._lengths.sum()) - before

    def _refresh(self, rows: NDArray[np.intp]) -> None:
        """Feeds the newest tokens of ``rows`` and keeps the log-probabilities that follow."""
        if not len(rows):
            return
        guided = np.flatnonzero(np.isin(self._guided, rows)) if len(self._guided) else self._guided
        owners = np.concatenate((rows, self._guided[guided]))
        newest = self._tokens[owners, self._lengths[owners]].astype(np.int64)
        log_probabilities = self._past.step(np.concatenate((rows, self.size + guided)), newest)
        log_softmax(log_probabilities)
        self._worded[rows] = self._bent[rows] = log_probabilities[: len(rows)]
        if len(guided):
            chosen, wordless = self._guided[guided], log_probabilities[len(rows) :]
            weight = self._guidance[chosen, None].astype(np.float32)
            self._bent[chosen] = wordless + weight * (self._worded[chosen] - wordless)
        self._known[rows] = True

    def _step(self, active: NDArray[np.bool_], target: NDArray[np.int32]) -> None:
        """One token for every active row; rows that reach their target or end leave ``active``."""
        grammar, limit = self._decoder.grammar, self._constraints.bars
        self._refresh(np.flatnonzero(active & ~self._known))
        drawn = self._pending.copy()
        undecided = np.flatnonzero(active & (self._pending < 0))
        if len(undecided):
            allowed = self._parse.allowed(may_end=self._parse.bars >= limit) & self._constraints.mask(self._parse)
            allowed[self._owes_bar] &= grammar.starts_bar
            drawn[undecided] = self._draw(undecided, allowed[undecided])

        pauses = active & grammar.starts_bar[drawn] & (self._parse.bars >= target)
        self._pending[pauses] = drawn[pauses]
        ends = active & (drawn == grammar.end_id)
        # Wanting another bar after the last one asked for is the same event as ending.
        complete = pauses & (self._parse.bars >= limit)
        grows = np.flatnonzero(active & ~pauses & ~ends)
        self._parse.accept(grows, drawn[grows])
        self._pending[grows] = -1
        self._owes_bar[grows] = False
        self._lengths[grows] += 1
        self._tokens[grows, self._lengths[grows]] = drawn[grows]
        self._log_probability[grows] += self._worded[grows, drawn[grows]]
        self._known[grows] = False
        full = active & (self._lengths >= self._capacity)
        self._finished |= ends | complete | full
        active &= ~(pauses | self._finished)

    def _draw(self, rows: NDArray[np.intp], allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Nucleus sampling by inverse transform: one token id for each of ``rows``."""
        # A draw that a copy makes again must not reuse the number that paused its parent.
        steps = 2 * self._lengths[rows] + self._owes_bar[rows]
        points = uniforms(self._seed, self._streams[rows], steps)
        drawn: NDArray[np.int64] = draw(self._bent[rows], allowed, self._temperature[rows], self._top_p[rows], points)
        return drawn

    def select(self, parents: NDArray[np.intp], streams: NDArray[np.int64]) -> None:
        """Row i becomes a copy of row ``parents[i]`` and goes on with the random stream ``streams[i]``.

        A row that keeps its place and its stream goes on as if nothing had happened. Rows with and without guidance
        cannot stand in for one another.
        """
        parents = np.asarray(parents, np.intp)
        if parents.shape != (self.size,) or parents.min() < 0 or parents.max() >= self.size:
            raise InvalidInputError.of("parents", f"must be {self.size} row numbers below {self.size}", parents)
        if (np.isin(parents, self._guided) != np.isin(np.arange(self.size), self._guided)).any():
            raise InvalidInputError.of("parents", "must keep guided and unguided rows apart", parents)
        companion = np.searchsorted(self._guided, parents[self._guided]) + self.size
        sources = np.concatenate((parents, companion))
        self._past.select(sources)
        self._prompts = [self._prompts[parent] for parent in parents]
        self._prefixes = [self._prefixes[parent] for parent in parents]
        self._parse.select(parents)
        self._constraints.select(parents)
        for name in (
            "_temperature",
            "_top_p",
            "_guidance",
            "_tokens",
            "_lengths",
            "_log_probability",
            "_pending",
            "_owes_bar",
            "_finished",
            "_worded",
            "_bent",
            "_known",
        ):
            setattr(self, name, getattr(self, name)[parents].copy())
        diverges = (self._pending >= 0) & (self._streams[parents] != streams)
        self._owes_bar |= diverges
        self._pending[diverges] = -1
        self._streams = np.asarray(streams, np.int64).copy()
