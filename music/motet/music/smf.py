"""The bytes of Standard MIDI Files: refusing what is malformed before a fast parser sees it."""

from __future__ import annotations

import re

from motet.music.error import InvalidInputError

_EMPTY_TEXT = b"\xff\x01\x00"

_DELTA = rb"[\x80-\xff]{0,3}+[\x00-\x7f]"
_D = rb"[\x00-\x7f]"
# One status byte with all messages that run on it, and all channel messages up to the next system message.
# (Possessive, so that matching takes linear time; without groups, whose spans CPython 3.11 gets wrong in there.)
_STATUS_RUN = (
    rb"(?:" + _DELTA + rb"[\x80-\xbf\xe0-\xef]" + _D + _D + rb"(?:" + _DELTA + _D + _D + rb")*+"
    rb"|" + _DELTA + rb"[\xc0-\xdf]" + _D + rb"(?:" + _DELTA + _D + rb")*+)"
)
_ONE_STATUS = re.compile(_STATUS_RUN)
_CHANNEL_MESSAGES = re.compile(_STATUS_RUN + rb"++")
_RUNNING_TWO = re.compile(rb"(?:" + _DELTA + _D + _D + rb")++")
_RUNNING_ONE = re.compile(rb"(?:" + _DELTA + _D + rb")++")
_DELTA_TIME = re.compile(_DELTA)


def sanitized(data: bytes) -> bytes:
    """A well-formed copy of a MIDI file that holds only channel messages, tempos, meters and track names.

    Every event is walked. Other events become empty texts, so that times stay; running status that goes on after a
    meta event, which is not allowed but common, is written out.

    Raises:
        InvalidInputError: not a Standard MIDI File, of an unknown format or time division, truncated or damaged.
    """
    return _Walk(data).clean


def shown(data: bytes) -> str:
    """How a message names a file: its size and first bytes."""
    return f"{len(data):,} bytes starting with {data[:8]!r}"


