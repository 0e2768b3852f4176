"""The engine computes what the network computes, whatever happened to its slots before."""

from functools import lru_cache
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from numpy.typing import NDArray

from motet.model import kernels
from motet.model.engine import Engine, EngineConfig, EngineMemory, PackedNetwork
from motet.model.kernels import PANEL, QUADRUPLES
from motet.model.matrix import Precision, pack, to_bfloat16
from motet.model.network import MotetForConditionalGeneration
from motet.music.error import InvalidInputError
from tests.tiny import tiny_network

CAPTIONS = 3
BOUND = EngineConfig(tokens=200)
SLOTS = 8


@lru_cache
def network() -> MotetForConditionalGeneration:
    return tiny_network()


@lru_cache
def packed(precision: Precision = "float32") -> PackedNetwork:
    return PackedNetwork(network(), precision)


@lru_cache
def texts() -> tuple[torch.Tensor, torch.Tensor]:
    """States of captions of different lengths; the last is no caption at all."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(100) < torch.tensor([3, 100, 0])[:, None]
    return torch.randn(CAPTIONS, 100, 384, generator=generator), mask


@torch.inference_mode()
def remembered(engine: Engine, caption: int) -> EngineMemory:
    text, mask = texts()
    return engine.remember(network().remember(text[caption, None], mask[caption, None]))


@torch.inference_mode()
def taught(caption: int, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
    """The network's own logits after each token."""
    text, mask = texts()
    logits: NDArray[np.float32] = network()(torch.from_numpy(tokens)[None], text[caption, None], mask[caption, None])[
        0
    ].numpy()
    return logits


def some_tokens(count: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, network().config.vocab_size, count)


def test_cached_steps_equal_the_network_without_a_cache() -> None:
    engine = Engine(packed(), BOUND)
    tokens = some_tokens(150)
    for caption in range(CAPTIONS):
        slot = engine.join(remembered(engine, caption))
        logits = np.concatenate([engine.step(np.array([slot]), token[None]) for token in tokens])
        np.testing.assert_allclose(logits, taught(caption, tokens), atol=1e-4)


def test_a_prefix_in_one_pass_equals_its_tokens_one_by_one_to_the_last_bit() -> None:
    engine = Engine(packed(), BOUND)
    memory, tokens = remembered(engine, 0), some_tokens(150)
    steps = engine.join(memory)
    logits = np.concatenate([engine.step(np.array([steps]), token[None]) for token in tokens])
    at_once = engine.join(memory)
    np.testing.assert_array_equal(engine.prefill(at_once, tokens, every=True), logits)
    in_parts = engine.join(memory)
    engine.prefill(in_parts, tokens[:70])
    np.testing.assert_array_equal(engine.prefill(in_parts, tokens[70:]), logits[-1:])


@pytest.mark.parametrize("precision", [one for one in get_args(Precision) if one != "int8" or QUADRUPLES])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_row_does_not_depend_on_its_company_to_the_last_bit(precision: Precision, threads: int) -> None:
    together = Engine(packed(precision), EngineConfig(tokens=200, threads=threads))
    alone = Engine(packed(precision), BOUND)
    captions = [0, 1, 2, 0, 1, 2, 0]
    slots = np.array([together.join(remembered(together, caption)) for caption in captions])
    tokens = np.stack([some_tokens(40, seed) for seed in range(len(slots))])
    for row in (0, 4):  # lengths differ
        together.prefill(int(slots[row]), some_tokens(70 + row, 100 + row))
    logits = [together.step(slots, tokens[:, step]) for step in range(40)]
    for row, caption in enumerate(captions):
        slot = alone.join(remembered(alone, caption))
        if row in (0, 4):
            alone.prefill(slot, some_tokens(70 + row, 100 + row))
        for step in range(40):
            own = alone.step(np.array([slot]), tokens[row, step : step + 1])
            np.testing.assert_array_equal(own[0], logits[step][row])


def test_reduced_precisions_stay_near() -> None:
    tokens = some_tokens(100)
    exact = torch.log_softmax(torch.from_numpy(taught(0, tokens)), -1).numpy()
    for precision, bound in (("bfloat16", 0.05), *([("int8", 0.3)] if QUADRUPLES else [])):
        engine = Engine(packed(precision), BOUND)
        logits = engine.prefill(engine.join(remembered(engine, 0)), tokens, every=True)
        assert np.abs(torch.log_softmax(torch.from_numpy(logits), -1).numpy() - exact).max() < bound


def test_weights_that_are_bfloat16_already_lose_nothing_in_16_bits() -> None:
    half = tiny_network()
    for weight in half.parameters():
        weight.data = weight.data.to(torch.bfloat16).float()
    packed_half = PackedNetwork(half)
    assert packed_half.matrices.words.dtype == np.uint16
    assert packed().matrices.words.dtype == np.float32
    engine, tokens = Engine(packed_half, BOUND), some_tokens(90)
    text, mask = texts()
    with torch.inference_mode():
        memory = half.remember(text[:1, :3], mask[:1, :3])
        expected = half(torch.from_numpy(tokens)[None], text[:1, :3], mask[:1, :3])[0].numpy()
    slot = engine.join(engine.remember(memory))
    np.testing.assert_allclose(engine.prefill(slot, tokens, every=True), expected, atol=1e-4)


