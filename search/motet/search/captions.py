"""Files of captions: one a line."""

from __future__ import annotations

from pathlib import Path

from motet.music.error import InvalidInputError


def read_captions(path: Path, limit: int | None = None) -> list[str]:
    """Captions of a text file, one a line; blank lines and lines that begin with # do not count.

    Raises InvalidInputError when the file is missing, is not UTF-8 or holds no caption.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError.of("captions", f"must be a readable UTF-8 file ({error})", str(path)) from error
    captions = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")][:limit]
    if not captions:
        raise InvalidInputError.of("captions", "must hold at least one caption", str(path))
    return captions
