"""The networks behind the judge: readings and hashed words to one space, and readings to how musical they are."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from motet.music.error import InvalidInputError
from motet.rewards.judge_reading import CONTENT, MANNER

_WORD: Final = re.compile(r"[a-z]+[#♯♭]?(?:'[a-z]+)?|\d+/\d+|\d+")
_HALF_TONES: Final = 12  # a number is also known by its place on a scale of twelfths of a doubling


@dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """Sizes of the networks.

    Args:
        width: dimension of the common space.
        hidden: units of the perceptrons.
        words: places that words and pairs of words are hashed to.
        word: width of a word's vector.
        dropout: of musicality, while training: no trait must be relied on.
        alignment_dropout: of alignment, which stands or falls with single facts.
    """

    width: int = 128
    hidden: int = 256
    words: int = 8192
    word: int = 96
    dropout: float = 0.3
    alignment_dropout: float = 0.1

    def __post_init__(self) -> None:
        for name, low in (("width", 8), ("hidden", 8), ("words", 64), ("word", 8)):
            if getattr(self, name) < low:
                raise InvalidInputError.of(f"judge.{name}", f"must be at least {low}", getattr(self, name))
        for name in ("dropout", "alignment_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InvalidInputError.of(f"judge.{name}", "must be at least 0 and below 1", getattr(self, name))


def hashed(text: str, places: int) -> list[int]:
    """The places, 0 to places - 1, of the words of a text and of the pairs of neighbours; never none.

    Words are runs of letters, with a sharp or flat after them, and numbers.
    """
    words = _WORD.findall(text.lower())
    terms = [*words, *(f"{one} {other}" for one, other in pairwise(words))]
    terms += [f"about {round(_HALF_TONES * math.log2(int(word)))}" for word in words if word.isdigit() and int(word)]
    return [zlib.crc32(term.encode()) % places for term in terms or [""]]


class JudgeTowers(nn.Module):
    """Music and words to unit vectors whose cosine is high when they fit, and music to a number that is high when good.

    The number is made of what is the same in every key alone. Inputs are levelled with the mean and deviation of
    training data, see ``set_levels``.
    """

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        self.config = config
        for name, size in (("manner", MANNER), ("content", CONTENT)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))
        self.musicality = _perceptron(MANNER, config.hidden, 1, config.dropout)
        self.alignment = _perceptron(MANNER + CONTENT, config.hidden, config.width, config.alignment_dropout)
        self.word = nn.EmbeddingBag(config.words, config.word, mode="sum")
        self.text = _perceptron(config.word, config.hidden, config.width, config.alignment_dropout)
        self.log_scale = nn.Parameter(torch.tensor(2.66))

    def musical(self, manner: Tensor) -> Tensor:
        """How musical: [B], any real number; from [B, MANNER]."""
        number: Tensor = self.musicality(self._levelled("manner", manner))
        return number.squeeze(-1)

    def music_vectors(self, manner: Tensor, content: Tensor) -> Tensor:
        """Readings [B, MANNER], [B, CONTENT] to unit vectors [B, width]."""
        both = torch.cat([self._levelled("manner", manner), self._levelled("content", content)], dim=-1)
        return nn.functional.normalize(self.alignment(both), dim=-1)

    def text_vectors(self, texts: Sequence[str]) -> Tensor:
        """Captions to unit vectors [B, width]."""
        places = [hashed(text, self.config.words) for text in texts]
        offsets = torch.tensor([0, *[len(row) for row in places[:-1]]]).cumsum(0)
        flat = torch.tensor([place for row in places for place in row])
        weights = torch.tensor([1 / math.sqrt(len(row)) for row in places for _ in row])
        return nn.functional.normalize(self.text(self.word(flat, offsets, per_sample_weights=weights)), dim=-1)

    @property
    def scale(self) -> Tensor:
        """The inverse temperature of the cosines, at most 100."""
        return self.log_scale.exp().clamp(max=100.0)

    def set_levels(self, name: str, rows: Tensor) -> None:
        """Takes mean and deviation of "manner" or "content" from training data [N, size]."""
        spread = rows.std(dim=0)
        self.get_buffer(f"{name}_mean").copy_(rows.mean(dim=0))
        self.get_buffer(f"{name}_scale").copy_(1 / spread.clamp(min=0.01))

    def _levelled(self, name: str, rows: Tensor) -> Tensor:
        # What hardly ever happens in music must not weigh without bounds.
        return ((rows - self.get_buffer(f"{name}_mean")) * self.get_buffer(f"{name}_scale")).clamp(-6, 6)


def _perceptron(inside: int, hidden: int, outside: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(inside, hidden),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, outside),
    )