class Sessions(RuleBasedStateMachine):
    """Slots join, grow, branch and leave in any order; each keeps its own past."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(packed(), BOUND)
        self.memories = [remembered(self.engine, caption) for caption in range(CAPTIONS)]
        self.held = self.engine.pages_in_use
        self.past: dict[int, tuple[int, list[int]]] = {}
        self.seed = 0

    def fresh(self, count: int) -> NDArray[np.int64]:
        self.seed += 1
        return some_tokens(count, self.seed)

    def check(self, slot: int, logits: NDArray[np.float32]) -> None:
        caption, tokens = self.past[slot]
        np.testing.assert_allclose(logits, taught(caption, np.array(tokens))[-1], atol=1e-4)

    @precondition(lambda self: len(self.past) < SLOTS)
    @rule(caption=st.integers(0, CAPTIONS - 1))
    def join(self, caption: int) -> None:
        self.past[self.engine.join(self.memories[caption])] = (caption, [])

    @precondition(lambda self: self.past)
    @rule(count=st.integers(1, 70), data=st.data())
    def prefill(self, count: int, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.past)))
        if len(self.past[slot][1]) + count <= BOUND.tokens:
            tokens = self.fresh(count)
            self.past[slot][1].extend(tokens.tolist())
            self.check(slot, self.engine.prefill(slot, tokens)[0])

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.past)), min_size=1, unique=True))
        slots = [slot for slot in chosen if len(self.past[slot][1]) < BOUND.tokens]
        if slots:
            tokens = self.fresh(len(slots))
            for row, logits in enumerate(self.engine.step(np.array(slots), tokens)):
                self.past[slots[row]][1].append(int(tokens[row]))
                self.check(slots[row], logits)

    @precondition(lambda self: 0 < len(self.past) < SLOTS)
    @rule(data=st.data())
    def branch(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.past)))
        caption, tokens = self.past[slot]
        self.past[self.engine.branch(slot)] = (caption, list(tokens))

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.past)))
        self.engine.leave(slot)
        del self.past[slot]

    @invariant()
    def every_page_is_accounted_for(self) -> None:
        most = self.held + sum(-(-len(tokens) // PANEL) for _, tokens in self.past.values())
        assert self.held <= self.engine.pages_in_use <= most
        if not self.past:
            assert self.engine.pages_in_use == self.held


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_a_branch_takes_no_page_until_it_grows() -> None:
    engine = Engine(packed(), BOUND)
    slot = engine.join(remembered(engine, 0))
    engine.prefill(slot, some_tokens(PANEL + 3))
    before = engine.pages_in_use
    twin = engine.branch(slot)
    assert engine.pages_in_use == before
    engine.step(np.array([slot, twin]), np.array([5, 6]))
    assert engine.pages_in_use == before + 1
    engine.leave(slot)
    engine.leave(twin)
    assert engine.pages_in_use == 1  # the memory


def test_a_memory_lives_as_long_as_somebody_attends_to_it() -> None:
    engine = Engine(packed(), BOUND)
    memory = remembered(engine, 1)
    slot = engine.join(memory)
    engine.forget(memory)
    remembered(engine, 0)
    tokens = some_tokens(5)
    np.testing.assert_allclose(engine.prefill(slot, tokens, every=True), taught(1, tokens), atol=1e-4)
    engine.leave(slot)
    assert engine.pages_in_use == 1


def test_bounds_hold() -> None:
    engine = Engine(packed(), EngineConfig(tokens=3))
    slot = engine.join(remembered(engine, 0))
    engine.prefill(slot, some_tokens(3))
    with pytest.raises(InvalidInputError):
        engine.step(np.array([slot]), np.array([1]))
    with pytest.raises(InvalidInputError):
        Engine(packed(), EngineConfig(tokens=100_000))
    with pytest.raises(InvalidInputError):
        EngineConfig(tokens=0)


@pytest.mark.parametrize("precision", [one for one in get_args(Precision) if one != "int8" or QUADRUPLES])
@pytest.mark.parametrize("rows", [1, 5, 6, 7, 13])
def test_a_packed_product_equals_the_plain_one(precision: Precision, rows: int) -> None:
    rng = np.random.default_rng(rows)
    weights = [rng.standard_normal(shape).astype(np.float32) for shape in ((PANEL + 5, 37), (3, 64))]
    matrices = pack(weights, precision)
    for number, weight in enumerate(weights):
        source = rng.standard_normal((rows, weight.shape[1] + 7)).astype(np.float32)
        out = np.ones((rows, matrices.places[number, 1] * PANEL), np.float32)
        kernels._add_product(source, *matrices, number, out)
        exact = source[:, : weight.shape[1]].astype(np.float64) @ weight.T.astype(np.float64)
        near = {"float32": 1e-4, "bfloat16": 0.3, "int8": 0.4}[precision]
        np.testing.assert_allclose(out[:, : len(weight)], 1 + exact, atol=near)
        assert (out[:, len(weight) :] == 1).all()


def test_rounding_is_torch_s() -> None:
    numbers = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    expected = torch.from_numpy(numbers).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(to_bfloat16(numbers), expected)


def test_log_softmax_is_torch_s() -> None:
    logits = np.random.default_rng(0).normal(0, 20, (7, 333)).astype(np.float32)
    expected = torch.log_softmax(torch.from_numpy(logits).double(), -1).numpy()
    kernels.log_softmax(logits)
    np.testing.assert_allclose(logits, expected, atol=2e-5)


def test_the_exponential_is_exact_to_few_units() -> None:
    for x in np.linspace(-87, 88, 20_001).astype(np.float32):
        assert kernels.exponential(x) == pytest.approx(float(np.exp(np.float64(x))), rel=4e-7)
