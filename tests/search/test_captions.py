from pathlib import Path

import pytest

from motet.music.error import InvalidInputError
from motet.search.captions import read_captions
from tests.search.paths import CAPTIONS, HELD_OUT


def test_the_committed_captions_are_different_ones() -> None:
    captions = read_captions(CAPTIONS)
    assert len(captions) == len(set(captions)) == 50
    assert read_captions(CAPTIONS, 3) == captions[:3]
    held_out = read_captions(HELD_OUT)
    assert len(held_out) == len(set(held_out)) == 120
    assert not set(captions) & set(held_out)


@pytest.mark.parametrize("content", [b"", b"# only a comment\n\n", b"\xff\xfe\x00"])
def test_captions_must_be_there(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "captions.txt"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match="captions"):
        read_captions(path)
    with pytest.raises(InvalidInputError, match="captions"):
        read_captions(tmp_path / "missing.txt")
