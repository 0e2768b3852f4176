"""Arms of the bench: a strategy with its settings, how many mutated captions it may use, and what it climbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from motet.music.error import InvalidInputError
from motet.search import spec as strategies
from motet.search.request import MAX_CANDIDATES, SearchRequest

SAMPLE: Final = "sample"
"""The strategy that is one plain sample, whatever the budget."""

COIN: Final = "random"
"""The default strategy climbing a coin instead of the reward: what a search wins by luck, which must be about 0."""

RESULTS: Final = 4
"""Pieces asked of each search, whose differences are its diversity."""

_MUTATIONS: Final = "mutations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One thing to measure.

    Args:
        label: as it was given, without its budgets.
        strategy: for ``SearchRequest.strategy``.
        mutations: most mutated captions; None for the default.
        coin: whether it climbs a coin.
        budgets: candidates to search with, ascending.
    """

    label: str
    strategy: str
    mutations: int | None
    coin: bool
    budgets: tuple[int, ...]

    @classmethod
    def parse(cls, text: str, budgets: Sequence[int]) -> Arm:
        """Reads ``STRATEGY[:SETTING=NUMBER,...][@BUDGET/BUDGET...]``.

        Beside the strategy's own settings there is ``mutations=N`` for ``SearchRequest.mutations``, unless it has one
        of that name. The name "random" is the default strategy climbing a coin. Raises InvalidInputError,
        NotFoundError for an unknown strategy, and what the strategy's own settings raise.

        Args:
            text: what to read.
            budgets: for an arm that names none.
        """
        label, _, own = text.strip().partition("@")
        name, _, settings = label.partition(":")
        coin = name == COIN
        strategy = strategies.DEFAULT if coin else name
        its_own = _MUTATIONS in {one.name for one in fields(strategies.find(strategy).load().settings)}
        kept: list[str] = []
        mutations: int | None = None
        for setting in filter(None, settings.split(",")):
            if setting.startswith(f"{_MUTATIONS}=") and not its_own:
                mutations = _whole(_MUTATIONS, setting.partition("=")[2])
            else:
                kept.append(setting)
        chosen = [_whole("candidates", number) for number in own.split("/")] if own else list(budgets)
        if name == SAMPLE:
            chosen = [1]
        if not chosen or not all(1 <= number <= MAX_CANDIDATES for number in chosen):
            raise InvalidInputError.of("candidates", f"must be numbers from 1 to {MAX_CANDIDATES}", chosen)
        arm = cls(
            label=label,
            strategy=":".join(filter(None, (strategy, ",".join(kept)))),
            mutations=mutations,
            coin=coin,
            budgets=tuple(sorted(set(chosen))),
        )
        arm.request("music", 0, arm.budgets[0])  # so that a wrong setting is told before the first search
        return arm

    def request(self, caption: str, seed: int, candidates: int, **others: object) -> SearchRequest:
        """One search of this arm; raises what ``SearchRequest`` raises."""
        if self.mutations is not None:
            others[_MUTATIONS] = self.mutations
        return SearchRequest(
            caption=caption,
            seed=seed,
            strategy=self.strategy,
            candidates=candidates,
            results=min(RESULTS, candidates),
            **others,  # type: ignore[arg-type]
        )


def parse_arms(words: Sequence[str], budgets: Sequence[int]) -> list[Arm]:
    """Arms given as words, or several in a word with commas between them; no two may have the same label."""
    texts: list[str] = []
    for word in words:
        for part in word.split(","):
            # A comma stands between arms and between the settings of one: settings have "=", names do not.
            is_setting = "=" in part and ":" not in part
            if is_setting and texts:
                texts[-1] += f",{part.strip()}"
            elif part.strip():
                texts.append(part.strip())
    arms = [Arm.parse(text, budgets) for text in texts]
    labels = [arm.label for arm in arms]
    if not arms or len(set(labels)) < len(labels):
        raise InvalidInputError.of("strategies", "must be at least one, each named once", " ".join(words))
    return arms


def _whole(name: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise InvalidInputError.of(name, "must be a whole number", text)
    return int(text)
