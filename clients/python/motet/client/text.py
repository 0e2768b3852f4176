"""Text that can go over the wire."""

from __future__ import annotations

from motet.client.error import RequestError


def text(field: str, value: str) -> str:
    """``value`` if it is UTF-8; the command line hands over bytes that are not as lone surrogates."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        received = value.encode("utf-8", "surrogateescape" if _from_bytes(value) else "backslashreplace")
        raise RequestError.of(field, "must be UTF-8", received) from None
    return value


def _from_bytes(value: str) -> bool:
    return all(not 0xD800 <= ord(c) <= 0xDFFF or 0xDC80 <= ord(c) <= 0xDCFF for c in value)
