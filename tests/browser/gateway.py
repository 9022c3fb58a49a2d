"""What stands before the server in production: pages, and a way through; may misbehave."""

import threading
from collections import deque
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.1"
CSP = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'"
"""No inline script, no eval, nobody else's server."""

Answer = tuple[int, bytes, dict[str, str]]


class Gateway(ThreadingHTTPServer):
    """Serves `pages`, hands the rest on to `backend`; events are answered by `script` first."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, backend: int) -> None:
        super().__init__((HOST, 0), _Handler)
        self.backend = backend
        self.url = f"http://{HOST}:{self.server_address[1]}"
        self.pages: dict[str, str] = {}
        self.script: deque[Answer] = deque()
        self.always: Answer | None = None
        self.csp = CSP
        """What its pages may do."""
        self.asked: list[tuple[str, str, bytes]] = []
        """Method, path and body of what was not a page."""
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def sent(self) -> list[bytes]:
        """The batches of events that came in."""
        return [body for _, path, body in self.asked if path == "/v1/events"]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser may hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path)
        if page is not None:
            headers = {
                "content-type": "text/html; charset=utf-8",
            }
            headers["content-security-policy"] = self.server.csp
            self._answer((200, page.encode(), headers))
        else:
            self._pass_on(b"")

    def do_POST(self) -> None:
        self._pass_on(self.rfile.read(int(self.headers.get("content-length", "0"))))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _pass_on(self, body: bytes) -> None:
        gateway = self.server
        gateway.asked.append((self.command, self.path, body))
        if self.path == "/v1/events":
            scripted = gateway.script.popleft() if gateway.script else gateway.always
            if scripted is not None:
                self._answer(scripted)
                return
        link = HTTPConnection(HOST, gateway.backend, timeout=10)
        try:
            link.request(self.command, self.path, body or None, dict(self.headers.items()))
            answer = link.getresponse()
            dropped = {"transfer-encoding", "connection", "content-length", "date", "server"}
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in dropped}
            self._answer((answer.status, answer.read(), headers))
        except OSError:
            self._answer((502, b"<h1>Bad gateway</h1>", {"content-type": "text/html"}))
        finally:
            link.close()

    def _answer(self, answer: Answer) -> None:
        status, body, headers = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
