"""The judge's model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from motet.training.judge.data import NOT_HUMAN, SEEN, UNSEEN
from motet.training.judge.report import Report


def facts(
    configs: Sequence[Any], windows: int, losses: Sequence[tuple[float, float]], parameters: int
) -> dict[str, str]:
    """What the card says about the making.

    Args:
        configs: dataclasses of settings.
        windows: training windows.
        losses: of alignment and musicality, by epoch.
        parameters: numbers in the networks.
    """
    settings = {name: value for config in configs for name, value in asdict(config).items()}
    return {
        "parameters": f"{parameters:,}",
        "training windows": f"{windows:,}, of the judge's half of the songs",
        "settings": ", ".join(f"{name} {value}" for name, value in settings.items()),
        "losses of the last epoch": ", ".join(f"{one:.3f}" for one in losses[-1]) if losses else "not trained",
        "kinds of corruption trained on": ", ".join(SEEN),
        "never trained on (*)": ", ".join(UNSEEN),
        "left out as music": ", ".join(sorted(NOT_HUMAN)),
    }


def card(report: Report, made: Mapping[str, str], sources: Sequence[Mapping[str, Any]]) -> str:
    """README.md of a trained judge: what it is, how it was made, the figures and the command that prints them.

    Args:
        report: on held-out windows.
        made: name -> what to say of the making.
        sources: rows of the corpus's sources.json.
    """
    making = "\n".join(f"- {name}: {value}" for name, value in made.items())
    music = "\n".join(f"- {row['source']} ({row['licence']}): {row['repository']}" for row in sources)
    return f"""# Judge

An independent opinion of music, for reports and for stopping, never for search: how well it fits a caption, and how
much it goes like human music. It reads notes (`motet.rewards.judge_reading`) and never hears sound or sees a velocity;
it knows words by hashes of its own; it learned from the half of the songs that no reward learned from. So it shares no
training song, seed, input or text encoder with the rewards. `motet.rewards.judge` maps its numbers to 0..1 by quantiles
of held-out cases: the share of the fitting and of the false captions, of human and of spoiled music, that lie lower.

Alignment was trained with symmetric InfoNCE; captions that may be true of a window do not count against it.
Musicality was trained by preference: a human window above itself mildly spoiled, and that above itself strongly
spoiled. No model's sample was trained on.

{making}

## Held-out figures

Printed by `motet eval judge CORPUS_DIR`, on windows of the test split, whose songs were not trained on. In a swap, the
window must be nearer to a true caption than to the same caption with one attribute made false; beside it stands the
same with the music of another window, which is near one half when the words alone give nothing away. Intervals are over
draws of whole songs.

{report.table()}

## Limits

The judge tells how music is spoiled, not whether it says anything: endless scales and arpeggios, a held triad, random
walks and random triads within a scale can pass for human music (`FOOLED_BY` in `tests/rewards/test_judge.py` names
them); the harmony reward has gates against them.

The judge reads parts of at most 16 bars and knows nothing of form beyond them. Sources differ in musicality (folk
tunes lie higher than game music and quartets), so compare music of the same captions, not of different styles. Of drums
alone it has no opinion. It is one opinion: when it has been used to choose, a final number must come from elsewhere.

Weights: CC BY-SA 4.0, for the sake of the share-alike sources among the training music:

{music}
"""
