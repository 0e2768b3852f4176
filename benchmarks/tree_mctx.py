"""The mctx rows of `benchmarks/tree.py`, for an interpreter that has mctx and nothing of Motet.

mctx grows a batch of trees in lockstep, compiled by XLA. Every node has a fixed number of actions with equal priors,
and a trivial recurrent function makes each child's value from a hash of its parent's key and of its action.

    python -m venv mctx && mctx/bin/pip install mctx
    mctx/bin/python benchmarks/tree_mctx.py SIMULATIONS ACTIONS ROUNDS BATCH...      (one JSON object per line)
"""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # CPU seconds count: no thread may spin
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # type: ignore[import-not-found]
import mctx  # type: ignore[import-not-found]
from jax import numpy as jnp

LEAST_S = 0.1
"""CPU seconds of a measurement; short searches are repeated."""


def value(key: jax.Array) -> jax.Array:
    """A number in [0, 1) for a key."""
    return key.astype(jnp.float32) / 2.0**32


def step(params: None, rng: jax.Array, action: jax.Array, key: jax.Array, *, actions: int) -> tuple[object, jax.Array]:
    """The recurrent function: no reward, no discount, equal priors."""
    child = key * jnp.uint32(1664525) + (action + 1).astype(jnp.uint32) * jnp.uint32(22695477) + jnp.uint32(1013904223)
    zeros = jnp.zeros(action.shape)
    logits = jnp.zeros((*action.shape, actions))
    output = mctx.RecurrentFnOutput(reward=zeros, discount=zeros + 1, prior_logits=logits, value=value(child))
    return output, child


@partial(jax.jit, static_argnames=("actions", "simulations"))
def search(keys: jax.Array, rng: jax.Array, actions: int, simulations: int) -> tuple[jax.Array, jax.Array]:
    """Grows one tree for each key: the visits of the roots' children, and the depth of a node in the mean."""
    root = mctx.RootFnOutput(prior_logits=jnp.zeros((len(keys), actions)), value=value(keys), embedding=keys)
    found = mctx.muzero_policy(
        None, rng, root, partial(step, actions=actions), simulations, dirichlet_fraction=0.0, pb_c_init=1.25
    )
    parents = found.search_tree.parents

    def deeper(node: int, depth: jax.Array) -> jax.Array:
        above = jnp.take_along_axis(depth, parents[:, node][:, None], 1)[:, 0]
        return depth.at[:, node].set(above + 1)

    depth = jax.lax.fori_loop(1, simulations + 1, deeper, jnp.zeros(parents.shape))
    return found.search_tree.children_visits[:, 0], depth[:, 1:].mean()


def main() -> None:
    """Times each batch size; the first, which compiles, is left out."""
    simulations, actions, rounds, *batches = map(int, sys.argv[1:])
    for batch in batches:
        keys = jnp.arange(1, batch + 1, dtype=jnp.uint32)
        cpu_s = []
        for _ in range(1 + rounds):
            searches, start = 0, time.process_time()
            while time.process_time() - start < LEAST_S:
                visits, depth = jax.block_until_ready(search(keys, jax.random.PRNGKey(0), actions, simulations))
                searches += 1
            cpu_s.append((time.process_time() - start) / searches)
            if int(visits.sum()) != batch * simulations:
                raise SystemExit(f"mctx made {int(visits.sum())} of {batch * simulations} simulations")
        print(json.dumps({"batch": batch, "cpu_s": cpu_s[1:], "depth": float(depth), "version": mctx.__version__}))


if __name__ == "__main__":
    main()
