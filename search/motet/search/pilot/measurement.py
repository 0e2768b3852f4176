"""Measures what partial rewards are worth: pieces that are heard again and again while they grow, and prefixes that go
on in several ways."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from motet.model.decoder import Prompt
from motet.music.error import InvalidInputError
from motet.rewards.composite import Breakdown, Weights
from motet.search.contract import Reward, Rows, Sampler
from motet.search.plan import Plan
from motet.search.request import MAX_BARS, MAX_SEED, SearchRequest

LOOKS: Final = 8
"""Looks at a piece, at equal distances; fewer at a piece of fewer bars."""

BRANCHED: Final = (0.25, 0.5, 0.75)
"""Shares of a piece at which prefixes go on in several ways."""

_JUDGED_TOGETHER: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotConfig:
    """How much is measured of each caption.

    Args:
        samples: pieces, at least 4.
        prefixes: of them that are branched, at least 2.
        branches: continuations of a prefix beside the sample's own, at least 1.
        bars: length, 4 to 64.
        seed: of all pieces, 0 to 2**63 - 1.
        weights: of the rewards.
    """

    samples: int = 16
    prefixes: int = 4
    branches: int = 3
    bars: int = 8
    seed: int = 0
    weights: Weights = field(default_factory=Weights)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("samples", 4, 256),
            ("prefixes", 2, self.samples),
            ("branches", 1, 64),
            ("bars", 4, MAX_BARS),
            ("seed", 0, MAX_SEED),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidInputError.of(name, f"must be a whole number from {low} to {high}", value)

    @property
    def looks(self) -> list[int]:
        """Bars that were written at each look, ascending; the last one is the end."""
        return sorted({math.ceil(self.bars * look / LOOKS) for look in range(1, LOOKS + 1)})

    @property
    def sizes(self) -> tuple[int, ...]:
        """Samples, prefixes, and continuations of a prefix, the sample's own among them."""
        return (self.samples, self.prefixes, self.branches + 1)

    @property
    def branched(self) -> list[int]:
        """Bars after which prefixes go on in several ways."""
        return sorted({round(self.bars * share) for share in BRANCHED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """All that was heard of one caption.

    ``S`` samples, ``K`` looks, ``P`` prefixes, ``M`` continuations of each, the sample's own first. None stands where
    a term does not judge.

    Args:
        caption: its words.
        model: name and version of the checkpoint.
        weights: of the rewards, as ``NAME=NUMBER,...``.
        seed: of the pilot.
        bars: length.
        sizes: S, P and M.
        looks: [K] bars at each look.
        terms: name -> [S][K] partial terms; the last look is the end.
        log_probability: [S][K] nats per token.
        branches: bars of the prefix (as a string, for JSON) -> name -> [P][M] final terms.
        tokens: decoded, branches included.
        decoding_s, scoring_s: seconds.
        heard: pieces and beginnings of pieces that were scored.
    """

    caption: str
    model: str
    weights: str
    seed: int
    bars: int
    sizes: list[int]
    looks: list[int]
    terms: dict[str, list[list[float | None]]]
    log_probability: list[list[float]]
    branches: dict[str, dict[str, list[list[float | None]]]]
    tokens: int
    decoding_s: float
    scoring_s: float
    heard: int

    @property
    def pieces(self) -> float:
        """Whole pieces that were written, counting continuations without their prefixes."""
        samples, prefixes, continuations = self.sizes
        branched = sum(1 - int(bars) / self.bars for bars in self.branches)
        return samples + prefixes * (continuations - 1) * branched

    @classmethod
    def from_json(cls, line: str) -> Measurement:
        """Reads what ``to_json`` wrote; raises InvalidInputError for anything else."""
        try:
            heard = cls(**json.loads(line))
            shape = (len(heard.log_probability), len(heard.looks))
            if any(
                np.array(rows, np.float64).shape != shape for rows in (heard.log_probability, *heard.terms.values())
            ):
                raise ValueError("looks and terms do not fit")
            return heard
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise InvalidInputError.of("out", f"must hold rows of a pilot ({error})", line.strip()) from error

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), allow_nan=False)


