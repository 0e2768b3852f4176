"""What a search is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from motet.model.controls import GUIDANCE, TEMPERATURE, TOP_P, check_sampling
from motet.music import caption as captions
from motet.music.attributes import Attributes
from motet.music.caption import Caption
from motet.music.error import InvalidInputError
from motet.music.score import DEFAULT_BPM, DEFAULT_METER
from motet.music.tempo import TEMPO_WORDS
from motet.rewards.composite import Weights
from motet.search.controls import SearchControls
from motet.search.spec import DEFAULT, Spec

MAX_CANDIDATES = 64
MAX_BARS = 64
MAX_SEED = 2**63 - 1
MAX_TOKENS = 2**40
MAX_ROUNDS = 10_000
DEFAULT_BARS = 8
DEFAULT_CANDIDATES = 8


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidInputError.of(name, f"must be a whole number from {low} to {high}", value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """One caption and how hard to search for it.

    Args:
        caption: what to search for; every reward is against this text.
        seed: 0 to 2**63 - 1; None lets the search choose one and report it.
        strategy: name of an entry point of the group ``motet.strategies``, and settings: ``NAME:KEY=NUMBER,...``.
        candidates: pieces decoded side by side, 1 to 64; the strategy ``sample`` uses one.
        bars: how many to write, 1 to 64; None takes it from the caption, else 8. Absent where a seed is filled.
        controls: what holds whatever the caption says.
        temperature: of sampling, above 0 and at most 2.
        top_p: nucleus of sampling, above 0 and at most 1.
        guidance: weight of the words, 0 to 10; 1 for the model's own, more costs twice the decoding.
        weights: of the rewards, by name; any installed reward may have one.
        mutations: at most this many mutated captions beside the original, 0 to 8.
        tokens: decoded by the whole search, after which the best so far is returned, 1 to 2**40; None for no limit.
        deadline_s: seconds after which the best so far is returned, above 0; None for no limit.
        rounds: how many times the strategy is run, 1 to 10,000, each with fresh random numbers and mutants; all that is
            found is kept. None: as long as ``tokens`` or ``deadline_s``, one of which must be given, allow.
        least_gain: no further round is begun when it is expected to raise the best reward by less, 0 (never) to 1.
        results: how many ranked candidates to return, 1 to ``candidates``.

    Raises:
        InvalidInputError: names the field (``strategy.KEY`` for a setting), the rule and the value received.
        NotFoundError: unknown strategy; lists the known ones.
    """

    caption: str
    seed: int | None = None
    strategy: str = DEFAULT
    candidates: int = DEFAULT_CANDIDATES
    bars: int | None = None
    controls: SearchControls = field(default_factory=SearchControls)
    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    guidance: float = GUIDANCE
    weights: Weights = field(default_factory=Weights)
    mutations: int = 3
    tokens: int | None = None
    deadline_s: float | None = None
    rounds: int | None = 1
    least_gain: float = 0.0
    results: int = 1

    def __post_init__(self) -> None:
        caption = self.parsed()
        if self.seed is not None:
            _check_whole("seed", self.seed, 0, MAX_SEED)
        Spec.parse(self.strategy).make()
        _check_whole("candidates", self.candidates, 1, MAX_CANDIDATES)
        if self.bars is not None:
            _check_whole("bars", self.bars, 1, MAX_BARS)
        check_sampling(self.temperature, self.top_p, self.guidance)
        _check_whole("mutations", self.mutations, 0, 8)
        if self.tokens is not None:
            _check_whole("tokens", self.tokens, 1, MAX_TOKENS)
        if self.deadline_s is not None and not (self.deadline_s > 0 and math.isfinite(self.deadline_s)):
            raise InvalidInputError.of("deadline_s", "must be a finite number of seconds above 0", self.deadline_s)
        if self.rounds is not None:
            _check_whole("rounds", self.rounds, 1, MAX_ROUNDS)
        elif self.tokens is None and self.deadline_s is None:
            raise InvalidInputError.of("rounds", "must be a number where neither tokens nor deadline_s is given", None)
        if not 0 <= self.least_gain <= 1:
            raise InvalidInputError.of("least_gain", "must be from 0 to 1", self.least_gain)
        _check_whole("results", self.results, 1, self.candidates)
        controls, seed = self.controls, self.controls.seed
        if self.bars is not None and seed is not None and not seed.continues:
            rule = f"must be absent where a seed is filled: its {seed.length_bars} bars stay"
            raise InvalidInputError.of("bars", rule, self.bars)
        drums = caption.attributes.drums if controls.drums_asked is None else controls.drums_asked
        named = controls.instruments or caption.attributes.instruments or drums
        if controls.only_instruments and not named:
            raise InvalidInputError.of("only_instruments", "must come with instruments, here or in the caption", True)

    def parsed(self) -> Caption:
        """The caption with its attributes."""
        return captions.parse(self.caption)


def stated_bars(attributes: Attributes) -> int | None:
    """The length that a caption states, cut to 1..64 bars; a length in seconds is counted in its tempo and meter."""
    if attributes.bars is not None:
        return min(attributes.bars, MAX_BARS)
    if attributes.duration_s is None:
        return None
    bpm = attributes.tempo_bpm
    if bpm is None and attributes.tempo_word is not None:
        low, high = TEMPO_WORDS[attributes.tempo_word]
        bpm = (low + high) / 2
    bar_s = (attributes.meter or DEFAULT_METER).bar_quarters * 60.0 / (bpm or DEFAULT_BPM)
    return min(max(round(attributes.duration_s / bar_s), 1), MAX_BARS)
