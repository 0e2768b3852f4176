"""What the server returns, as plain dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.duration_pb2 import Duration

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
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveControls:
    """What held for every piece of a search: the caption, the controls laid over it, and the seed.

    Args:
        tempo_bpm: quarter notes a minute; like all that follow None or empty where it was left to the model.
        tempo_word: a range of tempi by its name, where no tempo held.
        key: for example ``"C# minor"``.
        key_lock: whether every pitched note that was written stays in its scale.
        time_signature: for example ``"6/8"``.
        instruments: asked for, and of the seed, by their General MIDI names.
        only_instruments: whether nobody else came in.
        drums: whether they were asked for, or ruled out.
        genres, moods: that the caption names.
        density: how many notes it asks for, for example ``"sparse"``.
        bars: of the whole piece.
        seed_bars: of the seed, 0 without one.
        rewrite_bars: (first, last) bar of the seed that was written anew.
        rewrite_instruments: whose part of the seed was written anew.
        temperature, top_p, guidance: of sampling.
    """

    tempo_bpm: float | None
    tempo_word: str | None
    key: str | None
    key_lock: bool
    time_signature: str | None
    instruments: tuple[str, ...]
    only_instruments: bool
    drums: bool | None
    genres: tuple[str, ...]
    moods: tuple[str, ...]
    density: str | None
    bars: int
    seed_bars: int
    rewrite_bars: tuple[int, int] | None
    rewrite_instruments: tuple[str, ...]
    temperature: float
    top_p: float
    guidance: float

    @classmethod
    def of(cls, message: search_pb2.EffectiveControls) -> EffectiveControls:
        """From the wire."""
        bars = message.rewrite_bars
        return cls(
            tempo_bpm=message.tempo_bpm if message.HasField("tempo_bpm") else None,
            tempo_word=message.tempo_word or None,
            key=message.key or None,
            key_lock=message.key_lock,
            time_signature=message.time_signature or None,
            instruments=tuple(message.instruments),
            only_instruments=message.only_instruments,
            drums=message.drums if message.HasField("drums") else None,
            genres=tuple(message.genres),
            moods=tuple(message.moods),
            density=message.density or None,
            bars=message.bar_count,
            seed_bars=message.seed_bar_count,
            rewrite_bars=(bars.first, bars.last) if message.HasField("rewrite_bars") else None,
            rewrite_instruments=tuple(message.rewrite_instruments),
            temperature=message.temperature,
            top_p=message.top_p,
            guidance=message.guidance,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found; a function of (model version, reward version, request, seed) unless time ended it.

    Args:
        candidates: best first.
        plain_sample: the first piece sampled from the caption, with no search.
        nodes: the search tree.
        arms: captions that the model was given; the first is the request's.
        model, model_version, reward_version, strategy: what was used.
        seed: as requested, or as the server chose.
        bars: asked of the model, those of a seed left out.
        controls: what held for every piece.
        tokens: decoded in all.
        stop_reason: ``"COMPLETED"``, ``"TIME_LIMIT"`` or ``"STOPPED"``.
        elapsed_s: seconds since the server took the request.
    """

    candidates: tuple[Candidate, ...]
    plain_sample: Candidate
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
    stop_reason: str
    elapsed_s: float

    @property
    def best(self) -> Candidate:
        """The first candidate."""
        return self.candidates[0]

    @classmethod
    def of(cls, message: search_pb2.SearchResult) -> SearchResult:
        """From the wire."""
        return cls(
            candidates=tuple(Candidate.of(candidate) for candidate in message.candidates),
            plain_sample=Candidate.of(message.plain_sample),
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
            stop_reason=_stop_reason(message.stop_reason),
            elapsed_s=_seconds(message.elapsed),
        )

    def to_json(self) -> dict[str, Any]:
        """Everything but the MIDI bytes, as JSON values."""
        plain = dataclasses.asdict(self)
        for candidate in (*plain["candidates"], plain["plain_sample"]):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that the server can search with."""

    name: str
    version: str
    default: bool
    strategies: tuple[str, ...]

    @classmethod
    def of(cls, message: search_service_pb2.Model) -> Model:
        """From the wire."""
        return cls(
            name=message.name, version=message.version, default=message.default, strategies=tuple(message.strategies)
        )


def _merged(known: Iterable[TreeNode], new: Iterable[TreeNode]) -> tuple[TreeNode, ...]:
    """All nodes by index, a new one in the place of the one known."""
    nodes = {node.index: node for node in (*known, *new)}
    return tuple(nodes[index] for index in sorted(nodes))


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def _stop_reason(value: search_pb2.StopReason.ValueType) -> str:
    names = {number: name for name, number in search_pb2.StopReason.items()}
    return names.get(value, "STOP_REASON_UNSPECIFIED").removeprefix("STOP_REASON_")
