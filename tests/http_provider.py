"""A mail provider's HTTP API for tests: keeps each request, and answers as told.

provider.answers = [TimeoutError, (200, {"id": "1"})]
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

from tests.smtp_orders import PATIENCE_SECONDS

#: Status, JSON and headers; an exception's class: no answer, and the connection stays open or is closed.
Answer = tuple[int, Any] | tuple[int, Any, Mapping[str, str]] | type[Exception]


@dataclass(frozen=True)
class Request:
    headers: Mapping[str, str]
    payload: Any


@dataclass
class HttpProvider:
    """Listens on a free port of this machine. A context manager."""

    answers: list[Answer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> HttpProvider:
        handler = type("Handler", (_Handler,), {"provider": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_SECONDS)

    def wait_until_over(self) -> None:
        self._over.wait(PATIENCE_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    provider: ClassVar[HttpProvider]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        payload = self._payload(self.rfile.read(int(self.headers["Content-Length"])))
        self.provider.requests.append(Request(dict(self.headers.items()), payload))
        answer = self.provider.answers.pop(0)
        if isinstance(answer, type):
            if answer is TimeoutError:
                self.provider.wait_until_over()
            self.close_connection = True
            return
        status, body, *headers = answer
        self._reply(status, body if isinstance(body, bytes) else json.dumps(body).encode(), *headers)

    def _payload(self, body: bytes) -> Any:
        if "json" in self.headers["Content-Type"]:
            return json.loads(body)
        fields = parse_qs(body.decode(), keep_blank_values=True)
        return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}

    def _reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""
