"""The whole path, with the model that is shipped, if it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from motet.client import Client, LocalServer
from motet.model.checkpoint import default_folder
from motet.music import midi

pytestmark = pytest.mark.skipif(
    not (default_folder() / "model.safetensors").is_file(), reason="the default checkpoint is not in this checkout"
)


def test_a_private_server_searches_and_ends_with_its_block(tmp_path: Path) -> None:
    with LocalServer() as local:
        assert local.target.startswith("127.0.0.1:")
        with Client(local.target) as client:
            request = {"seed": 1, "candidates": 2, "bars": 2, "mutations": 0}
            first = client.search("A calm piano piece in D minor", **request)  # type: ignore[arg-type]
            again = client.search("A calm piano piece in D minor", **request)  # type: ignore[arg-type]
            wav = client.render(first.best.midi)
        target = local.target
    assert first.best.midi == again.best.midi
    assert len(midi.read(first.best.midi)) > 0
    assert wav.duration_s > 1
    with Client(target) as client:
        assert not client.is_serving(timeout_s=0.5)
