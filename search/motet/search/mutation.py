"""Mutated captions: the same wish in other words, or with details that the original leaves open.

A mutated caption is an arm of the search: pieces are sampled for it, and judged against the original. Whoever proposes
a wording, ``motet.search.gate`` decides whether it may stand in for the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from motet.music import caption as captions
from motet.music.attributes import Attributes
from motet.music.caption import Caption
from motet.music.error import InvalidInputError
from motet.search.gate import admits
from motet.search.reading import read

Settled = Callable[[Attributes], Attributes]
"""What holds for a piece whose words state the given attributes."""


class Source(Protocol):
    """Proposes other wordings of a caption."""

    def propose(self, caption: Caption, count: int, *, seed: int, settled: Settled) -> Iterator[str]:
        """Wordings, good or bad, of which ``count`` are wanted; finitely many. UnavailableError when it is down."""
        ...


class Mutators:
    """Sources of mutated captions behind one gate.

    Args:
        sources: asked in turn, one wording at a time, so that each has its share of the mutants.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)

    def mutate(
        self, caption: Caption, count: int, *, seed: int, settled: Settled = lambda stated: stated
    ) -> tuple[Caption, ...]:
        """Up to ``count`` different mutants of a caption, each admitted by the gate; fewer when it admits no more.

        Args:
            caption: the original.
            count: how many are wanted, >= 0.
            seed: 0 or more; the same caption, count and seed give the same mutants.
            settled: adds what holds whatever the words say, so that no mutant states something else.

        Raises UnavailableError when a source cannot be reached.
        """
        mutants: dict[str, Caption] = {}
        seen = {caption.text}
        waiting = [source.propose(caption, count, seed=seed, settled=settled) for source in self.sources if count]
        while waiting and len(mutants) < count:
            proposals = waiting.pop(0)
            for text in proposals:
                if text not in seen:
                    seen.add(text)
                    mutant = _parsed(text)
                    if mutant is not None and admits(caption, mutant):
                        mutants[mutant.text] = mutant
                        waiting.append(proposals)
                        break
        return tuple(mutants.values())


def _parsed(text: str) -> Caption | None:
    """The caption of a text, None when it is none."""
    try:
        captions.check(text)
    except InvalidInputError:
        return None
    text = text.strip()
    return Caption(text, read(text).attributes)
