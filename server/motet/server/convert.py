"""Between the messages of ``motet.v1`` and the types of ``motet.search`` and ``motet.rewards``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from motet.music import midi
from motet.music.error import InvalidInputError, NotFoundError
from motet.rewards.composite import DEFAULT_WEIGHTS, Breakdown, Weights
from motet.rewards.reward import installed
from motet.search.budget import StopReason
from motet.search.profile import Profile
from motet.search.progress import Progress
from motet.search.request import MAX_CANDIDATES
from motet.search.result import Candidate, SearchResult
from motet.search.run import SearchRequest
from motet.search.spec import DEFAULT
from motet.search.tree import TreeSnapshot
from motet.server import catalogue, controls
from motet.server.backend import LISTENING_RATE_HZ
from motet.server.errors import ViolationsError, check, duration_of, renamed
from motet.v1 import search_pb2, search_service_pb2

DEFAULT_CANDIDATES = SearchRequest(caption="music").candidates

MOST_BARS = 4096
"""Pieces with more are not told bar by bar: a message of 4 MB is all that many clients take."""

_Row = tuple[int, int, float | None, int, bool]
"""Of one tree node: parent, arm, reward, bars, alive."""

_FIELDS = {
    "caption": "caption",
    "seed": "seed",
    "strategy": "strategy",
    "candidate_count": "candidates",
    "bar_count": "bars",
    "temperature": "temperature",
    "top_p": "top_p",
    "guidance": "guidance",
    "mutation_count": "mutations",
    "result_count": "results",
    "token_limit": "tokens",
    "round_count": "rounds",
    "least_gain": "least_gain",
}
"""Fields of the message -> arguments of the search."""


def search_request(message: search_service_pb2.SearchRequest, *, deadline_s: float) -> SearchRequest:
    """The search that ``message`` asks for; an error that tells all bad fields at once, by their names on the wire.

    Reads the seed, if there is one.

    Args:
        message: as received; absent fields take the defaults of the search.
        deadline_s: seconds that the search may take.
    """
    given: dict[str, Any] = {}
    for name, argument in _FIELDS.items():
        if name == "strategy" and not message.strategy:
            continue
        if name in {"caption", "strategy"} or message.HasField(name):  # type: ignore[arg-type]
            given[argument] = getattr(message, name)
    violations: list[InvalidInputError] = []
    if message.unlimited_rounds:
        if "rounds" in given:
            violations.append(InvalidInputError.of("unlimited_rounds", "must not come with round_count", True))
        else:
            given["rounds"] = None
    try:
        given["weights"] = weights(message.reward_weights)
    except InvalidInputError as error:
        violations.extend(error.violations if isinstance(error, ViolationsError) else [error])
    for name, argument in _FIELDS.items():
        if given.get(argument) is None:
            continue
        alone = {"caption": "music", argument: given[argument]}
        if argument == "results":  # its upper bound is the number of candidates, if that is a good one
            count = given.get("candidates", DEFAULT_CANDIDATES)
            alone["candidates"] = count if 1 <= count <= MAX_CANDIDATES else MAX_CANDIDATES
        try:
            SearchRequest(**alone)
        except NotFoundError:
            if not violations:
                raise
        except InvalidInputError as error:
            violations.append(renamed(error, {argument: name}))
    try:
        given["controls"] = controls.controls(message.controls)
    except InvalidInputError as error:
        violations.extend(error.violations if isinstance(error, ViolationsError) else [error])
    check(violations)
    try:
        return SearchRequest(**given, deadline_s=deadline_s)
    except InvalidInputError as error:
        raise on_the_wire(error) from error


def on_the_wire(error: InvalidInputError) -> InvalidInputError:
    """A violation that a search told, by the name of the field on the wire."""
    return renamed(error, {argument: name for name, argument in _FIELDS.items()} | controls.FIELDS)


def time_limit_s(message: search_service_pb2.SearchRequest) -> float | None:
    """The time limit of the request in seconds, if it has one; InvalidInputError unless it is above 0."""
    if not message.HasField("time_limit"):
        return None
    seconds = message.time_limit.seconds + message.time_limit.nanos / 1e9
    if not seconds > 0:
        raise InvalidInputError.of("time_limit", "must be above 0 seconds", seconds)
    return seconds


def weights(messages: Sequence[search_pb2.RewardWeight]) -> Weights:
    """The weights of the rewards: the defaults for an empty list, otherwise those named, of any installed rewards."""
    if not messages:
        return Weights()
    known = tuple(DEFAULT_WEIGHTS)
    if not all(message.name in known for message in messages):
        known = tuple(dict.fromkeys((*known, *installed())))
    chosen: dict[str, float] = {}
    violations: list[InvalidInputError] = []
    for index, message in enumerate(messages):
        weight = message.weight if message.HasField("weight") else 1.0
        if message.name not in known:
            rule = f"must be one of {', '.join(known)}"
            violations.append(InvalidInputError.of(f"reward_weights[{index}].name", rule, message.name))
        elif message.name in chosen:
            violations.append(
                InvalidInputError.of(f"reward_weights[{index}].name", "must not be repeated", message.name)
            )
        elif not (math.isfinite(weight) and weight >= 0):
            rule = "must be finite and not negative"
            violations.append(InvalidInputError.of(f"reward_weights[{index}].weight", rule, weight))
        else:
            chosen[message.name] = weight
    check(violations)
    try:
        return Weights(chosen)
    except InvalidInputError as error:
        raise renamed(error, {"weights": "reward_weights"}) from error


def render_options(message: search_service_pb2.RenderRequest) -> dict[str, Any]:
    """The arguments of ``Backend.render`` beside the file; an error that tells all bad fields at once."""
    violations: list[InvalidInputError] = []
    for name in ("start_seconds", "end_seconds"):
        value = getattr(message, name)
        if message.HasField(name) and not (math.isfinite(value) and value >= 0):
            violations.append(InvalidInputError.of(name, "must be finite and not negative", value))
    rate_hz = message.rate_hz if message.HasField("rate_hz") else LISTENING_RATE_HZ
    if not 8000 <= rate_hz <= 96_000:
        violations.append(InvalidInputError.of("rate_hz", "must be from 8000 to 96000", rate_hz))
    check(violations)
    return {
        "start_s": message.start_seconds if message.HasField("start_seconds") else None,
        "end_s": message.end_seconds if message.HasField("end_seconds") else None,
        "rate_hz": rate_hz,
        "effects": message.effects if message.HasField("effects") else True,
    }


def midi_bytes(data: bytes, max_bytes: int) -> bytes:
    """``data`` if it has 1 to ``max_bytes`` bytes; the cheap check, before a place in the queue is worth it."""
    if not data:
        raise InvalidInputError.of("midi", "must be a Standard MIDI File", "0 bytes")
    if len(data) > max_bytes:
        raise InvalidInputError.of("midi", f"must have at most {max_bytes:,} bytes", f"{len(data):,} bytes")
    return data


def reward(breakdown: Breakdown) -> search_pb2.Reward:
    """A breakdown as a message; terms, details and bars in their own order."""
    return search_pb2.Reward(
        total=breakdown.total,
        terms=_terms(breakdown.terms),
        details=_terms(breakdown.details),
        bars=[
            search_pb2.RewardBars(name=name, values=values)
            for name, values in breakdown.bars.items()
            if len(values) <= MOST_BARS
        ],
    )


def _terms(values: Mapping[str, float]) -> list[search_pb2.RewardTerm]:
    return [search_pb2.RewardTerm(name=name, value=float(value)) for name, value in values.items()]


class ToldTree:
    """The tree as the reader of one stream knows it; starts empty."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []

    def news(self, tree: TreeSnapshot) -> list[search_pb2.TreeNode]:
        """The nodes in which ``tree`` differs from what was told before, as messages to send now."""
        rows = _rows(tree)
        known, self._rows = self._rows, rows
        return [_node(i, row) for i, row in enumerate(rows) if i >= len(known) or row != known[i]]


