"""Captions: T5's tokenizer from either of its files, and states that do not depend on the company."""

import struct
from pathlib import Path

import pytest
import torch

from motet.model.text2midi import checkpoint
from motet.model.text2midi.text import MAX_PIECES, read_text_tokenizer
from motet.music.error import InvalidInputError
from tests.model.text2midi.published import CAPTIONS, imported, pieces, published


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protocol buffer."""
    size, length = bytearray(), len(content)
    while length >= 0x80:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return bytes([number << 3 | 2, *size]) + content


def spiece_model() -> bytes:
    """The test's unigram vocabulary as SentencePiece writes it."""
    result = b""
    for index, (text, score) in enumerate(pieces()):
        kind = {0: 3, 1: 3, 2: 2}.get(index, 1)
        result += field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + bytes([3 << 3, kind]))
    return result + field(3, field(1, b"nmt_nfkc"))


def test_both_files_read_captions_alike(tmp_path: Path) -> None:
    (tmp_path / "spiece.model").write_bytes(spiece_model())
    ours, given = read_text_tokenizer(tmp_path), read_text_tokenizer(published(64))
    assert ours.get_vocab_size() == given.get_vocab_size() == 32_100
    for caption in (*CAPTIONS, "  two   waltz\tlines\n", "Überraschung 7!"):
        assert ours.encode(caption).ids == given.encode(caption).ids
    assert ours.encode("a piano").tokens == ["▁", "a", "▁piano", "</s>"]


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x0a\x05ab", field(1, field(1, b"\xff\xfe"))])
def test_a_damaged_spiece_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "spiece.model").write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"spiece\.model"):
        read_text_tokenizer(tmp_path)


def test_states_do_not_depend_on_the_company() -> None:
    _, _, captions = checkpoint.load(imported(64, "train"))
    together, mask = captions.encode([*CAPTIONS, CAPTIONS[0]])
    _, _, fresh = checkpoint.load(imported(64, "train"))
    for row, caption in enumerate(CAPTIONS):
        alone, _ = fresh.encode([caption])
        torch.testing.assert_close(together[row][mask[row]], alone[0], rtol=0, atol=0)
    torch.testing.assert_close(together[3], together[0], rtol=0, atol=0)


def test_long_captions_are_cut_and_still_end() -> None:
    _, _, captions = checkpoint.load(imported(64, "train"))
    states, mask = captions.encode(["waltz " * 600])
    assert states.shape[1] == mask.sum() == MAX_PIECES
