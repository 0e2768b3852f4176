"""The one place where an exception becomes a gRPC status."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status  # type: ignore[import-untyped]

from motet.music.error import (
    CancelledError,
    InternalError,
    InvalidInputError,
    MotetError,
    NotFoundError,
    UnavailableError,
)
from motet.v1 import errors_pb2

DOMAIN = "motet"
"""``google.rpc.ErrorInfo.domain`` of every error."""

DETAIL_KEY = "motet-error-bin"
"""Trailing metadata key of the serialized ``motet.v1.ErrorDetail``."""

_log = logging.getLogger(__name__)


class ExhaustedError(MotetError):
    """No room for the request now; nothing was done for it.

    Args:
        reason, message: as in MotetError.
        retry_after_s: seconds after which a new try is worth while, at least 0.
    """

    def __init__(self, reason: str, message: str, *, retry_after_s: float) -> None:
        super().__init__(reason, message, {"retry_after_s": f"{retry_after_s:g}"})
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[type[MotetError], tuple[str, str, dict[str, str]]]:
        return MotetError, (self.reason, self.message, self.metadata)


class DeadlineError(CancelledError):
    """The time limit or the deadline passed before anything could be returned."""


class ViolationsError(InvalidInputError):
    """Several fields break their rules; told together.

    Args:
        violations: the errors of the single fields, at least two.
    """

    def __init__(self, violations: Sequence[InvalidInputError]) -> None:
        super().__init__("INVALID_ARGUMENT", "; ".join(v.message for v in violations))
        self.violations = tuple(violations)

    def __reduce__(self) -> tuple[type[MotetError], tuple[str, str, dict[str, str]]]:
        return InvalidInputError, (self.reason, self.message, self.metadata)


def check(violations: Sequence[InvalidInputError]) -> None:
    """Raises what there is: nothing, the one violation, or all of them together."""
    if len(violations) == 1:
        raise violations[0]
    if violations:
        raise ViolationsError(violations)


def renamed(error: InvalidInputError, names: Mapping[str, str]) -> InvalidInputError:
    """The same violation with its field named as in ``names``, where that has another name for it."""
    field = error.metadata.get("field", "")
    name = names.get(field, field)
    if name == field:
        return error
    rule = error.metadata.get("rule", error.message)
    received = error.metadata.get("received", "")
    return InvalidInputError(error.reason, f"{name}: {rule} (received {received})", {**error.metadata, "field": name})


@dataclass(frozen=True, slots=True)
class _Row:
    code: grpc.StatusCode
    reason: errors_pb2.ErrorReason.ValueType  # when the error's own reason is not in the enum


TABLE: dict[type[MotetError], _Row] = {
    InvalidInputError: _Row(grpc.StatusCode.INVALID_ARGUMENT, errors_pb2.ERROR_REASON_INVALID_ARGUMENT),
    NotFoundError: _Row(grpc.StatusCode.NOT_FOUND, errors_pb2.ERROR_REASON_NOT_FOUND),
    ExhaustedError: _Row(grpc.StatusCode.RESOURCE_EXHAUSTED, errors_pb2.ERROR_REASON_QUEUE_FULL),
    UnavailableError: _Row(grpc.StatusCode.UNAVAILABLE, errors_pb2.ERROR_REASON_UNAVAILABLE),
    DeadlineError: _Row(grpc.StatusCode.DEADLINE_EXCEEDED, errors_pb2.ERROR_REASON_DEADLINE_EXCEEDED),
    CancelledError: _Row(grpc.StatusCode.CANCELLED, errors_pb2.ERROR_REASON_CANCELLED),
    InternalError: _Row(grpc.StatusCode.INTERNAL, errors_pb2.ERROR_REASON_INTERNAL),
    MotetError: _Row(grpc.StatusCode.INTERNAL, errors_pb2.ERROR_REASON_INTERNAL),
}
"""Total over the tree: a class without a row of its own has its nearest ancestor's."""


def row_of(error: type[MotetError]) -> _Row:
    """The row of the nearest ancestor of ``error`` in the table."""
    return next(TABLE[base] for base in error.__mro__ if base in TABLE)


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call, as it goes over the wire."""

    code: grpc.StatusCode
    detail: errors_pb2.ErrorDetail

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """``grpc-status-details-bin`` with google.rpc details, and ``motet-error-bin`` with our own."""
        status = rpc_status.to_status(self._status())
        return (*(status.trailing_metadata or ()), (DETAIL_KEY, self.detail.SerializeToString()))

    def _status(self) -> status_pb2.Status:
        detail = self.detail
        parts: list[Message] = [
            error_details_pb2.ErrorInfo(reason=detail.metadata["reason"], domain=DOMAIN, metadata=dict(detail.metadata))
        ]
        if detail.violations:
            violations = [
                error_details_pb2.BadRequest.FieldViolation(
                    field=v.field, description=f"{v.rule} (received {v.received})"
                )
                for v in detail.violations
            ]
            parts.append(error_details_pb2.BadRequest(field_violations=violations))
        if detail.HasField("retry_delay"):
            parts.append(error_details_pb2.RetryInfo(retry_delay=detail.retry_delay))
        status = status_pb2.Status(code=_number(self.code), message=detail.message)
        for part in parts:
            packed = any_pb2.Any()
            packed.Pack(part)
            status.details.append(packed)
        return status


def _number(code: grpc.StatusCode) -> int:
    return int(code_pb2.Code.Value(code.name))


def failure_of(error: BaseException) -> Failure:
    """The wire form of any exception; one that is not a MotetError is logged and told as an id only."""
    if isinstance(error, asyncio.CancelledError):
        error = CancelledError("CANCELLED", "the call was cancelled")
    if not isinstance(error, MotetError):
        error = _hidden(error)
    if isinstance(error, CancelledError) and error.reason == "DEADLINE_EXCEEDED":
        # The search, which knows no codes, tells a deadline by its reason.
        error = DeadlineError(error.reason, error.message, error.metadata)
    row = row_of(type(error))
    name = f"ERROR_REASON_{error.reason}"
    reason = dict(errors_pb2.ErrorReason.items()).get(name, row.reason)
    detail = errors_pb2.ErrorDetail(reason=reason, message=error.message, metadata=error.metadata)
    detail.metadata["reason"] = error.reason
    singles = error.violations if isinstance(error, ViolationsError) else (error,)
    for single in singles:
        if isinstance(single, InvalidInputError) and "field" in single.metadata:
            detail.violations.add(
                field=single.metadata["field"],
                rule=single.metadata.get("rule", single.message),
                received=single.metadata.get("received", ""),
            )
    if isinstance(error, ExhaustedError):
        detail.retry_delay.CopyFrom(duration_of(error.retry_after_s))
    return Failure(row.code, detail)


def _hidden(error: BaseException) -> InternalError:
    """Logs ``error`` under a fresh id and returns what the caller may know of it: the id."""
    number = secrets.token_hex(4)
    _log.error("internal error %s", number, exc_info=error)
    return InternalError("INTERNAL", f"internal error {number}", {"id": number})


def duration_of(seconds: float) -> duration_pb2.Duration:
    """``seconds`` as a protobuf Duration, to the nanosecond."""
    whole = math.floor(seconds)
    return duration_pb2.Duration(seconds=whole, nanos=min(int((seconds - whole) * 1e9), 999_999_999))
