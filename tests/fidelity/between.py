"""A vendor that changes requests on their way: a proxy on loopback that hands all else on as it is."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Change = Callable[[dict[str, Any]], None]
"""What is done to the body of a request, in place."""
_DEADLINE_S = 600


@contextmanager
def between(upstream: str, change: Change) -> Iterator[str]:
    """Stand before the server at ``upstream`` (its address up to ``/v1``); gives the proxy's own address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(upstream, change))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(upstream: str, change: Change) -> type[BaseHTTPRequestHandler]:
    place = urlsplit(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

        def do_GET(self) -> None:
            self.hand_on(None)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            change(body)
            self.hand_on(json.dumps(body).encode())

        def hand_on(self, body: bytes | None) -> None:
            """Ask upstream and pass on what comes, as it comes."""
            asked = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_DEADLINE_S)
            try:
                path = place.path + self.path.removeprefix("/v1")
                asked.request(self.command, path, body, {"content-type": "application/json"})
                answer = asked.getresponse()
                self.send_response(answer.status)
                self.send_header("content-type", answer.headers.get("content-type", "application/json"))
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                while block := answer.read1(65536):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")
            except OSError:  # either side has gone: the client sees a broken answer, as of any broken vendor
                self.close_connection = True
            finally:
                asked.close()

    return Handler
