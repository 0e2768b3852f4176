"""The two halves of the training songs: rewards learn from one, the judge from the other, and none from both."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motet.music.error import NotFoundError
from motet.training.corpus import catalogue
from motet.training.corpus.shard import Shard

Half = Literal["reward", "judge"]

_SALT = "motet half 1"  # changing it makes every shipped reward and judge share songs


def of_song(song: str) -> Half:
    """The half of a song group, by a hash of its name alone."""
    return "reward" if hashlib.sha256(f"{_SALT}\n{song}".encode()).digest()[0] < 128 else "judge"


def windows(corpus: Path, split: str, half: Half) -> NDArray[np.intp]:
    """Windows [W], ascending, of a split's shard whose songs are in ``half``; those that teach infilling are left out.

    Raises NotFoundError without the shard, or without the catalogue that says which song a piece is a version of.
    """
    songs = {entry.id: entry.song for entry in catalogue.read(corpus)}
    if not songs:
        path = corpus / catalogue.FILE
        raise NotFoundError("CATALOGUE_NOT_FOUND", f"corpus: no file {path}; build it anew", {"path": str(path)})
    shard = Shard.open(corpus, split)
    metas = [shard.meta(window) for window in range(len(shard))]
    return np.array(
        [place for place, meta in enumerate(metas) if not meta.infill and of_song(songs[meta.piece]) == half], np.intp
    )
