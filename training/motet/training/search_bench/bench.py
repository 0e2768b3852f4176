"""The bench at work: searches with what an arm says, and looks at what comes out."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import motet.rewards
from motet.music import midi
from motet.music.caption import parse_attributes
from motet.music.describe import describe
from motet.rewards.composite import Weights
from motet.rewards.judge import Judge
from motet.search.contract import Reward
from motet.search.result import Candidate, SearchResult
from motet.search.run import Searcher
from motet.search.spec import Spec, find
from motet.training.control import MEASURES
from motet.training.realism import degeneracy
from motet.training.realism.excerpt import Excerpt
from motet.training.search_bench import diversity
from motet.training.search_bench.arm import RESULTS, SAMPLE, Arm
from motet.training.search_bench.row import Case, Row


class Bench:
    """Runs cases, one at a time.

    Args:
        searcher: climbs the reward.
        gambler: climbs a coin; the same in everything else.
        reward: what results are measured by, whatever was climbed.
        judge: heard when all is decided.
    """

    def __init__(self, searcher: Searcher, gambler: Searcher, reward: Reward, judge: Judge) -> None:
        self._searcher = searcher
        self._gambler = gambler
        self._reward = reward
        self._judge = judge

    def row(self, case: Case, arm: Arm) -> Row:
        """Searches and measures; raises what a search raises."""
        weights = Weights.parse(case.weights) if case.weights else Weights()
        request = arm.request(case.caption, case.seed, case.candidates, bars=case.bars, weights=weights)
        result = (self._gambler if arm.coin else self._searcher).run(request)
        best = result.best
        breakdown = best.breakdown
        if arm.coin:
            [breakdown] = self._reward.score([best.score], result.plan.caption, weights, complete=True)
        [verdict] = self._judge.judge([best.score], case.caption)
        excerpt = Excerpt(best.score, best.bars)
        return Row(
            case=case,
            reward={"total": breakdown.total, **breakdown.terms},
            judge=verdict.record(),
            control=_control(case.caption, best),
            log_probability=best.log_probability / max(len(best.tokens), 1),
            mutated=best.arm > 0,
            bars=best.bars,
            notes=len(best.score),
            empty_bars=1 - len(set(excerpt.bar.tolist())) / excerpt.bars,
            faults=sorted(degeneracy.found(excerpt)),
            tokens=result.tokens,
            prefilled=result.prefilled,
            seconds=result.elapsed_s,
            profile=_profile(result),
            results=len(result.candidates) / request.results,
            diversity=diversity.spread(self._judge, [one.score for one in result.candidates[:RESULTS]]),
            midi=base64.b64encode(midi.write(best.score)).decode("ascii"),
        )


def _control(caption: str, best: Candidate) -> dict[str, float]:
    asked, found = parse_attributes(caption), describe(best.score)
    values = {name: measure(asked, found) for name, measure in MEASURES.items()}
    return {name: value for name, value in values.items() if value is not None}


def _profile(result: SearchResult) -> dict[str, float]:
    return {name.removesuffix("_s"): float(value) for name, value in asdict(result.profile).items()}


def cases(
    captions: Sequence[str],
    arms: Sequence[Arm],
    seeds: int,
    *,
    bars: int | None,
    weights: str,
    model: str,
    reward: str,
    tuned: Mapping[str, Mapping[str, float]],
) -> list[tuple[Case, Arm]]:
    """Every search, all of one caption before the next and all of one seed before the next: any beginning is of use.

    Args:
        captions: what to search for.
        arms: no two with one label.
        seeds: how many, from 0 on.
        bars, weights, model, reward: see ``Case``.
        tuned: settings by strategy that a pilot found for the model.
    """
    settings = {arm.label: settings_of(arm, tuned) for arm in arms}
    return [
        (
            Case(
                caption=caption,
                arm=arm.label,
                candidates=candidates,
                seed=seed,
                bars=bars,
                weights=weights,
                model=model,
                reward=reward,
                settings=settings[arm.label],
            ),
            arm,
        )
        for seed in range(seeds)
        for caption in captions
        for arm in sorted(arms, key=lambda arm: arm.strategy != SAMPLE)
        for candidates in arm.budgets
    ]


def settings_of(arm: Arm, tuned: Mapping[str, Mapping[str, float]]) -> str:
    """All settings that an arm's strategy will have, in a canonical form."""
    spec = Spec.parse(arm.strategy)
    values: dict[str, Any] = {
        **asdict(find(spec.name).load().settings()),
        **tuned.get(spec.name, {}),
        **spec.settings,
        "mutations": arm.mutations,
    }
    return json.dumps({name: values[name] for name in sorted(values) if values[name] is not None})


def reward_version() -> str:
    """Twelve digits that change with anything that the rewards and the judge have learned."""
    digest = hashlib.sha256()
    for root in map(Path, motet.rewards.__path__):
        for folder in ("weights", "tables"):
            for path in sorted((root / folder).rglob("*")):
                if path.is_file():
                    digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]
