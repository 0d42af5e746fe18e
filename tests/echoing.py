"""A server that gives its clients' keys away: in bodies and headers, encoded, split over events and over packets."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, quote_plus

WAYS = (
    "plain",
    "json",
    "basic",
    "base64",
    "base64url",
    "url",
    "error",
    "status",
    "events",
    "packets",
    "headers",
    "redirect",
)


def spellings(key: str) -> dict[str, bytes]:
    """All that must be nowhere: the key, in base64 with each alignment, and as URLs spell it."""
    found = {"plain": key.encode(), "url": quote(key, safe="").encode(), "form": quote_plus(key).encode()}
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + key.encode())
        # A character that holds bits of a neighbour is not the key's own.
        start, end = -(-before * 8 // 6), (before + len(key)) * 8 // 6
        found[f"base64+{before}"] = encoded[start:end]
        found[f"base64url+{before}"] = encoded[start:end].translate(bytes.maketrans(b"+/", b"-_"))
    return found


class _Echo(BaseHTTPRequestHandler):
    """The way is the first part of the path."""

    protocol_version = "HTTP/1.1"
    elsewhere = "http://127.0.0.1:1/v1"
    bodies: Mapping[str, bytes] = MappingProxyType({})

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """A list of models, with the key for its name."""
        self._reply(200, json.dumps({"data": [{"id": self._key()}, {"id": "m"}]}).encode())

    def do_POST(self) -> None:
        """An answer with the key in it."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        way, key = self.path.split("/")[1], self._key()
        basic = base64.b64encode(f"user:{key}".encode()).decode()
        if way in self.bodies:
            kind = "text/event-stream" if asked.get("stream") else "application/json"
            self._reply(400 if way == "refused" else 200, self.bodies[way], kind)
            return
        said = {
            "json": json.dumps({"key": key}),
            "basic": f"Basic {basic}",
            "base64": " ".join(base64.b64encode(b"x" * n + key.encode() + b"y" * n).decode() for n in range(3)),
            "base64url": base64.urlsafe_b64encode(key.encode()).decode(),
            "url": f"https://x.test/?key={quote(key, safe='')}&other={quote_plus(key)}&third={quote(key)}",
        }.get(way, f"the key is {key}.")
        if way == "error":
            self._reply(400, json.dumps({"error": {"message": f"bad key {key} or {basic}", "type": key}}).encode())
        elif way == "status":
            self._reply(401, key.encode(), "text/plain")
        elif way == "redirect":
            self._reply(302, b"", location=f"{self.elsewhere}/chat/completions?key={key}")
        elif way == "headers":
            self._reply(
                200, self._whole("fine"), **{"x-key": key, "x-basic": basic, "x-request-id": quote(key, safe="")}
            )
        elif asked.get("stream"):
            self._stream(said, pieces=way in ("events", "packets"), split=way == "packets")
        else:
            self._reply(200, self._whole(said))

    def _key(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ") or self.headers.get("api-key", "")

    def _whole(self, text: str) -> bytes:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()

    def _stream(self, text: str, *, pieces: bool, split: bool) -> None:
        size = 4 if pieces and not split else len(text)
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        deltas = [{"index": 0, "delta": {"content": part}} for part in parts]
        deltas.append({"index": 0, "delta": {}, "finish_reason": "stop"})
        events = [{"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [one]} for one in deltas]
        data = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events) + b"data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        step = 40 if split else len(data)
        for at in range(0, len(data), step):
            self.wfile.write(data[at : at + step])
            self.wfile.flush()
            if split:
                time.sleep(0.002)

    def _reply(self, status: int, data: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def echoing(elsewhere: str = _Echo.elsewhere, bodies: Mapping[str, bytes] = _Echo.bodies) -> Iterator[str]:
    """Its address, to which a way is added.

    ``elsewhere`` is where it redirects to; ``bodies`` are answers of further ways, byte for byte.

    The way ``refused`` has status 400.
    """
    handler = type("Echo", (_Echo,), {"elsewhere": elsewhere, "bodies": bodies})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
