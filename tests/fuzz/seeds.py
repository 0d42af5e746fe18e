"""What a search begins with: good input of each target, and the nasty streams that are known already."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping

from streams.nasty import CASES

from harness.exchange import Exchange, Failure, Read, WireMarks
from harness.record.journal import to_line
from harness.types import Attempt, Job, Request

_BODIES = [b"".join(case.reads) for case in CASES if sum(map(len, case.reads)) < 4000]
_ATTEMPT = Attempt(
    Job("quality.x/p/m/s/0", "p/m", "quality", "quality.x", "x", "s", due_ns=1, give_up_s=2.5),
    0,
    Request("/chat/completions", b'{"model":"m"}', stream=True, workload_sha256="00"),
    Exchange(
        WireMarks(send0_ns=5, hdr_ns=9),
        200,
        (("content-type", "application/json"),),
        (Read(9, b'{"a":'), Read(12, b"\xff}")),
        "kernel",
        reused=True,
        failure=Failure("throttled", "later", 429, 1.5),
    ),
    1,
    2,
    1,
)
_SESSION = b'{"v":1,"type":"session","session":1,"mono_ns":5,"wall":"2026-01-01T00:00:00.000000Z","pid":7}\n'
_HEADS = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Too Many\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(b"hello"),
)


_LINE = to_line(_ATTEMPT).rpartition(b',"crc":')[0] + b"}\n"
"""Without its checksum, which would refuse nearly all that a search makes of it."""


_TABLES = (
    (b'{"a": 1}\n\n{"a": "\\ud800"}\n', b'{"a": 1'),
    (b'a,b\n1,"x\ny"\n', b"\xef\xbb\xbfa\n1\n"),
    (b"a\tb\n1\t2\n",),
    (b'[{"a": 1}, {"a": [NaN]}]', b'{"data": [{"a": 1}]}'),
)
_PROVIDERS = b"""
providers:
  mine:
    kind: local
    base_url: "http://127.0.0.1:9/v1"
    api_key_env: MINE_KEY
    models: {m: model-small}
    limits: {concurrency: 4}
    quirks: {max_tokens_field: max_tokens}
"""


def _bodies() -> list[bytes]:
    return [bytes([place % 32]) + body for place, body in enumerate(_BODIES)]


SEEDS: Mapping[str, Callable[[], list[bytes]]] = {
    "sse": _bodies,
    "answer": _bodies,
    "response": lambda: [bytes([mode]) + head for head in _HEADS for mode in (0, 3, 8)],
    "line": lambda: [to_line(_ATTEMPT), _LINE],
    "table": lambda: [bytes([kind]) + text for kind, texts in enumerate(_TABLES) for text in texts],
    "providers": lambda: [_PROVIDERS, _PROVIDERS.replace(b"local", b"lokal")],
    "journal": lambda: [_SESSION + to_line(_ATTEMPT), _SESSION + _LINE, _SESSION + _LINE[:-40]],
}
