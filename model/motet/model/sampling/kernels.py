"""Compiled loops over the vocabulary: the grammar's mask and nucleus sampling.

``B`` denotes rows, ``V`` tokens; nothing here has a random state of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba
import numpy as np

from motet.model.kernels import exponential

P = ParamSpec("P")
R = TypeVar("R")


def _kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles on first call and caches on disk; frees other threads meanwhile."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@_kernel
def follow(  # type: ignore[no-untyped-def]
    state, position, last, next_state, starts_bar, first_position, last_position, meter, token_meter, limit, mask
):
    """Marks in ``mask`` [B, V] the tokens that keep the order of the grammar, the bar's length and the meter.

    Args:
        state, position, meter: [B] where rows stand; position and meter -1 where there is none.
        last: [B] positions of a bar in each row's meter.
        next_state: [states, V], -1 where a token breaks the order.
        starts_bar, first_position, last_position: [V].
        token_meter, limit: [V] the meter that a token states, or -1, and the positions of a bar in it, or the largest
            number.
    """
    for row in range(len(state)):
        after, line = next_state[state[row]], mask[row]
        here, known, length = position[row], meter[row], last[row]
        for token in range(len(line)):
            bound = length if known >= 0 else limit[token]
            start = -1 if starts_bar[token] else here
            stated = token_meter[token]
            agrees = (stated < 0) | (known < 0) | (stated == known)
            fits = (first_position[token] > start) & (last_position[token] < bound)
            line[token] = (after[token] >= 0) & fits & agrees


@_kernel
def ascend(voice, pitch, pitch_on, token_voice, voice_pitch, top, mask):  # type: ignore[no-untyped-def]
    """Takes out of ``mask`` [B, V] the tokens whose notes do not come after those that the position has.

    Args:
        voice, pitch: [B] the last note's, or -1.
        pitch_on, token_voice, voice_pitch: [V] the pitch that a token goes on with, its first voice and that one's
            first pitch, or -1.
        top: [V] the pitch above which the token's first voice cannot go on.
    """
    for row in range(len(voice)):
        line, same, lowest = mask[row], voice[row], pitch[row]
        for token in range(len(line)):
            on, begins, first = pitch_on[token], token_voice[token], voice_pitch[token]
            reached = max(lowest, on)
            higher = ((first >= 0) & (first > reached)) | ((first < 0) & (reached < top[token]))
            later = (begins < 0) | (begins > same) | ((begins == same) & higher)
            line[token] &= ((on < 0) | (on > lowest)) & later


@_kernel
def await_players(  # type: ignore[no-untyped-def]
    required, heard, bars, limit, rest, here, order, programs, solo, silent, starts_bar, end_id, mask
):
    """Takes out of ``mask`` [B, V] the tokens that leave no room for required players who have rested long enough.

    Who is due comes in one by one in ``order``, with a whole bar to do so: only its own notes, and what is no note.

    Args:
        required, here: [B, P] who must come in, and who may in the present bar.
        heard: [B, P] the bar of each player's last note.
        bars, limit, rest: [B] bars so far, bars at the end, and whole bars that a player may rest.
        order: [P] players in the order of their notes at a position.
        programs, solo, silent, starts_bar: [V, P] who plays in a token, and [V] whether one alone, nobody, and whether
            it begins a bar.
        end_id: the token that ends a piece.
    """
    for row in range(len(bars)):
        line, closing, due = mask[row], False, -1
        for player in order:
            if required[row, player]:
                rested = bars[row] - heard[row, player]
                closing |= rested >= rest[row]
                if due < 0 and rested > rest[row] and here[row, player]:
                    due = player
        if not closing:
            continue
        last = due >= 0 and bars[row] >= limit[row]
        for token in range(len(line)):
            line[token] &= silent[token] | (not starts_bar[token])
            if due >= 0:
                line[token] &= silent[token] | (programs[token, due] & solo[token])
            if last:
                line[token] &= not starts_bar[token]
        if last:
            line[end_id] = False


@_kernel
def _mixed(value):  # type: ignore[no-untyped-def]
    """As ``motet.model.splitmix.mixed``."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@_kernel
def uniforms(seed, streams, steps):  # type: ignore[no-untyped-def]
    """One number in [0, 1) for each (seed, stream, step), so that a draw depends on nothing else in a batch.

    Three rounds of SplitMix64, one for each part of the key.

    Args:
        seed: a np.uint64.
        streams, steps: [B].
    """
    numbers, golden = np.empty(len(streams)), np.uint64(0x9E3779B97F4A7C15)
    first = _mixed(seed + golden)
    for row in range(len(streams)):
        state = _mixed((first ^ np.uint64(streams[row])) + golden)
        state = _mixed((state ^ np.uint64(steps[row])) + golden)
        numbers[row] = np.float64(state >> np.uint64(11)) * 2.0**-53
    return numbers


@_kernel
def _before(weights, first, second):  # type: ignore[no-untyped-def]
    """Whether candidate ``first`` ranks before ``second``: heavier, or as heavy and of the lower token id."""
    a, b = weights[first], weights[second]
    return a > b or (a == b and first < second)


@_kernel
def _sift(heap, size, place, weights):  # type: ignore[no-untyped-def]
    """Moves one entry of a heap down to where it belongs."""
    moved = heap[place]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _before(weights, heap[child + 1], heap[child]):
            child += 1
        if not _before(weights, heap[child], moved):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = moved


@_kernel
def draw(log_probabilities, allowed, temperature, top_p, uniform):  # type: ignore[no-untyped-def]
    """Nucleus sampling by inverse transform: one token id for each row.

    The head of the tokens in order of probability, ties by id, is taken off a heap until its mass reaches ``top_p``;
    nothing else is sorted.

    Args:
        log_probabilities: [n, V].
        allowed: [n, V]; at least one in a row.
        temperature, top_p, uniform: [n].
    """
    rows, size = log_probabilities.shape
    drawn = np.empty(rows, np.int64)
    tokens, heap = np.empty(size, np.int64), np.empty(size, np.int64)
    weights, head = np.empty(size, np.float32), np.empty(size, np.int64)
    for row in range(rows):
        line, mask = log_probabilities[row], allowed[row]
        count, largest = 0, np.float32(-np.inf)
        for token in range(size):
            if mask[token]:
                tokens[count] = token
                largest = max(largest, line[token])
                count += 1
        inverse = np.float32(1 / temperature[row])
        for index in range(count):
            weights[index] = exponential((line[tokens[index]] - largest) * inverse)
        total = 0.0
        for index in range(count):
            total += weights[index]
            heap[index] = index
        for place in range(count // 2 - 1, -1, -1):
            _sift(heap, count, place, weights)
        kept, mass = 0, 0.0
        while kept < count and mass < top_p[row] * total:
            head[kept] = heap[0]
            mass += weights[heap[0]]
            kept += 1
            heap[0] = heap[count - kept]
            _sift(heap, count - kept, 0, weights)
        point, passed = uniform[row] * mass, 0.0
        choice = 0
        while choice < kept - 1:
            passed += weights[head[choice]]
            if passed > point:
                break
            choice += 1
        drawn[row] = tokens[head[choice]]
    return drawn
