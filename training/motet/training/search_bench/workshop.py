"""The workshop: opens a bench on the real model, rewards and judge."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch

from motet.model.checkpoint import Checkpoint
from motet.rewards.judge import Judge
from motet.search.request import SearchRequest
from motet.search.run import Searcher, searcher_on, tuning_of
from motet.training.search_bench.bench import Bench
from motet.training.search_bench.coin import Coin

_FIRST = SearchRequest(caption="A short tune for piano.", seed=0, strategy="best_of_n", candidates=2, bars=2)


def open_bench(model: Path | None, workers: int) -> Bench:
    """A bench on a checkpoint (None: the shipped one), for one of ``workers`` processes that share the cores.

    It has searched once, so that no measured search pays for the start. Raises what a missing or broken part raises.
    """
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    checkpoint = Checkpoint.load(model)
    searcher = searcher_on(checkpoint)
    gambler = Searcher(searcher.decoder, Coin(), vocabulary=checkpoint.tokenizer, tuning=searcher.tuning)
    for one in (searcher, gambler):
        one.run(_FIRST)
    return Bench(searcher, gambler, searcher.reward, Judge.load())


def tuned(checkpoint: Checkpoint) -> Mapping[str, Mapping[str, float]]:
    """Settings by strategy that a pilot found for a checkpoint; empty without a pilot."""
    tuning = tuning_of(checkpoint)
    return {} if tuning is None else tuning.strategies
