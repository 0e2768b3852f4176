"""When to try a failed call again, and after how long."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import grpc

from motet.client.error import RequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Retries UNAVAILABLE with exponential backoff, and RESOURCE_EXHAUSTED when the server says when; nothing else.

    A stream is tried again only if nothing of it has arrived.

    Args:
        attempts: tries in all, at least 1.
        first_delay_s: seconds before the second try, 0 or more; doubles each time.
        max_delay_s: no wait is longer, except one that the server asks for.
        jitter: each wait is multiplied by a number in [1 - jitter, 1 + jitter]; 0 to 1.
    """

    attempts: int = 4
    first_delay_s: float = 0.2
    max_delay_s: float = 5.0
    jitter: float = 0.25

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise RequestError.of("attempts", "must be at least 1", self.attempts)
        for name in ("first_delay_s", "max_delay_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise RequestError.of(name, "must be finite and not negative", value)
        if not 0 <= self.jitter <= 1:
            raise RequestError.of("jitter", "must be from 0 to 1", self.jitter)

    def delay_s(self, error: RequestError, attempt: int, generator: random.Random) -> float | None:
        """Seconds to wait after the failure of try number ``attempt`` (from 1), or None if it is final."""
        if attempt >= self.attempts:
            return None
        if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and error.retry_after_s is not None:
            wanted = error.retry_after_s
        elif error.code is grpc.StatusCode.UNAVAILABLE:
            wanted = min(self.first_delay_s * 2 ** (attempt - 1), self.max_delay_s)
        else:
            return None
        return wanted * generator.uniform(1 - self.jitter, 1 + self.jitter)
