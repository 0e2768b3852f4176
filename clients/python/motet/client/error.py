"""What a failed call tells the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from motet.v1 import errors_pb2

_DETAIL_KEY = "motet-error-bin"


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks a rule, and the value received."""

    field: str
    rule: str
    received: str

    def __str__(self) -> str:
        return f"{self.field}: {self.rule} (received {self.received})"


class RequestError(Exception):
    """A call that failed; ``str`` of it is one line for people.

    Args:
        code: of gRPC.
        reason: stable machine name, e.g. ``"INVALID_ARGUMENT"``, ``"QUEUE_FULL"``, ``"MODEL_NOT_FOUND"``.
        message: one line.
        violations: every field that breaks a rule.
        metadata: every dynamic part of the message.
        retry_after_s: if set, the same call may succeed after so many seconds.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        violations: Iterable[Violation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s

    @classmethod
    def of(cls, field: str, rule: str, received: object) -> RequestError:
        """A request that was not sent, because ``field`` breaks ``rule``."""
        shown = repr(received)
        if len(shown) > 80:
            shown = f"{shown[:60]}… ({len(shown)} characters)"
        violation = Violation(field, rule, shown)
        return cls(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", str(violation), violations=[violation])


def from_rpc(error: grpc.RpcError, target: str) -> RequestError:
    """The RequestError of a failed call to ``target`` (host:port)."""
    call: Any = error  # both grpc.Call and grpc.aio.AioRpcError have these
    code: grpc.StatusCode = call.code()
    for key, value in call.trailing_metadata() or ():
        if key == _DETAIL_KEY:
            try:
                detail = errors_pb2.ErrorDetail.FromString(value)
            except DecodeError:
                break
            return _from_detail(code, detail)
    if code is grpc.StatusCode.UNAVAILABLE:
        return RequestError(code, "UNAVAILABLE", f"no Motet server answers at {target} ({_brief(call.details())})")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return RequestError(code, "DEADLINE_EXCEEDED", f"{target} did not answer in time")
    return RequestError(code, code.name, f"{target}: {_brief(call.details())}")


def _from_detail(code: grpc.StatusCode, detail: errors_pb2.ErrorDetail) -> RequestError:
    name = detail.metadata.get("reason", "")
    if not name:
        names = {value: key for key, value in errors_pb2.ErrorReason.items()}
        name = names.get(detail.reason, "UNSPECIFIED").removeprefix("ERROR_REASON_")
    return RequestError(
        code,
        name,
        detail.message,
        violations=[Violation(v.field, v.rule, v.received) for v in detail.violations],
        metadata=detail.metadata,
        retry_after_s=(
            detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9 if detail.HasField("retry_delay") else None
        ),
    )


def _brief(details: str | None) -> str:
    """The first line of what gRPC says, at most 120 characters."""
    line = (details or "no details").splitlines()[0]
    return line if len(line) <= 120 else f"{line[:119]}…"
