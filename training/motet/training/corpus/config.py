"""What a corpus build is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from motet.music.error import InvalidInputError
from motet.training.corpus.mix import Mix
from motet.training.corpus.window import WindowConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig:
    """What to build.

    Args:
        tokens: tokens of the training split, begin and end not counted; reached within a few per cent.
        held_out_windows: windows of the validation and of the test split, each.
        seed: of all chance, except the split, which never changes.
        vocabulary: size of a tokenizer trained here.
        captions: wordings of each window.
        infill_share: share of the training windows of which a part is given.
        processes: workers.
        mix: shares of the sources.
        window: how windows are cut.
    """

    tokens: int = 24_000_000
    held_out_windows: int = 600
    seed: int = 0
    vocabulary: int = 2560
    captions: int = 3
    infill_share: float = 0.2
    processes: int = 2
    mix: Mix = field(default_factory=Mix)
    window: WindowConfig = field(default_factory=WindowConfig)

    def __post_init__(self) -> None:
        for name, low in (("tokens", 1), ("held_out_windows", 0), ("seed", 0), ("captions", 1), ("processes", 1)):
            if getattr(self, name) < low:
                raise InvalidInputError.of(name, f"must be at least {low}", getattr(self, name))
        if not 0 <= self.infill_share <= 1:
            raise InvalidInputError.of("infill_share", "must be from 0 to 1", self.infill_share)
        if not 0 < self.vocabulary <= 65_536:
            raise InvalidInputError.of("vocabulary", "must be from 1 to 65536", self.vocabulary)
