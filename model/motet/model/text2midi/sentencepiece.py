"""Reads a SentencePiece unigram model (``spiece.model``), as T5 has one, into a fast tokenizer.

The file is a protocol buffer, ``sentencepiece.ModelProto``; only what a unigram model needs is read: pieces (field 1:
text 1, score 2, kind 3) and the normaliser's precompiled character map (field 3: map 2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from motet.music.error import InvalidInputError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_UNKNOWN_KIND: Final = 2
SENTINELS: Final = 100
"""T5 appends this many special pieces to those of the file."""


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and raw value of each field of a protocol buffer message; ValueError when it is cut short."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            if at >= len(message) or shift > 63:
                raise ValueError("not a protocol buffer")
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = varint()
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            yield number, varint()
            continue
        if wire not in (_FIXED64, _BYTES, _FIXED32):
            raise ValueError("not a protocol buffer")
        size = varint() if wire == _BYTES else 8 if wire == _FIXED64 else 4
        if at + size > len(message):
            raise ValueError("not a protocol buffer")
        yield number, message[at : at + size]
        at += size


def read(path: Path) -> Tokenizer:
    """The T5 tokenizer that a ``spiece.model`` describes; InvalidInputError when it is not one."""
    pieces: list[tuple[str, float]] = []
    unknown, character_map = None, b""
    try:
        for number, value in _fields(path.read_bytes()):
            if number == 1 and isinstance(value, bytes):
                piece = dict(_fields(value))
                text, score = piece[1], piece.get(2, bytes(4))
                if not isinstance(text, bytes) or not isinstance(score, bytes):
                    raise ValueError("not a piece")
                if piece.get(3) == _UNKNOWN_KIND:
                    unknown = len(pieces)
                pieces.append((text.decode("utf-8"), struct.unpack("<f", score)[0]))
            elif number == 3 and isinstance(value, bytes):
                found = dict(_fields(value)).get(2, b"")
                character_map = found if isinstance(found, bytes) else b""
    except (ValueError, KeyError, struct.error) as error:
        raise InvalidInputError.of("text_tokenizer", "spiece.model must be a SentencePiece model", str(path)) from error
    names = [text for text, _ in pieces]
    if unknown is None or "</s>" not in names:
        raise InvalidInputError.of("text_tokenizer", "spiece.model must hold an unknown piece and </s>", str(path))
    pieces += [(f"<extra_id_{index}>", 0.0) for index in reversed(range(SENTINELS))]

    tokenizer = Tokenizer(Unigram(pieces, unk_id=unknown, byte_fallback=False))
    if character_map:
        tokenizer.normalizer = normalizers.Precompiled(character_map)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", names.index("</s>"))]
    )
    return tokenizer
