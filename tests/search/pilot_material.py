"""What a pilot would hear of pieces whose rewards are known sums of steps."""

from __future__ import annotations

import numpy as np

from motet.search.pilot.measurement import Measurement

LOOKS = 8
WEIGHTS = {"text": 0.5, "harmony": 0.5}


def heard(
    captions: int = 12,
    samples: int = 24,
    *,
    noise: float = 0.3,
    early: float = 0.5,
    without: tuple[int, ...] = (),
    seed: int = 0,
) -> list[Measurement]:
    """Measurements in which a share ``early`` of what is settled is settled by the first look, evenly after that.

    Args:
        captions: how many; their levels differ widely.
        samples: of each.
        noise: of a look before the end, in spreads of the final reward.
        early: share of the variance that the first look has settled.
        without: captions for which "harmony" does not judge.
        seed: of the numbers.
    """
    generator = np.random.default_rng(seed)
    steps = np.sqrt(np.array([early, *[(1 - early) / (LOOKS - 1)] * (LOOKS - 1)]))
    blur = np.array([noise] * (LOOKS - 1) + [0.0])
    found = []
    for caption in range(captions):
        level = generator.uniform(0.2, 0.8, 2)
        quality = np.cumsum(steps * generator.standard_normal((2, samples, LOOKS)), axis=2)  # [terms, S, K]
        partial = quality + blur * generator.standard_normal((2, samples, LOOKS))
        terms = {
            name: (level[place] + 0.1 * partial[place]).tolist()
            for place, name in enumerate(("text", "harmony"))
            if not (name == "harmony" and caption in without)
        }
        branches = {}
        for bars in (2, 4, 6):
            rest = np.sqrt((steps[bars:] ** 2).sum())
            final = quality[:, :6, bars - 1, None] + rest * generator.standard_normal((2, 6, 4))
            branches[str(bars)] = {
                name: (level[place] + 0.1 * final[place]).tolist()
                for place, name in enumerate(("text", "harmony"))
                if name in terms
            }
        found.append(
            Measurement(
                caption=f"piece {caption}",
                model="tiny@0123456789ab",
                weights="text=0.5,harmony=0.5",
                seed=0,
                bars=LOOKS,
                sizes=[samples, 6, 4],
                looks=list(range(1, LOOKS + 1)),
                terms=terms,
                log_probability=generator.normal(-1.0, 0.1, (samples, LOOKS)).tolist(),
                branches=branches,
                tokens=1000,
                decoding_s=1.0,
                scoring_s=2.0,
                heard=100,
            )
        )
    return found
