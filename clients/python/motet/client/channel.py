"""What the sync and the aio client share: channel settings and the health check."""

from __future__ import annotations

from google.protobuf import wrappers_pb2
from google.protobuf.message import DecodeError

DEFAULT_ADDRESS = "127.0.0.1:6683"
SERVICE = "motet.v1.SearchService"

OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.enable_retries", 0),  # ``retry`` decides, and knows more
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)

HEALTH_METHOD = "/grpc.health.v1.Health/Check"
_SERVING = 1


def health_request(service: str) -> bytes:
    """A serialized grpc.health.v1.HealthCheckRequest (one string in field 1, as in StringValue)."""
    return wrappers_pb2.StringValue(value=service).SerializeToString()


def is_serving(response: bytes) -> bool:
    """Whether a serialized grpc.health.v1.HealthCheckResponse (one enum in field 1) says SERVING."""
    try:
        return wrappers_pb2.Int32Value.FromString(response).value == _SERVING
    except DecodeError:
        return False  # something else listens there
