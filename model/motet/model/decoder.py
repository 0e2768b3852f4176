"""The batched decoder: rows that share a cache, grow bar by bar, and can become copies of one another."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from motet.model.checkpoint import Checkpoint
from motet.model.constraint import Constraints, still_open
from motet.model.controls import Controls
from motet.model.engine import Engine, EngineConfig, PackedNetwork
from motet.model.grammar import COMPLETE, Grammar, Parse, State
from motet.model.kernels import log_softmax
from motet.model.matrix import Precision
from motet.model.network import Memory, MotetForConditionalGeneration
from motet.model.past import NetworkPast
from motet.model.pool import Pool
from motet.model.prefix import Prefix
from motet.model.sampling.kernels import draw, uniforms
from motet.model.text import TextEncoder
from motet.music.error import InvalidInputError
from motet.music.score import Score

_NOTHING: NDArray[np.float32] = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one row is conditioned on: the words, and what holds whatever they say."""

    caption: str
    controls: Controls


class Decoder:
    """Opens batches of rows on one checkpoint.

    Its batches share one pool: those that grow at the same time, each in a thread of its own, go through the network
    together. What a row becomes does not depend on that.

    Args:
        checkpoint: the model.
        text: the sentence encoder, for a model that was trained with one and does not bring its own.
        precision: of the arithmetic (``motet.model.matrix``), for models of our own; "float32" is exact.
        threads: that share a step of the pool.
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
        self.text = checkpoint.captions or text or TextEncoder.load()
        self.grammar = Grammar(checkpoint.tokenizer)
        network = checkpoint.network
        if isinstance(network, MotetForConditionalGeneration):
            packed = PackedNetwork(network, precision)
            config = EngineConfig(tokens=network.config.max_tokens, threads=threads)
            self.pool = Pool(Engine(packed, config), self.remember)
        else:
            self.pool = Pool(NetworkPast(network), self.remember)

    @torch.inference_mode()
    def remember(self, caption: str, worded: bool) -> Memory:
        """The memory of a caption, of one row; unless ``worded``, that of no words at all."""
        if self.checkpoint.captions is not None:  # there is nothing in such a model for no words but an empty caption
            return self.checkpoint.network.remember(*self.text.encode([caption if worded else ""]))
        states, mask = self.text.encode([caption])
        return self.checkpoint.network.remember(states, mask & worded)

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


_PER_ROW = (
    "_temperature",
    "_top_p",
    "_guidance",
    "_tokens",
    "_lengths",
    "_fed",
    "_log_probability",
    "_pending",
    "_owes_bar",
    "_finished",
)


class Batch:
    """B rows in the slots of a pool; made by ``Decoder.open``, for one thread at a time.

    A row pauses where its next token would begin a bar beyond the target of ``advance``, and keeps that token, so
    pausing changes nothing. A copy with a stream of its own draws again, among the tokens that begin a bar: the
    distribution stays the model's. Every row is at all times a valid piece: ``score`` leaves out an unfinished note.
    """

    def __init__(
        self, decoder: Decoder, prompts: Sequence[Prompt], *, seed: int, capacity: int, streams: NDArray[np.int64]
    ) -> None:
        self._decoder = decoder
        self._pool = decoder.pool
        self._prompts = list(prompts)
        self._seed = np.uint64(seed & (2**64 - 1))
        self._capacity = capacity
        self._streams = streams.astype(np.int64).copy()
        self._decoded = 0
        self._prefilled = 0
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
        self._fed: NDArray[np.int64] = np.zeros(rows, np.int64)  # tokens, with begin, that the network has seen
        self._log_probability: NDArray[np.float64] = np.zeros(rows)
        self._pending: NDArray[np.int64] = np.full(rows, -1, np.int64)  # the token that a paused row goes on with
        self._owes_bar: NDArray[np.bool_] = np.zeros(rows, np.bool_)  # the next token begins a bar
        self._finished: NDArray[np.bool_] = np.zeros(rows, np.bool_)
        # What follows the newest token of a row to which all is fed: log-probabilities [V] under the words, and as
        # guidance bends them. Never written to, so that copies share them.
        self._worded = [_NOTHING] * rows
        self._bent = [_NOTHING] * rows
        for row, prefix in enumerate(self._prefixes):
            self._begin(row, prefix)
        # A row's slots: one, and one without words behind it where the row is guided. A finished row has none.
        self._slots: list[tuple[int, ...]] = []
        self._held: set[int] = set()
        self._closing = weakref.finalize(self, self._pool.leave, self._held)
        self._closing.atexit = False
        for prompt in prompts:
            self._slots.append(self._join(prompt))

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

    def _join(self, prompt: Prompt) -> tuple[int, ...]:
        """Empty slots for a row."""
        slots = [self._pool.join(prompt.caption, True)]
        self._held.update(slots)
        if prompt.controls.guidance != 1.0:
            slots.append(self._pool.join(prompt.caption, False))
            self._held.update(slots)
        return tuple(slots)

    def _leave(self, slots: Sequence[int]) -> None:
        self._held.difference_update(slots)
        self._pool.leave(slots)

    def close(self) -> None:
        """Gives the slots back, as does the garbage collector; what was written can still be read."""
        self._closing()

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
    def decoded(self) -> int:
        """Tokens sampled so far, those of rows that are no more included."""
        return self._decoded

    @property
    def prefilled(self) -> int:
        """Tokens to be fed once more because their row goes on under another prompt."""
        return self._prefilled

    @property
    def bars_done(self) -> NDArray[np.int64]:
        """[B] bars begun by each row, those of the seed music before it included."""
        return np.asarray(self._parse.bars + np.array([prefix.first_bar for prefix in self._prefixes], np.int64))

    def log_probability(self, row: int) -> float:
        """Sum of the log-probabilities of the row's sampled tokens under the model, in nats.

        Each counts under the words that it was sampled with.
        """
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

    def advance(
        self,
        bars: int,
        cancelled: Callable[[], bool] = lambda: False,
        *,
        rows: NDArray[np.bool_] | None = None,
        on_pause: Callable[[list[int]], None] | None = None,
    ) -> int:
        """Lets unfinished rows grow by ``bars`` bars, or to their end; returns the number of tokens sampled.

        Stops between tokens as soon as ``cancelled()`` is true; what was sampled stays.

        Args:
            bars: at least 1.
            cancelled: asked again and again.
            rows: [B] which rows grow; all if None.
            on_pause: told, between two tokens, the rows that have just reached their target or their end; they can be
                read there. No other batch waits for it.
        """
        self._check_open()
        if bars < 1:
            raise InvalidInputError.of("bars", "must be at least 1", bars)
        if rows is not None and rows.shape != (self.size,):
            raise InvalidInputError.of("rows", f"must be {self.size} flags", rows)
        active = ~self._finished if rows is None else rows & ~self._finished
        target = np.minimum(self._parse.bars + bars, self._constraints.bars)
        before = self._decoded
        if not self._catch_up(np.flatnonzero(active), cancelled):
            return 0
        with self._pool.decoding():
            while active.any() and not cancelled():
                paused = self._step(active, target)
                if on_pause is not None and len(paused):
                    with self._pool.away():
                        on_pause(paused.tolist())
        return self._decoded - before

    def _catch_up(self, rows: NDArray[np.intp], cancelled: Callable[[], bool]) -> bool:
        """Feeds all but the newest tokens of ``rows``; whether it came to that."""
        for row in rows[self._fed[rows] < self._lengths[rows]].tolist():
            while self._fed[row] < self._lengths[row]:
                if cancelled():
                    return False
                piece = self._tokens[row, self._fed[row] : self._lengths[row]][: self._pool.piece].astype(np.int64)
                for slot in self._slots[row]:
                    self._pool.prefill(slot, piece)
                self._fed[row] += len(piece)
        return True

    def _feed(self, rows: NDArray[np.intp]) -> None:
        """Feeds the newest tokens of ``rows`` and keeps the log-probabilities that follow."""
        several = rows.tolist()
        newest = self._tokens[rows, self._lengths[rows]].astype(np.int64)
        slots = [self._slots[row][0] for row in several]
        guided = [(index, row) for index, row in enumerate(several) if len(self._slots[row]) > 1]
        slots += [self._slots[row][1] for _, row in guided]
        newest = np.concatenate((newest, newest[[index for index, _ in guided]])) if guided else newest
        log_probabilities = self._pool.step(np.array(slots, np.intp), newest)
        log_softmax(log_probabilities)
        self._fed[rows] += 1
        for row, line in zip(several, log_probabilities, strict=False):
            self._worded[row] = self._bent[row] = line
        for (_, row), wordless in zip(guided, log_probabilities[len(several) :], strict=True):
            self._bent[row] = wordless + np.float32(self._guidance[row]) * (self._worded[row] - wordless)

    def _step(self, active: NDArray[np.bool_], target: NDArray[np.int32]) -> NDArray[np.intp]:
        """One token for every active row; rows that reach their target or end leave ``active`` and are returned."""
        grammar, limit = self._decoder.grammar, self._constraints.bars
        fresh = np.flatnonzero(active & (self._fed <= self._lengths))
        if len(fresh):
            self._feed(fresh)
        drawn = self._pending.copy()
        undecided = np.flatnonzero(active & (self._pending < 0))
        if len(undecided):
            allowed = self._parse.allowed(undecided, self._parse.bars[undecided] >= limit[undecided])
            allowed &= self._constraints.mask(undecided, self._parse)
            allowed[self._owes_bar[undecided]] &= grammar.starts_bar
            drawn[undecided] = self._draw(undecided, allowed)

        pauses = active & grammar.starts_bar[drawn] & (self._parse.bars >= target)
        self._pending[pauses] = drawn[pauses]
        ends = active & (drawn == grammar.end_id)
        # Wanting another bar after the last one asked for is the same event as ending.
        complete = pauses & (self._parse.bars >= limit)
        grows = np.flatnonzero(active & ~pauses & ~ends)
        chosen = drawn[grows]
        self._parse.accept(grows, chosen)
        self._pending[grows] = -1
        self._owes_bar[grows] = False
        self._lengths[grows] += 1
        self._tokens[grows, self._lengths[grows]] = chosen
        told = zip(grows.tolist(), chosen.tolist(), strict=True)
        self._log_probability[grows] += [self._worded[row][token] for row, token in told]
        self._decoded += len(grows)
        full = active & (self._lengths >= self._capacity)
        self._finished |= ends | complete | full
        rests = np.flatnonzero(active & (pauses | self._finished))
        active[rests] = False
        for row in rests.tolist():
            self._rest(row)
        return rests

    def _rest(self, row: int) -> None:
        """Keeps of a row that has paused or ended no more than it needs to go on."""
        if self._finished[row]:
            self._leave(self._slots[row])
            self._slots[row], self._worded[row], self._bent[row] = (), _NOTHING, _NOTHING
            return
        same = self._worded[row] is self._bent[row]
        self._worded[row] = self._worded[row].copy()  # without those of its company
        self._bent[row] = self._worded[row] if same else self._bent[row].copy()

    def _draw(self, rows: NDArray[np.intp], allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Nucleus sampling by inverse transform: one token id for each of ``rows``."""
        # A draw that a copy makes again must not reuse the number that paused its parent.
        steps = 2 * self._lengths[rows] + self._owes_bar[rows]
        points = uniforms(self._seed, self._streams[rows], steps)
        bent = np.stack([self._bent[row] for row in rows.tolist()])
        drawn: NDArray[np.int64] = draw(bent, allowed, self._temperature[rows], self._top_p[rows], points)
        return drawn

    def select(
        self,
        parents: NDArray[np.intp],
        streams: NDArray[np.int64],
        prompts: Sequence[Prompt | None] | None = None,
    ) -> None:
        """From now on there are M rows: row i is a copy of row ``parents[i]``, with the random stream ``streams[i]``.

        A row that keeps its stream goes on as if nothing had happened. One that is given another prompt goes on under
        its words and controls, as far as what is written leaves them open: the header's players and key, the meter and
        the bars stand. What it has written is fed to the network again before it grows.

        Args:
            parents: [M] row numbers below B; M is at least 1.
            streams: [M] stream numbers.
            prompts: [M] another prompt, or None for the parent's; with the parent's seed music.

        Raises InvalidInputError, and changes nothing, when one of them is none of that.
        """
        self._check_open()
        parents, streams = np.asarray(parents, np.intp), np.asarray(streams, np.int64)
        count = len(parents)
        if parents.ndim != 1 or not count or parents.min() < 0 or parents.max() >= self.size:
            raise InvalidInputError.of("parents", f"must be row numbers below {self.size}", parents)
        if streams.shape != parents.shape:
            raise InvalidInputError.of("streams", f"must be {count} numbers", streams)
        if prompts is None:
            prompts = [None] * count
        elif len(prompts) != count:
            raise InvalidInputError.of("prompts", f"must be {count}", len(prompts))
        turned = {
            row: self._turned(parent, prompt)
            for row, (parent, prompt) in enumerate(zip(parents.tolist(), prompts, strict=True))
            if prompt is not None
        }
        self._move(parents.tolist(), prompts)
        self._prompts = [
            self._prompts[parent] if new is None else new for parent, new in zip(parents, prompts, strict=True)
        ]
        self._prefixes = [self._prefixes[parent] for parent in parents]
        self._worded = [self._worded[parent] for parent in parents]
        self._bent = [self._bent[parent] for parent in parents]
        self._parse.select(parents)
        self._constraints.select(parents)
        for name in _PER_ROW:
            setattr(self, name, getattr(self, name)[parents].copy())
        self._diverge((self._pending >= 0) & (self._streams[parents] != streams))
        self._streams = streams.copy()
        for row, constraints in turned.items():
            if not self._finished[row]:
                self._turn(row, constraints)

    def _move(self, parents: list[int], prompts: Sequence[Prompt | None]) -> None:
        """Gives every new row its slots: the parent's to its first child, twins of them to the others."""
        slots: list[tuple[int, ...]] = []
        heirs: set[int] = set()
        for parent, prompt in zip(parents, prompts, strict=True):
            if prompt is not None:
                slots.append(() if self._finished[parent] else self._join(prompt))
            elif parent in heirs:
                twins = []
                for slot in self._slots[parent]:
                    twins.append(self._pool.branch(slot))
                    self._held.add(twins[-1])
                slots.append(tuple(twins))
            else:
                heirs.add(parent)
                slots.append(self._slots[parent])
        for row in range(self.size):
            if row not in heirs:
                self._leave(self._slots[row])
        self._slots = slots

    def _diverge(self, rows: NDArray[np.bool_]) -> None:
        """Rows that have paused draw again, among the tokens that begin a bar."""
        self._owes_bar |= rows
        self._pending[rows] = -1

    def _turned(self, row: int, prompt: Prompt) -> Constraints:
        """What another prompt asks of a row after what it has written; InvalidInputError where it cannot be."""
        controls, prefix = prompt.controls, self._prefixes[row]
        if controls.seed is not self._prompts[row].controls.seed:
            raise InvalidInputError.of("prompts", "must keep the seed music of the row", row)
        return Constraints(self._decoder.grammar, [still_open(controls, self._parse, row)], [prefix.first_bar])

    def _turn(self, row: int, constraints: Constraints) -> None:
        """Lets a row go on under its new prompt."""
        controls, prefix = self._prompts[row].controls, self._prefixes[row]
        self._temperature[row], self._top_p[row] = controls.temperature, controls.top_p
        self._guidance[row] = controls.guidance
        self._constraints.replace(row, constraints)
        if prefix.seed is not None and not prefix.fills:
            self._prefixes[row] = replace(prefix, bars=controls.bars)
        self._fed[row] = 0
        if self._parse.in_header[row]:  # which is the prompt's: it is written anew
            self._parse.restart(row)
            self._lengths[row], self._log_probability[row] = 0, 0.0
            return
        self._diverge((np.arange(self.size) == row) & (self._pending >= 0))
        if not self._owes_bar[row]:
            self._parse.excuse(row, int(constraints.rest[0]))
        elif self._parse.bars[row] >= self._constraints.bars[row]:
            self._finished[row] = True
            self._rest(row)
            return
        self._prefilled += int(self._lengths[row])

    def _check_open(self) -> None:
        if not self._closing.alive:
            raise InvalidInputError.of("batch", "must not be used after it is closed", "closed")
