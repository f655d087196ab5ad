"""A mail provider's HTTP API for tests: keeps each request, and answers as told.

provider.answers = [TimeoutError, (200, {"id": "1"})]
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

from tests.smtp_orders import PATIENCE_SECONDS, Held

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
    #: What a payload is answered when there is none of these left.
    usual: Callable[[Any], Answer] | None = None
    requests: list[Request] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _held: Held | None = None

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

    @contextlib.contextmanager
    def holding(self) -> Iterator[Held]:
        """Keep the answers to all calls that come until it is released: the calls have been taken."""
        self._held = held = Held()
        try:
            yield held
        finally:
            self._held = None
            held.release()

    def stop_if_held(self) -> None:
        if self._held is not None:
            self._held.block_here()

    def answer_to(self, payload: Any) -> Answer:
        return self.usual(payload) if self.usual and not self.answers else self.answers.pop(0)

    def wait_until_over(self) -> None:
        self._over.wait(PATIENCE_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    provider: ClassVar[HttpProvider]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        payload = self._payload(self.rfile.read(int(self.headers["Content-Length"])))
        self.provider.requests.append(Request(dict(self.headers.items()), payload))
        answer = self.provider.answer_to(payload)
        self.provider.stop_if_held()
        if isinstance(answer, type):
            if answer is TimeoutError:
                self.provider.wait_until_over()
            self.close_connection = True
            return
        status, body, *headers = answer
        # Who has called may be dead by now.
        with contextlib.suppress(OSError):
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
