"""How fast is decoding: ours in every precision, transformers' own generate, and what the machine allows.

All contenders run on the same weights in one process, one thread, taking turns round by round, because a shared machine
is not equally fast twice; medians over the rounds are printed. CPU seconds are the process's own and do not count what
others take away; ratios are between CPU times.

The bound of a step is the larger of two times: all bytes that it must read (weights once, each row's keys and values
once) over the bandwidth measured on a buffer of that size, and its multiplications over the best rate that any matrix
product of that precision reached here. No step can beat it on this machine without reading or computing less.

    python benchmarks/decode.py --model FOLDER --tokens 256 --rows 1 8 16 32 --search

With ``--batches``, several searches on one decoder: so many batches of 8 rows each, one after the other; at once, in
threads, on engines of their own; and at once on one pool, which takes them through the network together.

    python benchmarks/decode.py --rows --batches 1 2 4 8
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from transformers import GenerationConfig, GenerationMixin, PreTrainedModel, StaticCache
from transformers.modeling_outputs import CausalLMOutputWithPast

from motet.model import kernels
from motet.model.checkpoint import Checkpoint
from motet.model.config import MotetConfig
from motet.model.controls import MAX_BARS, Controls
from motet.model.decoder import Decoder, Prompt
from motet.model.engine import Engine, EngineConfig, PackedNetwork
from motet.model.matrix import PRECISIONS, Precision, pack
from motet.model.network import DecoderLayer, Memory, MotetForConditionalGeneration, rotary_angles
from motet.music.error import UnavailableError
from motet.search.request import SearchRequest
from motet.search.run import searcher_from

MEMORY = 24
"""Positions of the memory, as for a caption of a long sentence."""

BATCH_ROWS = 8

_LINES = (Path(__file__).parent / "captions.txt").read_text("utf-8").splitlines()
CAPTIONS = [line for line in _LINES if line and not line.startswith("#")]


class StaticDecoder(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """The same layers behind transformers' interface: its generate loop, its static cache."""

    config_class = MotetConfig
    main_input_name = "input_ids"
    _is_stateful = False

    def __init__(self, network: MotetForConditionalGeneration, memory: Memory) -> None:
        config = network.config
        config.num_hidden_layers = config.layers
        config.num_attention_heads = config.heads
        config.num_key_value_heads = config.kv_heads
        config.hidden_size = config.width
        config.head_dim = config.head_width
        super().__init__(config)
        self.network = network
        self.memory = memory
        self.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
            pad_token_id=0, eos_token_id=None, bos_token_id=1
        )

    def prepare_inputs_for_generation(  # type: ignore[override]
        self, input_ids: Tensor, **kwargs: Any
    ) -> dict[str, Any]:
        """The newest tokens and their place in the cache."""
        past = kwargs["past_key_values"]
        seen = int(past.get_seq_length())
        positions = torch.arange(seen, input_ids.shape[1])
        return {"input_ids": input_ids[:, seen:], "past_key_values": past, "cache_position": positions}

    def forward(
        self, input_ids: Tensor, past_key_values: StaticCache, cache_position: Tensor, **_: Any
    ) -> CausalLMOutputWithPast:
        """Logits of the given tokens; the cache takes them in."""
        config = self.network.config
        angles = rotary_angles(cache_position, config.head_width, config.rope_base)
        states = self.network.embedding(input_ids)
        visible = None
        for index, layer in enumerate(cast(Sequence[DecoderLayer], self.network.layers)):
            query, key, value = layer.self_attention.project(layer.self_norm(states), angles)
            keys, values = past_key_values.update(key, value, index, {"cache_position": cache_position})
            if visible is None:
                visible = torch.arange(keys.shape[2]) <= cache_position[:, None]
            attended = F.scaled_dot_product_attention(query, keys, values, attn_mask=visible, enable_gqa=True)
            states = states + layer.self_attention.merge(attended)
            crossed = layer.cross_attention(
                layer.cross_norm(states), self.memory.keys[index], self.memory.values[index], self.memory.mask
            )
            states = states + crossed
            states = states + layer.feed_forward(layer.feed_norm(states))
        return CausalLMOutputWithPast(
            logits=self.network.head(self.network.norm(states)), past_key_values=past_key_values
        )


