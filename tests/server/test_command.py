from __future__ import annotations

from pathlib import Path

import pytest

from motet.music.error import InvalidInputError
from motet.server.command import mutator_key


def test_a_key_comes_from_where_the_operator_says(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    assert mutator_key(None, None, {"KEY": "other"}) is None
    assert mutator_key("KEY", None, {"KEY": "other"}) == "other"
    assert mutator_key(None, file, {"KEY": "other"}) == "s3cret"
    with pytest.raises(FileNotFoundError):
        mutator_key(None, tmp_path / "nothing", {})


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"caf\xc3\xa9", b"\xff", b"tab\there"])
def test_what_is_no_key_is_not_shown(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        mutator_key(None, file, {})
    assert str(caught.value) == (
        f"mutator-key-file: must name what holds a key: one line of printable ASCII (received {str(file)!r})"
    )
    with pytest.raises(InvalidInputError, match="mutator-key-env: must name"):
        mutator_key("KEY", None, {"KEY": content.decode("latin-1")})
