from __future__ import annotations

from pathlib import Path

import pytest

from motet.music.error import NotFoundError
from motet.training import half
from motet.training.corpus import catalogue
from motet.training.corpus.shard import Shard


def test_halves_share_no_song_and_leave_out_infilling(corpus: Path):
    shard = Shard.open(corpus, "train")
    songs = {entry.id: entry.song for entry in catalogue.read(corpus)}
    found = {name: half.windows(corpus, "train", name) for name in ("reward", "judge")}
    heard = {name: {songs[shard.meta(int(window)).piece] for window in windows} for name, windows in found.items()}
    assert heard["reward"]
    assert heard["judge"]
    assert not heard["reward"] & heard["judge"]
    plain = [window for window in range(len(shard)) if not shard.meta(window).infill]
    assert sorted([*found["reward"], *found["judge"]]) == plain


def test_about_half_of_all_songs_are_in_each():
    share = sum(half.of_song(f"song {number}") == "reward" for number in range(2000)) / 2000
    assert 0.45 < share < 0.55


def test_a_corpus_without_a_catalogue_is_refused(tmp_path: Path):
    with pytest.raises(NotFoundError, match=r"no file .*pieces.jsonl.xz"):
        half.windows(tmp_path, "train", "judge")
