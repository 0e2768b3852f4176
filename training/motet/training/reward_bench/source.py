"""Where the bench's numbers come from: registered rewards, and the judge where its weights are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from motet.model.text import TextEncoder
from motet.music.caption import Caption
from motet.music.error import UnavailableError
from motet.music.score import Score
from motet.rewards import reward
from motet.rewards.judge import Judge
from motet.rewards.render import RenderConfig, Renderer
from motet.rewards.reward import Resources
from motet.rewards.sound import Sound
from motet.training.reward_bench.contest import COLUMNS, Column
from motet.training.reward_bench.scorebook import JUDGES, Source, version_of

_CACHE_BYTES = 512 * 2**20  # so that several rewards hear what was rendered once


@contextmanager
def sources(names: Sequence[str] | None, report: Callable[[str], object]) -> Iterator[list[Source]]:
    """The rewards by name, or all that are installed and have what they need, and the judge if there is one.

    The renderer is open meanwhile.

    Args:
        names: of rewards; None: all, and those that cannot be loaded are reported and left out.
        report: is told which are left out and why.

    Raises NotFoundError and UnavailableError for a reward that is named and missing.
    """
    encoder = TextEncoder.load()
    with Renderer(RenderConfig()) as renderer:
        resources = Resources(
            renderer=renderer,
            sound=Sound(renderer, cache_bytes=_CACHE_BYTES),
            embed=lambda captions: encoder.pooled(captions).numpy(),
        )
        found = []
        for name in reward.installed() if names is None else dict.fromkeys(names):
            try:
                found.append(Source.of(name, reward.registered([name])[name](resources)))
            except UnavailableError as error:
                if names is not None:
                    raise
                report(f"left out: {error.message}")
        try:
            judge = Judge.load()
        except UnavailableError as error:
            report(f"left out: {error.message}")
        else:
            found += [_opinion(judge, column) for column in COLUMNS]
        yield found


def _opinion(judge: Judge, column: Column) -> Source:
    def score(scores: Sequence[Score], caption: Caption) -> list[float | None]:
        return [getattr(verdict, column) for verdict in judge.judge(scores, caption.text)]

    return Source(name=JUDGES[column], version=version_of(judge), score=score, columns=(column,))