class Time(NamedTuple):
    """Seconds for one step of all rows."""

    wall_s: float
    cpu_s: float


def timed(run: Callable[[], object], steps: int) -> Time:
    """How long one of ``steps`` steps took."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Time((time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps)


def caption_memory(network: MotetForConditionalGeneration, rows: int) -> Memory:
    """The memory of one random caption, for every row."""
    text = torch.randn(1, MEMORY - 1, network.config.text_width, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        memory = network.remember(text, torch.ones(1, MEMORY - 1, dtype=torch.bool))
        return memory.take(torch.zeros(rows, dtype=torch.int64))


def of_transformers(network: MotetForConditionalGeneration, rows: int, tokens: int) -> Callable[[], object]:
    """transformers' generate of ``tokens`` tokens, greedy: its sampling is left out."""
    model: Any = StaticDecoder(network, caption_memory(network, rows))
    begin = torch.ones(rows, 1, dtype=torch.int64)

    def run() -> object:
        cache = StaticCache(config=model.config, max_cache_len=tokens + 1)
        return model.generate(begin, past_key_values=cache, max_new_tokens=tokens, do_sample=False, use_cache=True)

    return run


def of_engine(
    packed: PackedNetwork, network: MotetForConditionalGeneration, rows: int, tokens: int
) -> Callable[[], object]:
    """Ours, greedy, from empty slots."""
    engine = Engine(packed, EngineConfig(tokens=tokens))
    memory = caption_memory(network, 1)
    place = engine.remember(memory)

    def run() -> object:
        slots = np.array([engine.join(place) for _ in range(rows)])
        newest = np.ones(rows, np.int64)
        for _ in range(tokens):
            newest = engine.step(slots, newest).argmax(axis=1)
        for slot in slots:
            engine.leave(int(slot))
        return newest

    return run


def check(network: MotetForConditionalGeneration, packed: PackedNetwork, tokens: int) -> None:
    """Raises unless all contenders compute the same."""
    ids = torch.from_numpy(np.random.default_rng(0).integers(3, network.config.vocab_size, (1, tokens)))
    memory = caption_memory(network, 1)
    model = StaticDecoder(network, memory)
    engine = Engine(packed, EngineConfig(tokens=tokens))
    slot = engine.join(engine.remember(memory))
    cache = StaticCache(config=model.config, max_cache_len=tokens)
    with torch.inference_mode():
        theirs = torch.cat([model(ids[:, at : at + 1], cache, torch.tensor([at])).logits[:, 0] for at in range(tokens)])
    ours = engine.prefill(slot, ids[0].numpy(), every=True)
    torch.testing.assert_close(torch.from_numpy(ours), theirs, atol=2e-4, rtol=1e-4)


def error(
    exact: PackedNetwork, packed: PackedNetwork, network: MotetForConditionalGeneration, tokens: int
) -> tuple[float, float]:
    """Mean and largest difference of the log-probabilities above -8, over music of the model's own."""
    memory = caption_memory(network, 1)
    rng = np.random.default_rng(0)
    engines = [Engine(one, EngineConfig(tokens=tokens)) for one in (exact, packed)]
    slots = [one.join(one.remember(memory)) for one in engines]
    token, differences = 1, []
    for _ in range(tokens):
        both = []
        for engine, slot in zip(engines, slots, strict=True):
            logits = np.ascontiguousarray(engine.step(np.array([slot]), np.array([token])))
            kernels.log_softmax(logits)
            both.append(logits[0])
        likely = both[0] > -8
        differences.append(np.abs(both[0] - both[1])[likely])
        chances = np.exp(both[0].astype(np.float64))
        token = int(rng.choice(len(chances), p=chances / chances.sum()))
    together = np.concatenate(differences)
    return float(together.mean()), float(together.max())


