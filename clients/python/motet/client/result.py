"""What the server returns, as plain dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.duration_pb2 import Duration

from motet.client.controls import EffectiveControls
from motet.v1 import search_pb2, search_service_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """How good a piece is for the caption.

    Args:
        total: weighted mean of ``terms``, 0 to 1.
        terms: by name, 0 to 1 each.
        details: parts of the terms, by name.
        bars: parts of the terms bar by bar, by name: one number for each bar; empty while a search runs.
    """

    total: float
    terms: Mapping[str, float]
    details: Mapping[str, float]
    bars: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, message: search_pb2.Reward) -> Reward:
        """From the wire."""
        return cls(
            total=message.total,
            terms={term.name: term.value for term in message.terms},
            details={term.name: term.value for term in message.details},
            bars={row.name: tuple(row.values) for row in message.bars},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One piece.

    Args:
        midi: a Standard MIDI File.
        reward: against the caption of the request.
        arm: 0 for the caption as sent, else the number of a mutated one.
        arm_caption: the caption that the model was given.
        seed: of the search.
        tokens: number of tokens.
        log_probability: nats, under the model.
        lineage: tree nodes from the root to the piece's own.
        bars: length.
        finished: whether it reached its end.
        stream: number of the random stream that it was sampled from since it last parted from another piece.
    """

    midi: bytes
    reward: Reward
    arm: int
    arm_caption: str
    seed: int
    tokens: int
    log_probability: float
    lineage: tuple[int, ...]
    bars: int
    finished: bool
    stream: int

    @classmethod
    def of(cls, message: search_pb2.Candidate) -> Candidate:
        """From the wire."""
        return cls(
            midi=message.midi,
            reward=Reward.of(message.reward),
            arm=message.arm_index,
            arm_caption=message.arm_caption,
            seed=message.seed,
            tokens=message.token_count,
            log_probability=message.log_probability,
            lineage=tuple(message.lineage),
            bars=message.bar_count,
            finished=message.finished,
            stream=message.stream,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeNode:
    """A piece up to some bar.

    Args:
        index: from 0 in order of creation.
        parent: -1 for the root.
        arm: -1 where none applies.
        reward: 0 to 1; None if it was not judged.
        bars: of the piece so far.
        alive: whether it is a tip of the search, growing or ended; such nodes and their ancestors are what lives.
    """

    index: int
    parent: int
    arm: int
    reward: float | None
    bars: int
    alive: bool

    @classmethod
    def of(cls, message: search_pb2.TreeNode) -> TreeNode:
        """From the wire."""
        return cls(
            index=message.index,
            parent=message.parent_index,
            arm=message.arm_index,
            reward=message.reward if message.HasField("reward") else None,
            bars=message.bar_count,
            alive=message.alive,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a search stands.

    Args:
        search_id: name of the search, for ``stop_search``.
        queue_position: searches ahead of this one; None once it runs.
        elapsed_s: seconds since the server took the request.
        candidates: pieces decoded side by side.
        finished: how many of them have ended.
        bars: that every piece has reached.
        bar_goal: bars asked for.
        nodes: size of the search tree.
        tokens: decoded so far.
        best: reward of the best piece so far; None before anything is judged.
        tree: the search tree so far, by index; the result's at the end.
        new_nodes: those of them that are new or changed since the last progress.
        round: that runs, from 1; 0 before it has begun.
        rounds: asked for; None for as many as the limits allow.
    """

    search_id: str
    queue_position: int | None
    elapsed_s: float
    candidates: int
    finished: int
    bars: int
    bar_goal: int
    nodes: int
    tokens: int
    best: Reward | None
    tree: tuple[TreeNode, ...]
    new_nodes: tuple[TreeNode, ...]
    round: int
    rounds: int | None

    @classmethod
    def of(cls, message: search_pb2.Progress, known: Sequence[TreeNode] = ()) -> Progress:
        """From the wire; ``known`` is the tree of the message before."""
        queued = message.state == search_pb2.SEARCH_STATE_QUEUED
        new_nodes = tuple(TreeNode.of(node) for node in message.nodes)
        return cls(
            search_id=message.search_id,
            queue_position=message.queue_position if queued else None,
            elapsed_s=_seconds(message.elapsed),
            candidates=message.candidate_count,
            finished=message.finished_count,
            bars=message.bar_count,
            bar_goal=message.bar_goal,
            nodes=message.node_count,
            tokens=message.token_count,
            best=Reward.of(message.best_reward) if message.HasField("best_reward") else None,
            tree=_merged(known, new_nodes),
            new_nodes=new_nodes,
            round=message.round,
            rounds=message.round_goal or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Where the time of a search went, in seconds; decoding and scoring overlap, so the parts need not add up.

    Args:
        decoding_s: in which tokens were decoded.
        scoring_s: in which pieces were rendered and judged, summed over threads.
        waiting_s: in which there was nothing to do but wait for a judgement.
        tree_s: in the search tree.
        elapsed_s: from the beginning of the search to its end, the queue left out.
        tree_share: ``tree_s`` over ``elapsed_s``.
    """

    decoding_s: float
    scoring_s: float
    waiting_s: float
    tree_s: float
    elapsed_s: float
    tree_share: float

    @classmethod
    def of(cls, message: search_pb2.Profile) -> Profile:
        """From the wire."""
        return cls(
            decoding_s=_seconds(message.decoding),
            scoring_s=_seconds(message.scoring),
            waiting_s=_seconds(message.waiting),
            tree_s=_seconds(message.tree),
            elapsed_s=_seconds(message.elapsed),
            tree_share=message.tree_share,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found; a function of (model version, reward version, request, seed) unless time ended it.

    Args:
        candidates: best first, near-copies of better ones left out.
        plain_sample: the first piece sampled from the caption, with no search; None with a strategy that keeps none.
        nodes: the search tree.
        arms: captions that the model was given; the first is the request's.
        model, model_version, reward_version, strategy: what was used.
        seed: as requested, or as the server chose.
        bars: asked of the model, those of a seed left out.
        controls: what held for every piece.
        tokens: decoded in all.
        prefilled_tokens: fed to the model again because a piece went on under another caption.
        rounds: that were begun.
        near_copies: pieces left out of ``candidates`` because a better one has nearly the same notes.
        stop_reason: ``"COMPLETED"``, ``"CONVERGED"``, ``"TOKEN_LIMIT"``, ``"TIME_LIMIT"`` or ``"STOPPED"``.
        elapsed_s: seconds since the server took the request.
        profile: where the time went.
    """

    candidates: tuple[Candidate, ...]
    plain_sample: Candidate | None
    nodes: tuple[TreeNode, ...]
    arms: tuple[str, ...]
    model: str
    model_version: str
    reward_version: str
    strategy: str
    seed: int
    bars: int
    controls: EffectiveControls
    tokens: int
    prefilled_tokens: int
    rounds: int
    near_copies: int
    stop_reason: str
    elapsed_s: float
    profile: Profile

    @property
    def best(self) -> Candidate:
        """The first candidate."""
        return self.candidates[0]

    @classmethod
    def of(cls, message: search_pb2.SearchResult) -> SearchResult:
        """From the wire."""
        return cls(
            candidates=tuple(Candidate.of(candidate) for candidate in message.candidates),
            plain_sample=Candidate.of(message.plain_sample) if message.HasField("plain_sample") else None,
            nodes=tuple(TreeNode.of(node) for node in message.nodes),
            arms=tuple(arm.caption for arm in message.arms),
            model=message.model,
            model_version=message.model_version,
            reward_version=message.reward_version,
            strategy=message.strategy,
            seed=message.seed,
            bars=message.bar_count,
            controls=EffectiveControls.of(message.controls),
            tokens=message.token_count,
            prefilled_tokens=message.prefilled_token_count,
            rounds=message.round_count,
            near_copies=message.near_copy_count,
            stop_reason=_stop_reason(message.stop_reason),
            elapsed_s=_seconds(message.elapsed),
            profile=Profile.of(message.profile),
        )

    def to_json(self) -> dict[str, Any]:
        """Everything but the MIDI bytes, as JSON values."""
        plain = dataclasses.asdict(self)
        for candidate in (*plain["candidates"], plain["plain_sample"]):
            if candidate is not None:
                candidate["midi_bytes"] = len(candidate.pop("midi"))
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A scored file: its reward, and the version of the reward that judged it."""

    reward: Reward
    reward_version: str

    @classmethod
    def of(cls, message: search_service_pb2.ScoreResponse) -> Judgement:
        """From the wire."""
        return cls(reward=Reward.of(message.reward), reward_version=message.reward_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wav:
    """A rendered piece.

    Args:
        data: a WAV file.
        rate_hz: samples a second.
        channels: 1 or 2.
        samples: of each channel.
    """

    data: bytes
    rate_hz: int
    channels: int
    samples: int

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return self.samples / self.rate_hz

    @classmethod
    def of(cls, format_: search_service_pb2.RenderFormat, data: bytes) -> Wav:
        """From the wire."""
        return cls(data=data, rate_hz=format_.rate_hz, channels=format_.channel_count, samples=format_.sample_count)


def _merged(known: Iterable[TreeNode], new: Iterable[TreeNode]) -> tuple[TreeNode, ...]:
    """All nodes by index, a new one in the place of the one known."""
    nodes = {node.index: node for node in (*known, *new)}
    return tuple(nodes[index] for index in sorted(nodes))


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def _stop_reason(value: search_pb2.StopReason.ValueType) -> str:
    names = {number: name for name, number in search_pb2.StopReason.items()}
    return names.get(value, "STOP_REASON_UNSPECIFIED").removeprefix("STOP_REASON_")
