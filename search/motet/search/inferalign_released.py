"""InferAlign as its released code behaves, quirks included. A baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from motet.music.error import InvalidInputError
from motet.search.exploration import Exploration
from motet.search.inferalign_paper import divide, mutate_rows, new_captions, one_original
from motet.search.request import MAX_CANDIDATES, SearchRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class InferAlignReleasedConfig:
    """The released settings, and its quirks as switches.

    Args:
        beams: 1 to 64, or None for ``SearchRequest.candidates``; the released command line has 3.
        survivors: beams that are kept at each replacement, at least 1.
        mutations: of the caption at the start, at least 1; beams beyond them share captions.
        chunk_share: share of the piece between two replacements, above 0 and at most 1; 500 of 2000 tokens.
        refills_at_random: a copy is of any survivor, drawn at random, not of the best first.
        mutates_only_at_start: copies keep the caption of their parent; the code that would change it is never reached.
    """

    beams: int | None = None
    survivors: int = 2
    mutations: int = 4
    chunk_share: float = 0.25
    refills_at_random: bool = True
    mutates_only_at_start: bool = True

    def __post_init__(self) -> None:
        if self.beams is not None and not 1 <= self.beams <= MAX_CANDIDATES:
            raise InvalidInputError.of("beams", f"must be from 1 to {MAX_CANDIDATES}", self.beams)
        for name in ("survivors", "mutations"):
            if getattr(self, name) < 1:
                raise InvalidInputError.of(name, "must be at least 1", getattr(self, name))
        if not 0 < self.chunk_share <= 1:
            raise InvalidInputError.of("chunk_share", "must be above 0 and at most 1", self.chunk_share)


class InferAlignReleased:
    """Beams of the caption and up to four mutations; after each quarter the best two are kept, random copies fill up.

    Copies are judged only after they have grown, by the reward of the piece so far against the original caption; all
    survivors are judged again with them. Nothing protects the plain sample or the original caption.

    What the released code does besides, and what cannot be done here:

    - *Surplus*: it draws ``max_tokens // chunk + 2`` chunks, six for a piece of four, and keeps the last four. Rows
      here end exactly at the asked bar line, so nothing is drawn beyond it and no beginning (with tempo and meter) is
      cut off; it is charged two thirds of what it would cost. The piece that it writes is not the one that it judged;
      here it always is.
    - *Ends*: it goes on after an end-of-sequence token, at full price. Rows here end by their grammar.
    - *Beginnings*: each further chunk follows a padding token instead of the beginning-of-sequence token. Rows here
      simply go on.
    - *Chunks* of 500 tokens end anywhere; here at bar lines.
    - *Failures* of a reward count as reward 0; here they end the search.
    - *Temperature* is 0.9 whatever is asked for; here it is the request's.
    - *Rewards*: the request's. Its own ones are not normalised, its text term is of a random 10 s window.
    - With fewer mutations than beams it draws captions at random; here they are dealt out in turn.
    - Its mutations come from a hosted language model, here from ``motet.search.mutation`` (none at all where the
      request allows no mutations).
    - It recomputes everything for each token, beam after beam; here all decoding is cached and batched.

    Source: github.com/AMAAI-Lab/t2m-inferalign at 937336c, ``progressive_explorer.py``.
    """

    keeps_plain: ClassVar[bool] = False
    settings: ClassVar[type[InferAlignReleasedConfig]] = InferAlignReleasedConfig

    def __init__(self, config: InferAlignReleasedConfig | None = None) -> None:
        self._config = config or InferAlignReleasedConfig()

    def arms(self, request: SearchRequest, mutants: int) -> list[int]:
        """One row on the original, the others on the mutants in turn; ``explore`` draws the ones that are missing."""
        return one_original(self._config.beams or request.candidates, min(mutants, self._config.mutations))

    def explore(self, exploration: Exploration) -> None:
        """Grow by a chunk, replace, until every beam has ended."""
        config = self._config
        mutable = mutate_rows(exploration, min(config.mutations, exploration.size - 1))
        chunk = math.ceil(config.chunk_share * exploration.bars)
        while exploration.grow(chunk) and not exploration.finished.all():
            best, copies = divide(exploration, config.survivors)
            parents = np.arange(exploration.size)
            if config.refills_at_random:
                parents[copies] = best[(exploration.uniforms(copies.size) * best.size).astype(np.intp)]
            else:
                parents[copies] = np.resize(best, copies.size)
            arms = exploration.arms[parents]
            if mutable and not config.mutates_only_at_start:
                arms[copies] = new_captions(exploration, copies.size)
            exploration.select(parents, arms.tolist())
