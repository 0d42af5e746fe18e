"""A cloud on loopback: it issues tokens that live for seconds, and a model's server refuses all but living ones."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_ANSWER = b"".join(
    b"data: %b\n\n" % (one if isinstance(one, bytes) else json.dumps(one).encode())
    for one in (
        *(
            {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            for choice in (
                {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None},
                {"index": 0, "delta": {}, "finish_reason": "stop"},
            )
        ),
        b"[DONE]",
    )
)


class Seen:
    """One request as it arrived."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        self.method = method
        self.target = target
        self.headers = {name.lower(): text for name, text in headers.items()}
        self.body = body
        self.status = 0

    @property
    def bearer(self) -> str:
        """The token it brought; empty: none."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


class Cloud:
    """Token servers of two clouds, and models at every other path; a context manager.

    A token lives for ``life_s``. ``lets_in`` decides about a request to a model; None: only a token that lives is let
    in. What is refused gets 401 with what it brought, as a careless server might.
    """

    def __init__(self, life_s: float = 3600.0, lets_in: Callable[[Seen], bool] | None = None) -> None:
        self.life_s = life_s
        self.issued: dict[str, float] = {}
        self.broken = False
        """Whether it issues no more tokens."""
        self.asked: list[Seen] = []
        """Requests to models."""
        self.lets_in = lets_in or (lambda seen: self.issued.get(seen.bearer, 0.0) > time.monotonic())
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.port: int = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def used(self) -> list[str]:
        """The tokens that reached a model, each once, in their order."""
        return list(dict.fromkeys(one.bearer for one in self.asked))

    def issue(self) -> str:
        """A token that lives from now on."""
        with self._lock:
            token = f"tok.{len(self.issued):04d}-secret-of-the-cloud"
            self.issued[token] = time.monotonic() + self.life_s
        return token

    def _answer(self, seen: Seen) -> tuple[int, bytes, str]:
        path = urlsplit(seen.target).path
        issuing = path.endswith("/token")
        if issuing and self.broken:
            return 400, json.dumps({"error": "invalid_grant", "error_description": "secret words"}).encode(), "json"
        if path.startswith("/computeMetadata/") or path == "/":
            return 200, json.dumps(self._metadata(path)).encode(), "json"
        if path == "/entra/token":
            assert seen.headers["x-identity-header"] == "secret-of-the-host"
            ends = int(datetime.now(UTC).timestamp() + self.life_s)
            resource = parse_qs(urlsplit(seen.target).query)["resource"][0]
            told = {"access_token": self.issue(), "expires_on": str(ends), "resource": resource, "token_type": "Bearer"}
            return 200, json.dumps(told).encode(), "json"
        if path == "/oauth/token":
            told = {"access_token": self.issue(), "expires_in": self.life_s, "token_type": "Bearer"}
            return 200, json.dumps(told).encode(), "json"
        self.asked.append(seen)
        if not self.lets_in(seen):
            refused = {"error": {"message": f"not {seen.headers.get('authorization')}"}}
            return 401, json.dumps(refused).encode(), "json"
        return 200, _ANSWER, "event-stream"

    def _metadata(self, path: str) -> Any:
        if path.endswith("/token"):
            return {"access_token": self.issue(), "expires_in": self.life_s, "token_type": "Bearer"}
        if path.endswith("/universe-domain"):
            return "googleapis.com"
        if path.endswith("/"):
            return {"aliases": ["default"], "email": "me@example.invalid", "scopes": []}
        return "project"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                seen = Seen(self.command, self.path, dict(self.headers.items()), body)
                status, content, kind = cloud._answer(seen)
                seen.status = status
                self.send_response(status)
                self.send_header("Metadata-Flavor", "Google")
                self.send_header("Content-Type", f"application/{kind}" if kind == "json" else "text/event-stream")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = _any  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                """Nothing is said."""

        return Handler
