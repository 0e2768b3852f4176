from __future__ import annotations

from dataclasses import replace

from motet.client.explanation import explanation
from tests.clients.results import a_result


def test_each_result_tells_its_wording_and_its_nodes() -> None:
    result = a_result()
    second = replace(result.best, arm=1, arm_caption="y " * 80, lineage=(0, 2, 4), finished=False)
    text = explanation(replace(result, candidates=(result.best, second)))
    first, other, closing = text.split("\n\n")
    assert first.splitlines()[0] == "result 1: reward 0.700, 2 bars, seed 1, stream 5, 10 tokens, -1 nats"
    assert "the caption as sent" in first
    assert [line.split() for line in first.splitlines()[-3:]] == [
        ["node", "bars", "wording", "reward", "siblings"],
        ["1", "1", "0", "0.500", "1"],
        ["3", "2", "0", "0.700", "0"],
    ]
    assert "cut short" in other.splitlines()[0]
    assert "wording 1 of 1" in other
    assert other.count("y ") + other.count("y\n") == 80  # the wording is told whole
    assert other.splitlines()[-2].split() == ["2", "1", "1", "-", "1"]  # not judged
    assert max(map(len, text.splitlines())) <= 160
    assert closing.startswith("cost: 2,000 tokens decoded; 1 round, 5 tree nodes\n")


def test_cost_and_time_are_told() -> None:
    told = explanation(replace(a_result(), prefilled_tokens=1234, rounds=3, near_copies=2)).splitlines()
    assert told[-2] == (
        "cost: 2,000 tokens decoded, 1,234 fed again for other wordings; 3 rounds, 5 tree nodes, 2 near-copies left out"
    )
    assert told[-1] == (
        "time: 1.0 s, 0.2 s of them in the queue and on the way; decoding 0.6 s, scoring 0.5 s beside it, "
        "waiting 0.1 s, in the tree 0.002 s (0.25 %)"
    )
