"""Mutated captions from a language model behind plain HTTP, in the chat format that most servers of models speak."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from motet.music.caption import Caption
from motet.music.error import InvalidInputError, UnavailableError
from motet.search import answer
from motet.search.mutation import Settled

TIMEOUT_S: Final = 10.0
MAX_BYTES: Final = 1 << 20
_LINES: Final = 8
_KEPT: Final = 1024
_ENDPOINT: Final = "/chat/completions"


class HostedModel:
    """Asks a server for wordings; those of a (caption, seed) are kept, so that one process always gets the same.

    Args:
        url: http or https, up to and with or without ``/chat/completions``; the name of the model after ``#``.
        key: sent as a bearer token; None sends none.
        timeout_s: seconds for the whole answer.

    Raises InvalidInputError for anything but such an address.
    """

    def __init__(self, url: str, *, key: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid or parts.username or parts.password:
            raise InvalidInputError.of("mutator", "must be an address such as http://HOST:PORT/v1#MODEL", url)
        path = parts.path.rstrip("/")
        path = path if path.endswith(_ENDPOINT) else path + _ENDPOINT
        self.url = urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
        self._model = parts.fragment or "default"
        self._key = key
        self._timeout_s = timeout_s
        self._kept: OrderedDict[tuple[str, int], tuple[str, ...]] = OrderedDict()
        self._lock = threading.Lock()
        # No proxies out of the environment, and no redirects: a key must reach nobody else.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())

    def propose(self, caption: Caption, count: int, *, seed: int, settled: Settled) -> Iterator[str]:
        """See ``motet.search.mutation.Source``; the lines of one answer. Raises UnavailableError when it fails."""
        yield from self._lines(caption.text, seed)

    def _lines(self, text: str, seed: int) -> tuple[str, ...]:
        wanted = (text, seed)
        with self._lock:  # one question at a time: who asks the same gets the answer that is on its way
            if wanted not in self._kept:
                self._kept[wanted] = tuple(answer.cleaned(self._asked(text, seed))[:_LINES])
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(wanted)
            return self._kept[wanted]

    def _asked(self, text: str, seed: int) -> str:
        told = f"{answer.INSTRUCTION} Write {_LINES} different ones, each on a line of its own, and nothing else."
        body = {
            "model": self._model,
            "messages": [{"role": "system", "content": told}, {"role": "user", "content": text}],
            "seed": seed % 2**31,
            "temperature": 0.8,
            "max_tokens": 1024,
            "stream": False,
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(  # noqa: S310 (the scheme was checked)
            self.url, data=json.dumps(body).encode(), headers=headers, method="POST"
        )
        received = self._within_time(lambda deadline: self._fetch(request, deadline))
        try:
            content = json.loads(received)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise self._failed("the answer is no chat completion") from error
        if not isinstance(content, str):
            raise self._failed("the answer has no text")
        return content

    def _fetch(self, request: urllib.request.Request, deadline: float) -> bytes:
        received = bytearray()
        with self._opener.open(request, timeout=self._timeout_s) as response:
            while part := response.read1(1 << 16):
                received += part
                if len(received) > MAX_BYTES:
                    raise ValueError(f"the answer is longer than {MAX_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError("the answer takes too long")
        return bytes(received)

    def _within_time(self, work: Callable[[float], bytes]) -> bytes:
        """What ``work`` gives, in a thread that is left to itself when it is late: a slow server can drip for ever."""
        outcome: list[bytes | Exception] = []

        def attempt() -> None:
            try:
                outcome.append(work(time.monotonic() + self._timeout_s))
            except Exception as error:  # told to the caller below
                outcome.append(error)

        thread = threading.Thread(target=attempt, daemon=True, name="hosted-mutator")
        thread.start()
        thread.join(self._timeout_s)
        if not outcome:
            raise self._failed(f"no answer within {self._timeout_s:g} s")
        if isinstance(outcome[0], bytes):
            return outcome[0]
        raise self._failed((str(outcome[0]).splitlines() or [type(outcome[0]).__name__])[0]) from outcome[0]

    def _failed(self, why: str) -> UnavailableError:
        message = f"mutator: {self.url} failed: {why}"
        return UnavailableError("MUTATOR_UNAVAILABLE", message, {"field": "mutator", "mutator": self.url})


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **named: Any) -> None:
        """Follows nothing; the opener then reports the status as an error."""
        return
