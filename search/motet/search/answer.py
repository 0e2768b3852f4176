"""What a language model is asked, and what of its answer can be used."""

from __future__ import annotations

import re
from typing import Final

from motet.music import caption as captions

INSTRUCTION: Final = (
    "Rewrite the description of a piece of music. Keep every detail that it states, in the same words where you are "
    "not sure: tempo, key, time signature, instruments, genre, mood, length. Contradict nothing and leave nothing out. "
    "You may add a fitting detail that it leaves open, such as a tempo or a key."
)
"""What every model is told before the caption."""

_QUOTES: Final = "\"'“”‘’«»`* "
_LABEL: Final = re.compile(r"^(?:\d{1,2}[.)]\s+|[-•*]\s+|(?:rewritten|rewriting|description|caption)\s*:\s*)+", re.I)


def cleaned(answer: str) -> list[str]:
    """The lines of an answer that could be captions: without list marks and quotes around them, not too long."""
    lines = (_LABEL.sub("", line.strip()).strip(_QUOTES) for line in answer.splitlines())
    return [line for line in lines if line and len(line) <= captions.MAX_CHARACTERS]
