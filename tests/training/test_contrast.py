from __future__ import annotations

import pytest
import torch

from motet.training.contrast import contrast

NEVER = torch.zeros(3, 3, dtype=torch.bool)


def test_ambiguous_pairs_are_no_rivals():
    vectors = torch.nn.functional.normalize(torch.randn(3, 8, generator=torch.manual_seed(0)), dim=-1)
    same = torch.stack([vectors[0], vectors[0], vectors[1]])
    scale = torch.tensor(30.0)
    assert float(contrast(same, same, scale, ~NEVER)) == pytest.approx(0, abs=1e-6)
    twins = NEVER.clone()
    twins[0, 1] = twins[1, 0] = True
    assert float(contrast(same, same, scale, twins)) < float(contrast(same, same, scale, NEVER))


def test_false_captions_near_the_music_cost():
    vectors = torch.nn.functional.normalize(torch.randn(3, 8, generator=torch.manual_seed(0)), dim=-1)
    scale = torch.tensor(10.0)
    near, far, none = (
        float(contrast(vectors, vectors, scale, NEVER, false=false))
        for false in (vectors[:, None], -vectors[:, None], None)
    )
    assert near > far >= none