def progress(
    state: Progress,
    nodes: Sequence[search_pb2.TreeNode],
    *,
    search_id: str,
    elapsed_s: float,
    round_goal: int | None = 1,
) -> search_pb2.Progress:
    """Where a running search stands; ``nodes`` are those that the reader does not know yet."""
    message = search_pb2.Progress(
        state=search_pb2.SEARCH_STATE_RUNNING,
        elapsed=duration_of(elapsed_s),
        search_id=search_id,
        candidate_count=state.candidates,
        finished_count=state.finished,
        bar_count=state.bars_done,
        bar_goal=state.bars,
        node_count=state.nodes,
        token_count=state.tokens,
        nodes=nodes,
        round=state.round,
        round_goal=round_goal or 0,
    )
    if state.best_total is not None:
        message.best_reward.CopyFrom(search_pb2.Reward(total=state.best_total, terms=_terms(state.best_terms)))
    return message


def begun(*, search_id: str, elapsed_s: float) -> search_pb2.Progress:
    """A search that runs and has nothing to tell yet."""
    return search_pb2.Progress(
        state=search_pb2.SEARCH_STATE_RUNNING, elapsed=duration_of(elapsed_s), search_id=search_id
    )


def strategy(one: catalogue.Strategy) -> search_service_pb2.Strategy:
    """A strategy as it describes itself."""
    return search_service_pb2.Strategy(
        name=one.name,
        description=one.description,
        default=one.name == DEFAULT,
        keeps_plain_sample=one.keeps_plain,
        settings=[
            search_service_pb2.StrategySetting(
                name=setting.name,
                default_value=setting.default,
                kind=_KINDS[setting.kind],
                description=setting.description,
            )
            for setting in one.settings
        ],
    )


