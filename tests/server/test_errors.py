"""The one table: every error has a code, a reason and details, whatever it is."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from motet.music.error import (
    CancelledError,
    InternalError,
    InvalidInputError,
    MotetError,
    NotFoundError,
    UnavailableError,
)
from motet.server.errors import (
    TABLE,
    DeadlineError,
    ExhaustedError,
    ViolationsError,
    duration_of,
    failure_of,
    row_of,
)
from motet.v1 import errors_pb2


def tree(root: type[MotetError]) -> Iterator[type[MotetError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def made(kind: type[MotetError]) -> MotetError:
    if issubclass(kind, ExhaustedError):
        return kind("QUEUE_FULL", "full", retry_after_s=1.5)
    if issubclass(kind, ViolationsError):
        return kind([InvalidInputError.of("a", "must be b", 1), InvalidInputError.of("c", "must be d", 2)])
    return kind("SOME_REASON", "some message", {"some": "thing"})


@pytest.mark.parametrize("kind", list(dict.fromkeys(tree(MotetError))))
def test_every_error_has_a_code_and_details(kind: type[MotetError]) -> None:
    error = made(kind)
    failure = failure_of(error)
    assert failure.code is row_of(kind).code
    assert failure.detail.message == error.message
    assert failure.detail.metadata["reason"] == error.reason
    assert failure.detail.reason != errors_pb2.ERROR_REASON_UNSPECIFIED
    trailing = dict(failure.trailing_metadata())
    assert errors_pb2.ErrorDetail.FromString(trailing["motet-error-bin"]) == failure.detail
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    assert status.code == failure.code.value[0]
    assert status.details[0].Is(error_details_pb2.ErrorInfo.DESCRIPTOR)


def test_the_codes_are_these() -> None:
    assert {kind.__name__: row.code.name for kind, row in TABLE.items()} == {
        "InvalidInputError": "INVALID_ARGUMENT",
        "NotFoundError": "NOT_FOUND",
        "ExhaustedError": "RESOURCE_EXHAUSTED",
        "UnavailableError": "UNAVAILABLE",
        "DeadlineError": "DEADLINE_EXCEEDED",
        "CancelledError": "CANCELLED",
        "InternalError": "INTERNAL",
        "MotetError": "INTERNAL",
    }
    assert row_of(ViolationsError) is TABLE[InvalidInputError]
    assert row_of(DeadlineError) is TABLE[DeadlineError]


def test_a_deadline_of_the_search_is_a_deadline() -> None:
    failure = failure_of(CancelledError("DEADLINE_EXCEEDED", "too late"))
    assert failure.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert failure.detail.reason == errors_pb2.ERROR_REASON_DEADLINE_EXCEEDED


@pytest.mark.parametrize("error", [RuntimeError("secret"), KeyError("secret"), MemoryError(), OSError(2, "secret")])
def test_anything_else_is_an_id(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    failure = failure_of(error)
    number = failure.detail.metadata["id"]
    assert failure.code is grpc.StatusCode.INTERNAL
    assert failure.detail.message == f"internal error {number}"
    assert "secret" not in str(failure)
    assert number in caplog.text


def test_an_exhausted_server_says_when_to_come_back() -> None:
    failure = failure_of(ExhaustedError("QUEUE_FULL", "full", retry_after_s=1.5))
    assert failure.detail.retry_delay == duration_of(1.5)
    status = status_pb2.Status.FromString(dict(failure.trailing_metadata())["grpc-status-details-bin"])
    assert any(part.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for part in status.details)


def test_reasons_of_the_wire_are_kept() -> None:
    for error, reason in (
        (NotFoundError("MODEL_NOT_FOUND", "x"), errors_pb2.ERROR_REASON_MODEL_NOT_FOUND),
        (NotFoundError("SOUNDFONT_NOT_FOUND", "x"), errors_pb2.ERROR_REASON_NOT_FOUND),
        (UnavailableError("WARMING_UP", "x"), errors_pb2.ERROR_REASON_WARMING_UP),
        (UnavailableError("FLUIDSYNTH_MISSING", "x"), errors_pb2.ERROR_REASON_UNAVAILABLE),
        (InternalError("RENDER_SILENT", "x"), errors_pb2.ERROR_REASON_INTERNAL),
    ):
        assert failure_of(error).detail.reason == reason


@pytest.mark.parametrize("kind", [ExhaustedError, ViolationsError, DeadlineError])
def test_errors_can_be_pickled(kind: type[MotetError]) -> None:
    error = made(kind)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (copy.reason, copy.message, copy.metadata) == (error.reason, error.message, error.metadata)


@pytest.mark.parametrize("seconds", [0.0, 0.1, 1.0, 59.999999999, 1e6])
def test_durations_keep_their_value(seconds: float) -> None:
    duration = duration_of(seconds)
    assert duration.seconds + duration.nanos / 1e9 == pytest.approx(seconds)