class _Walk:
    """Walks every event of a file; ``clean`` is a well-formed copy with notes, programs, tempos, meters and names."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        out, self._position = self._header()
        declared = int.from_bytes(data[10:12], "big")
        tracks: list[bytes] = []
        while len(tracks) < declared:
            kind, body = self._chunk(declared, len(tracks))
            if kind == b"MTrk":
                tracks.append(self._track(body, len(tracks) + 1))
        out += [b"MTrk" + len(track).to_bytes(4, "big") + track for track in tracks]
        self.clean = b"".join(out)

    def _header(self) -> tuple[list[bytes], int]:
        data = self._data
        if not data.startswith(b"MThd"):
            raise InvalidInputError.of("midi", 'must be a Standard MIDI File, starting with "MThd"', shown(data))
        length = int.from_bytes(data[4:8], "big")
        if len(data) < 14 or length < 6 or len(data) < 8 + length:
            raise InvalidInputError.of("midi", "must not be truncated: the header is incomplete", shown(data))
        kind, division = int.from_bytes(data[8:10], "big"), int.from_bytes(data[12:14], "big")
        if kind > 2:
            raise InvalidInputError.of("midi", "must be of format 0, 1 or 2", f"format {kind}")
        if not 1 <= division <= 32767:
            raise InvalidInputError.of("midi", "must count time in ticks per quarter note", f"division {division}")
        return [b"MThd\x00\x00\x00\x06" + data[8:14]], 8 + length

    def _chunk(self, declared: int, found: int) -> tuple[bytes, bytes]:
        data, start = self._data, self._position
        if start + 8 > len(data):
            rule = f"must not be truncated: the header promises {declared} tracks"
            raise InvalidInputError.of("midi", rule, f"{found} whole tracks in {len(data):,} bytes")
        length = int.from_bytes(data[start + 4 : start + 8], "big")
        if start + 8 + length > len(data):
            rule = f"must not be truncated: the chunk at byte {start} promises {length:,} bytes"
            raise InvalidInputError.of("midi", rule, f"{len(data) - start - 8:,} bytes after its head")
        self._position = start + 8 + length
        return data[start : start + 4], data[start + 8 : start + 8 + length]

    def _track(self, body: bytes, number: int) -> bytes:
        out: list[bytes] = []
        position, status, size = 0, 0, len(body)
        unread: re.Match[bytes] | None = None  # messages whose last status byte may be needed
        while position < size:
            messages = _CHANNEL_MESSAGES.match(body, position)
            if messages is not None:
                unread = messages
                out.append(messages[0])
                position = messages.end()
                if position == size:
                    break
            delta = _DELTA_TIME.match(body, position)
            if delta is None or delta.end() == size:
                raise self._damaged(number, position)
            first = body[delta.end()]
            if first < 0x80:  # running status goes on after a meta event: not allowed, but common
                if unread is not None:
                    status, unread = _last_status(unread), None
                pattern = _RUNNING_ONE if status & 0xE0 == 0xC0 else _RUNNING_TWO
                more = pattern.match(body, position) if status else None
                if more is None:
                    raise self._damaged(number, position)
                out += [delta[0], bytes([status]), body[delta.end() : more.end()]]
                position = more.end()
            elif first in (0xFF, 0xF0, 0xF7):
                kind, value, position = self._system(body, delta.end(), number)
                out.append(delta[0])
                if kind == 0x2F:
                    out.append(b"\xff\x2f\x00")
                    return b"".join(out)
                out.append(_kept(kind, value))
            else:
                raise self._damaged(number, position)
        return b"".join([*out, b"\x00\xff\x2f\x00"])

    def _system(self, body: bytes, position: int, number: int) -> tuple[int, bytes, int]:
        """Type (-1 for system exclusive), payload and end of the system message at ``position``."""
        kind, start = (body[position + 1 : position + 2], position + 2)
        if body[position] != 0xFF:
            kind, start = b"", position + 1
        length = _DELTA_TIME.match(body, start)
        if length is None or (body[position] == 0xFF and not kind):
            raise self._damaged(number, position)
        count = 0
        for byte in length[0]:
            count = count << 7 | byte & 0x7F
        end = length.end() + count
        if end > len(body):
            raise self._damaged(number, position)
        return (kind[0] if kind else -1), body[length.end() : end], end

    def _damaged(self, number: int, position: int) -> InvalidInputError:
        rule = f"must not be truncated or damaged: track {number} has no valid event at its byte {position:,}"
        return InvalidInputError.of("midi", rule, shown(self._data))


def _last_status(messages: re.Match[bytes]) -> int:
    """The status byte that the last of some channel messages runs on."""
    status = 0
    for run in _ONE_STATUS.finditer(messages[0]):
        status = run[0][end_of_number(run[0], 0)]
    return status


def _kept(kind: int, value: bytes) -> bytes:
    """The system message when a score needs it and it is sound, else an empty text that keeps its time."""
    if kind == 0x03:
        try:
            name = value.decode("utf-8")
        except UnicodeDecodeError:
            name = value.decode("latin-1")
        text = clean_name(name).encode()
        return b"\xff\x03" + bytes([len(text)]) + text
    if kind == 0x51 and len(value) == 3:
        return b"\xff\x51\x03" + value
    if kind == 0x58 and len(value) >= 4 and 1 <= value[0] <= 64 and value[1] <= 5:
        return b"\xff\x58\x04" + value[:4]
    return _EMPTY_TEXT


def clean_name(name: str) -> str:
    """A track name that every reader takes: printable, at most 30 characters."""
    return "".join(character for character in name if character.isprintable()).strip()[:30].strip()


def end_of_number(body: bytes, position: int) -> int:
    """The byte after the variable-length number at ``position``."""
    while body[position] & 0x80:
        position += 1
    return position + 1
