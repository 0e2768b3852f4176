import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from motet.music import caption as captions
from motet.music.error import UnavailableError
from motet.search import hosted, mutators
from motet.search.hosted import HostedModel
from motet.search.mutation import Mutators

ORIGINAL = captions.parse("a slow waltz for piano")
GOOD = """1. "An unhurried waltz for piano"
2. a waltz
- a slow waltz for piano in C minor
Caption: a slow waltz for piano, 3/4"""
ADMITTED = ["An unhurried waltz for piano", "a slow waltz for piano in C minor", "a slow waltz for piano, 3/4"]


class Server:
    """Answers every request as it is told; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: reply(handler, chat(GOOD))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append((self.path, dict(self.headers), body))
                with contextlib.suppress(OSError):  # the client may have gone, as it should
                    outer.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.block_on_close = False
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


def chat(content: object) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def mutate(source: HostedModel, count: int = 3, seed: int = 0) -> list[str]:
    return [mutant.text for mutant in Mutators([source]).mutate(ORIGINAL, count, seed=seed)]


def test_lines_of_the_answer_pass_the_gate(server: Server) -> None:
    assert mutate(HostedModel(f"{server.url}#tiny", key="secret")) == ADMITTED
    path, headers, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert body["model"] == "tiny"
    assert ORIGINAL.text in body["messages"][1]["content"]


def test_without_a_key_none_is_sent(server: Server) -> None:
    mutate(HostedModel(f"{server.url}/chat/completions"))
    path, headers, _ = server.asked[0]
    assert path == "/v1/chat/completions"
    assert "Authorization" not in headers


def test_the_same_question_is_asked_once(server: Server) -> None:
    source = HostedModel(server.url)
    assert mutate(source) == mutate(source, count=3)
    assert len(server.asked) == 1
    mutate(source, seed=1)
    assert len(server.asked) == 2


def test_it_is_mixed_with_the_built_in_ones(server: Server) -> None:
    found = mutators.load(f"builtin,{server.url}").mutate(ORIGINAL, 4, seed=3)
    texts = [mutant.text for mutant in found]
    assert texts[1] == ADMITTED[0]
    assert texts[3] == ADMITTED[1]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>garbage</html>", "no chat completion"),
        (b"\xff\xfe\x00", "no chat completion"),
        (b"[" * 100_000, "no chat completion"),
        (b"[]", "no chat completion"),
        (b'{"choices": []}', "no chat completion"),
        (b'{"error": {"message": "no"}}', "no chat completion"),
        (chat(None), "has no text"),
        (chat([1, 2]), "has no text"),
        (b"x" * (hosted.MAX_BYTES + 2), "longer than"),
    ],
)
def test_nonsense_is_told_in_one_line(server: Server, body: bytes, why: str) -> None:
    server.answer = lambda handler: reply(handler, body)
    with pytest.raises(UnavailableError, match=why) as caught:
        mutate(HostedModel(server.url))
    assert caught.value.metadata["field"] == "mutator"
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_an_error_of_the_server_is_told(server: Server, status: int) -> None:
    server.answer = lambda handler: reply(handler, b"no", status)
    with pytest.raises(UnavailableError, match=str(status)):
        mutate(HostedModel(server.url, key="secret"))


@pytest.mark.parametrize("place", ["file:///etc/hostname", "ftp://127.0.0.1/x", "/elsewhere"])
def test_no_redirect_is_followed(server: Server, place: str) -> None:
    server.answer = lambda handler: reply(handler, b"", 302, Location=place)
    with pytest.raises(UnavailableError, match="302"):
        mutate(HostedModel(server.url))
    assert len(server.asked) == 1


def wait(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(2)


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


@pytest.mark.parametrize("slow", [wait, drip])
def test_a_slow_server_is_given_up(server: Server, slow: Callable[[BaseHTTPRequestHandler], None]) -> None:
    server.answer = slow
    with pytest.raises(UnavailableError, match=r"no answer within|timed out|too long"):
        mutate(HostedModel(server.url, timeout_s=0.3))


def test_a_closed_port_is_told(server: Server) -> None:
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(UnavailableError, match="mutator: http://127"):
        mutate(HostedModel(server.url))


def test_a_failure_is_not_kept(server: Server) -> None:
    source = HostedModel(server.url)
    server.answer = lambda handler: reply(handler, b"", 500)
    with pytest.raises(UnavailableError):
        mutate(source)
    server.answer = lambda handler: reply(handler, chat(GOOD))
    assert mutate(source) == ADMITTED


def test_an_answer_of_no_use_gives_no_mutants(server: Server) -> None:
    server.answer = lambda handler: reply(handler, chat("Sorry, I can't do that.\n\n" + "x" * 5000))
    assert mutate(HostedModel(server.url)) == []
