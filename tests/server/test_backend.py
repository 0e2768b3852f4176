from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from motet.music import midi
from motet.music.error import InvalidInputError, UnavailableError
from motet.rewards.render import RenderConfig
from motet.search.run import Searcher
from motet.server import backend
from motet.server.backend import Backend, reward_version
from motet.server.config import ServerConfig
from tests.fakes import CountingReward, FakeDecoder, SilentPlayer
from tests.tiny import random_score


def test_listeners_hear_their_soundfont_and_each_rate_is_opened_once() -> None:
    opened: list[RenderConfig] = []

    def open_player(config: RenderConfig) -> SilentPlayer:
        opened.append(config)
        return SilentPlayer(config)

    decoder: Any = FakeDecoder()
    served = Backend(
        searcher=Searcher(decoder, CountingReward()),
        reward=CountingReward(),
        model="fake",
        model_version="0",
        reward_version="0",
        max_midi_bytes=1 << 20,
        soundfont=Path("mine.sf2"),
        open_player=open_player,
    )
    file = midi.write(random_score(1, 2))
    for rate_hz in (22_050, 44_100, 22_050):
        assert served.render(file, start_s=None, end_s=None, rate_hz=rate_hz, effects=True).samples > 0
    assert [(config.rate_hz, config.effects, config.soundfont) for config in opened] == [
        (22_050, True, Path("mine.sf2")),
        (44_100, True, Path("mine.sf2")),
    ]


def test_a_text_backend_that_is_not_there_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="hf download"):
        backend.load(ServerConfig(text_backend=f"clap:{tmp_path / 'nowhere'}"))


def test_a_mutator_that_is_not_there_is_told_before_anything_is_loaded() -> None:
    with pytest.raises(InvalidInputError, match="mutator: must be builtin, lm:FOLDER"):
        backend.load(ServerConfig(mutator="magic", text_backend="clap:/nowhere"))


def test_clients_are_told_of_mutators_what_they_need() -> None:
    assert backend.public("builtin, lm:/srv/models/small,https://host:1/v1?token=secret#large") == (
        "builtin, lm:small, https://host:1/v1#large"
    )
    assert "secret" not in repr(ServerConfig(mutator_key="secret"))


def test_the_version_of_the_reward_names_its_parts() -> None:
    assert reward_version(["text", "builtin"]) == reward_version(["text", "builtin"])
    assert reward_version(["text", "builtin"]) != reward_version(["text", "clap:folder"])