def bandwidth(size: int) -> float:
    """Bytes a second of CPU time at which a buffer of ``size`` bytes is summed up again and again, the best of 15."""
    words = torch.zeros(max(size, 4096) // 4)
    best = 0.0
    for _ in range(15):
        start, rounds = time.process_time(), max(1, 30_000_000 // size)
        for _ in range(rounds):
            words.sum()
        best = max(best, rounds * size / (time.process_time() - start))
    return best


def peak(precision: Precision) -> float:
    """Multiply-adds a second of CPU time: the best of our products on a small matrix, and of torch's for float32."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((512, 512)).astype(np.float32)
    matrices = pack([weight], precision)
    rows = 96
    source, out = rng.standard_normal((rows, 512)).astype(np.float32), np.zeros((rows, 512), np.float32)
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    best = 0.0
    for _ in range(15):
        start = time.process_time()
        for _ in range(10):
            kernels._add_product(source, *matrices, 0, out)
        best = max(best, 10 * rows * weight.size / (time.process_time() - start))
        if precision == "float32":
            start = time.process_time()
            torch.mm(a, b)
            best = max(best, 1024**3 / (time.process_time() - start))
    return best


def bound_s(packed: PackedNetwork, rows: int, tokens: int, rate: float) -> float:
    """Least seconds for an average step of ``rows`` rows that grow to ``tokens`` tokens."""
    config = packed.config
    length = (tokens + 1) / 2
    read = packed.matrices.nbytes + packed.token_nbytes * (rows * length + MEMORY)
    parts = {"uint32": 2, "int8": 4}.get(str(packed.matrices.words.dtype), 1)
    weights = sum(int(panels * lines) for _, panels, lines, _ in packed.matrices.places) * kernels.PANEL * parts
    attention = 2 * config.layers * config.width * (length + MEMORY)
    return float(max(read / bandwidth(int(read)), rows * weights / rate + rows * attention / peak("float32")))


def of_batches(decoders: Sequence[Decoder], tokens: int, count: int, *, at_once: bool) -> Callable[[], object]:
    """``count`` batches of 8 rows of exactly ``tokens`` tokens, each with a caption and a seed of its own."""

    def run(number: int) -> None:
        prompt = Prompt(CAPTIONS[number % len(CAPTIONS)], Controls(bars=MAX_BARS))
        decoder = decoders[number % len(decoders)]
        batch = decoder.open([prompt] * BATCH_ROWS, seed=number, max_tokens=tokens)
        batch.advance(MAX_BARS)
        batch.close()

    def run_all() -> None:
        with ThreadPoolExecutor(count if at_once else 1) as workers:
            list(workers.map(run, range(count)))

    return run_all


def compare_batches(checkpoint: Checkpoint, args: argparse.Namespace) -> None:
    """Prints how fast several batches are decoded in three ways, which take turns."""
    apart = [Decoder(checkpoint) for _ in range(max(args.batches))]
    for decoder in apart:
        decoder.open([Prompt(CAPTIONS[0], Controls())], seed=0).advance(1)
    if not args.json:
        print("batches  way               tokens/s  CPU s/token  times faster  times less CPU")
    for count in args.batches:
        ways = {
            "one by one": of_batches(apart[:1], args.tokens, count, at_once=False),
            "engines of their own": of_batches(apart, args.tokens, count, at_once=True),
            "one pool": of_batches(apart[:1], args.tokens, count, at_once=True),
        }
        times: dict[str, list[Time]] = {name: [] for name in ways}
        for _ in range(args.rounds):
            for name, run in ways.items():
                times[name].append(timed(run, count * BATCH_ROWS * args.tokens))
        base = times["one by one"]
        for name, several in times.items():
            wall, cpu = median(one.wall_s for one in several), median(one.cpu_s for one in several)
            line = {"batches": count, "way": name, "tokens_per_s": 1 / wall, "cpu_s_per_token": cpu}
            line |= {"times_faster": median(one.wall_s for one in base) / wall}
            line |= {"times_less_cpu": median(one.cpu_s for one in base) / cpu}
            text = "{batches:7}  {way:20} {tokens_per_s:5,.0f}  {cpu_s_per_token:11.6f}  {times_faster:12.2f}"
            text += "  {times_less_cpu:14.2f}"
            print(json.dumps(line) if args.json else text.format(**line), flush=True)


def searched(model: Path | None) -> dict[str, float]:
    """CPU seconds of the default search for 8 bars of each of 5 captions, and seconds of the music that it found."""
    searcher = searcher_from(model)
    captions = CAPTIONS[::10]
    searcher.run(SearchRequest(caption=captions[0], seed=0, bars=8))  # compiles, loads sounds
    total = {"cpu_s": 0.0, "music_s": 0.0, "tokens": 0.0}
    for seed, caption in enumerate(captions):
        cpu = time.process_time()
        result = searcher.run(SearchRequest(caption=caption, seed=seed, bars=8))
        total["cpu_s"] += time.process_time() - cpu
        total["music_s"] += result.candidates[0].score.duration_s
        total["tokens"] += result.tokens
    return total


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the shipped one)")
    parser.add_argument("--tokens", type=int, default=256, help="tokens a row, default %(default)s")
    parser.add_argument("--rows", type=int, nargs="*", default=[1, 8, 16, 32], help="default 1 8 16 32")
    parser.add_argument("--batches", type=int, nargs="+", default=[], help="also several batches at once, so many")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every contender, default %(default)s")
    parser.add_argument("--search", action="store_true", help="also run the default search, rendering and judging")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    args = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = Checkpoint.load(args.model)
    if args.batches:
        compare_batches(checkpoint, args)
    if args.rows:
        compare_rows(parser, checkpoint, args)
    if args.search:
        found = searched(args.model)
        text = "the default search took {cpu_s:.1f} CPU seconds ({tokens:.0f} tokens) for {music_s:.1f} s of music"
        print(json.dumps(found) if args.json else text.format(**found), flush=True)
    return 0


def compare_rows(parser: argparse.ArgumentParser, checkpoint: Checkpoint, args: argparse.Namespace) -> None:
    """Prints how fast one step of so many rows is, for every contender."""
    network = checkpoint.network
    if not isinstance(network, MotetForConditionalGeneration):
        parser.error("--model: must be a checkpoint of our own")
    packed: dict[str, PackedNetwork] = {}
    for precision in PRECISIONS:
        try:
            packed[precision] = PackedNetwork(network, precision)
        except UnavailableError as reason:
            print(reason.message, file=sys.stderr)
    check(network, packed["float32"], 40)
    for precision, one in packed.items():
        mean, largest = error(packed["float32"], one, network, args.tokens)
        line = {"precision": precision, "weights_mb": one.matrices.nbytes / 1e6, "mean": mean, "max": largest}
        text = f"{precision:>9}: {line['weights_mb']:5.1f} MB of weights; log-probabilities differ from float32 by"
        print(json.dumps(line) if args.json else f"{text} {mean:.4f} on average, {largest:.3f} at most", flush=True)
    rates = {precision: peak(precision) for precision in packed}  # type: ignore[arg-type]
    if not args.json:
        print("rows  decoder        tokens/s  CPU s/token   times faster  share of bound")
    for rows in args.rows:
        runs = {"transformers": of_transformers(network, rows, args.tokens)}
        runs |= {precision: of_engine(one, network, rows, args.tokens) for precision, one in packed.items()}
        for run in runs.values():
            run()
        times: dict[str, list[Time]] = {name: [] for name in runs}
        for _ in range(args.rounds):
            for name, run in runs.items():
                times[name].append(timed(run, args.tokens))
        base = median(one.cpu_s for one in times["transformers"])
        for name, several in times.items():
            cpu, wall = median(one.cpu_s for one in several), median(one.wall_s for one in several)
            share = bound_s(packed[name], rows, args.tokens, rates[name]) / cpu if name in packed else None
            line = {"rows": rows, "decoder": name, "tokens_per_s": rows / wall, "cpu_s_per_token": cpu / rows}
            line |= {"times_faster": base / cpu, "share_of_bound": share}
            if args.json:
                print(json.dumps(line), flush=True)
            else:
                told = "" if share is None else f"{share:14.0%}"
                print(
                    f"{rows:4}  {name:13} {rows / wall:9,.0f}  {cpu / rows:11.6f}  {base / cpu:13.1f}  {told}",
                    flush=True,
                )


if __name__ == "__main__":
    sys.exit(main())
