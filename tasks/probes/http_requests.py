"""Probes of requests that come another way than usual: compressed, with Expect, twice, to a path with a slash."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

from harness.conformance import Check, Refused, Seen, accepted, chat, check, literal, probe, said_no
from harness.conformance.plain import HELLO
from harness.provider import Endpoint
from harness.types import Request


def _hello(endpoint: Endpoint) -> bytes:
    limit = endpoint.provider.quirks.max_tokens_field
    messages = [{"role": "user", "content": HELLO}]
    return json.dumps({"model": endpoint.model_id, "messages": messages, limit: 8}).encode()


GZIP = literal(
    "http_gzip_request",
    "a plain request, compressed",
    lambda endpoint: gzip.compress(_hello(endpoint), mtime=0),
    surface="http",
    headers={"Content-Encoding": "gzip"},
    answers=frozenset({415}),
)
EXPECT = chat(
    "http_expect",
    "a plain request with Expect: 100-continue",
    HELLO,
    cap=8,
    surface="http",
    send={"headers": {"Expect": "100-continue"}},
)
SLASH = literal(
    "http_trailing_slash",
    "a plain request to the path with a slash behind it",
    _hello,
    path="/chat/completions/",
    surface="http",
)
ONCE = chat("http_idempotency", "the same request twice with one Idempotency-Key", HELLO, cap=8, surface="http")


def _keyed(endpoint: Endpoint, repeat: int) -> Request:
    """A key of the endpoint's own: one that was used with another body would rightly be refused."""
    made = ONCE.build(endpoint, repeat)
    key = hashlib.sha256(endpoint.id.encode() + (made.body or b"")).hexdigest()[:32]
    return replace(made, headers={**made.headers, "Idempotency-Key": f"harness-{key}"})


TWICE = replace(ONCE, build=_keyed, repeats=2)


@probe(
    "http.gzip_request",
    title="Reads compressed requests",
    sees=(GZIP,),
    severity="ext",
    needs=("chat.basic",),
    spec="RFC 9110, 8.4",
    faults={"reject_gzip": "rejected"},
)
def gzip_request(seen: Seen) -> Iterator[Check]:
    """A request compressed with gzip is answered; 415 and 400 count as rejected."""
    capture = seen[GZIP]
    if capture.status in (400, 415):
        raise Refused(capture)
    yield from accepted(capture)


@probe(
    "http.expect_100",
    title="Bears Expect: 100-continue",
    sees=(EXPECT,),
    severity="ext",
    needs=("chat.basic",),
    spec="RFC 9110, 10.1.1",
    faults={"reject_expect": "rejected"},
)
def expect_100(seen: Seen) -> Iterator[Check]:
    """A request with Expect: 100-continue is answered; 417 counts as rejected."""
    capture = seen[EXPECT]
    if capture.status == 417:
        raise Refused(capture)
    yield from accepted(capture)


@probe(
    "http.idempotency_key",
    title="Takes an Idempotency-Key twice",
    sees=(TWICE,),
    severity="ext",
    basis="eco",
    over="all",
    needs=("chat.basic",),
    spec="openai-python: Idempotency-Key",
    faults={"idempotency_conflict": "partial"},
)
def idempotency_key(seen: Seen) -> Iterator[Check]:
    """The same request with the same Idempotency-Key is answered both times, be it with one answer or with two."""
    captures = seen.all(TWICE)
    yield from accepted(captures[0])
    for capture in captures[1:]:
        told = f"{capture.status}"
        if said_no(capture):
            yield check("answered again", False, "200", told, must=False, of=capture)  # noqa: FBT003 - it was not
        else:
            yield from accepted(capture)


@probe(
    "http.trailing_slash",
    title="Survives a slash behind the path",
    sees=(SLASH,),
    severity="ext",
    basis="eco",
    needs=("chat.basic",),
    spec="RFC 3986, 6.2.3",
    faults={"crash_on_slash": "broken"},
)
def trailing_slash(seen: Seen) -> Iterator[Check]:
    """/chat/completions/ is answered, redirected or refused, and is no server error."""
    status = seen[SLASH].status or 0
    yield check("status", status < 500, "200, 307, 308 or 404", status)


PROBES = (gzip_request, expect_100, idempotency_key, trailing_slash)
