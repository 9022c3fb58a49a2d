"""Requests that never end are ended: slow heads, slow bodies, endless headers."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from croupier.apps.serve.asgi import Receive, Scope, Send, read_body, respond
from croupier.runners.slow import MOST_HEAD, patient

HEAD = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(send, 200, await read_body(scope, receive, 100))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    config = uvicorn.Config(echo, port=0, lifespan="off", log_config=None, http=patient(0.3))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.002)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join()


def talk(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back until the server hangs up, or has answered as often as was asked."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
        for part in parts:
            link.sendall(part)
            time.sleep(pause)
        heard = b""
        while got := link.recv(65_536):
            heard += got
        return heard


@pytest.mark.parametrize("sent", [b"", b"POST / HT", HEAD[:-2], HEAD, HEAD + b"a"])
def test_a_request_that_is_not_completed_is_ended(port: int, sent: bytes) -> None:
    assert talk(port, sent).startswith(b"HTTP/1.1 408 ")


def test_an_endless_header_is_ended(port: int) -> None:
    heard = talk(port, b"GET / HTTP/1.1\r\nx: " + b"a" * (MOST_HEAD + 10))
    assert heard.startswith(b"HTTP/1.1 431 ")


def test_a_connection_may_be_kept_for_longer_than_one_request(port: int) -> None:
    last = HEAD.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + b"{}"
    heard = talk(port, HEAD + b"{}", HEAD, b"{}", last, pause=0.15)
    assert heard.count(b"HTTP/1.1 200 ") == 3
