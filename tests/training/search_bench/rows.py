"""Rows as the bench would write them, made up."""

from __future__ import annotations

import base64
from typing import Any

from motet.music import midi
from motet.training.search_bench.row import Case, Row
from tests.fakes import fake_score, hash_uniform

MIDI = base64.b64encode(midi.write(fake_score([0, 13, 15, 17, 18]))).decode("ascii")


def made_up(caption: str, arm: str, candidates: int, *, gain: float = 0.0, seed: int = 0, **others: Any) -> Row:
    """A row whose reward and judge are ``gain`` above what the caption and the seed decide."""
    base = 0.3 + 0.3 * hash_uniform(caption, seed)
    noise = 0.02 * hash_uniform("noise", caption, seed, arm, candidates)
    fields: dict[str, Any] = {
        "reward": {"total": base + gain + noise, "text": base + gain, "harmony": base + gain, "adherence": 1.0},
        "judge": {"total": base + gain / 2 + noise, "alignment": base, "musicality": base + gain},
        "control": {"tempo bin ± 1 (TBT)": 1.0, "key (CK)": 1.0, "key or relative (CKD)": 1.0},
        "log_probability": -1.5,
        "mutated": False,
        "bars": 8,
        "notes": 40,
        "empty_bars": 0.0,
        "faults": [],
        "tokens": 300 * candidates,
        "prefilled": 0,
        "seconds": 0.5 * candidates,
        "profile": {"decoding": 0.3 * candidates, "tree": 0.001},
        "results": 1.0,
        "diversity": 0.4 if candidates >= 4 else None,
        "midi": MIDI,
    }
    case = Case(
        caption=caption,
        arm=arm,
        candidates=candidates,
        seed=seed,
        bars=None,
        weights="",
        model="fake@0",
        reward="0",
        settings="{}",
    )
    return Row(case=case, **{**fields, **others})


CAPTIONS = [f"caption {number}" for number in range(12)]


def whole_run(captions: list[str] = CAPTIONS) -> list[Row]:
    """A run in which everything goes well."""
    gains = {
        ("sample", 1): 0.0,
        ("population", 8): 0.30,
        ("population", 16): 0.40,
        ("best_of_n", 4): 0.05,
        ("best_of_n", 8): 0.10,
        ("best_of_n", 16): 0.15,
        ("best_of_n", 32): 0.20,
        ("inferalign_paper", 8): 0.12,
        ("inferalign_paper", 16): 0.14,
        ("islands", 8): 0.15,
        ("random", 8): 0.0,
    }
    return [
        made_up(caption, arm, candidates, gain=gain)
        for caption in captions
        for (arm, candidates), gain in gains.items()
    ]
