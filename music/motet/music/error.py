"""The one error tree of Motet. Only ``motet.server`` translates it to gRPC status codes."""

from __future__ import annotations

from collections.abc import Mapping


class MotetError(Exception):
    """A failure that a caller can act on, told in one line.

    Args:
        reason: stable machine name in UPPER_SNAKE_CASE, e.g. ``"CAPTION_EMPTY"``.
        message: one sentence for people: the field, the rule, the value received.
        metadata: every dynamic part of the message, as strings.
    """

    def __init__(self, reason: str, message: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata: dict[str, str] = dict(metadata or {})

    def __reduce__(self) -> tuple[type[MotetError], tuple[str, str, dict[str, str]]]:
        return type(self), (self.reason, self.message, self.metadata)


class InvalidInputError(MotetError):
    """A value that the caller gave breaks a rule: says which field, which rule, and the value received."""

    @classmethod
    def of(cls, field: str, rule: str, received: object, *, reason: str = "INVALID_ARGUMENT") -> InvalidInputError:
        """Builds the one-line message ``field: rule (received value)``; long values are shortened to 80 characters."""
        shown = repr(received)
        if len(shown) > 80:
            shown = f"{shown[:60]}… ({len(shown)} characters)"
        metadata = {"field": field, "rule": rule, "received": shown}
        return cls(reason, f"{field}: {rule} (received {shown})", metadata)


class NotFoundError(MotetError):
    """A named thing (a model, a soundfont, a file) does not exist; the message lists what does."""


class UnavailableError(MotetError):
    """A component that the request needs is missing or down (a system library, a checkpoint, a worker)."""


class CancelledError(MotetError):
    """The caller cancelled, or the deadline passed before anything could be returned."""


class InternalError(MotetError):
    """A defect of ours; the message carries no internals."""
