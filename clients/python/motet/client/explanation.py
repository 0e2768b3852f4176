"""How a search came to its pieces, for people: their lineage, their cost, and where the time went."""

from __future__ import annotations

import textwrap

from motet.client.result import Candidate, SearchResult

_WIDTH = 100


def explanation(result: SearchResult) -> str:
    """A paragraph for each piece with its wording and its lineage, then cost and time; ends with a newline."""
    parts = [_piece(result, candidate, rank) for rank, candidate in enumerate(result.candidates, start=1)]
    return "\n".join([*parts, _cost(result), _time(result)]) + "\n"


def _piece(result: SearchResult, piece: Candidate, rank: int) -> str:
    wording = "the caption as sent" if piece.arm == 0 else f"wording {piece.arm} of {len(result.arms) - 1}"
    end = "" if piece.finished else ", cut short"
    lines = [
        f"result {rank}: reward {piece.reward.total:.3f}, {piece.bars} bars{end}, seed {piece.seed}, "
        f"stream {piece.stream}, {piece.tokens:,} tokens, {piece.log_probability:,.0f} nats",
        f"  written under {wording}:",
        *textwrap.wrap(piece.arm_caption, _WIDTH, initial_indent="    ", subsequent_indent="    "),
        f"  {'node':>6}{'bars':>6}{'wording':>9}{'reward':>8}{'siblings':>10}",
    ]
    nodes = {node.index: node for node in result.nodes}
    children: dict[int, int] = {}
    for node in result.nodes:
        children[node.parent] = children.get(node.parent, 0) + 1
    for index in piece.lineage:
        node = nodes[index]
        if node.parent < 0:
            continue  # the root is nobody's music
        reward = "-" if node.reward is None else f"{node.reward:.3f}"
        lines.append(f"  {index:>6}{node.bars:>6}{node.arm:>9}{reward:>8}{children[node.parent] - 1:>10}")
    return "\n".join(lines) + "\n"


def _cost(result: SearchResult) -> str:
    again = f", {result.prefilled_tokens:,} fed again for other wordings" if result.prefilled_tokens else ""
    copies = f", {result.near_copies} near-copies left out" if result.near_copies else ""
    rounds = "1 round" if result.rounds == 1 else f"{result.rounds} rounds"
    return f"cost: {result.tokens:,} tokens decoded{again}; {rounds}, {len(result.nodes)} tree nodes{copies}"


def _time(result: SearchResult) -> str:
    spent = result.profile
    around_s = max(0.0, result.elapsed_s - spent.elapsed_s)
    return (
        f"time: {result.elapsed_s:.1f} s, {around_s:.1f} s of them in the queue and on the way; "
        f"decoding {spent.decoding_s:.1f} s, "
        f"scoring {spent.scoring_s:.1f} s beside it, waiting {spent.waiting_s:.1f} s, "
        f"in the tree {spent.tree_s:.3f} s ({100 * spent.tree_share:.2f} %)"
    )
