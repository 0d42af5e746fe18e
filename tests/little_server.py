"""A server of the dialect in one file, for the engine ``command``; it needs nothing but Python.

``python little_server.py PORT [OPTION...]``, with these options: ``die=N`` (ends without a word at the N-th chat),
``code=N`` (with that exit code), ``late=S`` (listens only after S seconds), ``child=FILE`` (starts a child that sleeps,
and writes its number there), ``deaf`` (does not hear SIGTERM), ``shut`` (answers 401 to GET), ``to=URL`` (answers with
what another server of the dialect does), ``note=FILE name=NAME`` (adds a line to that file when it begins, and one when
it is told to end).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PORT = int(sys.argv[1])
GIVEN = dict(one.partition("=")[::2] for one in sys.argv[2:])
ASKED: list[float] = []
GUARD = threading.Lock()


def note(what: str) -> None:
    """A line for who looks later."""
    if "note" in GIVEN:
        with Path(GIVEN["note"]).open("a") as file:
            file.write(f"{what} {GIVEN.get('name', PORT)}\n")


class Handler(BaseHTTPRequestHandler):
    """Chats, streamed or not."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """Its environment under /env, and that it is up under any other path."""
        body = json.dumps(dict(os.environ) if self.path == "/env" else {"data": [{"id": "m"}]}).encode()
        self.reply(401 if "shut" in GIVEN else 200, "application/json", body)

    def do_POST(self) -> None:
        """Repeat what the last message asks to be repeated."""
        sent = self.rfile.read(int(self.headers["content-length"]))
        with GUARD:
            ASKED.append(time.monotonic())
            if len(ASKED) == int(GIVEN.get("die", 0)):
                print(
                    "all is well", "but not for long", "out of memory: giving up", sep="\n", file=sys.stderr, flush=True
                )
                os._exit(int(GIVEN.get("code", 1)))
        if "to" in GIVEN:
            request = urllib.request.Request(GIVEN["to"] + self.path.removeprefix("/v1"), sent, method="POST")
            request.add_header("content-type", "application/json")
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.reply(200, answer.headers["content-type"], answer.read())
            return
        asked = json.loads(sent)
        said = str(asked["messages"][-1]["content"]).rpartition(": ")[2]
        usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
        whole = {"id": "1", "created": 1, "model": asked["model"], "usage": usage}
        if not asked.get("stream"):
            choice: Any = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
            body = json.dumps({**whole, "object": "chat.completion", "choices": [choice]}).encode()
            self.reply(200, "application/json", body)
            return
        choice = {"index": 0, "finish_reason": "stop", "delta": {"role": "assistant", "content": said}}
        body = json.dumps({**whole, "object": "chat.completion.chunk", "choices": [choice]}).encode()
        self.reply(200, "text/event-stream", b"data: " + body + b"\n\ndata: [DONE]\n\n")

    def reply(self, status: int, kind: str, body: bytes) -> None:
        """One whole answer."""
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve for ever."""

    def told(number: int, frame: object) -> None:
        note("end")
        if "deaf" not in GIVEN:
            os._exit(0)

    signal.signal(signal.SIGTERM, told)
    if "child" in GIVEN:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(GIVEN["child"]).write_text(str(child.pid))
    time.sleep(float(GIVEN.get("late", 0)))
    note("begin")
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()


main()