class Pilot:
    """Decodes and judges for a pilot.

    Args:
        decoder: samples pieces.
        reward: judges them.
        model: name and version of the checkpoint, ``name@version``.
        config: how much is measured.
        clock: seconds, monotonic; only the reported seconds depend on it.
    """

    def __init__(
        self,
        decoder: Sampler,
        reward: Reward,
        model: str,
        config: PilotConfig,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._decoder = decoder
        self._reward = reward
        self._model = model
        self._config = config
        self._clock = clock
        self._decoding_s = self._scoring_s = 0.0
        self._heard = 0

    def run(self, captions: Sequence[str], out: Path | None = None) -> Iterator[tuple[Measurement, bool]]:
        """Yields what was heard of each caption, in order, and whether it was found in ``out``; new ones are added.

        All captions are validated before the first piece is decoded.
        """
        plans = [self._plan(caption) for caption in captions]
        done = {} if out is None else read(out)
        for plan in plans:
            found = done.get(self._key(plan.caption.text))
            heard = found or self._listen(plan)
            if out is not None and found is None:
                append(out, heard)
            yield heard, found is not None

    def _plan(self, caption: str) -> Plan:
        config = self._config
        return Plan.of(SearchRequest(caption=caption, bars=config.bars, weights=config.weights))

    def _key(self, caption: str) -> Key:
        config = self._config
        return (caption, self._model, str(config.weights), config.seed, config.bars, config.sizes)

    def _listen(self, plan: Plan) -> Measurement:
        """Samples and branches grow in one batch; a branch joins it where it leaves its prefix."""
        config, caption = self._config, plan.caption
        self._decoding_s, self._scoring_s, self._heard = 0.0, 0.0, 0
        prompt = Prompt(caption.text, plan.controls(caption.attributes))
        # Every caption has random numbers of its own, whatever other captions there are.
        digest = hashlib.blake2b(f"{config.seed} {caption.text}".encode(), digest_size=7).digest()
        rows = self._decoder.open([prompt] * config.samples, seed=int.from_bytes(digest, "big"))
        with closing(rows):
            return self._listen_to(rows, plan)

    def _listen_to(self, rows: Rows, plan: Plan) -> Measurement:
        config = self._config
        samples = range(config.samples)
        partial: list[list[Breakdown]] = []  # [K][S]
        nats: list[list[float]] = []  # [K][S]
        done = 0
        for bars in sorted({*config.looks, *config.branched} - {config.bars}):
            self._grow(rows, bars - done)
            done = bars
            if bars in config.looks:
                partial.append(self._judge(rows, samples, plan))
                nats.append(self._nats(rows, samples))
            if bars in config.branched:
                _branch(rows, np.repeat(np.arange(config.prefixes), config.branches))
        self._grow(rows, config.bars - done)
        final = self._judge(rows, range(rows.size), plan)
        partial.append(final[: config.samples])
        nats.append(self._nats(rows, samples))
        names = list(dict.fromkeys(name for look in partial for one in look for name in one.terms))
        return Measurement(
            caption=plan.caption.text,
            model=self._model,
            weights=str(config.weights),
            seed=config.seed,
            bars=config.bars,
            sizes=list(config.sizes),
            looks=config.looks,
            terms={name: [[look[row].terms.get(name) for look in partial] for row in samples] for name in names},
            log_probability=[[look[row] for look in nats] for row in samples],
            branches={
                str(bars): {name: self._continuations(final, place, name) for name in names}
                for place, bars in enumerate(config.branched)
            },
            tokens=rows.decoded,
            decoding_s=self._decoding_s,
            scoring_s=self._scoring_s,
            heard=self._heard,
        )

    def _continuations(self, final: Sequence[Breakdown], place: int, name: str) -> list[list[float | None]]:
        config = self._config
        first = config.samples + place * config.prefixes * config.branches
        return [
            [
                final[row].terms.get(name)
                for row in (prefix, *range(first + prefix * config.branches, first + (prefix + 1) * config.branches))
            ]
            for prefix in range(config.prefixes)
        ]

    @staticmethod
    def _nats(rows: Rows, which: range) -> list[float]:
        counts = rows.token_counts
        return [rows.log_probability(row) / max(1, int(counts[row])) for row in which]

    def _grow(self, rows: Rows, bars: int) -> None:
        began = self._clock()
        rows.advance(bars, lambda: False)
        self._decoding_s += self._clock() - began

    def _judge(self, rows: Rows, which: range, plan: Plan) -> list[Breakdown]:
        began = self._clock()
        finished = rows.finished
        found: dict[int, Breakdown] = {}
        for complete in (False, True):
            waiting = [row for row in which if bool(finished[row]) == complete]
            for start in range(0, len(waiting), _JUDGED_TOGETHER):
                group = waiting[start : start + _JUDGED_TOGETHER]
                scores = [rows.score(row) for row in group]
                judged = self._reward.score(scores, plan.caption, self._config.weights, complete=complete)
                found.update(zip(group, judged, strict=True))
        self._heard += len(found)
        self._scoring_s += self._clock() - began
        return [found[row] for row in which]


def _branch(rows: Rows, parents: NDArray[np.intp]) -> None:
    """Adds a row for each of ``parents``, which goes on with random numbers of its own; the others do not notice."""
    size = rows.size
    together = np.concatenate((np.arange(size), parents)).astype(np.intp)
    rows.select(together, np.arange(len(together), dtype=np.int64))


Key = tuple[str, str, str, int, int, tuple[int, ...]]
"""What identifies what was heard: caption, model, weights, seed, bars and sizes."""


def _key(heard: Measurement) -> Key:
    return (heard.caption, heard.model, heard.weights, heard.seed, heard.bars, tuple(heard.sizes))


def read(path: Path) -> dict[Key, Measurement]:
    """What an earlier run heard; an unfinished last line (a run that was killed) is left out."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return {_key(heard): heard for heard in (Measurement.from_json(line) for line in lines if line[-1] == "\n")}


def append(path: Path, heard: Measurement) -> None:
    """Adds a line, and cuts off the torn last line of a run that was killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        file.write(heard.to_json().encode() + b"\n")
