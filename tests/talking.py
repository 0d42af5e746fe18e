"""A loopback server whose models are functions: what it is asked goes in, what it says comes out."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from harness.provider import Endpoint, Price, Provider

Model = Callable[[list[dict[str, Any]]], str | int]
"""From the messages to the text of the answer, or to an HTTP status."""


class Talking:
    """Serves chat completions by model id until the ``with`` block ends; ``asked`` holds all bodies, by model.

    Each answer's usage is 100 tokens in, 10 out.
    """

    def __init__(self, models: Mapping[str, Model]) -> None:
        self.models = dict(models)
        self.asked: dict[str, list[dict[str, Any]]] = {name: [] for name in models}
        talking = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                talking.asked[body["model"]].append(body)
                said = talking.models[body["model"]](body["messages"])
                status, data = (said, b"{}") if isinstance(said, int) else (200, _stream(said))
                self.send_response(status)
                self.send_header("content-type", "text/event-stream" if status == 200 else "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def endpoint(self, name: str) -> Endpoint:
        """``provider/model``, the model being one of the served; a million tokens cost 1 USD in, 2 USD out."""
        provider, _, model = name.partition("/")
        url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        made = Provider(provider, "simulated", url, models={model: model}, prices={model: Price(1.0, 2.0, 1.0, "test")})
        return Endpoint(made, model, model)


def _stream(text: str) -> bytes:
    about = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    finish = "length" if text.endswith("…") else "stop"
    chunks = [
        about | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]},
        about | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
        about | {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}},
    ]
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks) + b"data: [DONE]\n\n"
