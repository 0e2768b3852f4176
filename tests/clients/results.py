"""A small search result, made by hand."""

from __future__ import annotations

from dataclasses import replace

from motet.client import EffectiveControls
from motet.client.result import Candidate, Profile, Reward, SearchResult, TreeNode
from motet.music import midi
from motet.music.score import Score
from motet.v1 import search_pb2
from tests.fakes import fake_score

PIANO = fake_score([0, 5, 6, 7, 8, 0, 9, 10, 11, 12])


def a_result(score: Score = PIANO) -> SearchResult:
    """Two rows of two bars; the second was rewritten for the caption "y", and is the plain sample nevertheless."""
    reward = Reward(total=0.7, terms={"harmony": 0.7}, details={"harmony.in_key": 0.9})
    best = Candidate(
        midi=midi.write(score), reward=reward, arm=0, arm_caption="x", seed=1, tokens=10, log_probability=-1.0,
        lineage=(0, 1, 3), bars=2, finished=True, stream=5,
    )  # fmt: skip
    nodes = (
        TreeNode(index=0, parent=-1, arm=-1, reward=None, bars=0, alive=False),
        TreeNode(index=1, parent=0, arm=0, reward=0.5, bars=1, alive=False),
        TreeNode(index=2, parent=0, arm=1, reward=None, bars=1, alive=False),
        TreeNode(index=3, parent=1, arm=0, reward=0.7, bars=2, alive=True),
        TreeNode(index=4, parent=2, arm=1, reward=0.4, bars=2, alive=True),
    )
    profile = Profile(decoding_s=0.6, scoring_s=0.5, waiting_s=0.1, tree_s=0.002, elapsed_s=0.8, tree_share=0.0025)
    return SearchResult(
        controls=EffectiveControls.of(search_pb2.EffectiveControls()),
        candidates=(best,), plain_sample=replace(best, lineage=(0, 2, 4)), nodes=nodes, arms=("x", "y"), model="m",
        model_version="1", reward_version="2", strategy="s", seed=1, bars=2, tokens=2000, prefilled_tokens=0, rounds=1,
        near_copies=0, stop_reason="COMPLETED", elapsed_s=1.0, profile=profile,
    )  # fmt: skip