def queued(position: int, *, search_id: str, elapsed_s: float) -> search_pb2.Progress:
    """Where a waiting search stands: behind ``position`` others."""
    return search_pb2.Progress(
        state=search_pb2.SEARCH_STATE_QUEUED,
        queue_position=position,
        elapsed=duration_of(elapsed_s),
        search_id=search_id,
    )


_KINDS: dict[type, search_service_pb2.SettingKind.ValueType] = {
    bool: search_service_pb2.SETTING_KIND_FLAG,
    int: search_service_pb2.SETTING_KIND_WHOLE_NUMBER,
    float: search_service_pb2.SETTING_KIND_NUMBER,
}

_STOP_REASONS = {
    StopReason.COMPLETED: search_pb2.STOP_REASON_COMPLETED,
    StopReason.DEADLINE: search_pb2.STOP_REASON_TIME_LIMIT,
    StopReason.CANCELLED: search_pb2.STOP_REASON_STOPPED,
    StopReason.TOKENS: search_pb2.STOP_REASON_TOKEN_LIMIT,
    StopReason.CONVERGED: search_pb2.STOP_REASON_CONVERGED,
}


def result(found: SearchResult, *, model: str, model_version: str, reward_version: str) -> search_pb2.SearchResult:
    """The outcome of a search; ``elapsed`` is left for the caller, who knows of the waiting."""
    return search_pb2.SearchResult(
        candidates=[_candidate(piece) for piece in found.candidates],
        plain_sample=None if found.plain is None else _candidate(found.plain),
        nodes=[_node(index, row) for index, row in enumerate(_rows(found.tree))],
        arms=[search_pb2.Arm(index=index, caption=text) for index, text in enumerate(found.arms)],
        model=model,
        model_version=model_version,
        reward_version=reward_version,
        seed=found.seed,
        stop_reason=_STOP_REASONS[found.stop_reason],
        strategy=found.request.strategy,
        token_count=found.tokens,
        bar_count=found.bars,
        controls=controls.effective(found.plan),
        round_count=found.rounds,
        near_copy_count=found.near_copies_removed,
        prefilled_token_count=found.prefilled,
        profile=_profile(found.profile),
    )


def _profile(spent: Profile) -> search_pb2.Profile:
    return search_pb2.Profile(
        decoding=duration_of(spent.decoding_s),
        scoring=duration_of(spent.scoring_s),
        waiting=duration_of(spent.waiting_s),
        tree=duration_of(spent.tree_s),
        elapsed=duration_of(spent.elapsed_s),
        tree_share=spent.tree_share,
    )


def _candidate(piece: Candidate) -> search_pb2.Candidate:
    return search_pb2.Candidate(
        midi=midi.write(piece.score),
        reward=reward(piece.breakdown),
        arm_index=piece.arm,
        arm_caption=piece.arm_caption,
        seed=piece.seed,
        token_count=len(piece.tokens),
        log_probability=piece.log_probability,
        lineage=piece.lineage,
        bar_count=piece.bars,
        finished=piece.finished,
        stream=piece.stream,
    )


def _rows(tree: TreeSnapshot) -> list[_Row]:
    """What is told of each node, in the order of ``_Row``."""
    rewards = (total if math.isfinite(total) else None for total in tree.reward_total.tolist())
    columns = (tree.parent.tolist(), tree.arm.tolist(), rewards, tree.bars.tolist(), tree.alive.tolist())
    return list(zip(*columns, strict=True))


def _node(index: int, row: _Row) -> search_pb2.TreeNode:
    parent, arm, reward_total, bars, alive = row
    return search_pb2.TreeNode(
        index=index, parent_index=parent, arm_index=arm, reward=reward_total, bar_count=bars, alive=alive
    )
