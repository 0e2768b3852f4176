"""Rewards as text: what the search gained over the first plain sample, term by term."""

from __future__ import annotations

import dataclasses

from motet.client.result import Progress, Reward, SearchResult

_BARS_A_LINE = 12
_ENDINGS = {
    "COMPLETED": "",
    "CONVERGED": ", ended when another round promised too little",
    "TOKEN_LIMIT": ", ended at the token limit with the best so far",
    "TIME_LIMIT": ", cut short by the time limit",
    "STOPPED": ", stopped early",
}


def comparison(result: SearchResult) -> str:
    """A table with one line per reward term and one for the total; ends with a newline."""
    if result.plain_sample is None:
        return breakdown(dataclasses.replace(result.best.reward, details={}))
    plain, best = result.plain_sample.reward, result.best.reward
    names = list(dict.fromkeys([*best.terms, *plain.terms]))
    width = max(len("reward"), *(len(name) for name in names)) if names else len("reward")
    lines = [f"{'':{width}}  first sample  searched    change"]
    lines += [_line(name, width, plain.terms.get(name), best.terms.get(name)) for name in names]
    lines.append("-" * len(lines[0]))
    lines.append(_line("reward", width, plain.total, best.total))
    return "\n".join(lines) + "\n"


def _line(name: str, width: int, before: float | None, after: float | None) -> str:
    left = "-" if before is None else f"{before:.3f}"
    right = "-" if after is None else f"{after:.3f}"
    change = "" if before is None or after is None else f"{after - before:+.3f}"
    return f"{name:{width}}  {left:>12}  {right:>8}  {change:>8}"


def breakdown(reward: Reward) -> str:
    """A table with one line per term, its details indented below it, and the total; ends with a newline."""
    rows: list[tuple[str, float]] = []
    left = dict(reward.details)
    for name, value in reward.terms.items():
        rows.append((name, value))
        own = [key for key in left if key.startswith(f"{name}.")]
        rows += [(f"  {key[len(name) + 1 :]}", left.pop(key)) for key in own]
    rows += list(left.items())
    width = max(len("reward"), *(len(name) for name, _ in rows)) if rows else len("reward")
    lines = [f"{name:{width}}  {value:8.3f}" for name, value in rows]
    lines.append("-" * (width + 10))
    lines.append(f"{'reward':{width}}  {reward.total:8.3f}")
    return "\n".join(lines) + "\n"


def bars(reward: Reward) -> str:
    """Tables of at most 12 bars each, a line for each part of the terms; ends with a newline."""
    if not reward.bars:
        return "\nnothing to tell bar by bar\n"
    count = max(len(values) for values in reward.bars.values())
    width = max(len("bar"), *(len(name) for name in reward.bars))
    lines: list[str] = []
    for start in range(0, count, _BARS_A_LINE):
        shown = range(start, min(start + _BARS_A_LINE, count))
        lines += ["", f"{'bar':{width}}" + "".join(f"{index + 1:>8}" for index in shown)]
        for name, values in reward.bars.items():
            cells = (f"{values[index]:8.3f}" if index < len(values) else " " * 8 for index in shown)
            lines.append(f"{name:{width}}{''.join(cells)}".rstrip())
    return "\n".join(lines) + "\n"


def headline(result: SearchResult) -> str:
    """One line: what searched, from which seed, for how long, and why it ended."""
    ended = _ENDINGS.get(result.stop_reason, f", {result.stop_reason}")
    rounds = f"{result.rounds} rounds, " if result.rounds > 1 else ""
    return (
        f"{result.strategy} search with {result.model}@{result.model_version}, seed {result.seed}: {rounds}"
        f"{len(result.nodes)} tree nodes, {result.tokens:,} tokens, {result.elapsed_s:.1f} s{ended}"
    )


def missing(result: SearchResult, asked: int | None) -> str:
    """One line that says why fewer pieces came than were asked for, and what helps; empty if they came."""
    found = len(result.candidates)
    if asked is None or found >= asked or result.near_copies == 0:
        return ""
    copies = "1 piece was" if result.near_copies == 1 else f"{result.near_copies} pieces were"
    return (
        f"{found} of {asked} results: {copies} left out, too near to better ones; --strategy islands keeps them apart"
    )


def progress_line(progress: Progress) -> str:
    """One line: where the search stands."""
    if progress.queue_position is not None:
        return f"queued behind {progress.queue_position} · {progress.elapsed_s:.1f} s"
    if progress.candidates == 0:
        return f"searching · {progress.elapsed_s:4.1f} s"
    rounds = ""
    if progress.rounds != 1 and progress.round > 0:
        rounds = (
            f"round {progress.round} · " if progress.rounds is None else f"round {progress.round}/{progress.rounds} · "
        )
    best = "best –"
    if progress.best is not None:
        terms = " ".join(f"{name} {value:.2f}" for name, value in progress.best.terms.items())
        best = f"best {progress.best.total:.3f} ({terms})"
    return (
        f"searching · {progress.elapsed_s:4.1f} s · {rounds}bar {progress.bars}/{progress.bar_goal} · "
        f"candidates {progress.finished}/{progress.candidates} · {best}"
    )
